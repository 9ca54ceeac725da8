//! Sessions, data connections, and what sessions have negotiated: values of the state tables.
//!
//! All times are nanoseconds of CLOCK_MONOTONIC. All values have a fixed place in tables of fixed
//! size; nothing here is ever evicted to make room.

use crate::{
    front::Pending,
    ftp::{command::CommandParser, hello::HelloReader, reply::ReplyParser},
};

/// How long a connection that has ended stays in its table, so that its last segments pass.
pub const LINGER_NS: u64 = 10_000_000_000;

/// The same for a data connection whose client has not yet said that it is done: the server's program has closed its socket,
/// and the kernel waits for the client's FIN for as long as this (net.ipv4.tcp_fin_timeout).
pub const HALF_CLOSED_LINGER_NS: u64 = 60_000_000_000;

/// Whether a session's control connection is encrypted.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// It is not: replies and commands are read.
    #[default]
    Clear = 0,
    /// It is: after 234 to AUTH, or from the first byte.
    Encrypted = 1,
    /// The session was adopted in its middle; it counts as encrypted until the server says a line in
    /// clear text.
    Unknown = 2,
}

impl Tls {
    /// The name in JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Encrypted => "tls",
            Self::Unknown => "unknown",
        }
    }

    /// The state of a stored number.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Encrypted,
            2 => Self::Unknown,
            _ => Self::Clear,
        }
    }
}

/// What has passed over a connection, in both directions. Bytes are those of the IP packets' TCP
/// payload: what is sent again counts again.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// When it began, or was adopted.
    pub created_ns: u64,
    /// When the last segment passed, in either direction.
    pub seen_ns: u64,
    /// When it ended; 0: it lives.
    pub closed_ns: u64,
    /// Segments from the client.
    pub packets_in: u64,
    /// Payload bytes from the client.
    pub bytes_in: u64,
    /// Segments from the server.
    pub packets_out: u64,
    /// Payload bytes from the server.
    pub bytes_out: u64,
    /// Generation of the allowlist that the client was last found in
    /// ([`GuardConfig::allow_generation`](crate::config::GuardConfig::allow_generation)).
    pub allow_generation: u32,
    /// When the entry it was found in expires, Unix time in seconds; 0: never.
    pub allow_expires_s: u32,
    /// The last acknowledgement number from the server: what a reset must carry (RFC 5961).
    pub server_ack: u32,
    /// 1 once the client has sent FIN, or either side a reset.
    pub fin_client: u8,
    /// 1 once the server has sent FIN.
    pub fin_server: u8,
    /// 1 when `kill` ended it: nothing passes any more.
    pub killed: u8,
    /// Number of the [`Reason`](crate::reason::Reason) for which its client may not be here: monitor mode follows the
    /// connection all the same, so that it can be told who would have been dropped; 0: its client may. Such a
    /// connection counts for no limit.
    pub witnessed: u8,
}

impl Traffic {
    /// Adds what was counted in front of its entry.
    #[inline(always)]
    pub fn add(&mut self, pending: Pending) {
        self.packets_in = self.packets_in.wrapping_add(pending.packets);
        self.bytes_in = self.bytes_in.wrapping_add(pending.bytes);
        if self.seen_ns < pending.seen_ns {
            self.seen_ns = pending.seen_ns;
        }
    }

    /// Whether it is only followed: its client may not be here.
    #[inline(always)]
    #[must_use]
    pub const fn is_witnessed(&self) -> bool {
        self.witnessed != 0
    }

    #[inline(always)]
    const fn ended_before(&self, now: u64, linger: u64) -> bool {
        self.closed_ns != 0 && now > self.closed_ns.saturating_add(linger)
    }
}

/// A control connection that the server has greeted. Stored under its
/// [`FlowKey`](crate::address::FlowKey).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// Its number, for people and for what belongs to it; never 0, never used twice.
    pub id: u64,
    /// Common to all connections.
    pub traffic: Traffic,
    /// The token bucket of pinholes: when the next one is due; in the past when the bucket is full.
    pub pinholes_ns: u64,
    /// The token bucket of segments from the client.
    pub packets_ns: u64,
    /// Sequence number of the next byte from the server that has not been read.
    pub server_next: u32,
    /// Sequence number of the next byte from the client that has not been read.
    pub client_next: u32,
    /// Commands that the client has sent. Like all counts here it wraps, and one hook alone writes it:
    /// this one the ingress classifier.
    pub commands: u16,
    /// Those that have their final reply. Written on egress.
    pub replies: u16,
    /// How often the client has asked for a passive port. Written on ingress.
    pub passive_asked: u16,
    /// How often the server has named one. Written on egress.
    pub passive_answered: u16,
    /// What `commands` was with the last PORT or EPRT: its reply is the one that `replies` comes to.
    pub named_at: u16,
    /// Number of a [`Tls`].
    pub tls: u8,
    /// 1 once the client has sent AUTH.
    pub auth_asked: u8,
    /// 1 when the client spoke clear text on an encrypted session (CCC, RFC 4217 section 9).
    pub clear_hint: u8,
    /// 1 when it was taken over in its middle.
    pub adopted: u8,
    /// 1 until the server has been seen: `server_next` and `client_next` are unset.
    pub unsynchronised: u8,
    /// 1 when it has ended and the server has answered a new SYN of the same address and port.
    pub reopened: u8,
    /// The destination that the last PORT or EPRT named.
    pub named: crate::address::EndpointKey,
    /// Segments with payload from the client.
    pub messages: u32,
    /// Number of the client's profile.
    pub profile: u16,
    /// 1 once the server has said that the user is logged in (230, 232; RFC 959, RFC 2228). Under TLS it
    /// cannot be read and stays 0.
    pub logged_in: u8,
    /// Replies that were dropped because too many ports had been negotiated (`pinhole_limit`); stops at 255.
    pub refused: u8,
    /// 1 while what the client says may be the middle of a line whose beginning was not read: until its next
    /// LF nothing of it is told. Set on egress, cleared on ingress.
    pub mid_line: u8,
    /// Number of the [`Reason`](crate::reason::Reason) for which a policy has refused a command: the session is
    /// over, and nothing more of its client passes; 0: none has.
    pub refused_by: u8,
    /// Zero.
    pub reserved2: [u8; 2],
    /// How much of the client's side of TLS has been told.
    pub client_hello: HelloReader,
    /// How much of the server's side of TLS has been told.
    pub server_hello: HelloReader,
    /// How far the server's replies have been read.
    pub reply: ReplyParser,
    /// How far the client's commands have been read.
    pub command: CommandParser,
}

impl Session {
    /// Whether it has ended, and its last segments have had their time by `now`.
    #[inline(always)]
    #[must_use]
    pub const fn is_over(&self, now: u64) -> bool {
        self.traffic.ended_before(now, LINGER_NS)
    }
}

/// What a data connection is.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// The client opened it, to a passive port.
    Passive = 1,
    /// The server opened it, to its client.
    Active = 2,
    /// This host opened it, and it only happens to use a port of an FTP class.
    Outgoing = 3,
}

impl FlowKind {
    /// The name in JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passive => "passive",
            Self::Active => "active",
            Self::Outgoing => "outgoing",
        }
    }

    /// The kind of a stored number.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Passive),
            2 => Some(Self::Active),
            3 => Some(Self::Outgoing),
            _ => None,
        }
    }
}

/// A data connection. Stored under its [`FlowKey`](crate::address::FlowKey).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Number of the session that it belongs to; 0: of none that is known.
    pub session: u64,
    /// Common to all connections.
    pub traffic: Traffic,
    /// Number of a [`FlowKind`].
    pub kind: u8,
    /// 1 once the handshake is proven.
    pub established: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

impl Flow {
    /// Whether nothing is to be done with a client's segment but to count it, while the allowlist stays as it is. Who
    /// ends that raises the [version](crate::front::Slot::version) of what stands in front of it.
    #[inline(always)]
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        let traffic = &self.traffic;
        traffic.closed_ns == 0
            && traffic.killed == 0
            && traffic.fin_client == 0
            && traffic.allow_expires_s == 0
            && !traffic.is_witnessed()
            && self.established != 0
            && self.kind != FlowKind::Outgoing as u8
    }

    /// Whether it has ended, and its last segments have had their time by `now`.
    #[inline(always)]
    #[must_use]
    pub const fn is_over(&self, now: u64) -> bool {
        let linger = if self.traffic.fin_client == 0 {
            HALF_CLOSED_LINGER_NS
        } else {
            LINGER_NS
        };
        self.traffic.ended_before(now, linger)
    }
}

/// A passive port that a client may connect to once. Stored under an
/// [`EndpointKey`](crate::address::EndpointKey).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pinhole {
    /// Number of the session.
    pub session: u64,
    /// When the server named it.
    pub created_ns: u64,
    /// From when on it counts no more.
    pub expires_ns: u64,
    /// The session's control connection.
    pub control: crate::address::FlowKey,
    /// Segments of the client with payload that have passed since the handshake's end, while nobody on the
    /// server's side had seen it.
    pub packets_in: u64,
    /// Their payload bytes.
    pub bytes_in: u64,
}

/// A destination that PORT or EPRT named. Stored under an
/// [`EndpointKey`](crate::address::EndpointKey).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Number of the session.
    pub session: u64,
    /// From when on it counts no more.
    pub expires_ns: u64,
    /// Number of the [`Reason`](crate::reason::Reason) that a connection there gets:
    /// `active_named`, `bounce` or `active_low_port`.
    pub reason: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// What the live sessions of a client amount to. Stored under a
/// [`ClientKey`](crate::address::ClientKey).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its live sessions.
    pub sessions: u32,
    /// Those of them that are encrypted or may be.
    pub encrypted: u32,
    /// When the server last sent payload on one of those.
    pub encrypted_reply_ns: u64,
    /// Number of the session that this was.
    pub encrypted_session: u64,
}

/// Sockets that listen on one address and port. Stored under a [`ListenKey`](crate::address::ListenKey).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// Since when the first of them does; 0: since before the guard looked.
    pub since_ns: u64,
    /// How many they are: some share a port (`SO_REUSEPORT`), and one that is about to be refused says that it listens.
    pub sockets: u32,
    /// Zero.
    pub reserved: u32,
}

impl Listener {
    /// One socket.
    #[must_use]
    pub const fn one(since_ns: u64) -> Self {
        Self {
            since_ns,
            sockets: 1,
            reserved: 0,
        }
    }
}
