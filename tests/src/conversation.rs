//! TCP connections of which a test makes every frame, on both sides.

use std::net::{IpAddr, SocketAddr};

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::address::FlowKey;

use crate::packet::{IPV4, IPV6, Ipv4, Ipv6, Macs, Segment, ethernet};

/// SYN and ACK.
pub const SYN_ACK: TcpFlags = TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0);
/// PSH and ACK: what carries data.
pub const DATA: TcpFlags = TcpFlags(TcpFlags::PSH.0 | TcpFlags::ACK.0);
/// FIN and ACK.
pub const FIN_ACK: TcpFlags = TcpFlags(TcpFlags::FIN.0 | TcpFlags::ACK.0);
/// RST and ACK.
pub const RST_ACK: TcpFlags = TcpFlags(TcpFlags::RST.0 | TcpFlags::ACK.0);

/// A connection between an FTP client and a server, whoever opened it.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The client's end.
    pub client: SocketAddr,
    /// The server's end.
    pub server: SocketAddr,
    /// Sequence number of the client's next byte.
    pub client_next: u32,
    /// Sequence number of the server's next byte.
    pub server_next: u32,
}

impl Conversation {
    /// A connection of which nothing has been sent. The server's sequence numbers soon wrap.
    #[must_use]
    pub fn new(client: SocketAddr, server: SocketAddr) -> Self {
        Self {
            client,
            server,
            client_next: 1_000,
            server_next: u32::MAX - 20,
        }
    }

    /// Its key in the guard's tables.
    #[must_use]
    pub fn key(&self) -> FlowKey {
        FlowKey::new(self.client, self.server)
    }

    /// The client's next segment.
    pub fn client(&mut self, flags: TcpFlags, payload: &[u8]) -> Vec<u8> {
        let frame = self.client_at(self.client_next, flags, payload);
        self.client_next = self.client_next.wrapping_add(length(flags, payload));
        frame
    }

    /// The server's next segment.
    pub fn server(&mut self, flags: TcpFlags, payload: &[u8]) -> Vec<u8> {
        let frame = self.server_at(self.server_next, flags, payload);
        self.server_next = self.server_next.wrapping_add(length(flags, payload));
        frame
    }

    /// A segment of the client with any sequence number; nothing has been sent by it.
    #[must_use]
    pub fn client_at(&self, sequence: u32, flags: TcpFlags, payload: &[u8]) -> Vec<u8> {
        frame(self.client, self.server, flags, payload, |segment| {
            segment.sequence = sequence;
            segment.acknowledgement = self.server_next;
        })
    }

    /// A segment of the server with any sequence number; nothing has been sent by it.
    #[must_use]
    pub fn server_at(&self, sequence: u32, flags: TcpFlags, payload: &[u8]) -> Vec<u8> {
        frame(self.server, self.client, flags, payload, |segment| {
            segment.sequence = sequence;
            segment.acknowledgement = self.client_next;
        })
    }
}

/// How far a segment moves its sender's sequence numbers.
fn length(flags: TcpFlags, payload: &[u8]) -> u32 {
    let control =
        u32::from(flags.contains(TcpFlags::SYN)) + u32::from(flags.contains(TcpFlags::FIN));
    payload.len() as u32 + control
}

/// An untagged frame of one TCP segment.
///
/// # Panics
///
/// When the addresses are of two families.
#[must_use]
pub fn frame(
    source: SocketAddr,
    destination: SocketAddr,
    flags: TcpFlags,
    payload: &[u8],
    change: impl FnOnce(&mut Segment),
) -> Vec<u8> {
    let mut segment = Segment::new(source.port(), destination.port(), flags);
    segment.payload = payload.to_vec();
    change(&mut segment);
    let bytes = segment.to_bytes(source.ip(), destination.ip());
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => ethernet(
            Macs::default(),
            &[],
            IPV4,
            &Ipv4::new(source, destination, bytes).to_bytes(),
        ),
        (IpAddr::V6(source), IpAddr::V6(destination)) => ethernet(
            Macs::default(),
            &[],
            IPV6,
            &Ipv6::new(source, destination, bytes).to_bytes(),
        ),
        (source, destination) => panic!("{source} and {destination} are of two families"),
    }
}
