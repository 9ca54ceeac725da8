//! What drivers do for programs.

use crate::{
    config::XdpChoice,
    datapath::{AttachMode, Place},
    doctor::{Check, Facts, Finding, Severity, facts::Link},
};

/// The longest packet, in bytes, that fits with its Ethernet header and two VLAN tags into a page of 4096,
/// beside 256 bytes of headroom and the 320 of `skb_shared_info`. Drivers differ by a few.
const SINGLE_BUFFER: u32 = 4096 - 256 - 320 - 22;

/// Drivers that run XDP programs, with the first kernel where they do, for kernels before 6.3, whose
/// drivers do not tell.
const DRIVERS: [(&str, (u32, u32)); 26] = [
    ("atlantic", (5, 19)),
    ("bnxt_en", (4, 11)),
    ("cpsw", (5, 3)),
    ("ena", (5, 6)),
    ("enetc", (5, 13)),
    ("fsl_dpaa2_eth", (5, 0)),
    ("fec", (6, 2)),
    ("hv_netvsc", (5, 6)),
    ("i40e", (4, 13)),
    ("ice", (5, 5)),
    ("igb", (5, 10)),
    ("igc", (5, 13)),
    ("ixgbe", (4, 12)),
    ("ixgbevf", (4, 17)),
    ("mana", (5, 17)),
    ("mlx4_en", (4, 8)),
    ("mlx5_core", (4, 9)),
    ("mvneta", (5, 5)),
    ("mvpp2", (5, 9)),
    ("nfp", (4, 10)),
    ("qede", (4, 10)),
    ("sfc", (5, 5)),
    ("st_gmac", (5, 13)),
    ("veth", (4, 19)),
    ("virtio_net", (4, 10)),
    ("vif", (5, 9)),
];

/// Judges the driver of a guarded interface.
pub fn judge(facts: &Facts, link: &Link) -> [Finding; 2] {
    let name = &link.interface.name;
    [native(facts, link), mtu(facts, link)].map(|finding| finding.about(name))
}

/// The mode in which the guard is on an interface now.
fn attached(facts: &Facts, name: &str) -> Option<AttachMode> {
    let programs = facts.programs.as_ref().ok()?;
    programs.iter().find_map(|it| match it.place {
        Place::Xdp(mode) if it.ours && it.interface == name => Some(mode),
        _ => None,
    })
}

fn native(facts: &Facts, link: &Link) -> Finding {
    const CHECK: Check = Check::NativeXdp;
    let choice = facts.guard.wanted.xdp_mode;
    let driver = link.driver.as_deref().unwrap_or("unknown");
    let attached = attached(facts, &link.interface.name);
    if attached == Some(AttachMode::Native) {
        return Finding::ok(CHECK, format!("driver {driver}, in native mode"));
    }
    if choice == XdpChoice::Generic {
        return Finding::new(CHECK, Severity::Info, "xdp_mode is \"generic\"")
            .fix("set xdp_mode = \"auto\", unless it is meant");
    }
    let severity = match choice {
        XdpChoice::Native => Severity::Error,
        _ => Severity::Warning,
    };
    let lacking = |what: String| {
        let fix = match link.driver.as_deref() {
            Some("veth") => {
                "make the veth pair with as many receive queues here as the other end has transmit queues \
                 (ethtool -L)"
            }
            _ => {
                "a newer kernel or another card may have it; xdp_mode = \"generic\" says that it is meant"
            }
        };
        Finding::new(CHECK, severity, what).fix(fix)
    };
    if attached == Some(AttachMode::Generic) {
        return lacking(format!("driver {driver}, in generic mode"));
    }
    match link.xdp {
        Some(xdp) if xdp.native => Finding::ok(CHECK, format!("driver {driver} has native XDP")),
        Some(_) => lacking(format!(
            "driver {driver} has no native XDP, as the interface is set up"
        )),
        None => by_name(facts, driver, lacking),
    }
}

fn by_name(facts: &Facts, driver: &str, lacking: impl Fn(String) -> Finding) -> Finding {
    let since = DRIVERS.iter().find(|(name, _)| *name == driver);
    match since.map(|(_, since)| *since) {
        Some(since) if facts.kernel.version().is_none_or(|it| it >= since) => {
            let what = format!("driver {driver} has native XDP (by its name)");
            Finding::ok(Check::NativeXdp, what)
        }
        Some((major, minor)) => lacking(format!(
            "driver {driver} has native XDP since kernel {major}.{minor}"
        )),
        None => lacking(format!("driver {driver} is not known to have native XDP")),
    }
}

fn mtu(facts: &Facts, link: &Link) -> Finding {
    const CHECK: Check = Check::Mtu;
    let mtu = link.interface.mtu;
    let fits = Finding::ok(CHECK, format!("{mtu} bytes"));
    let choice = facts.guard.wanted.xdp_mode;
    if mtu <= SINGLE_BUFFER || choice == XdpChoice::Generic {
        return fits;
    }
    let what = match link.xdp {
        // Another check tells of it.
        Some(xdp) if !xdp.native => return fits,
        Some(xdp) if xdp.frags => {
            let what = format!("{mtu} bytes; the driver passes frames of several buffers");
            return Finding::ok(CHECK, what);
        }
        Some(_) => format!(
            "{mtu} bytes do not fit into one buffer ({SINGLE_BUFFER}), and the driver passes no frames of \
             several to programs"
        ),
        None => format!(
            "{mtu} bytes do not fit into one buffer ({SINGLE_BUFFER}); whether the driver passes frames of \
             several, kernels before 6.3 do not tell"
        ),
    };
    let severity = match (choice, link.xdp) {
        (XdpChoice::Native, Some(_)) => Severity::Error,
        _ => Severity::Warning,
    };
    let name = &link.interface.name;
    Finding::new(CHECK, severity, what).fix(format!("ip link set dev {name} mtu {SINGLE_BUFFER}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{one, severity, with};
    use super::*;
    use crate::datapath::{Attached, XdpFeatures};

    fn features(native: bool, frags: bool) -> Option<XdpFeatures> {
        Some(XdpFeatures { native, frags })
    }

    #[test]
    fn native_mode_is_the_drivers_or_an_error_where_it_is_demanded() {
        let mut facts = with(|link| link.xdp = features(false, false));
        for (choice, wanted) in [
            (XdpChoice::Auto, Severity::Warning),
            (XdpChoice::Native, Severity::Error),
            (XdpChoice::Generic, Severity::Info),
        ] {
            facts.guard.wanted.xdp_mode = choice;
            assert_eq!(severity(&facts, Check::NativeXdp), wanted);
        }
    }

    #[test]
    fn what_is_attached_counts_for_more_than_what_the_driver_tells() {
        let mut facts = with(|link| link.xdp = features(true, true));
        for (mode, wanted) in [
            (AttachMode::Generic, Severity::Warning),
            (AttachMode::Native, Severity::Ok),
        ] {
            facts.programs = Ok(vec![Attached {
                interface: "eth0".to_owned(),
                place: Place::Xdp(mode),
                id: 7,
                name: None,
                ours: true,
            }]);
            assert_eq!(severity(&facts, Check::NativeXdp), wanted);
        }
    }

    #[test]
    fn old_kernels_are_judged_by_the_drivers_name() {
        let mut facts = with(|link| link.xdp = None);
        facts.kernel.release = Ok("6.1.0".to_owned());
        assert_eq!(severity(&facts, Check::NativeXdp), Severity::Ok);
        let mut facts = with(|link| {
            link.xdp = None;
            link.driver = Some("fec".to_owned());
        });
        facts.kernel.release = Ok("6.1.0".to_owned());
        assert!(
            one(&facts, Check::NativeXdp)
                .what
                .contains("since kernel 6.2")
        );
        let facts = with(|link| {
            link.xdp = None;
            link.driver = Some("e1000e".to_owned());
        });
        assert!(one(&facts, Check::NativeXdp).what.contains("not known"));
    }

    #[test]
    fn long_packets_need_frames_of_several_buffers() {
        for (xdp, mtu, choice, wanted) in [
            (
                features(true, false),
                SINGLE_BUFFER,
                XdpChoice::Native,
                Severity::Ok,
            ),
            (
                features(true, false),
                9000,
                XdpChoice::Auto,
                Severity::Warning,
            ),
            (
                features(true, false),
                9000,
                XdpChoice::Native,
                Severity::Error,
            ),
            (
                features(true, false),
                9000,
                XdpChoice::Generic,
                Severity::Ok,
            ),
            (features(true, true), 9000, XdpChoice::Native, Severity::Ok),
            (features(false, false), 9000, XdpChoice::Auto, Severity::Ok),
            (None, 9000, XdpChoice::Native, Severity::Warning),
        ] {
            let mut facts = with(|link| {
                link.xdp = xdp;
                link.interface.mtu = mtu;
            });
            facts.guard.wanted.xdp_mode = choice;
            assert_eq!(
                severity(&facts, Check::Mtu),
                wanted,
                "{xdp:?} {mtu} {choice:?}"
            );
        }
    }
}
