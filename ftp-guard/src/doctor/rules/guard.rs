//! The configuration, the daemon, and what is enforced.

use super::seen;
use crate::{
    control::protocol::ModeName,
    doctor::{
        Check, Facts, Finding, Severity,
        facts::{Configuration, Daemon},
    },
};

/// Judges the guard itself.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![configuration(facts), daemon(facts)];
    findings.extend(mode(facts));
    findings
}

fn configuration(facts: &Facts) -> Finding {
    const CHECK: Check = Check::Configuration;
    let file = facts.file();
    match &facts.guard.configuration {
        Configuration::Valid => Finding::ok(CHECK, format!("{file} has no mistakes")),
        Configuration::Absent => Finding::new(
            CHECK,
            Severity::Info,
            format!("there is no {file}; the other checks go by the defaults"),
        )
        .because("the daemon does not start without one")
        .fix("ftp-guard init"),
        Configuration::Broken(mistakes) => {
            let more = match mistakes.len() {
                0 | 1 => String::new(),
                count => format!(" (and {} more)", count - 1),
            };
            let first = mistakes.first().map_or("a mistake", String::as_str);
            Finding::new(CHECK, Severity::Error, format!("{first}{more}"))
                .fix(format!("ftp-guard --config {file} check"))
        }
        Configuration::Unseen(unseen) => Finding::unseen(CHECK, unseen),
    }
}

fn daemon(facts: &Facts) -> Finding {
    const CHECK: Check = Check::Daemon;
    match &facts.guard.daemon {
        Daemon::Running(status) => match &status.daemon {
            Some(daemon) => Finding::ok(
                CHECK,
                format!(
                    "a daemon runs, version {}, pid {}",
                    daemon.version, daemon.pid
                ),
            ),
            None => Finding::ok(CHECK, "a daemon runs"),
        },
        Daemon::Unseen(unseen) => Finding::unseen(CHECK, unseen),
        Daemon::Silent(why) => match &facts.guard.enforced {
            Ok(Some(_)) => Finding::new(
                CHECK,
                Severity::Warning,
                format!("no daemon answers ({why}); the kernel goes on with what is loaded"),
            )
            .fix("systemctl start ftp-guard"),
            _ if !facts.is_configured() => {
                Finding::new(CHECK, Severity::Info, format!("no daemon answers ({why})"))
                    .because("nothing is guarded yet")
                    .fix("ftp-guard init, then systemctl start ftp-guard")
            }
            _ => Finding::new(
                CHECK,
                Severity::Warning,
                format!("no daemon answers ({why}), and nothing is loaded"),
            )
            .because("FTP is open to everyone")
            .fix("systemctl start ftp-guard"),
        },
    }
}

fn mode(facts: &Facts) -> Vec<Finding> {
    const CHECK: Check = Check::Mode;
    let mut findings = Vec::new();
    match seen(CHECK, &facts.guard.enforced, &mut findings) {
        Some(Some((ModeName::Enforce, _))) => findings.push(Finding::ok(CHECK, "enforce")),
        Some(Some((ModeName::Monitor, _))) => findings.push(
            Finding::new(CHECK, Severity::Info, "monitor: nothing is dropped")
                .fix("ftp-guard mode enforce --confirm-within 10m"),
        ),
        Some(None) | None => {}
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{of, one, severity};
    use super::*;

    #[test]
    fn mistakes_are_an_error_and_no_file_is_none() {
        let mut facts = Facts::sound();
        let mistakes = ["x.toml:1:1: a", "x.toml:2:1: b"].map(str::to_owned);
        facts.guard.configuration = Configuration::Broken(mistakes.to_vec());
        let finding = one(&facts, Check::Configuration);
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(finding.what, "x.toml:1:1: a (and 1 more)");
        facts.guard.configuration = Configuration::Absent;
        assert_eq!(severity(&facts, Check::Configuration), Severity::Info);
    }

    #[test]
    fn what_a_daemon_is_missed_for_depends_on_what_is_loaded() {
        let mut facts = Facts::sound();
        facts.guard.daemon = Daemon::Silent("No such file".to_owned());
        let finding = one(&facts, Check::Daemon);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.what.contains("goes on"));
        facts.guard.enforced = Ok(None);
        let finding = one(&facts, Check::Daemon);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.what.contains("nothing is loaded"));
        assert!(of(&facts, Check::Mode).is_empty());
        facts.guard.configuration = Configuration::Absent;
        assert_eq!(severity(&facts, Check::Daemon), Severity::Info);
    }

    #[test]
    fn monitor_mode_is_worth_a_note() {
        let mut facts = Facts::sound();
        facts.guard.enforced = Ok(Some((ModeName::Monitor, Vec::new())));
        assert_eq!(severity(&facts, Check::Mode), Severity::Info);
    }
}
