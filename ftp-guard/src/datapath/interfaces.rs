//! The host's interfaces as the kernel lists them over netlink, with the XDP programs on them.

use std::io;

use netlink_packet_core::Parseable;
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkLayerType, LinkMessage, LinkMessageBuffer, LinkXdp, XdpAttached},
};

use super::{attach::AttachMode, error::DatapathError};
use crate::netlink::route;

/// A network interface of the present namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index, which a device that goes and comes back does not keep.
    pub index: u32,
    /// Whether its frames begin with an Ethernet header, as the programs expect.
    pub ethernet: bool,
    /// The XDP program on it: how it is attached and its kernel id.
    pub xdp: Option<(AttachMode, u32)>,
}

/// All interfaces of the present namespace.
pub fn list() -> Result<Vec<Interface>, DatapathError> {
    let mut interfaces = Vec::new();
    route::dump(
        RouteNetlinkMessage::GetLink(LinkMessage::default()),
        |payload| {
            let link = LinkMessageBuffer::new_checked(&payload)
                .and_then(|buffer| LinkMessage::parse(&buffer))
                .map_err(io::Error::other)?;
            interfaces.extend(interface(&link));
            Ok(())
        },
    )
    .map_err(|error| DatapathError::kernel("list the network interfaces", error))?;
    Ok(interfaces)
}

fn interface(link: &LinkMessage) -> Option<Interface> {
    let name = link
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        })?;
    let xdp = link
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Xdp(xdp) => program(xdp),
            _ => None,
        });
    Some(Interface {
        name,
        index: link.header.index,
        ethernet: matches!(
            link.header.link_layer_type,
            LinkLayerType::Ether | LinkLayerType::Loopback
        ),
        xdp,
    })
}

fn program(xdp: &[LinkXdp]) -> Option<(AttachMode, u32)> {
    let mode = xdp.iter().find_map(|attribute| match attribute {
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(AttachMode::Generic),
        LinkXdp::Attached(XdpAttached::Driver | XdpAttached::Hardware | XdpAttached::Multiple) => {
            Some(AttachMode::Native)
        }
        _ => None,
    })?;
    let id = xdp.iter().find_map(|attribute| match attribute {
        LinkXdp::ProgId(id) => Some(*id),
        _ => None,
    })?;
    Some((mode, id))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_loopback_interface_is_listed() {
        let interfaces = super::list().unwrap();
        assert!(
            interfaces.iter().any(|interface| interface.name == "lo"
                && interface.index > 0
                && interface.ethernet)
        );
    }
}
