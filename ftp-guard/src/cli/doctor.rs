//! `ftp-guard doctor`

use std::fmt::Write as _;

use super::{
    Global, Outcome, escape,
    output::{counted, print, print_json},
    target::Target,
};
use crate::{
    config::Config,
    control::protocol::EXIT_FAILED,
    doctor::{self, Finding, Question, Report, Severity},
};

/// Look at this host, and say what keeps the guard from its work.
///
/// Kernel, privileges, interfaces, offloads, sysctls, servers, programs and rules of others: each finding
/// says what was found, why it matters and how to mend it. Nothing is changed. It works with and without a
/// daemon, a configuration or root; what could not be looked at is told.
///
/// The exit code is 1 when a finding is an error, else 0; with --strict a warning counts as an error.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Exit with 1 on warnings too.
    #[arg(long)]
    strict: bool,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let target = Target::of(global);
        let report = doctor::examine(&Question {
            config: global.config.clone(),
            config_optional: global.config.as_os_str() == Config::DEFAULT_PATH,
            socket: target.socket,
            pin_path: target.pin_path,
        });
        if self.json {
            print_json(&report)?;
        } else {
            print(&text(&report))?;
        }
        Ok(exit_code(&report, self.strict))
    }
}

fn exit_code(report: &Report, strict: bool) -> u8 {
    match report.worst {
        Severity::Error => EXIT_FAILED,
        Severity::Warning if strict => EXIT_FAILED,
        _ => 0,
    }
}

/// What is well in a line each, then what is not, the worst last: it stays in sight above the prompt.
fn text(report: &Report) -> String {
    let mut text = String::new();
    let severities = [
        Severity::Ok,
        Severity::Info,
        Severity::Warning,
        Severity::Error,
    ];
    for severity in severities {
        let of_it = report.findings.iter().filter(|it| it.severity == severity);
        for finding in of_it {
            // Writing to a String cannot fail.
            let _ = write(&mut text, finding);
        }
    }
    let (errors, warnings) = (
        report.count(Severity::Error),
        report.count(Severity::Warning),
    );
    let verdict = match (errors, warnings) {
        (0, 0) => "nothing stands in the guard's way".to_owned(),
        (0, warnings) => counted(warnings, "warning", "warnings"),
        (errors, warnings) => format!(
            "{}, {}",
            counted(errors, "error", "errors"),
            counted(warnings, "warning", "warnings")
        ),
    };
    let _ = writeln!(text, "\n{verdict}");
    text
}

fn write(text: &mut String, finding: &Finding) -> std::fmt::Result {
    write!(
        text,
        "{:<8} {}",
        finding.severity.as_str(),
        finding.id.as_str()
    )?;
    if let Some(subject) = &finding.subject {
        write!(text, " {}", escape::plain(subject))?;
    }
    writeln!(text, ": {}", escape::plain(&finding.what))?;
    if let Some(why) = &finding.why {
        writeln!(text, "         why: {}", escape::plain(why))?;
    }
    if let Some(fix) = &finding.fix {
        writeln!(text, "         fix: {}", escape::plain(fix))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Check;

    #[test]
    fn the_worst_comes_last_and_decides() {
        let warning = Finding::new(Check::BpfJit, Severity::Warning, "slow").fix("faster");
        let fine = Finding::ok(Check::Mtu, "1500 bytes").about("eth0");
        let mut report = Report::of(vec![warning, fine]);
        assert_eq!(
            text(&report),
            "ok       mtu eth0: 1500 bytes\n\
             warning  bpf_jit: slow\n         \
             why: an interpreted program costs several times as much for each packet\n         \
             fix: faster\n\n\
             1 warning\n"
        );
        assert_eq!(exit_code(&report, false), 0);
        assert_eq!(exit_code(&report, true), 1);
        report.findings[1].severity = Severity::Error;
        report = Report::of(report.findings);
        assert!(text(&report).ends_with("\n\n1 error, 1 warning\n"));
        assert_eq!(exit_code(&report, false), 1);
    }

    #[test]
    fn nothing_wrong_is_said() {
        let report = Report::of(Vec::new());
        assert_eq!(text(&report), "\nnothing stands in the guard's way\n");
        assert_eq!(exit_code(&report, true), 0);
    }

    #[test]
    fn json_has_the_names_of_checks_and_severities() {
        let finding = Finding::new(Check::Mtu, Severity::Error, "long").about("eth0");
        let json = serde_json::to_value(Report::of(vec![finding])).unwrap();
        assert_eq!(json["worst"], "error");
        let finding = &json["findings"][0];
        assert_eq!(finding["id"], "mtu");
        assert_eq!(finding["severity"], "error");
        assert_eq!(finding["subject"], "eth0");
        assert_eq!(finding["examined"], true);
        assert!(finding["fix"].is_null());
    }
}
