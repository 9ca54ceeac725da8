//! A TCP socket of this host, as its kernel tells it.

use std::net::SocketAddr;

use ftp_guard_common::address::FlowKey;

/// The states of a TCP socket that matter here; the numbers are those of `net/tcp_states.h`.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TcpState {
    /// Data flows.
    Established = 1,
    /// This host has asked for the connection.
    SynSent = 2,
    /// This host has closed its side, which is not acknowledged yet; it may still be sending.
    FinWait1 = 4,
    /// This host has closed its side.
    FinWait2 = 5,
    /// The peer has closed its side.
    CloseWait = 8,
    /// Both have closed; the peer has not acknowledged it yet.
    LastAck = 9,
    /// The socket listens.
    Listen = 10,
    /// Both have closed at once.
    Closing = 11,
}

impl TcpState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Established,
        Self::SynSent,
        Self::FinWait1,
        Self::FinWait2,
        Self::CloseWait,
        Self::LastAck,
        Self::Listen,
        Self::Closing,
    ];

    /// The state of a number of the kernel.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == number)
    }

    /// Whether payload may still arrive from the peer or be accepted by it.
    #[must_use]
    pub const fn carries_data(self) -> bool {
        matches!(
            self,
            Self::Established | Self::FinWait1 | Self::FinWait2 | Self::CloseWait
        )
    }
}

/// Payload that a connection has carried, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpBytes {
    /// Received from the peer.
    pub received: u64,
    /// Sent to the peer and acknowledged by it.
    pub acked: u64,
}

/// A socket. Addresses are canonical: an IPv4-mapped IPv6 address is the IPv4 one, so that a
/// connection looks the same whichever kind of socket a server uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Its own end; of a listener the address may be the wildcard of its family.
    pub local: SocketAddr,
    /// The peer's end; of a listener all zeros.
    pub remote: SocketAddr,
    /// Its state.
    pub state: TcpState,
    /// What the kernel tells this socket by from all others, also from one that has had the same
    /// addresses.
    pub cookie: u64,
    /// Index of the interface that it is bound to; 0: none.
    pub interface: u32,
    /// Whether a listener on the IPv6 wildcard takes no IPv4.
    pub v6_only: bool,
    /// What it has carried, if the kernel was asked and told.
    pub bytes: Option<TcpBytes>,
}

impl Socket {
    /// The key of its connection, this host being the server.
    #[must_use]
    pub fn key(&self) -> FlowKey {
        FlowKey::new(self.remote, self.local)
    }
}
