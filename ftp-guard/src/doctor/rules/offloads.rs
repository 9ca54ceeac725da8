//! Offloads, and whether programs can answer.

use ftp_guard_common::config::{Cookies, Role};

use crate::{
    config::XdpChoice,
    doctor::{
        Check, Facts, Finding, Severity,
        facts::{Daemon, Link},
    },
    host::offloads::Offload,
};

/// Judges the offloads of the guarded interfaces.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for link in facts.guarded() {
        let name = &link.interface.name;
        if let Some(offloads) = link.offloads {
            let joined = [
                (Check::OffloadLro, "LRO", "lro", offloads.lro),
                (
                    Check::OffloadHwGro,
                    "GRO in hardware",
                    "rx-gro-hw",
                    offloads.hw_gro,
                ),
            ];
            for (check, title, option, offload) in joined {
                findings.push(joining(facts, link, check, title, option, offload).about(name));
            }
            findings.push(vlan(facts, link, offloads.rx_vlan).about(name));
        }
        findings.extend(answers(facts, link).map(|finding| finding.about(name)));
    }
    findings.extend(cookies(facts));
    findings
}

fn joining(
    facts: &Facts,
    link: &Link,
    check: Check,
    title: &str,
    option: &str,
    offload: Offload,
) -> Finding {
    if !offload.on {
        return Finding::ok(check, format!("{title} is off"));
    }
    // The kernel turns both off for generic programs.
    let severity = match facts.guard.wanted.xdp_mode {
        XdpChoice::Generic => Severity::Info,
        _ => Severity::Warning,
    };
    off(check, severity, title, option, link, offload)
}

fn off(
    check: Check,
    severity: Severity,
    title: &str,
    option: &str,
    link: &Link,
    offload: Offload,
) -> Finding {
    match offload.changeable {
        true => Finding::new(check, severity, format!("{title} is on"))
            .fix(format!("ethtool -K {} {option} off", link.interface.name)),
        false => {
            let finding = Finding::new(
                check,
                severity,
                format!("{title} is on, and the driver does not let it be turned off"),
            );
            // A guest takes what the hypervisor offers, unless that lets it choose (ctrl_guest_offloads).
            match link.driver.as_deref() {
                Some("virtio_net") => finding.fix(
                    "at the hypervisor, in QEMU: guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off on \
                     the network device",
                ),
                _ => finding,
            }
        }
    }
}

fn vlan(facts: &Facts, link: &Link, offload: Offload) -> Finding {
    const CHECK: Check = Check::OffloadRxVlan;
    if !offload.on {
        return Finding::ok(CHECK, "VLAN tags stay in frames");
    }
    let links = facts.links.as_ref().map_or(&[][..], Vec::as_slice);
    let tagged = links.iter().any(|other| {
        let it = &other.interface;
        it.kind.as_deref() == Some("vlan") && it.lower == Some(link.interface.index)
    });
    let title = match tagged {
        true => "there are VLANs on it, and the card takes tags out of frames: rxvlan",
        false => "if tagged frames come, the card takes their tags out: rxvlan",
    };
    let severity = match tagged {
        true => Severity::Warning,
        false => Severity::Info,
    };
    off(CHECK, severity, title, "rxvlan", link, offload)
}

fn answers(facts: &Facts, link: &Link) -> Option<Finding> {
    const CHECK: Check = Check::XdpAnswers;
    let finding = match (&link.cannot_answer, link.xdp) {
        (Some(why), _) => {
            let severity = match facts.guard.wanted.cookies {
                Cookies::Off => Severity::Info,
                Cookies::Auto | Cookies::Always => Severity::Warning,
            };
            let fix = match link.driver.as_deref() {
                Some("veth") => "on the other end of the pair: ethtool -K IFACE gro on",
                _ => "a card whose driver has native XDP; nothing else depends on it",
            };
            Finding::new(CHECK, severity, why.clone()).fix(fix)
        }
        (None, Some(_)) => Finding::ok(CHECK, "programs can answer packets"),
        (None, None) => return None,
    };
    Some(finding)
}

fn cookies(facts: &Facts) -> Option<Finding> {
    const CHECK: Check = Check::SynCookies;
    let wanted = &facts.guard.wanted;
    // Another host's kernel would not know them.
    if wanted.role == Role::Router {
        return None;
    }
    if wanted.cookies == Cookies::Off {
        let finding = Finding::new(CHECK, Severity::Info, "limits.syn_cookies is \"off\"");
        return Some(finding.fix("set limits.syn_cookies = \"auto\", unless it is meant"));
    }
    let unable = match &facts.guard.daemon {
        Daemon::Running(status) => {
            let flood = status.flood.as_ref();
            flood.and_then(|flood| flood.cookies.unavailable.as_deref())
        }
        // Somebody without privilege learns nothing about the daemon from what it may not write itself.
        _ => facts.sysctls.unwritable.as_deref().filter(|_| {
            let privileges = facts.privileges.as_ref();
            privileges.is_ok_and(|it| it.uid == 0)
        }),
    };
    Some(match unable {
        None => Finding::ok(CHECK, "they can be used when they are needed"),
        Some(why) => Finding::new(CHECK, Severity::Warning, format!("there are none here: {why}"))
            .fix(
                "if net.ipv4.tcp_syncookies cannot be written: ReadWritePaths=/proc/sys/net/ipv4 in the \
                 systemd unit, or a writable /proc/sys in the container; else \
                 limits.syn_cookies = \"off\" says that it is meant",
            ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{of, one, severity};
    use super::*;
    use crate::{
        control::flood_view::FloodView,
        doctor::facts::{Privileges, tests::wanted},
        host::offloads::Offloads,
    };

    const ON: Offload = Offload {
        on: true,
        changeable: true,
    };

    fn with(offloads: Offloads) -> Facts {
        let mut facts = Facts::sound();
        let mut link = Link::sound("eth0", 2);
        link.offloads = Some(offloads);
        facts.links = Ok(vec![link]);
        facts
    }

    #[test]
    fn joined_segments_are_a_warning_with_the_command() {
        let mut facts = with(Offloads {
            lro: ON,
            hw_gro: Offload {
                on: true,
                changeable: false,
            },
            ..Offloads::default()
        });
        let finding = one(&facts, Check::OffloadLro);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.fix.as_deref(), Some("ethtool -K eth0 lro off"));
        let finding = one(&facts, Check::OffloadHwGro);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.fix.unwrap().contains("QEMU"));
        facts.guard.wanted.xdp_mode = XdpChoice::Generic;
        assert_eq!(severity(&facts, Check::OffloadLro), Severity::Info);
    }

    #[test]
    fn tags_that_are_taken_out_matter_where_there_are_vlans() {
        let mut facts = with(Offloads {
            rx_vlan: ON,
            ..Offloads::default()
        });
        let finding = one(&facts, Check::OffloadRxVlan);
        assert_eq!(finding.severity, Severity::Info);
        assert_eq!(finding.fix.as_deref(), Some("ethtool -K eth0 rxvlan off"));
        let mut vlan = Link::sound("eth0.5", 5);
        vlan.interface.kind = Some("vlan".to_owned());
        vlan.interface.lower = Some(2);
        facts.links.as_mut().unwrap().push(vlan);
        assert_eq!(severity(&facts, Check::OffloadRxVlan), Severity::Warning);
    }

    #[test]
    fn a_kernel_that_does_not_tell_of_offloads_has_no_findings() {
        let mut facts = Facts::sound();
        facts.links.as_mut().unwrap()[0].offloads = None;
        assert!(of(&facts, Check::OffloadLro).is_empty());
    }

    #[test]
    fn programs_that_cannot_answer_are_told() {
        let mut facts = Facts::sound();
        facts.links.as_mut().unwrap()[0].cannot_answer = Some("no XDP_TX".to_owned());
        assert_eq!(severity(&facts, Check::XdpAnswers), Severity::Warning);
        facts.guard.wanted.cookies = Cookies::Off;
        assert_eq!(severity(&facts, Check::XdpAnswers), Severity::Info);
    }

    #[test]
    fn the_daemon_says_whether_it_has_cookies_and_without_it_the_sysctls() {
        let mut facts = Facts::sound();
        let Daemon::Running(status) = &mut facts.guard.daemon else {
            panic!("a sound host has a daemon");
        };
        let mut flood = FloodView::default();
        flood.cookies.unavailable = Some("no".to_owned());
        status.flood = Some(flood);
        assert_eq!(severity(&facts, Check::SynCookies), Severity::Warning);
        facts.guard.daemon = Daemon::Silent("gone".to_owned());
        assert_eq!(severity(&facts, Check::SynCookies), Severity::Ok);
        facts.sysctls.unwritable = Some("Read-only file system".to_owned());
        let finding = one(&facts, Check::SynCookies);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.what.contains("Read-only"));
        facts.privileges = Ok(Privileges::nobody());
        assert_eq!(severity(&facts, Check::SynCookies), Severity::Ok);
        facts.guard.wanted.cookies = Cookies::Off;
        assert_eq!(severity(&facts, Check::SynCookies), Severity::Info);
        facts.guard.wanted = wanted();
        facts.guard.wanted.role = Role::Router;
        assert!(of(&facts, Check::SynCookies).is_empty());
    }
}
