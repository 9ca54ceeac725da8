//! Which interfaces are to be guarded.

use ipnet::IpNet;

use super::survey::Facts;
use crate::host::interfaces::Interface;

/// An interface, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The interface.
    pub interface: Interface,
    /// Whether a default route leads out of it.
    pub default_route: bool,
    /// Why it is left out; `None`: it is to be guarded.
    pub left_out: Option<String>,
}

/// All interfaces but the loopback one, in the order of the kernel.
pub(super) fn judged(facts: &Facts) -> Vec<Judged> {
    let reach = |interface: &&Interface| !interface.loopback;
    facts
        .interfaces
        .iter()
        .filter(reach)
        .map(|interface| Judged {
            interface: interface.clone(),
            default_route: facts.default_route.contains(&interface.index),
            left_out: own_reason(interface, facts).or_else(|| covered(interface, facts)),
        })
        .collect()
}

fn own_reason(interface: &Interface, facts: &Facts) -> Option<String> {
    let reason = if !interface.up {
        "it is down"
    } else if interface.addresses.is_empty() {
        "it holds no address"
    } else if interface.addresses.iter().all(is_of_link) {
        "it holds no address but that of the link"
    } else if !interface.ethernet {
        "its frames have no Ethernet header, and the programs cannot read them"
    } else if !facts.routed.contains(&interface.index) {
        "no route leads out of it"
    } else {
        return None;
    };
    Some(reason.to_owned())
}

/// What passes a VLAN passes the device below it: guarded on both, it would be counted twice.
fn covered(interface: &Interface, facts: &Facts) -> Option<String> {
    let is_vlan = interface.kind.as_deref() == Some("vlan");
    let index = interface.lower.filter(|_| is_vlan)?;
    let mut others = facts.interfaces.iter();
    let below = others.find(|other| other.index == index)?;
    own_reason(below, facts)
        .is_none()
        .then(|| format!("what passes it passes {}, which is guarded", below.name))
}

fn is_of_link(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.addr().is_link_local(),
        IpNet::V6(network) => network.addr().is_unicast_link_local(),
    }
}
