//! What is known of each client that would have been kept out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use jiff::Timestamp;

use super::outcome::Outcome;
use crate::engine::monitor::record::SessionRecord;

/// Seconds of a day in UTC.
const DAY_S: i64 = 86_400;

/// The sessions of a client, or of several, summed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Sessions, with or without a login.
    pub sessions: u64,
    /// Those with a login that succeeded.
    pub successful: u64,
    /// Those among the successful ones that were anonymous.
    pub anonymous: u64,
    /// Those in which the server refused logins, and accepted none.
    pub refused: u64,
    /// Transfers that have ended.
    pub transfers: u64,
    /// Bytes of data connections, both ways together.
    pub bytes: u64,
    /// When the first one began.
    pub first: Timestamp,
    /// When the last one was last known to live.
    pub last: Timestamp,
    /// Days, counted from the beginning of Unix time in UTC, on which a successful one began.
    pub days: BTreeSet<i64>,
    /// Names of logins that succeeded, at most [`Evidence::MOST_USERS`].
    pub users: BTreeSet<String>,
    /// Whether there were more names.
    pub more_users: bool,
}

impl Evidence {
    /// Names that are kept.
    pub const MOST_USERS: usize = 3;

    /// What one session tells.
    #[must_use]
    pub fn of(record: &SessionRecord) -> Self {
        let outcome = Outcome::of(record);
        let success = outcome.is_success();
        let day = record.began.as_second().div_euclid(DAY_S);
        let user = record.user.as_ref();
        let user = user.filter(|_| matches!(outcome, Outcome::Named | Outcome::Anonymous));
        Self {
            sessions: 1,
            successful: success.into(),
            anonymous: (outcome == Outcome::Anonymous).into(),
            refused: (outcome == Outcome::Refused).into(),
            transfers: record.transfer_count,
            bytes: record.bytes_up.saturating_add(record.bytes_down),
            first: record.began,
            last: record.ended.unwrap_or(record.began).max(record.began),
            days: success.then_some(day).into_iter().collect(),
            users: user.cloned().into_iter().collect(),
            more_users: false,
        }
    }

    /// Adds other evidence.
    pub fn join(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.sessions, other.sessions),
            (&mut self.successful, other.successful),
            (&mut self.anonymous, other.anonymous),
            (&mut self.refused, other.refused),
            (&mut self.transfers, other.transfers),
            (&mut self.bytes, other.bytes),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.days.extend(&other.days);
        self.more_users |= other.more_users;
        for user in &other.users {
            if self.users.len() < Self::MOST_USERS || self.users.contains(user) {
                self.users.insert(user.clone());
            } else {
                self.more_users = true;
            }
        }
    }

    /// Whether all that succeeded was anonymous.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.successful > 0 && self.anonymous == self.successful
    }
}

/// The clients that would have been kept out, of a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    clients: BTreeMap<IpAddr, Evidence>,
    /// Sessions of clients for which there was no room.
    pub not_kept: u64,
}

impl Sightings {
    /// Clients that are kept apart. What comes behind them is counted as not kept.
    pub const MOST_CLIENTS: usize = 1 << 16;

    /// Takes a session. One of a client that may be here is none of those meant.
    pub fn session(&mut self, record: &SessionRecord) {
        if record.would_drop.is_none() {
            return;
        }
        let client = record.client.ip().to_canonical();
        let evidence = Evidence::of(record);
        if let Some(known) = self.clients.get_mut(&client) {
            known.join(&evidence);
        } else if self.clients.len() < Self::MOST_CLIENTS {
            self.clients.insert(client, evidence);
        } else {
            self.not_kept = self.not_kept.saturating_add(1);
        }
    }

    /// The clients, by address.
    pub fn clients(&self) -> impl Iterator<Item = (IpAddr, &Evidence)> {
        self.clients
            .iter()
            .map(|(address, evidence)| (*address, evidence))
    }

    /// How many clients there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether nobody was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Sessions of all of them.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        let sessions = self.clients.values().map(|evidence| evidence.sessions);
        sessions.fold(0, u64::saturating_add)
    }
}
