//! What is known of a session: the record that is shown while it lives, stored when it has ended, and
//! exported. Field names are those of the JSON; fields are only ever added.

use std::net::SocketAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A session as its control connection shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its number, that of `sessions` and `kill`. Numbers begin anew when the kernel's tables are made anew.
    pub id: u64,
    /// The client's end of the control connection.
    pub client: SocketAddr,
    /// The server's end of the control connection.
    pub server: SocketAddr,
    /// When it began, or the guard began to see it.
    pub began: Timestamp,
    /// When it ended; null: it lives.
    pub ended: Option<Timestamp>,
    /// Whether its beginning was not seen.
    pub partial: bool,
    /// What there is of TLS.
    pub tls: TlsInfo,
    /// The name of the last login, cut to 256 bytes; null: none was seen.
    pub user: Option<String>,
    /// What became of logins.
    pub login: LoginState,
    /// Whether that name is one for everybody: `anonymous` or `ftp`.
    pub anonymous: bool,
    /// When a login was accepted.
    pub logged_in: Option<Timestamp>,
    /// Logins that the server refused.
    pub failed_logins: u32,
    /// What the client calls itself (CLNT).
    pub client_software: Option<String>,
    /// What the server calls itself.
    pub server_software: Option<Software>,
    /// Commands.
    pub commands: u64,
    /// Those among them with a verb that no standard has.
    pub unknown_commands: u64,
    /// Final replies.
    pub replies: u64,
    /// Transfers that have ended, oldest first, at most [`SessionRecord::MOST_TRANSFERS`].
    pub transfers: Vec<TransferRecord>,
    /// Transfers that have ended, those included that are no longer in `transfers`.
    pub transfer_count: u64,
    /// The transfer under way.
    pub transferring: Option<TransferRecord>,
    /// Bytes that files and listings came to, from the client.
    pub bytes_up: u64,
    /// The same, from the server.
    pub bytes_down: u64,
    /// Data connections that were established.
    pub data_connections: u64,
    /// Bytes of the control connection that the guard did not get to see.
    pub lost_bytes: u64,
    /// Why the guard ended it; null: it did not.
    pub end_reason: Option<String>,
    /// The reason for which nothing of its client would have passed in enforce mode; absent: its client may be here,
    /// or nobody noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_drop: Option<String>,
}

impl SessionRecord {
    /// Transfers that a record keeps: the last ones.
    pub const MOST_TRANSFERS: usize = 256;
    /// Longest name, file name or software that a record keeps, in bytes.
    pub const MOST_NAME: usize = 256;

    /// A session of which nothing is known yet.
    #[must_use]
    pub fn new(id: u64, client: SocketAddr, server: SocketAddr, began: Timestamp) -> Self {
        Self {
            id,
            client,
            server,
            began,
            ended: None,
            partial: false,
            tls: TlsInfo::default(),
            user: None,
            login: LoginState::None,
            anonymous: false,
            logged_in: None,
            failed_logins: 0,
            client_software: None,
            server_software: None,
            commands: 0,
            unknown_commands: 0,
            replies: 0,
            transfers: Vec::new(),
            transfer_count: 0,
            transferring: None,
            bytes_up: 0,
            bytes_down: 0,
            data_connections: 0,
            lost_bytes: 0,
            end_reason: None,
            would_drop: None,
        }
    }
}

/// What became of logins in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginState {
    /// Nobody has tried.
    #[default]
    None,
    /// A name was given, and nothing came of it yet.
    Asked,
    /// The server has refused the last one.
    Failed,
    /// The server has accepted one.
    Accepted,
    /// It cannot be read: TLS.
    Hidden,
}

/// TLS of a control connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsInfo {
    /// How it came about.
    pub mode: TlsMode,
    /// The server name that the client asks for (RFC 6066 section 3), cut to 256 bytes.
    pub server_name: Option<String>,
    /// The version that the server chose, or if that was not seen the newest that the client offers: `1.0` to
    /// `1.3`, `ssl3`.
    pub version: Option<String>,
    /// Whether the control connection went back to clear text (CCC, RFC 4217 section 9).
    pub cleared: bool,
}

/// How a control connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// It is not.
    #[default]
    Clear,
    /// Since AUTH (RFC 4217 section 4).
    Explicit,
    /// From its first byte.
    Implicit,
    /// Its beginning was not seen.
    Unknown,
}

impl TlsMode {
    /// The name in JSON, metrics and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Explicit => "explicit",
            Self::Implicit => "implicit",
            Self::Unknown => "unknown",
        }
    }
}

/// What a server says that it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Software {
    /// The name by which the table of vulnerabilities has it, in small letters: `vsftpd`, `proftpd`.
    pub product: String,
    /// The version, as the server writes it.
    pub version: Option<String>,
}

/// Which way a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the server: STOR, STOU, APPE.
    Upload,
    /// From the server: RETR.
    Download,
    /// A list of files: LIST, NLST, MLSD.
    Listing,
    /// A data connection whose command cannot be read: TLS.
    Hidden,
}

impl Direction {
    /// All directions.
    pub const ALL: [Self; 4] = [Self::Upload, Self::Download, Self::Listing, Self::Hidden];

    /// The name in JSON, metrics and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Listing => "listing",
            Self::Hidden => "hidden",
        }
    }
}

/// A transfer: a command that moves data, and its data connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferRecord {
    /// When the command was given; of a hidden one, when its data connection was established.
    pub began: Timestamp,
    /// Which way it goes.
    pub direction: Direction,
    /// The command; null: hidden.
    pub command: Option<String>,
    /// The path as the client gave it, cut to 256 bytes; or a hash of it, or nothing, as configured.
    pub path: Option<String>,
    /// What the path ends with behind its last dot, in small letters, at most 16 letters and digits.
    pub file_type: Option<String>,
    /// Payload of the data connection, both directions together; null: none was seen.
    pub bytes: Option<u64>,
    /// How long it took until the final reply and the data connection's end.
    pub seconds: f64,
    /// The final reply's code; null: hidden, or none came.
    pub code: Option<u16>,
    /// Who opened the data connection: `passive` or `active`; null: none was seen.
    pub mode: Option<String>,
    /// The client's end of the data connection.
    pub data_client: Option<SocketAddr>,
    /// The server's end of the data connection.
    pub data_server: Option<SocketAddr>,
    /// Whether the data connection is encrypted (PROT P, RFC 2228); null: hidden.
    pub encrypted: Option<bool>,
    /// Whether the server said that it is complete (2xx).
    pub complete: bool,
}
