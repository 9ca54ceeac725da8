//! What the monitor has understood, one thing at a time: what detections, counters and logs are made of.

use std::{net::SocketAddr, sync::Arc};

use jiff::Timestamp;

use super::{
    record::{SessionRecord, Software, TlsInfo, TlsMode, TransferRecord},
    told::Side,
    verb::Verb,
};

/// Something that was seen in a session, or of an address.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// When.
    pub time: Timestamp,
    /// Where.
    pub about: About,
    /// What.
    pub seen: Seen,
}

/// The session that something was seen in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its number; 0: there is none (an odd port, a connection before its greeting).
    pub session: u64,
    /// The client's end of the control connection.
    pub client: SocketAddr,
    /// The server's end of the control connection.
    pub server: SocketAddr,
    /// The name of the last login.
    pub user: Option<Arc<str>>,
    /// Whether the last login was accepted.
    pub logged_in: bool,
    /// Whether that name is one for everybody.
    pub anonymous: bool,
    /// How the control connection is encrypted.
    pub tls: TlsMode,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// A session has begun.
    Began,
    /// The server has said what it is. `text` is the line, without control characters, cut to 512 bytes.
    Software {
        /// What was made of it.
        software: Software,
        /// What it said.
        text: String,
    },
    /// The client has said what it is (CLNT).
    ClientSoftware(String),
    /// TLS has begun, or more is known of it.
    Tls(TlsInfo),
    /// The client has sent a command line.
    Command(Command),
    /// The server has sent a final reply, or a preliminary one (1xx).
    Reply {
        /// Its code.
        code: u16,
        /// The command that it answers; `None`: the greeting, or a reply to no command.
        to: Option<Verb>,
    },
    /// A login has been accepted or refused. Name and state are in [`Observation::about`].
    Login {
        /// Whether it was accepted.
        accepted: bool,
        /// The reply's code.
        code: u16,
    },
    /// A transfer has ended.
    Transferred(TransferRecord),
    /// One side speaks no FTP, but this.
    Foreign {
        /// Who.
        side: Side,
        /// What.
        protocol: Protocol,
    },
    /// A server on a port that is not configured for FTP speaks it.
    OddPort {
        /// What it said, without control characters, cut to 512 bytes.
        text: String,
    },
    /// A line was longer than any that FTP has; it is left out.
    Overlong(Side),
    /// Bytes that are no text were sent where commands or replies belong.
    Binary(Side),
    /// Bytes were not seen; reading goes on with the next line.
    Lost {
        /// Who sent them.
        side: Side,
        /// How many.
        bytes: u64,
    },
    /// A session has ended.
    Ended(Box<SessionRecord>),
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its verb.
    pub verb: Verb,
    /// What follows the verb, without control characters, cut to 512 bytes. Empty for verbs that no
    /// standard has, for passwords and accounts.
    pub argument: String,
    /// Bytes of the whole line, without its end.
    pub length: usize,
}

/// What is spoken instead of FTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// SSH: `SSH-` (RFC 4253 section 4.2).
    Ssh,
    /// HTTP: a request line or a status line (RFC 9112).
    Http,
    /// TLS where clear text belongs: a record of a handshake (RFC 8446 section 5.1).
    Tls,
    /// SMB: 0xff or 0xfe `SMB` behind a NetBIOS header.
    Smb,
    /// SMTP: a greeting that says so, or EHLO, HELO, MAIL.
    Smtp,
    /// Anything else that is neither text nor any of these.
    Binary,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Ssh,
        Self::Http,
        Self::Tls,
        Self::Smb,
        Self::Smtp,
        Self::Binary,
    ];

    /// The name in JSON, metrics and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Smb => "smb",
            Self::Smtp => "smtp",
            Self::Binary => "binary",
        }
    }
}
