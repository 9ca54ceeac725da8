//! Each interface with what its driver tells.

use super::{Known, Unseen};
use crate::{
    datapath::{self, XdpFeatures},
    host::{
        driver,
        interfaces::{self, Interface},
        offloads::{self, Offloads},
    },
};

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What netlink tells.
    pub interface: Interface,
    /// Its driver; absent where it has none that has a name.
    pub driver: Option<String>,
    /// Its offloads; absent where the kernel does not tell.
    pub offloads: Option<Offloads>,
    /// What its driver offers to XDP; absent where the kernel does not tell.
    pub xdp: Option<XdpFeatures>,
    /// Why programs on it cannot answer packets, if that is known.
    pub cannot_answer: Option<String>,
}

pub(super) fn gather() -> Known<Vec<Link>> {
    let interfaces =
        interfaces::interfaces().map_err(|error| Unseen::io("the network interfaces", &error))?;
    let offloads = offloads::offloads().unwrap_or_default();
    let link = |interface: Interface| Link {
        driver: driver::driver(&interface.name)
            .ok()
            .filter(|driver| !driver.is_empty()),
        offloads: offloads.get(&interface.name).copied(),
        xdp: datapath::driver_features(&interface.name).ok(),
        cannot_answer: datapath::cannot_answer(&interface.name),
        interface,
    };
    Ok(interfaces.into_iter().map(link).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Link {
        pub(in crate::doctor) fn sound(name: &str, index: u32) -> Self {
            Self {
                interface: Interface {
                    name: name.to_owned(),
                    index,
                    kind: None,
                    loopback: false,
                    up: true,
                    ethernet: true,
                    mtu: 1500,
                    addresses: vec![format!("192.0.2.{index}/24").parse().unwrap()],
                    lower: None,
                    master: None,
                },
                driver: Some("virtio_net".to_owned()),
                offloads: Some(Offloads::default()),
                xdp: Some(XdpFeatures {
                    native: true,
                    frags: true,
                }),
                cannot_answer: None,
            }
        }
    }

    #[test]
    fn the_loopback_interface_is_described() {
        let links = gather().unwrap();
        let loopback = links.iter().find(|link| link.interface.loopback).unwrap();
        assert_eq!(loopback.driver, None);
    }
}
