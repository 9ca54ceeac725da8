//! The host's interfaces: names, addresses, MTU, what kind of device each is, by rtnetlink.

use std::{collections::BTreeMap, io};

use ipnet::IpNet;
use netlink_packet_core::Parseable;
use netlink_packet_route::{
    RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage, AddressMessageBuffer},
    link::{
        InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkMessageBuffer,
    },
};

use crate::netlink::route;

/// An interface of this network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// What kind of virtual device it is (`veth`, `vlan`, `bond`); nothing for hardware and loopback.
    pub kind: Option<String>,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// Whether it is set up.
    pub up: bool,
    /// Whether its frames begin with an Ethernet header, as the programs expect.
    pub ethernet: bool,
    /// The longest packet, in bytes, without the Ethernet header.
    pub mtu: u32,
    /// Its addresses with their networks, those of the link included.
    pub addresses: Vec<IpNet>,
    /// Index of the device below a VLAN; of a veth, that of its other end, in whatever namespace.
    pub lower: Option<u32>,
    /// Index of the bridge or bond that it belongs to.
    pub master: Option<u32>,
}

/// All interfaces, by index.
///
/// # Errors
///
/// When the kernel does not list them.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let mut found = BTreeMap::new();
    route::dump(
        RouteNetlinkMessage::GetLink(LinkMessage::default()),
        |payload| {
            let link = LinkMessageBuffer::new_checked(&payload)
                .and_then(|buffer| LinkMessage::parse(&buffer))
                .map_err(io::Error::other)?;
            found.extend(interface(&link).map(|interface| (interface.index, interface)));
            Ok(())
        },
    )?;
    route::dump(
        RouteNetlinkMessage::GetAddress(AddressMessage::default()),
        |payload| {
            let message = AddressMessageBuffer::new_checked(&payload)
                .and_then(|buffer| AddressMessage::parse(&buffer))
                .map_err(io::Error::other)?;
            let interface = found.get_mut(&message.header.index);
            if let (Some(interface), Some(address)) = (interface, address(&message)) {
                interface.addresses.push(address);
            }
            Ok(())
        },
    )?;
    Ok(found.into_values().collect())
}

fn interface(link: &LinkMessage) -> Option<Interface> {
    let mut name = None;
    let header = &link.header;
    let mut interface = Interface {
        name: String::new(),
        index: header.index,
        kind: None,
        loopback: header.flags.contains(LinkFlags::Loopback),
        up: header.flags.contains(LinkFlags::Up),
        ethernet: matches!(
            header.link_layer_type,
            LinkLayerType::Ether | LinkLayerType::Loopback
        ),
        mtu: 0,
        addresses: Vec::new(),
        lower: None,
        master: None,
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(value) => name = Some(value.clone()),
            LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
            LinkAttribute::Link(lower) => interface.lower = Some(*lower),
            LinkAttribute::Controller(master) => interface.master = Some(*master),
            LinkAttribute::LinkInfo(info) => interface.kind = info.iter().find_map(kind),
            _ => {}
        }
    }
    interface.name = name?;
    Some(interface)
}

fn kind(info: &LinkInfo) -> Option<String> {
    match info {
        LinkInfo::Kind(InfoKind::Other(kind)) => Some(kind.clone()),
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    }
}

/// The address that an interface holds; of a point-to-point link its own end.
fn address(message: &AddressMessage) -> Option<IpNet> {
    let (mut local, mut other) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => other = Some(*address),
            _ => {}
        }
    }
    IpNet::new(local.or(other)?, message.header.prefix_len).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_loopback_interface_is_described() {
        let interfaces = super::interfaces().unwrap();
        let loopback = interfaces
            .iter()
            .find(|interface| interface.loopback)
            .expect("every namespace has one");
        assert_eq!(loopback.name, "lo");
        assert!(loopback.ethernet && loopback.mtu > 0 && loopback.kind.is_none());
        if loopback.up {
            let local = "127.0.0.1/8".parse().unwrap();
            assert!(loopback.addresses.contains(&local), "{loopback:?}");
        }
    }
}
