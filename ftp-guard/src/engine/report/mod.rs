//! The report: who used FTP and how, what was found, and what is in force. For those who have to answer for
//! the host.
//!
//! Sans-IO: [`Gatherer`] takes events and sessions, one at a time and in any order, and [`Posture`], and makes
//! a [`Report`]. Field names are those of the JSON; fields are only ever added.

mod gather;
mod posture;
mod tally;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    gather::{Gatherer, TOP},
    posture::{AllowEntry, AllowWidth, Drops, Posture, ProfileLimits},
    tally::{Count, Volume},
};
use crate::engine::events::Severity;

/// The report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When it was made.
    pub made: Timestamp,
    /// Beginning of the time that it is of.
    pub since: Timestamp,
    /// End of that time.
    pub until: Timestamp,
    /// How much of that time is known.
    pub coverage: Coverage,
    /// What is in force now.
    pub posture: Posture,
    /// Control connections.
    pub sessions: Sessions,
    /// Logins that could be read: those in clear text.
    pub logins: Logins,
    /// What servers say that they are.
    pub software: Vec<SoftwareUse>,
    /// Holes that servers are known to have.
    pub vulnerabilities: Vec<Finding>,
    /// FTP on ports that are not configured for it.
    pub odd_ports: Vec<Finding>,
    /// Other protocols on ports of FTP.
    pub foreign_protocols: Vec<Finding>,
    /// What was transferred.
    pub transfers: Transfers,
    /// Detections, those that matter most first.
    pub detections: Vec<Detected>,
    /// Bans.
    pub bans: Bans,
    /// Dropped packets by reason: those that were reported, and those that were only counted beside them.
    pub drops: Vec<Count>,
    /// Attacks that began.
    pub attacks: u64,
}

/// How much is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The oldest thing that the history holds, if it is younger than the time asked for: nothing is known
    /// from before.
    pub begins: Option<Timestamp>,
    /// Starts of the daemon in that time.
    pub starts: u64,
    /// Events and sessions that could not be written.
    pub lost_entries: u64,
    /// Events that came faster than they were read.
    pub missed_events: u64,
    /// Bytes of control connections that were not seen.
    pub unseen_bytes: u64,
    /// Sessions whose beginning or end was not seen.
    pub partial_sessions: u64,
    /// Some list of names was too long: what it leaves out is not in its sums.
    pub cut: bool,
}

/// Control connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sessions {
    /// All of them.
    pub total: u64,
    /// Without TLS.
    pub clear: u64,
    /// With TLS since AUTH.
    pub explicit_tls: u64,
    /// With TLS from their first byte.
    pub implicit_tls: u64,
    /// Whose beginning was not seen.
    pub unknown: u64,
    /// The part that had no TLS, of those of which it is known; null: there were none.
    pub clear_share: Option<f64>,
    /// Versions of TLS.
    pub tls_versions: Vec<Count>,
    /// Those that the guard has ended, by reason.
    pub ended: Vec<Count>,
    /// Clients, by address.
    pub clients: u64,
}

/// Logins in clear text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logins {
    /// Accepted, with a name of somebody: a password went over the wire.
    pub accepted: u64,
    /// Accepted, with a name for everybody.
    pub anonymous: u64,
    /// Refused, with a name of somebody.
    pub refused: u64,
    /// Refused, with a name for everybody.
    pub anonymous_refused: u64,
    /// Names that logged in so.
    pub users: Vec<Count>,
    /// Sources that they came from.
    pub sources: Vec<Count>,
    /// Sources that logged in with a name for everybody.
    pub anonymous_sources: Vec<Count>,
    /// Sources of refused logins.
    pub refused_sources: Vec<Count>,
    /// Names of refused logins.
    pub refused_users: Vec<Count>,
}

/// A server's software.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftwareUse {
    /// What it calls itself.
    pub product: String,
    /// Its version, if it tells.
    pub version: Option<String>,
    /// Where: addresses and ports.
    pub servers: Vec<String>,
    /// Sessions with it.
    pub sessions: u64,
}

/// Something that was found, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What.
    pub message: String,
    /// At which server.
    pub server: Option<String>,
    /// How often it was told.
    pub count: u64,
    /// When last.
    pub last: Timestamp,
}

/// What was transferred.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfers {
    /// To servers.
    pub uploads: u64,
    /// From servers.
    pub downloads: u64,
    /// Lists of files.
    pub listings: u64,
    /// Under TLS: the direction is not known.
    pub hidden: u64,
    /// Uploads and downloads that the server did not call complete.
    pub incomplete: u64,
    /// Bytes of files to servers.
    pub bytes_up: u64,
    /// Bytes of files from servers.
    pub bytes_down: u64,
    /// Bytes of transfers under TLS.
    pub bytes_hidden: u64,
    /// Types of files by the end of their names; `none`: without one.
    pub file_types: Vec<Volume>,
    /// Users that moved most; `-`: none was seen.
    pub users: Vec<Volume>,
    /// Sources that moved most.
    pub sources: Vec<Volume>,
}

/// How often a rule applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detected {
    /// The rule.
    pub rule: String,
    /// How much it matters.
    pub severity: Severity,
    /// How often.
    pub count: u64,
    /// How often it banned the source.
    pub banned: u64,
    /// Sources that it was about, those with most first.
    pub sources: Vec<Count>,
}

/// What became of bans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bans {
    /// New ones.
    pub added: u64,
    /// Those that became longer.
    pub prolonged: u64,
    /// Those that were taken back.
    pub removed: u64,
    /// Those that ended.
    pub expired: u64,
    /// New ones by whose hand.
    pub by: Vec<Count>,
}
