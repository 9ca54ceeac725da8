//! Arguments and results of `allow-suggest`. Fields are only ever added.

use std::sync::Arc;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::protocol::ModeName;
use crate::engine::suggest::{Evidence, LeftOut, Proposal, Sightings, Terms};

/// Which sessions entries are to be proposed from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuggestWanted {
    /// Those that lived then or later; 30 days if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only clients with so many sessions with a login that succeeded; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_sessions: Option<u64>,
    /// Only clients with such a session on so many days; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_days: Option<u64>,
    /// Also clients that were anonymous only.
    #[serde(default)]
    pub anonymous: bool,
    /// What the history has of that time. The server adds it; it never travels.
    #[serde(skip)]
    pub past: Option<Arc<SuggestPast>>,
}

/// What the history has of clients that would have been kept out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuggestPast {
    /// From then on.
    pub since: Timestamp,
    /// Until then.
    pub until: Timestamp,
    /// Since when there is a history, if that is later.
    pub begins: Option<Timestamp>,
    /// The clients.
    pub sightings: Sightings,
}

impl SuggestWanted {
    /// How far back is looked when nothing is said.
    const USUAL: SignedDuration = SignedDuration::from_hours(30 * 24);

    /// From when on sessions count.
    #[must_use]
    pub fn since(&self, now: Timestamp) -> Timestamp {
        let usual = || now.checked_sub(Self::USUAL).unwrap_or(Timestamp::MIN);
        self.since.unwrap_or_else(usual)
    }

    /// What is asked of a client.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms {
            min_sessions: self.min_sessions.unwrap_or(1),
            min_days: self.min_days.unwrap_or(1),
            anonymous: self.anonymous,
        }
    }
}

/// An entry that is proposed, with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuggestedEntry {
    /// The prefix.
    pub prefix: IpNet,
    /// How many client addresses it stands for.
    pub addresses: u64,
    /// Their sessions.
    pub sessions: u64,
    /// Those with a login that succeeded; under TLS those with a data connection.
    pub logins: u64,
    /// Transfers that have ended.
    pub transfers: u64,
    /// Bytes of data connections, both ways together.
    pub bytes: u64,
    /// Days, in UTC, on which a session with a login began.
    pub days: u64,
    /// When the first session began.
    pub first: Timestamp,
    /// When the last one was last known to live.
    pub last: Timestamp,
    /// Names of logins that succeeded, at most three; empty when none could be read.
    pub users: Vec<String>,
    /// Whether there were more names.
    pub more_users: bool,
}

/// Clients that are not proposed, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutView {
    /// An entry lets them in by now.
    pub listed: u64,
    /// The server has refused all their logins.
    pub failed_logins: u64,
    /// They have not logged in.
    pub no_login: u64,
    /// They were anonymous only.
    pub anonymous: u64,
    /// They had fewer sessions, or on fewer days, than was asked for.
    pub too_few: u64,
    /// A ban keeps them out.
    pub banned: u64,
    /// An entry excludes them.
    pub excluded: u64,
    /// Their entry has expired.
    pub expired: u64,
}

/// Result of `allow-suggest`, behind its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuggestReport {
    /// From when on sessions counted.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Since when there is a history, if that is later.
    #[serde(default)]
    pub history_begins: Option<Timestamp>,
    /// The guard's mode now.
    pub mode: ModeName,
    /// Clients that would have been kept out, proposed or not.
    pub clients: u64,
    /// Their sessions.
    pub sessions: u64,
    /// Sessions of more clients than are looked at.
    pub sessions_not_counted: u64,
    /// How many entries the parts held.
    pub proposed: u64,
    /// Who is not proposed.
    pub left_out: LeftOutView,
}

impl From<Proposal> for SuggestedEntry {
    fn from(proposal: Proposal) -> Self {
        let Evidence {
            sessions,
            successful,
            transfers,
            bytes,
            first,
            last,
            days,
            users,
            more_users,
            ..
        } = proposal.evidence;
        Self {
            prefix: proposal.prefix,
            addresses: proposal.addresses,
            sessions,
            logins: successful,
            transfers,
            bytes,
            days: days.len() as u64,
            first,
            last,
            users: users.into_iter().collect(),
            more_users,
        }
    }
}

impl From<LeftOut> for LeftOutView {
    fn from(left_out: LeftOut) -> Self {
        Self {
            listed: left_out.listed,
            failed_logins: left_out.refused,
            no_login: left_out.no_login,
            anonymous: left_out.anonymous,
            too_few: left_out.too_few,
            banned: left_out.banned,
            excluded: left_out.excluded,
            expired: left_out.expired,
        }
    }
}
