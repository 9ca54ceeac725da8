//! What the kernel has.

use ftp_guard_common::config::Role;

use super::seen;
use crate::{
    datapath::Outcome,
    doctor::{
        Check, Facts, Finding, Severity,
        facts::{Kernel, Types},
    },
};

/// The oldest kernel that the suites run on.
const OLDEST: (u32, u32) = (6, 1);

/// Judges the kernel.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = version(&facts.kernel);
    findings.extend(features(facts));
    findings.extend(types(facts));
    findings.extend(jit(&facts.kernel));
    findings
}

fn version(kernel: &Kernel) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(release) = seen(Check::KernelVersion, &kernel.release, &mut findings) {
        findings.push(match kernel.version() {
            Some(version) if version < OLDEST => Finding::new(
                Check::KernelVersion,
                Severity::Warning,
                format!(
                    "Linux {release} is older than 6.1, the oldest that ftp-guard is tested on"
                ),
            )
            .fix("install a newer kernel, such as linux-image-amd64 of Debian 12"),
            _ => Finding::ok(Check::KernelVersion, format!("Linux {release}")),
        });
    }
    findings
}

fn features(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut present = Vec::new();
    for (feature, outcome) in &facts.probes.features {
        let (name, since) = (feature.as_str(), feature.since());
        match (outcome, feature.instead()) {
            (Outcome::Present, _) => present.push(name),
            // One finding of another check tells why, for all.
            (Outcome::Refused { .. }, _) => {}
            (Outcome::Missing, Some(instead)) => findings.push(
                Finding::new(
                    Check::KernelFeature,
                    Severity::Info,
                    format!("the kernel has no {name} (since {since}); {instead} do its work"),
                )
                .because("the same work at the same speed; such filters can be taken off by others")
                .about(name),
            ),
            (Outcome::Missing, None) => findings.push(
                Finding::new(
                    Check::KernelFeature,
                    Severity::Error,
                    format!("the kernel has no {name}, which came with {since}"),
                )
                .about(name)
                .fix(format!(
                    "install a kernel of at least 6.1 ({name} alone needs {since})"
                )),
            ),
        }
    }
    if !present.is_empty() {
        let what = format!("tried, and there: {}", present.join(", "));
        findings.push(Finding::ok(Check::KernelFeature, what));
    }
    findings
}

fn types(facts: &Facts) -> Vec<Finding> {
    const CHECK: Check = Check::KernelTypes;
    let mut findings = Vec::new();
    let Some(types) = seen(CHECK, &facts.kernel.types, &mut findings) else {
        return findings;
    };
    let lacking = match types {
        Types::Present => {
            let what = "the kernel describes its types, and has the tracepoint of TCP states";
            findings.push(Finding::ok(CHECK, what));
            return findings;
        }
        Types::NoTracepoint => "the kernel has no tracepoint inet_sock_set_state (since 4.16)",
        Types::Missing => {
            "/sys/kernel/btf/vmlinux is missing: the kernel was built without CONFIG_DEBUG_INFO_BTF"
        }
    };
    let severity = match facts.guard.wanted.role {
        Role::Host => Severity::Error,
        Role::Router => Severity::Info,
    };
    let finding = Finding::new(CHECK, severity, lacking);
    findings.push(match severity {
        Severity::Error => finding.fix(
            "use a kernel that has it, as those of the distributions do; on a router set role = \"router\"",
        ),
        _ => finding.because("role = \"router\" goes by packets alone, and does not need it"),
    });
    findings
}

fn jit(kernel: &Kernel) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(jit) = seen(Check::BpfJit, &kernel.jit, &mut findings) {
        findings.push(match jit {
            Some(0) => Finding::new(
                Check::BpfJit,
                Severity::Warning,
                "net.core.bpf_jit_enable is 0: programs are interpreted",
            )
            .fix("sysctl -w net.core.bpf_jit_enable=1"),
            _ => Finding::ok(Check::BpfJit, "programs are compiled"),
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{of, one, severity};
    use super::*;
    use crate::datapath::Feature;

    #[test]
    fn old_kernels_are_told() {
        let mut facts = Facts::sound();
        facts.kernel.release = Ok("5.15.0-91-generic".to_owned());
        assert_eq!(severity(&facts, Check::KernelVersion), Severity::Warning);
        facts.kernel.release = Ok("6.1.0".to_owned());
        assert_eq!(severity(&facts, Check::KernelVersion), Severity::Ok);
    }

    #[test]
    fn each_missing_feature_is_told_with_its_version() {
        for feature in Feature::ALL {
            let mut facts = Facts::sound();
            for (it, outcome) in &mut facts.probes.features {
                if *it == feature {
                    *outcome = Outcome::Missing;
                }
            }
            let findings = of(&facts, Check::KernelFeature);
            let missing: Vec<_> = findings
                .iter()
                .filter(|it| it.severity > Severity::Ok)
                .collect();
            assert_eq!(missing.len(), 1, "{findings:#?}");
            assert!(missing[0].what.contains(feature.since()));
            assert_eq!(missing[0].subject.as_deref(), Some(feature.as_str()));
            let severity = match feature {
                Feature::Tcx => Severity::Info,
                _ => Severity::Error,
            };
            assert_eq!(missing[0].severity, severity, "{feature:?}");
        }
    }

    #[test]
    fn a_router_needs_no_types() {
        let mut facts = Facts::sound();
        for (types, host) in [
            (Types::Present, Severity::Ok),
            (Types::NoTracepoint, Severity::Error),
            (Types::Missing, Severity::Error),
        ] {
            facts.kernel.types = Ok(types);
            facts.guard.wanted.role = Role::Host;
            assert_eq!(severity(&facts, Check::KernelTypes), host);
            facts.guard.wanted.role = Role::Router;
            assert!(severity(&facts, Check::KernelTypes) <= Severity::Info);
        }
    }

    #[test]
    fn interpreted_programs_are_slow() {
        let mut facts = Facts::sound();
        facts.kernel.jit = Ok(Some(0));
        let finding = one(&facts, Check::BpfJit);
        assert_eq!(finding.severity, Severity::Warning);
        let fix = Some("sysctl -w net.core.bpf_jit_enable=1");
        assert_eq!(finding.fix.as_deref(), fix);
        facts.kernel.jit = Ok(None);
        assert_eq!(severity(&facts, Check::BpfJit), Severity::Ok);
    }
}
