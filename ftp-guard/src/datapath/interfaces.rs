//! The host's interfaces as the kernel lists them over netlink, with the XDP programs on them.

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkLayerType, LinkMessage, LinkXdp, XdpAttached},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::{attach::AttachMode, error::DatapathError};

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
    let failed = |error| DatapathError::kernel("list the network interfaces", error);
    let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
    socket.bind_auto().map_err(failed)?;
    socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;

    let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetLink(LinkMessage::default()));
    request.header.flags = NLM_F_DUMP | NLM_F_REQUEST;
    request.finalize();
    let mut buffer = vec![0; request.buffer_len()];
    request.serialize(&mut buffer);
    socket.send(&buffer, 0).map_err(failed)?;

    let mut interfaces = Vec::new();
    loop {
        let (datagram, _) = socket.recv_from_full().map_err(failed)?;
        let mut rest = datagram.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                .map_err(|error| DatapathError::kernel("read the list of interfaces", error))?;
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(interfaces),
                NetlinkPayload::Error(error) => return Err(failed(error.to_io())),
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
                    interfaces.extend(interface(&link));
                }
                _ => {}
            }
            // A length of 0 would loop for ever; netlink aligns messages to 4 bytes.
            let length = (message.header.length as usize).next_multiple_of(4).max(4);
            rest = rest.get(length..).unwrap_or_default();
        }
    }
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
