//! Results of `sessions` and `kill`, and what `status` tells of sessions. Fields are only ever added.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::record_view::RecordView;
use crate::{
    config::ProfileSettings,
    engine::sessions::view::{FlowInfo, PinholeInfo, SessionInfo, SourceInfo, TableFill},
};

/// A session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    /// Its number.
    pub id: u64,
    /// The client's end of the control connection.
    pub client: SocketAddr,
    /// The server's end of the control connection.
    pub server: SocketAddr,
    /// `clear`, `tls` or `unknown` (taken over in its middle).
    pub tls: String,
    /// Seconds since it began, or was taken over.
    pub age_seconds: f64,
    /// Seconds since the last packet on the control connection or on a data connection.
    pub idle_seconds: f64,
    /// Whether it was taken over in its middle.
    pub adopted: bool,
    /// Whether `kill` has ended it; on a router it is shown until its peers are quiet.
    pub killed: bool,
    /// TCP payload from the client on the control connection, bytes.
    pub bytes_in: u64,
    /// TCP payload from the server on the control connection, bytes.
    pub bytes_out: u64,
    /// Name of its client's profile.
    #[serde(default)]
    pub profile: String,
    /// Whether somebody has logged in: `yes`, `no`, or `unknown` (under TLS, or taken over in its middle).
    #[serde(default)]
    pub login: String,
    /// The reason for which nothing of its client would pass in enforce mode; absent: its client may be here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_drop: Option<String>,
    /// Its live data connections.
    pub data: Vec<DataView>,
    /// The passive ports that its client may connect to now.
    pub pinholes: Vec<PinholeView>,
    /// What its control connection showed; null when the monitor does not watch it.
    #[serde(default)]
    pub record: Option<Box<RecordView>>,
}

/// A data connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataView {
    /// The client's end.
    pub client: SocketAddr,
    /// The server's end.
    pub server: SocketAddr,
    /// `passive`, `active`, or `outgoing` (of this host, which only happens to use an FTP port).
    pub kind: String,
    /// Whether its handshake is proven.
    pub established: bool,
    /// Seconds since it began, or was taken over.
    pub age_seconds: f64,
    /// Seconds since its last packet.
    pub idle_seconds: f64,
    /// TCP payload from the client, bytes.
    pub bytes_in: u64,
    /// TCP payload from the server, bytes.
    pub bytes_out: u64,
}

/// A passive port that a client may connect to once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PinholeView {
    /// The port.
    pub port: u16,
    /// Seconds until it no longer counts.
    pub expires_in_seconds: f64,
}

/// A member of the list that `sessions` and `kill` send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SessionMember {
    /// A session; it alone has `id`.
    Session(SessionView),
    /// A data connection whose session has ended or is not known.
    Data(DataView),
}

/// Result of `sessions`, behind its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionsReport {
    /// How many sessions the parts held.
    pub sessions: u64,
    /// How many data connections: those of the sessions, and those of none.
    pub data_connections: u64,
}

/// A source: an address, or the IPv6 prefix that counts as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceView {
    /// The address as a prefix.
    pub source: IpNet,
    /// Name of its profile; null when it is not on the allowlist (any more).
    pub profile: Option<String>,
    /// Its live sessions.
    pub sessions: u32,
    /// Its control connections that the server has not greeted yet.
    pub opening: u32,
    /// Sessions and connections before their greeting that it may have at one time; null: no limit.
    pub max_sessions: Option<u32>,
    /// Its live data connections.
    pub data_connections: u32,
    /// Those that it may have with the sessions that it has now; null: no limit.
    pub max_data_connections: Option<u64>,
}

/// Result of `sources`, behind its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcesReport {
    /// How many sources the parts held.
    pub sources: u64,
}

/// Result of `kill`, behind its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillView {
    /// Sessions that were ended.
    pub sessions: u64,
    /// Data connections that were ended.
    pub data_connections: u64,
    /// Sockets of this host that were destroyed; 0 on a router.
    pub sockets: u64,
    /// What was asked for and was not there.
    pub absent: Vec<String>,
}

/// The live sessions and data connections, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCounts {
    /// Sessions in clear text.
    pub clear: u64,
    /// Encrypted sessions.
    pub tls: u64,
    /// Sessions that were taken over and have not shown yet which they are.
    pub unknown: u64,
    /// Data connections, those of no session included.
    pub data_connections: u64,
    /// Negotiated passive ports that wait for their data connection.
    pub pinholes: u64,
}

/// How full a table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableView {
    /// What it holds: `sessions`, `flows`, `pinholes`, `named`, `clients`, `listeners`, `sources` or
    /// `opening`.
    pub table: String,
    /// Entries in it.
    pub used: u32,
    /// Entries that it has room for.
    pub size: u32,
}

/// The passive ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassiveView {
    /// The ranges, as the configuration would have them.
    pub ranges: Vec<String>,
    /// For `auto`: each setting with the server and the place that it was found in.
    pub found: Vec<String>,
    /// Ports in the ranges.
    pub configured: u32,
    /// Those that a socket of this host listens on; 0 on a router.
    pub listening: u32,
    /// Those that a live data connection uses.
    pub in_use: u32,
    /// The highest `in_use`, looked at once a second, since the daemon started.
    pub highest: u32,
    /// Time until every port listens or is in use, should their number grow as in the last minute;
    /// null when it does not grow.
    pub exhausted_in_seconds: Option<u64>,
    /// Ports outside the ranges that a session has named or that carry a passive data connection.
    pub outside: Vec<u16>,
}

impl SessionView {
    /// A session whose client's profile has this name.
    #[must_use]
    pub fn of(info: SessionInfo, profile: &str) -> Self {
        Self {
            id: info.id,
            client: info.client,
            server: info.server,
            tls: info.tls.as_str().to_owned(),
            age_seconds: seconds(info.age),
            idle_seconds: seconds(info.idle),
            adopted: info.adopted,
            killed: info.killed,
            bytes_in: info.bytes_in,
            bytes_out: info.bytes_out,
            profile: profile.to_owned(),
            login: info.login.as_str().to_owned(),
            would_drop: info.would_drop.map(|reason| reason.as_str().to_owned()),
            data: info.data.into_iter().map(DataView::from).collect(),
            pinholes: info.pinholes.into_iter().map(PinholeView::from).collect(),
            record: None,
        }
    }
}

impl SourceView {
    /// A source with its profile's name and settings; `None`: it is not on the allowlist.
    #[must_use]
    pub fn of(info: SourceInfo, profile: Option<(&str, &ProfileSettings)>) -> Self {
        let limit = |most: fn(&ProfileSettings) -> u32| {
            let most = profile.map_or(0, |(_, settings)| most(settings));
            (most > 0).then_some(most)
        };
        let per_session = limit(|settings| settings.max_data_connections);
        let sessions = u64::from(info.sessions.max(1));
        Self {
            source: info.prefix,
            profile: profile.map(|(name, _)| name.to_owned()),
            sessions: info.sessions,
            opening: info.opening,
            max_sessions: limit(|settings| settings.max_sessions),
            data_connections: info.data,
            max_data_connections: per_session.map(|most| u64::from(most) * sessions),
        }
    }
}

impl From<FlowInfo> for DataView {
    fn from(info: FlowInfo) -> Self {
        Self {
            client: info.client,
            server: info.server,
            kind: info.kind.as_str().to_owned(),
            established: info.established,
            age_seconds: seconds(info.age),
            idle_seconds: seconds(info.idle),
            bytes_in: info.bytes_in,
            bytes_out: info.bytes_out,
        }
    }
}

impl From<PinholeInfo> for PinholeView {
    fn from(info: PinholeInfo) -> Self {
        Self {
            port: info.port,
            expires_in_seconds: seconds(info.expires_in),
        }
    }
}

impl From<TableFill> for TableView {
    fn from(fill: TableFill) -> Self {
        Self {
            table: fill.name.to_owned(),
            used: fill.used,
            size: fill.size,
        }
    }
}

/// To the millisecond: more would only be noise.
fn seconds(time: std::time::Duration) -> f64 {
    time.as_millis() as f64 / 1e3
}
