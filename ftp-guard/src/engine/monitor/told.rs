//! What the programs tell of sessions, in this side's words.

use std::net::SocketAddr;

use ftp_guard_common::{
    reason::Reason,
    session::{FlowKind, Tls},
};
use jiff::Timestamp;

/// Something that the programs told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told<'a> {
    /// When it passed.
    pub time: Timestamp,
    /// Number of the session; 0: before its greeting, or of none.
    pub session: u64,
    /// The client's end of the connection.
    pub client: SocketAddr,
    /// The server's end of the connection.
    pub server: SocketAddr,
    /// What it is.
    pub what: What<'a>,
}

/// What the programs told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What<'a> {
    /// A session has begun; with the reason for which nothing of its client would pass in enforce mode, if there is
    /// one.
    Began(Tls, Option<Reason>),
    /// Somebody said something on a control connection.
    Said(Segment<'a>),
    /// A session has ended.
    Ended(Totals),
    /// A data connection is established.
    DataBegan(FlowKind),
    /// A data connection has ended.
    DataEnded(FlowKind, Totals),
    /// A server on a port that is not configured for FTP says this.
    OddPort(&'a [u8]),
}

/// One of the two ends of a control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// New bytes of a segment of a control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Who said it.
    pub side: Side,
    /// Whether it is encrypted.
    pub tls: Tls,
    /// Sequence number of the first byte.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// Number of bytes, at least that of `bytes`: the others were not told.
    pub length: u32,
    /// The bytes; of a password each one is `*`.
    pub bytes: &'a [u8],
}

/// What has passed over a connection, TCP payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How long it lived, in nanoseconds.
    pub lived_ns: u64,
    /// Segments from the client.
    pub packets_in: u64,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Segments from the server.
    pub packets_out: u64,
    /// Bytes from the server.
    pub bytes_out: u64,
    /// Whether the guard ended it.
    pub killed: bool,
    /// At its end: the reason for which nothing of its client would pass in enforce mode.
    pub witnessed: Option<Reason>,
}
