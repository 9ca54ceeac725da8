//! What the daemon may do.

use super::seen;
use crate::{
    datapath::PinPlace,
    doctor::{Check, Facts, Finding, Severity, facts::Privileges, restrictions::explain},
};

/// Where bpf file systems usually are.
const USUAL: &str = "/sys/fs/bpf";

/// Judges privileges, and where pins go.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = capabilities(facts);
    findings.extend(refused(facts));
    findings.extend(unprivileged(facts));
    findings.extend(pins(facts));
    findings
}

fn capabilities(facts: &Facts) -> Vec<Finding> {
    const CHECK: Check = Check::Capabilities;
    let mut findings = Vec::new();
    let (who, fact) = match &facts.daemon_privileges {
        Some(fact) => ("the daemon", fact),
        None => ("doctor", &facts.privileges),
    };
    let Some(privileges) = seen(CHECK, fact, &mut findings) else {
        return findings;
    };
    let missing = privileges.missing();
    let names: Vec<_> = missing.iter().map(|it| it.as_str()).collect();
    findings.push(if missing.is_empty() {
        let what = format!("{who} has CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
        Finding::ok(CHECK, what)
    } else if facts.daemon_privileges.is_none() && privileges.uid != 0 {
        Finding {
            examined: false,
            ..Finding::new(
                CHECK,
                Severity::Warning,
                format!(
                    "doctor runs without {}: what needs them could not be looked at",
                    names.join(", ")
                ),
            )
            .fix("sudo ftp-guard doctor")
        }
    } else {
        let fix = "run the daemon as root, or grant AmbientCapabilities=CAP_BPF CAP_NET_ADMIN CAP_PERFMON \
                   (in a container --cap-add of each)";
        Finding::new(
            CHECK,
            Severity::Error,
            format!("{who} does not have {}", names.join(", ")),
        )
        .fix(fix)
    });
    findings
}

fn refused(facts: &Facts) -> Vec<Finding> {
    const CHECK: Check = Check::BpfRefused;
    let said = match (&facts.probes.stopped, facts.probes.refused()) {
        (None, None) => return vec![Finding::ok(CHECK, "bpf(2) is permitted")],
        (Some(said), _) => said,
        (None, Some(said)) => said,
    };
    let explanation = explain(facts);
    let daemon_may = matches!(
        facts.daemon_privileges.as_ref().map(|it| it.as_ref().map(Privileges::missing)),
        Some(Ok(missing)) if missing.is_empty()
    );
    // The daemon is the one that matters, and it has done its work.
    let severity = match explanation.own || daemon_may {
        true => Severity::Warning,
        false => Severity::Error,
    };
    vec![Finding {
        examined: !explanation.own,
        ..Finding::new(
            CHECK,
            severity,
            format!("bpf(2) is refused ({said}): {}", explanation.cause),
        )
        .fix(explanation.fix)
    }]
}

fn unprivileged(facts: &Facts) -> Vec<Finding> {
    const CHECK: Check = Check::UnprivilegedBpf;
    let mut findings = Vec::new();
    let fact = &facts.restrictions.unprivileged_bpf_disabled;
    if let Some(value) = seen(CHECK, fact, &mut findings) {
        findings.push(match value {
            0 => Finding::new(
                CHECK,
                Severity::Warning,
                "kernel.unprivileged_bpf_disabled is 0: every local user may load programs",
            )
            .fix("sysctl -w kernel.unprivileged_bpf_disabled=2"),
            value => Finding::ok(
                CHECK,
                format!("kernel.unprivileged_bpf_disabled is {value}"),
            ),
        });
    }
    findings
}

fn pins(facts: &Facts) -> Vec<Finding> {
    const CHECK: Check = Check::PinPath;
    let mut findings = Vec::new();
    let path = facts.pin_path.display();
    if let Some(place) = seen(CHECK, &facts.pin_place, &mut findings) {
        findings.push(match place {
            PinPlace::Writable => {
                Finding::ok(CHECK, format!("{path} is on a bpf file system"))
            }
            PinPlace::ReadOnly => Finding::new(
                CHECK,
                Severity::Error,
                format!("{path} is on a bpf file system that is mounted read-only"),
            )
            .fix(
                "mount -o remount,rw /sys/fs/bpf; in a systemd unit ReadWritePaths=/sys/fs/bpf, since \
                 ProtectKernelTunables=yes makes it read-only",
            ),
            PinPlace::NotBpffs => Finding::new(
                CHECK,
                Severity::Error,
                format!("{path} is not on a bpf file system"),
            )
            .fix(match facts.pin_path.starts_with(USUAL) {
                true => format!("mount -t bpf bpf {USUAL}"),
                false => format!("set bpf.pin_path to a folder below {USUAL}, in {}", facts.file()),
            }),
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{one, severity};
    use super::*;
    use crate::{
        datapath::Outcome,
        doctor::facts::{Probes, tests::unseen},
    };

    fn denied() -> Outcome {
        Outcome::Refused {
            because: "Operation not permitted".to_owned(),
        }
    }

    #[test]
    fn the_daemons_capabilities_are_what_matters() {
        let mut facts = Facts::sound();
        facts.privileges = Ok(Privileges::nobody());
        facts.probes = Probes::all(&denied());
        assert_eq!(severity(&facts, Check::Capabilities), Severity::Ok);
        assert_eq!(severity(&facts, Check::BpfRefused), Severity::Warning);
        facts.daemon_privileges = Some(Ok(Privileges::nobody()));
        let finding = one(&facts, Check::Capabilities);
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.what.starts_with("the daemon does not have CAP_BPF"));
        facts.daemon_privileges = Some(unseen());
        assert!(!one(&facts, Check::Capabilities).examined);
    }

    #[test]
    fn somebody_without_privilege_is_told_so_and_root_is_told_what_is_wrong() {
        let mut facts = Facts::sound();
        facts.daemon_privileges = None;
        facts.probes = Probes::all(&denied());
        facts.privileges = Ok(Privileges::nobody());
        for check in [Check::Capabilities, Check::BpfRefused] {
            let finding = one(&facts, check);
            assert_eq!(finding.severity, Severity::Warning, "{finding:#?}");
            assert!(!finding.examined);
            assert_eq!(finding.fix.as_deref(), Some("sudo ftp-guard doctor"));
        }
        let mut powerless = Privileges::root();
        (powerless.effective, powerless.bounding) = (0, 0);
        facts.privileges = Ok(powerless);
        for check in [Check::Capabilities, Check::BpfRefused] {
            assert_eq!(severity(&facts, check), Severity::Error);
        }
    }

    #[test]
    fn a_stopped_system_call_is_an_error_of_whoever_stops_it() {
        let mut facts = Facts::sound();
        facts.daemon_privileges = None;
        facts.probes.stopped = Some("Operation not permitted".to_owned());
        let finding = one(&facts, Check::BpfRefused);
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.what.contains("seccomp"), "{finding:#?}");
    }

    #[test]
    fn pins_need_a_bpf_file_system_that_can_be_written() {
        let mut facts = Facts::sound();
        for (place, words) in [
            (PinPlace::NotBpffs, "mount -t bpf"),
            (PinPlace::ReadOnly, "ReadWritePaths"),
        ] {
            facts.pin_place = Ok(place);
            let finding = one(&facts, Check::PinPath);
            assert_eq!(finding.severity, Severity::Error);
            assert!(finding.fix.unwrap().contains(words));
        }
        facts.pin_path = "/var/lib/pins".into();
        facts.pin_place = Ok(PinPlace::NotBpffs);
        let fix = one(&facts, Check::PinPath).fix.unwrap();
        assert!(fix.starts_with("set bpf.pin_path"), "{fix}");
    }

    #[test]
    fn programs_of_everybody_are_a_warning() {
        let mut facts = Facts::sound();
        facts.restrictions.unprivileged_bpf_disabled = Ok(0);
        assert_eq!(severity(&facts, Check::UnprivilegedBpf), Severity::Warning);
        facts.restrictions.unprivileged_bpf_disabled = Ok(1);
        assert_eq!(severity(&facts, Check::UnprivilegedBpf), Severity::Ok);
    }
}
