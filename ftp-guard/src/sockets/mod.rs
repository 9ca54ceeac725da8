//! This host's TCP sockets: which there are, and an end to one of them (sock_diag(7)).
//!
//! The kernel filters by state and by local port, so that a look at a few FTP connections costs
//! little on a host that serves many others. All calls concern the network namespace of the calling
//! thread.

mod filter;
mod message;

use std::{io, ops::RangeInclusive};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_sys::{Socket as Netlink, SocketAddr as NetlinkAddr, protocols::NETLINK_SOCK_DIAG};
use nix::{
    errno::Errno,
    sys::{
        socket::{setsockopt, sockopt::ReceiveTimeout},
        time::TimeVal,
    },
};

use self::message::{Action, Found, Request, Response};
pub use crate::engine::sessions::{Socket, TcpBytes, TcpState};

/// A dump comes in datagrams of at most this many bytes (net/netlink/af_netlink.c).
const DATAGRAM: usize = 32 * 1024;

/// The kernel answers at once; a daemon must not hang on one that does not.
const PATIENCE_S: i64 = 5;

/// Which sockets to look at.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Their states.
    pub states: Vec<TcpState>,
    /// Their local ports.
    pub ports: Vec<RangeInclusive<u16>>,
    /// Whether to ask what each has carried. It takes each socket's lock for a moment.
    pub bytes: bool,
}

/// The sockets of both families that `query` asks for.
///
/// A dump is no snapshot: the kernel lets go of its tables between two datagrams, so that a socket
/// that lives throughout may be missing when its neighbour goes at that moment.
///
/// # Errors
///
/// When the kernel refuses, or answers what is no answer.
pub fn dump(query: &Query) -> io::Result<Vec<Socket>> {
    let ports = filter::merged(&query.ports);
    if ports.is_empty() || query.states.is_empty() {
        return Ok(Vec::new());
    }
    let states = query
        .states
        .iter()
        .fold(0, |states, state| states | 1 << *state as u8);
    let mut found = Vec::new();
    let filter = filter::code(&filter::coarse(&ports));
    both_families(states, query.bytes, &filter, |Found { socket, .. }| {
        if ports
            .iter()
            .any(|ports| ports.contains(&socket.local.port()))
        {
            found.push(socket);
        }
    })?;
    Ok(found)
}

/// A socket that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// The socket.
    pub socket: Socket,
    /// The most connections that wait to be accepted.
    pub backlog: u32,
    /// The number by which /proc/PID/fd names it; 0: no process holds it.
    pub inode: u32,
}

/// All sockets that listen, of both families.
///
/// # Errors
///
/// As [`dump`].
pub fn listening() -> io::Result<Vec<Listening>> {
    let mut found = Vec::new();
    let states = 1 << TcpState::Listen as u8;
    both_families(states, false, &[], |answer| {
        found.push(Listening {
            socket: answer.socket,
            backlog: answer.queue,
            inode: answer.inode,
        });
    })?;
    Ok(found)
}

fn both_families(
    states: u32,
    bytes: bool,
    filter: &[u8],
    mut found: impl FnMut(Found),
) -> io::Result<()> {
    let mut netlink = open()?;
    for family in [libc::AF_INET, libc::AF_INET6] {
        let request = Request {
            action: Action::Dump,
            family: family as u8,
            states,
            bytes,
            socket: None,
            filter: filter.to_vec(),
        };
        exchange(
            &mut netlink,
            request,
            NLM_F_REQUEST | NLM_F_DUMP,
            &mut found,
        )?;
    }
    Ok(())
}

/// Ends a connection at once: its peer gets a reset and whoever holds the socket an error. Needs
/// CAP_NET_ADMIN. Returns false when it was gone already.
///
/// The socket's cookie goes with the request. Without one the kernel would take the listener for a
/// connection that is gone, and destroy that.
///
/// # Errors
///
/// When the kernel refuses, or was built without CONFIG_INET_DIAG_DESTROY.
pub fn destroy(socket: &Socket) -> io::Result<bool> {
    let request = Request {
        action: Action::Destroy,
        family: match socket.local {
            std::net::SocketAddr::V4(_) => libc::AF_INET as u8,
            std::net::SocketAddr::V6(_) => libc::AF_INET6 as u8,
        },
        states: 1 << socket.state as u8,
        bytes: false,
        socket: Some(socket.clone()),
        filter: Vec::new(),
    };
    let result = exchange(&mut open()?, request, NLM_F_REQUEST | NLM_F_ACK, |_| ());
    match result {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            // Nothing there, another socket there, or one that has ended meanwhile.
            Some(Errno::ENOENT | Errno::ESTALE) => Ok(false),
            _ => Err(error),
        },
    }
}

fn open() -> io::Result<Netlink> {
    let mut netlink = Netlink::new(NETLINK_SOCK_DIAG)?;
    netlink.bind_auto()?;
    netlink.connect(&NetlinkAddr::new(0, 0))?;
    setsockopt(&netlink, ReceiveTimeout, &TimeVal::new(PATIENCE_S, 0))?;
    Ok(netlink)
}

fn exchange(
    netlink: &mut Netlink,
    request: Request,
    flags: u16,
    mut found: impl FnMut(Found),
) -> io::Result<()> {
    let mut message = NetlinkMessage::from(request);
    message.header.flags = flags;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    netlink.send(&bytes, 0)?;
    let mut datagram = Vec::with_capacity(DATAGRAM);
    loop {
        datagram.clear();
        if netlink.recv(&mut datagram, libc::MSG_TRUNC)? > datagram.len() {
            return Err(malformed("an answer is longer than answers are"));
        }
        let mut rest = datagram.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::<Response>::deserialize(rest).map_err(malformed)?;
            match message.payload {
                NetlinkPayload::InnerMessage(Response(socket)) => {
                    socket.into_iter().for_each(&mut found);
                }
                NetlinkPayload::Done(_) => return Ok(()),
                NetlinkPayload::Error(error) if error.code.is_none() => return Ok(()),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
            // Messages begin at multiples of four (linux/netlink.h, NLMSG_ALIGNTO).
            let length = (message.header.length as usize).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

fn malformed(what: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

#[cfg(test)]
mod tests;
