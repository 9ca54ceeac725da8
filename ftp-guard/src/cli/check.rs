//! `ftp-guard check`

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Global, Outcome, complain,
    output::{counted, print, print_json},
};
use crate::{
    control::protocol::{DiagnosticView, Failure},
    daemon::inputs::Inputs,
    netlink,
};

/// Check the configuration and all allowlists, without touching the running guard.
///
/// All mistakes are reported at once, one a line, each with file, line and column; the exit code is
/// then 78. Warnings do not change it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    valid: bool,
    /// Allowlist entries, expired ones included.
    entries: u64,
    expired: u64,
    diagnostics: Vec<DiagnosticView>,
    /// What is wrong, where it is no place in a file that was read.
    error: Option<String>,
    warnings: Vec<String>,
    /// The passive ports, as the configuration would have them.
    passive_ports: Vec<String>,
    /// For `auto`: each setting with the server and the place that it was found in.
    passive_ports_found: Vec<String>,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let inputs = match Inputs::load(&global.config) {
            Ok(inputs) => inputs,
            Err(failure) => return self.refuse(failure),
        };
        let entries = inputs.set.len() as u64;
        let report = Report {
            valid: true,
            entries,
            expired: entries - inputs.set.table(Timestamp::now()).len() as u64,
            warnings: warnings(&inputs),
            passive_ports: strings(&inputs.passive),
            passive_ports_found: strings(&inputs.origins),
            ..Report::default()
        };
        if self.json {
            print_json(&report)?;
            return Ok(0);
        }
        for warning in &report.warnings {
            eprintln!("warning: {warning}");
        }
        let mut text = format!(
            "{}: valid; {}",
            global.config.display(),
            counted(entries, "allowlist entry", "allowlist entries")
        );
        if report.expired > 0 {
            // Writing to a String cannot fail.
            let _ = write!(text, ", {} of them expired", report.expired);
        }
        text.push('\n');
        for found in &report.passive_ports_found {
            // As above.
            let _ = writeln!(text, "passive ports: {found}");
        }
        print(&text)?;
        Ok(0)
    }

    fn refuse(&self, failure: Failure) -> Outcome {
        if self.json {
            print_json(&Report {
                error: failure
                    .diagnostics
                    .is_empty()
                    .then(|| failure.message.clone()),
                diagnostics: failure.diagnostics,
                ..Report::default()
            })?;
        } else {
            complain(&failure);
        }
        Ok(failure.exit_code)
    }
}

fn strings(values: &[impl ToString]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn warnings(inputs: &Inputs) -> Vec<String> {
    let config = &inputs.config;
    let mut warnings = Vec::new();
    let missing = |name: &&String| netlink::index_of(name).is_none();
    for name in config.interfaces.iter().filter(missing) {
        let existing: Vec<_> = netlink::interfaces()
            .unwrap_or_default()
            .into_iter()
            .map(|interface| interface.name)
            .collect();
        warnings.push(format!(
            "no interface `{name}` (there are: {}); `run` would not start",
            existing.join(", ")
        ));
    }
    if inputs.set.table(Timestamp::now()).is_empty() {
        warnings.push("the allowlist is empty: nobody may use FTP in enforce mode".to_owned());
    }
    warnings
}
