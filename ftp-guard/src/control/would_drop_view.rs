//! What `status` tells of clients that would have been kept out. Fields are only ever added.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::witness::Witnessed;

/// The clients that would have been kept out, as `status` tells them in monitor mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WouldDropView {
    /// Since when they are counted: the start of the daemon.
    pub since: Timestamp,
    /// Those with most packets, at most ten.
    pub clients: Vec<WouldDropClient>,
    /// How many more there are.
    pub more: u64,
    /// How many were forgotten for others.
    pub forgotten: u64,
}

/// A client that would have been kept out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WouldDropClient {
    /// Its address.
    pub client: IpAddr,
    /// Name of the reason, as was said last.
    pub reason: String,
    /// Packets that were reported: there were at least so many.
    pub packets: u64,
    /// Its sessions, living ones included.
    pub sessions: u64,
    /// Those with a login that succeeded; under TLS those with a data connection.
    pub logins: u64,
    /// When something of it was last seen.
    pub last_seen: Timestamp,
}

impl WouldDropClient {
    /// What is known of a client.
    #[must_use]
    pub fn of(client: IpAddr, witnessed: &Witnessed) -> Self {
        Self {
            client,
            reason: witnessed.reason.as_str().to_owned(),
            packets: witnessed.packets,
            sessions: witnessed.sessions,
            logins: witnessed.logins,
            last_seen: witnessed.last_seen,
        }
    }
}
