//! Messages of sock_diag: `inet_diag_req_v2`, `inet_diag_msg` and `inet_diag_sockid` of
//! linux/inet_diag.h. Ports and addresses are in network order, all else in the host's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netlink_packet_core::{
    DecodeError, NetlinkDeserializable, NetlinkHeader, NetlinkPayload, NetlinkSerializable,
    NlasIterator,
};

use crate::engine::sessions::{Socket, TcpBytes, TcpState};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;

/// Attribute of a request: the filter.
const REQ_BYTECODE: u16 = 1;
/// Attribute of an answer, and number of the extension to ask for: `struct tcp_info`.
const INFO: u16 = 2;
/// Attribute of an answer: whether a listener takes IPv6 only.
const SKV6ONLY: u16 = 11;

/// Bytes of `inet_diag_req_v2`.
const REQUEST: usize = 56;
/// Bytes of `inet_diag_msg`.
const MESSAGE: usize = 72;
/// Where `inet_diag_sockid` begins in a request and in an answer.
const REQUEST_ID: usize = 8;
const MESSAGE_ID: usize = 4;
/// Where `idiag_wqueue` and `idiag_inode` are in an answer.
const MESSAGE_WQUEUE: usize = 60;
const MESSAGE_INODE: usize = 68;
/// Bytes of `inet_diag_sockid`.
const ID: usize = 48;
/// Where `tcpi_bytes_acked` and `tcpi_bytes_received` are in `struct tcp_info`, which only grows.
const BYTES_ACKED: usize = 120;
const BYTES_RECEIVED: usize = 128;
/// `idiag_timer` of a socket in TIME_WAIT, whatever state it shows.
const TIMER_TIME_WAIT: u8 = 3;

/// What is asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To list sockets.
    Dump,
    /// To destroy one.
    Destroy,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub action: Action,
    /// AF_INET or AF_INET6.
    pub family: u8,
    /// Bits by number of state.
    pub states: u32,
    /// Whether to tell what each socket has carried.
    pub bytes: bool,
    /// The socket to destroy.
    pub socket: Option<Socket>,
    /// The filter of a dump.
    pub filter: Vec<u8>,
}

impl NetlinkSerializable for Request {
    fn message_type(&self) -> u16 {
        match self.action {
            Action::Dump => SOCK_DIAG_BY_FAMILY,
            Action::Destroy => SOCK_DESTROY,
        }
    }

    fn buffer_len(&self) -> usize {
        REQUEST
            + match self.filter.len() {
                0 => 0,
                // The attribute's header.
                length => 4 + length,
            }
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let (request, attribute) = buffer.split_at_mut(REQUEST);
        request.fill(0);
        request[0] = self.family;
        request[1] = libc::IPPROTO_TCP as u8;
        request[2] = u8::from(self.bytes) << (INFO - 1);
        request[4..8].copy_from_slice(&self.states.to_ne_bytes());
        if let Some(socket) = &self.socket {
            write_id(&mut request[REQUEST_ID..], socket);
        }
        if let Some((header, filter)) = attribute.split_at_mut_checked(4) {
            let length = 4 + self.filter.len() as u16;
            header[..2].copy_from_slice(&length.to_ne_bytes());
            header[2..].copy_from_slice(&REQ_BYTECODE.to_ne_bytes());
            filter.copy_from_slice(&self.filter);
        }
    }
}

impl From<Request> for NetlinkPayload<Request> {
    fn from(request: Request) -> Self {
        Self::InnerMessage(request)
    }
}

fn write_id(id: &mut [u8], socket: &Socket) {
    id[..2].copy_from_slice(&socket.local.port().to_be_bytes());
    id[2..4].copy_from_slice(&socket.remote.port().to_be_bytes());
    for (at, address) in [(4, socket.local.ip()), (20, socket.remote.ip())] {
        match address {
            IpAddr::V4(address) => id[at..at + 4].copy_from_slice(&address.octets()),
            IpAddr::V6(address) => id[at..at + 16].copy_from_slice(&address.octets()),
        }
    }
    id[36..40].copy_from_slice(&socket.interface.to_ne_bytes());
    // Two halves, the lower one first, whatever the host's order.
    let halves = [socket.cookie as u32, (socket.cookie >> 32) as u32];
    id[40..44].copy_from_slice(&halves[0].to_ne_bytes());
    id[44..48].copy_from_slice(&halves[1].to_ne_bytes());
}

/// A socket of an answer.
#[derive(Clone, Debug)]
pub struct Found {
    /// The socket.
    pub socket: Socket,
    /// `idiag_wqueue`: of a listener, the most connections that wait to be accepted.
    pub queue: u32,
    /// `idiag_inode`: the number by which /proc/PID/fd names it; 0: no process holds it.
    pub inode: u32,
}

/// An answer: a socket, unless it is in a state that does not matter here.
#[derive(Clone, Debug)]
pub struct Response(pub Option<Found>);

impl NetlinkDeserializable for Response {
    type Error = DecodeError;

    fn deserialize(_: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        let (message, attributes) = payload
            .split_at_checked(MESSAGE)
            .ok_or_else(|| DecodeError::from("an answer is shorter than an inet_diag_msg"))?;
        let [family, state, timer, ..] = *message else {
            return Err(DecodeError::from("an answer is empty"));
        };
        let Some(state) = TcpState::from_number(state).filter(|_| timer != TIMER_TIME_WAIT) else {
            return Ok(Self(None));
        };
        let id = &message[MESSAGE_ID..MESSAGE_ID + ID];
        let mut socket = Socket {
            local: end(family, id, 0, 4),
            remote: end(family, id, 2, 20),
            state,
            cookie: u64::from(u32_at(id, 40)) | u64::from(u32_at(id, 44)) << 32,
            interface: u32_at(id, 36),
            v6_only: false,
            bytes: None,
        };
        for attribute in NlasIterator::new(attributes) {
            let attribute = attribute?;
            match attribute.kind() {
                SKV6ONLY => socket.v6_only = attribute.value().first() == Some(&1),
                INFO => socket.bytes = tcp_bytes(attribute.value()),
                _ => {}
            }
        }
        Ok(Self(Some(Found {
            socket,
            queue: u32_at(message, MESSAGE_WQUEUE),
            inode: u32_at(message, MESSAGE_INODE),
        })))
    }
}

fn end(family: u8, id: &[u8], port: usize, address: usize) -> SocketAddr {
    let bytes: [u8; 16] = std::array::from_fn(|i| id[address + i]);
    let ip = match (i32::from(family), bytes) {
        (libc::AF_INET, [a, b, c, d, ..]) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        _ => Ipv6Addr::from(bytes).to_canonical(),
    };
    SocketAddr::new(ip, u16::from_be_bytes([id[port], id[port + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(std::array::from_fn(|i| bytes[at + i]))
}

/// `None` when the kernel is too old to tell (before 4.1).
fn tcp_bytes(info: &[u8]) -> Option<TcpBytes> {
    let u64_at = |at: usize| {
        let bytes = info.get(at..at + 8)?;
        Some(u64::from_ne_bytes(bytes.try_into().ok()?))
    };
    Some(TcpBytes {
        received: u64_at(BYTES_RECEIVED)?,
        acked: u64_at(BYTES_ACKED)?,
    })
}
