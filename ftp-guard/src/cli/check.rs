//! `ftp-guard check`

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Global, Outcome, complain,
    output::{counted, print, print_json},
};
use crate::{
    config::Config,
    control::{
        limit_view::{LimitsView, ProfileView},
        protocol::{DiagnosticView, Failure},
    },
    daemon::inputs::Inputs,
    netlink,
    progress::Progress,
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
    /// Names of hosts. They are not resolved.
    names: Vec<String>,
    diagnostics: Vec<DiagnosticView>,
    /// What is wrong, where it is no place in a file that was read.
    error: Option<String>,
    warnings: Vec<String>,
    /// The passive ports, as the configuration would have them.
    passive_ports: Vec<String>,
    /// For `auto`: each setting with the server and the place that it was found in.
    passive_ports_found: Vec<String>,
    /// The profiles, the default one first.
    profiles: Vec<ProfileView>,
    /// The other limits.
    limits: Option<LimitsView>,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let progress = Progress::of("reading");
        let loaded = Inputs::load(&global.config);
        drop(progress);
        let inputs = match loaded {
            Ok(inputs) => inputs,
            Err(failure) => return self.refuse(failure),
        };
        let entries = inputs.set.len() as u64;
        let report = Report {
            valid: true,
            entries,
            expired: entries - inputs.set.table(Timestamp::now()).len() as u64,
            names: inputs
                .set
                .hosts()
                .iter()
                .map(|entry| entry.name.to_string())
                .collect(),
            warnings: warnings(&inputs),
            passive_ports: strings(&inputs.passive),
            passive_ports_found: strings(&inputs.origins),
            profiles: ProfileView::all(&inputs.config),
            limits: Some(LimitsView::of(&inputs.config.limits)),
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
        if !report.names.is_empty() {
            // As above.
            let _ = writeln!(
                text,
                "names, not resolved here: {}",
                report.names.join(", ")
            );
        }
        for found in &report.passive_ports_found {
            // As above.
            let _ = writeln!(text, "passive ports: {found}");
        }
        for profile in &report.profiles {
            // As above.
            let _ = writeln!(text, "profile {}: {profile}", profile.name);
        }
        if let Some(limits) = &report.limits {
            // As above.
            let _ = writeln!(text, "limits: {limits}");
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
    if inputs.set.table(Timestamp::now()).is_empty() && inputs.set.hosts().is_empty() {
        warnings.push("the allowlist is empty: nobody may use FTP in enforce mode".to_owned());
    }
    warnings.extend(useless_limits(config));
    warnings
}

/// Limits that others make meaningless.
fn useless_limits(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let network = config.limits.network_connections_per_second;
    for (name, profile) in &config.profiles {
        let rate = profile.connections_per_second;
        if network > 0 && rate > network {
            found.push(format!(
                "profile {name} permits {rate} connections a second, \
                 limits.network_connections_per_second only {network}"
            ));
        }
        if profile.idle_time > Some(config.sessions.idle_timeout) {
            found.push(format!(
                "profile {name} ends no idle session: it is forgotten before, after \
                 sessions.idle_timeout"
            ));
        }
    }
    let total = config.limits.total_connections_per_second;
    if total > 0 && network > total {
        found.push(format!(
            "limits.network_connections_per_second is {network}, \
             limits.total_connections_per_second only {total}"
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn told(lines: &str) -> Vec<String> {
        let text = format!("interfaces = [\"eth0\"]\n[ftp]\npassive_ports = []\n{lines}");
        useless_limits(&Config::parse(Path::new("x"), &text).unwrap())
    }

    #[test]
    fn limits_that_others_make_meaningless_are_told() {
        assert_eq!(told(""), Vec::<String>::new());
        assert_eq!(
            told("[limits]\nnetwork_connections_per_second = 99\n"),
            ["profile default permits 100 connections a second, \
                 limits.network_connections_per_second only 99"]
        );
        assert_eq!(
            told("[limits]\nnetwork_connections_per_second = 6000\n"),
            ["limits.network_connections_per_second is 6000, \
                 limits.total_connections_per_second only 5000"]
        );
        assert_eq!(
            told("[profile.slow]\nidle_time = \"3h\"\n[profile.none]\nidle_time = \"off\"\n"),
            [
                "profile slow ends no idle session: it is forgotten before, after \
                 sessions.idle_timeout"
            ]
        );
        let unlimited = "[limits]\nnetwork_connections_per_second = 0\n\
                         [profile.default]\nconnections_per_second = 0\n";
        assert!(told(unlimited).is_empty());
    }
}
