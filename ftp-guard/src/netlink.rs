//! The host's interfaces: what is there now, and word of every change.

pub(crate) mod route;

use std::{collections::BTreeMap, io};

use futures_util::{Stream, StreamExt};
use nix::{
    ifaddrs::getifaddrs,
    net::if_::{InterfaceFlags, if_nametoindex},
    sys::socket::{AddressFamily, SockaddrLike},
};
use rtnetlink::{
    packet_core::NetlinkPayload,
    packet_route::{RouteNetlinkMessage, link::LinkAttribute},
    sys::{AsyncSocket, SocketAddr},
};

/// Multicast group of link messages (linux/rtnetlink.h, RTNLGRP_LINK) as a bit of the old bind mask.
const RTMGRP_LINK: u32 = 1;

/// An interface of this network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// Whether it holds an IPv4 or IPv6 address, link-local ones included.
    pub addressed: bool,
}

/// All interfaces, by name.
///
/// # Errors
///
/// When the kernel does not list them.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    for address in getifaddrs()? {
        let interface = found
            .entry(address.interface_name.clone())
            .or_insert_with(|| Interface {
                name: address.interface_name,
                loopback: false,
                addressed: false,
            });
        interface.loopback |= address.flags.contains(InterfaceFlags::IFF_LOOPBACK);
        interface.addressed |= address
            .address
            .and_then(|address| address.family())
            .is_some_and(|family| matches!(family, AddressFamily::Inet | AddressFamily::Inet6));
    }
    Ok(found.into_values().collect())
}

/// The present index of an interface; none if it does not exist.
#[must_use]
pub fn index_of(name: &str) -> Option<u32> {
    if_nametoindex(name).ok()
}

/// Names of interfaces as they appear, change or go. A name may come several times. An overflow
/// of the kernel's queue loses messages, so that a listener looks for itself now and then as well.
///
/// # Errors
///
/// When the socket cannot be opened. To be called within a tokio runtime.
pub fn changes() -> io::Result<impl Stream<Item = String>> {
    let (mut connection, handle, messages) = rtnetlink::new_connection()?;
    connection
        .socket_mut()
        .socket_mut()
        .bind(&SocketAddr::new(0, RTMGRP_LINK))?;
    tokio::spawn(connection);
    Ok(messages.filter_map(move |(message, _)| {
        // The connection ends when the last handle goes.
        let _alive = &handle;
        std::future::ready(changed_name(message.payload))
    }))
}

fn changed_name(payload: NetlinkPayload<RouteNetlinkMessage>) -> Option<String> {
    let link = match payload {
        NetlinkPayload::InnerMessage(
            RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link),
        ) => link,
        _ => return None,
    };
    link.attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_known() {
        let loopback = interfaces()
            .unwrap()
            .into_iter()
            .find(|interface| interface.loopback)
            .expect("every namespace has one");
        assert!(index_of(&loopback.name).is_some());
        assert_eq!(index_of("no-such-iface"), None);
    }
}
