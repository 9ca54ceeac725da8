//! Which interfaces are guarded.

use ftp_guard_common::config::Role;
use ipnet::IpNet;

use super::{drivers, seen};
use crate::doctor::{Check, Facts, Finding, Severity, facts::Link};

/// Judges the interfaces.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(links) = seen(Check::InterfaceMissing, &facts.links, &mut findings) else {
        return findings;
    };
    findings.extend(missing(facts, links));
    findings.extend(unguarded(facts));
    findings.extend(uncovered(facts, links));
    for link in facts.guarded() {
        let name = &link.interface.name;
        if !link.interface.ethernet {
            let finding = Finding::new(
                Check::InterfaceNotEthernet,
                if facts.is_configured() {
                    Severity::Error
                } else {
                    Severity::Info
                },
                "its frames have no Ethernet header",
            );
            let fix =
                "leave it out of interfaces, and filter FTP on it by other means, such as nftables";
            findings.push(finding.about(name).fix(fix));
            continue;
        }
        findings.extend(drivers::judge(facts, link));
    }
    findings
}

fn missing(facts: &Facts, links: &[Link]) -> Vec<Finding> {
    let names: Vec<_> = links
        .iter()
        .map(|link| link.interface.name.as_str())
        .collect();
    let wanted = &facts.guard.wanted.interfaces;
    let finding = |name: &String| match names.contains(&name.as_str()) {
        true => Finding::ok(Check::InterfaceMissing, "it is there").about(name),
        false => Finding::new(
            Check::InterfaceMissing,
            Severity::Error,
            format!(
                "there is no such interface (there are: {})",
                names.join(", ")
            ),
        )
        .about(name)
        .fix(format!("correct interfaces in {}", facts.file())),
    };
    wanted.iter().map(finding).collect()
}

fn unguarded(facts: &Facts) -> Vec<Finding> {
    let Ok(Some((_, attached))) = &facts.guard.enforced else {
        return Vec::new();
    };
    let finding = |name: &String| match attached.contains(name) {
        true => Finding::ok(Check::InterfaceUnguarded, "it is guarded").about(name),
        false => Finding::new(
            Check::InterfaceUnguarded,
            Severity::Error,
            "it is configured, and does not carry the programs",
        )
        .about(name)
        .fix("journalctl -u ftp-guard says why; then systemctl restart ftp-guard"),
    };
    facts.guard.wanted.interfaces.iter().map(finding).collect()
}

fn uncovered(facts: &Facts, links: &[Link]) -> Vec<Finding> {
    if !facts.is_configured() {
        return Vec::new();
    }
    let wanted = &facts.guard.wanted.interfaces;
    let is_wanted = |link: &Link| wanted.contains(&link.interface.name);
    let mut findings = Vec::new();
    for link in links {
        let it = &link.interface;
        if it.loopback || it.addresses.is_empty() || is_wanted(link) {
            continue;
        }
        let below = |other: &&Link| {
            let vlan =
                it.kind.as_deref() == Some("vlan") && it.lower == Some(other.interface.index);
            vlan || other.interface.master == Some(it.index)
        };
        let mut devices = links.iter().filter(below).peekable();
        // Its packets are seen on the devices below it.
        if devices.peek().is_some() && devices.all(is_wanted) {
            let what = "its packets are seen on the guarded interface below it";
            findings.push(Finding::ok(Check::InterfaceUncovered, what).about(&it.name));
            continue;
        }
        let routable = it.addresses.iter().any(|address| !is_of_link(address));
        let severity = match (routable, facts.guard.wanted.role) {
            (true, Role::Host) => Severity::Warning,
            _ => Severity::Info,
        };
        let addresses: Vec<_> = it.addresses.iter().map(ToString::to_string).collect();
        findings.push(
            Finding::new(
                Check::InterfaceUncovered,
                severity,
                format!("it holds {} and is not guarded", addresses.join(", ")),
            )
            .about(&it.name)
            .fix(format!(
                "if FTP is to be guarded there too, add {:?} to interfaces in {}, then ftp-guard reload",
                it.name,
                facts.file()
            )),
        );
    }
    findings
}

fn is_of_link(address: &IpNet) -> bool {
    match address {
        IpNet::V4(net) => net.addr().is_link_local(),
        IpNet::V6(net) => net.addr().is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{of, one, severity, with};
    use super::*;
    use crate::doctor::facts::Configuration;

    #[test]
    fn missing_and_unguarded_interfaces_are_errors() {
        let mut facts = Facts::sound();
        facts.guard.wanted.interfaces.push("eth7".to_owned());
        for check in [Check::InterfaceMissing, Check::InterfaceUnguarded] {
            let findings = of(&facts, check);
            assert_eq!(findings.len(), 2);
            assert_eq!(findings[1].severity, Severity::Error);
            assert_eq!(findings[1].subject.as_deref(), Some("eth7"));
        }
        facts.guard.enforced = Ok(None);
        assert!(of(&facts, Check::InterfaceUnguarded).is_empty());
    }

    #[test]
    fn an_interface_with_an_address_is_covered_or_told() {
        let mut facts = Facts::sound();
        let mut other = Link::sound("eth1", 3);
        let mut set = |link: &Link| facts.links = Ok(vec![Link::sound("eth0", 2), link.clone()]);
        set(&other);
        let finding = one(&facts, Check::InterfaceUncovered);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.what.contains("192.0.2.3/24"));
        assert!(finding.fix.unwrap().contains("\"eth1\""));

        other.interface.addresses = vec!["fe80::1/64".parse().unwrap()];
        facts.links = Ok(vec![Link::sound("eth0", 2), other.clone()]);
        assert_eq!(severity(&facts, Check::InterfaceUncovered), Severity::Info);

        // A VLAN on the guarded interface, then on one that is not.
        let mut vlan = Link::sound("eth0.5", 4);
        vlan.interface.kind = Some("vlan".to_owned());
        for (lower, wanted) in [(2, Severity::Ok), (9, Severity::Warning)] {
            vlan.interface.lower = Some(lower);
            facts.links = Ok(vec![Link::sound("eth0", 2), vlan.clone()]);
            assert_eq!(severity(&facts, Check::InterfaceUncovered), wanted);
        }

        // A bridge of the guarded interface alone, then with another.
        let bridge = Link::sound("br0", 5);
        let mut member = Link::sound("eth0", 2);
        member.interface.master = Some(5);
        facts.links = Ok(vec![member.clone(), bridge.clone()]);
        assert_eq!(severity(&facts, Check::InterfaceUncovered), Severity::Ok);
        let mut second = Link::sound("eth2", 6);
        second.interface.master = Some(5);
        second.interface.addresses.clear();
        facts.links = Ok(vec![member, bridge, second]);
        assert_eq!(
            severity(&facts, Check::InterfaceUncovered),
            Severity::Warning
        );

        facts.guard.wanted.role = Role::Router;
        assert_eq!(severity(&facts, Check::InterfaceUncovered), Severity::Info);
        facts.guard.configuration = Configuration::Absent;
        assert!(of(&facts, Check::InterfaceUncovered).is_empty());
    }

    #[test]
    fn interfaces_without_ethernet_cannot_be_guarded() {
        let facts = with(|link| link.interface.ethernet = false);
        assert_eq!(
            severity(&facts, Check::InterfaceNotEthernet),
            Severity::Error
        );
        assert!(of(&facts, Check::NativeXdp).is_empty());
    }
}
