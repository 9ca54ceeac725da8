//! What is told about sessions: to the command line, `status` and the metrics.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ftp_guard_common::{
    reason::Reason,
    session::{FlowKind, Tls},
};

use super::EndCounts;

/// Whether somebody has logged in on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// The server has said so.
    Yes,
    /// It has not.
    No,
    /// It could not be read: under TLS, or before the session was taken over.
    Unknown,
}

impl Login {
    /// The name in JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// What the connections of a source amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// The address, or the prefix that counts as one source.
    pub prefix: ipnet::IpNet,
    /// The address of one of its clients, if there is one; else that of the prefix.
    pub client: IpAddr,
    /// Live sessions.
    pub sessions: u32,
    /// Control connections before their greeting.
    pub opening: u32,
    /// Live data connections.
    pub data: u32,
}

/// A live session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its number.
    pub id: u64,
    /// The client's end of the control connection.
    pub client: SocketAddr,
    /// The server's end of the control connection.
    pub server: SocketAddr,
    /// Whether the control connection is encrypted.
    pub tls: Tls,
    /// Time since it began, or was taken over.
    pub age: Duration,
    /// Time since the last packet on the control connection or on a data connection.
    pub idle: Duration,
    /// Whether it was taken over in its middle.
    pub adopted: bool,
    /// Whether `kill` has ended it; on a router it is shown until its peers are quiet.
    pub killed: bool,
    /// Number of its client's profile.
    pub profile: u16,
    /// Whether somebody has logged in.
    pub login: Login,
    /// TCP payload from the client on the control connection, bytes.
    pub bytes_in: u64,
    /// TCP payload from the server on the control connection, bytes.
    pub bytes_out: u64,
    /// The reason for which nothing of its client would pass in enforce mode, if there is one.
    pub would_drop: Option<Reason>,
    /// Its live data connections.
    pub data: Vec<FlowInfo>,
    /// The passive ports that its client may connect to now.
    pub pinholes: Vec<PinholeInfo>,
}

/// A live data connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowInfo {
    /// The client's end.
    pub client: SocketAddr,
    /// The server's end.
    pub server: SocketAddr,
    /// Who opened it.
    pub kind: FlowKind,
    /// Whether its handshake is proven.
    pub established: bool,
    /// Time since it began, or was taken over.
    pub age: Duration,
    /// Time since its last packet.
    pub idle: Duration,
    /// TCP payload from the client, bytes.
    pub bytes_in: u64,
    /// TCP payload from the server, bytes.
    pub bytes_out: u64,
}

/// A passive port that a client may connect to once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinholeInfo {
    /// The port.
    pub port: u16,
    /// Time until it no longer counts.
    pub expires_in: Duration,
}

/// The live sessions, and the data connections that belong to none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionsInfo {
    /// The sessions, by number.
    pub sessions: Vec<SessionInfo>,
    /// Data connections whose session has ended or is not known, the host's own outgoing
    /// connections from data ports among them.
    pub orphans: Vec<FlowInfo>,
}

/// How the passive ports are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassiveWatch {
    /// Ports in the ranges.
    pub configured: u32,
    /// Those of them that a socket of this host listens on; 0 on a router.
    pub listening: u32,
    /// Those of them that a live passive data connection uses.
    pub in_use: u32,
    /// Those that listen or are in use.
    pub taken: u32,
    /// The time until all are taken, should their number grow as in the last minute; nothing when it
    /// does not grow.
    pub exhausted_in: Option<Duration>,
    /// The highest `in_use` that was seen, once a second, since the daemon started.
    pub highest: u32,
    /// Ports outside the ranges that a session has named or that carry a passive data connection
    /// now, in order.
    pub outside: Vec<u16>,
}

/// How full a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableFill {
    /// What it holds: `sessions`, `flows`, `pinholes`, `named`, `clients`, `listeners`, `sources` or
    /// `opening`.
    pub name: &'static str,
    /// Entries in it.
    pub used: u32,
    /// Entries that it has room for.
    pub size: u32,
}

/// What a `kill` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KillReport {
    /// Sessions that it ended.
    pub sessions: u32,
    /// Data connections that it ended.
    pub flows: u32,
    /// Sockets of this host that it destroyed; 0 on a router.
    pub sockets: u32,
}

/// Whom a `kill` concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillTarget {
    /// The session of this number, and its data connections.
    Session(u64),
    /// All sessions and data connections of clients in this prefix; an address is one of full length.
    Clients(ipnet::IpNet),
}

/// What the tables tell of sessions, all of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFigures {
    /// Sessions that live, clear ones.
    pub clear: u32,
    /// Sessions that live, encrypted ones.
    pub encrypted: u32,
    /// Sessions that live and of which neither is known yet.
    pub unknown: u32,
    /// Data connections that live.
    pub data: u32,
    /// The passive ports.
    pub passive: PassiveWatch,
    /// How full the tables are.
    pub tables: Vec<TableFill>,
    /// What the guard has ended since the daemon started.
    pub ended: EndCounts,
    /// What it would have ended in enforce mode.
    pub would_end: EndCounts,
}
