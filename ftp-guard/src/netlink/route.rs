//! Requests to the kernel over rtnetlink, in the network namespace of the calling thread.

use std::io;

use netlink_packet_core::{
    ErrorBuffer, ErrorMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
    NetlinkBuffer, NetlinkMessage, Parseable,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Asks for a list; `each` gets the payload of every answer, as it comes from the kernel.
///
/// # Errors
///
/// What the kernel says, or `each`.
pub fn dump(
    request: RouteNetlinkMessage,
    each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    exchange(request, NLM_F_DUMP | NLM_F_REQUEST, each)
}

/// Asks for a change, and waits until it is made.
///
/// # Errors
///
/// What the kernel says.
pub fn change(request: RouteNetlinkMessage) -> io::Result<()> {
    exchange(request, NLM_F_ACK | NLM_F_REQUEST, |_| Ok(()))
}

fn exchange(
    request: RouteNetlinkMessage,
    flags: u16,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;

    let mut request = NetlinkMessage::from(request);
    request.header.flags = flags;
    request.finalize();
    let mut buffer = vec![0; request.buffer_len()];
    request.serialize(&mut buffer);
    socket.send(&buffer, 0)?;

    loop {
        let (datagram, _) = socket.recv_from_full()?;
        let mut rest = datagram.as_slice();
        while !rest.is_empty() {
            let message = NetlinkBuffer::new_checked(rest).map_err(io::Error::other)?;
            match message.message_type() {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return result(message.payload()),
                _ => each(message.payload())?,
            }
            // A length of 0 would loop for ever; netlink aligns messages to 4 bytes.
            let length = (message.length() as usize).next_multiple_of(4).max(4);
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

/// An error message with the number 0 says that there was none.
fn result(payload: &[u8]) -> io::Result<()> {
    let error = ErrorBuffer::new_checked(&payload)
        .and_then(|buffer| ErrorMessage::parse(&buffer))
        .map_err(io::Error::other)?;
    match error.code {
        None => Ok(()),
        Some(_) => Err(error.to_io()),
    }
}
