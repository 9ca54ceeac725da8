//! What the programs tell of sessions, through a ring buffer of their own: each record is a
//! [`TextHeader`] and the bytes that belong to it.
//!
//! Text of the control connection is told in the order in which it passed, each byte once; what a program
//! dropped is not told. A password never gets here: the programs write `*` for each byte of it.

use crate::{address::FlowKey, session::Traffic};

/// Bytes of the ring buffer. A power of two, and a multiple of the page size.
pub const TEXT_RING_BYTES: u32 = 1 << 22;
/// Most bytes of text in one record. A power of two.
pub const MOST_TEXT: usize = 4096;
/// How many bytes of each side are told under TLS, from its first one on: enough for a ClientHello and a
/// ServerHello (RFC 8446 section 4.1). What a client sends before the greeting counts for that.
pub const HELLO_BYTES: u16 = 4096;
/// Most bytes of the first segment of a client that speaks before the greeting, and neither FTP nor TLS.
pub const MOST_EARLY: usize = 64;
/// Most bytes that are told of a server on a port of no class. A power of two.
pub const MOST_ODD: usize = 512;

/// What a record tells.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// The client said something. [`TextHeader::detail`] is a [`Tls`](crate::session::Tls).
    Client = 1,
    /// The server said something. [`TextHeader::detail`] is a [`Tls`](crate::session::Tls).
    Server = 2,
    /// A session has begun. [`TextHeader::detail`] is a [`Tls`](crate::session::Tls).
    Began = 3,
    /// A session has ended; a [`Traffic`] follows. [`TextHeader::detail`] is a
    /// [`Tls`](crate::session::Tls).
    Ended = 4,
    /// A data connection is established. [`TextHeader::detail`] is a
    /// [`FlowKind`](crate::session::FlowKind), `key` the data connection.
    DataBegan = 5,
    /// A data connection has ended; a [`Traffic`] follows, the rest as for
    /// `DataBegan`.
    DataEnded = 6,
    /// A server on a port of no class said what FTP servers say.
    OddPort = 7,
}

impl TextKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Client,
        Self::Server,
        Self::Began,
        Self::Ended,
        Self::DataBegan,
        Self::DataEnded,
        Self::OddPort,
    ];

    /// The kind of a stored number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Client),
            2 => Some(Self::Server),
            3 => Some(Self::Began),
            4 => Some(Self::Ended),
            5 => Some(Self::DataBegan),
            6 => Some(Self::DataEnded),
            7 => Some(Self::OddPort),
            _ => None,
        }
    }
}

/// How a record begins.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextHeader {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub time_ns: u64,
    /// Number of the session; 0 before its greeting, and where there is none.
    pub session: u64,
    /// The connection.
    pub key: FlowKey,
    /// Sequence number of the first byte that is told.
    pub sequence: u32,
    /// The segment's acknowledgement number.
    pub acknowledgement: u32,
    /// New bytes of the segment. Those beyond `captured` are not told. Of `Began`: what
    /// [`Traffic::witnessed`] says of the session.
    pub length: u32,
    /// Bytes that follow this header: text, or a value.
    pub captured: u16,
    /// Number of a [`TextKind`].
    pub kind: u8,
    /// As the kind says.
    pub detail: u8,
}

/// A whole record of [`TextKind::Ended`] or [`TextKind::DataEnded`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndRecord {
    /// How it begins.
    pub header: TextHeader,
    /// What has passed.
    pub traffic: Traffic,
}

/// Slots of the table of losses, by the number of a [`TextKind`]: records that did not fit into the ring
/// buffer.
pub const TEXT_LOSS_SLOTS: u32 = 8;
