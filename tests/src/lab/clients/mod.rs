//! Real FTP clients, run without privileges, and transfers that are checked byte by byte.

mod curl;
pub mod download;
mod ftplib;
mod lftp;
pub mod logins;
pub mod session;
mod tnftp;
mod transfer;

use std::fmt;

pub use self::transfer::{Running, Transfer};
use super::{Family, Tls};

/// An FTP client's make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// curl.
    Curl,
    /// lftp.
    Lftp,
    /// Python's ftplib.
    Ftplib,
    /// tnftp, the BSDs' `ftp`.
    Tnftp,
}

impl Client {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Curl, Self::Lftp, Self::Ftplib, Self::Tnftp];

    /// Whether the client can be told to negotiate this way. PASV and PORT know IPv4 alone.
    #[must_use]
    pub fn speaks(self, family: Family, negotiation: Negotiation) -> bool {
        use Negotiation::{Eprt, Epsv, Pasv, Port};
        match (family, negotiation) {
            (Family::V6, Pasv | Port) => false,
            (Family::V6, Epsv | Eprt) | (Family::V4, Pasv | Port | Epsv) => true,
            (Family::V4, Eprt) => self != Self::Lftp,
        }
    }

    /// Whether the client can be told to encrypt this way.
    #[must_use]
    pub fn encrypts(self, tls: Tls) -> bool {
        self != Self::Tnftp || tls == Tls::Clear
    }

    /// What precedes a command that was sent, in the client's own log.
    fn sent_mark(self) -> &'static str {
        match self {
            Self::Curl => "> ",
            Self::Lftp | Self::Tnftp => "---> ",
            Self::Ftplib => "*cmd* '",
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Curl => "curl",
            Self::Lftp => "lftp",
            Self::Ftplib => "ftplib",
            Self::Tnftp => "tnftp",
        })
    }
}

/// How the data connection is negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negotiation {
    /// Passive mode, RFC 959.
    Pasv,
    /// Passive mode, RFC 2428.
    Epsv,
    /// Active mode, RFC 959.
    Port,
    /// Active mode, RFC 2428.
    Eprt,
}

impl Negotiation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pasv, Self::Epsv, Self::Port, Self::Eprt];

    /// Whether the server opens the data connection.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Port | Self::Eprt)
    }

    /// The command.
    #[must_use]
    pub fn verb(self) -> &'static str {
        match self {
            Self::Pasv => "PASV",
            Self::Epsv => "EPSV",
            Self::Port => "PORT",
            Self::Eprt => "EPRT",
        }
    }
}

/// Which way the file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the server.
    Download,
    /// To the server.
    Upload,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Download, Self::Upload];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Download => "download",
            Self::Upload => "upload",
        })
    }
}
