//! Sysctls of the host's own stack.

use super::seen;
use crate::doctor::{Check, Facts, Finding, Severity};

/// Judges the sysctls.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let sysctls = &facts.sysctls;
    let mut findings = Vec::new();
    if let Some(value) = seen(Check::SysctlSyncookies, &sysctls.syncookies, &mut findings) {
        findings.push(zero(
            Check::SysctlSyncookies,
            Severity::Warning,
            "tcp_syncookies",
            *value,
        ));
    }
    if let Some(value) = seen(Check::SysctlTimestamps, &sysctls.timestamps, &mut findings) {
        findings.push(zero(
            Check::SysctlTimestamps,
            Severity::Info,
            "tcp_timestamps",
            *value,
        ));
    }
    findings.extend(rp_filter(facts));
    findings
}

fn zero(check: Check, severity: Severity, name: &str, value: u32) -> Finding {
    let what = format!("net.ipv4.{name} is {value}");
    match value {
        0 => Finding::new(check, severity, what).fix(format!("sysctl -w net.ipv4.{name}=1")),
        _ => Finding::ok(check, what),
    }
}

fn rp_filter(facts: &Facts) -> Vec<Finding> {
    const CHECK: Check = Check::SysctlRpFilter;
    let links = facts.links.as_ref().map_or(&[][..], Vec::as_slice);
    // With one network there is no other whose addresses could be forged.
    let networks = links
        .iter()
        .filter(|link| !link.interface.loopback && !link.interface.addresses.is_empty())
        .count();
    let mut findings = Vec::new();
    for link in facts.guarded() {
        let name = &link.interface.name;
        let mut of_it = Vec::new();
        let Some(fact) = facts.sysctls.rp_filter.get(name) else {
            continue;
        };
        if let Some(value) = seen(CHECK, fact, &mut of_it) {
            let what = format!("reverse path filtering is {}", word(*value));
            of_it.push(match value {
                0 => Finding::new(
                    CHECK,
                    if networks > 1 { Severity::Warning } else { Severity::Info },
                    what,
                )
                .fix(format!(
                    "sysctl -w net.ipv4.conf.{name}.rp_filter=1 (2 where answers may take another way)"
                )),
                _ => Finding::ok(CHECK, what),
            });
        }
        findings.extend(of_it.into_iter().map(|finding| finding.about(name)));
    }
    findings
}

fn word(value: u32) -> &'static str {
    match value {
        0 => "off",
        1 => "strict",
        _ => "loose",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{one, severity};
    use super::*;
    use crate::doctor::facts::Link;

    #[test]
    fn values_of_zero_are_told() {
        let mut facts = Facts::sound();
        facts.sysctls.syncookies = Ok(0);
        facts.sysctls.timestamps = Ok(0);
        let finding = one(&facts, Check::SysctlSyncookies);
        assert_eq!(finding.severity, Severity::Warning);
        let fix = Some("sysctl -w net.ipv4.tcp_syncookies=1");
        assert_eq!(finding.fix.as_deref(), fix);
        assert_eq!(severity(&facts, Check::SysctlTimestamps), Severity::Info);
        facts.sysctls.syncookies = Ok(2);
        assert_eq!(severity(&facts, Check::SysctlSyncookies), Severity::Ok);
    }

    #[test]
    fn reverse_path_filtering_matters_between_networks() {
        let mut facts = Facts::sound();
        facts.sysctls.rp_filter.insert("eth0".to_owned(), Ok(0));
        assert_eq!(severity(&facts, Check::SysctlRpFilter), Severity::Info);
        facts.links.as_mut().unwrap().push(Link::sound("eth1", 3));
        assert_eq!(severity(&facts, Check::SysctlRpFilter), Severity::Warning);
        facts.sysctls.rp_filter.insert("eth0".to_owned(), Ok(1));
        assert_eq!(severity(&facts, Check::SysctlRpFilter), Severity::Ok);
    }
}
