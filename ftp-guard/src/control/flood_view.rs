//! What `status` tells of floods and of what is done about them. Fields are only ever added.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Attacks, SYN cookies, limits, bans and events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloodView {
    /// Whether an attack is under way.
    pub under_attack: bool,
    /// Since when; null when none is.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// How many attacks there were, since the tables were made.
    pub attacks: u64,
    /// Connection requests of listed sources and segments of no connection, a second, just now.
    pub packets_per_second: u64,
    /// Packets a second that are dropped, or answered with a cookie, in the last second.
    pub absorbed_per_second: u64,
    /// SYN cookies.
    pub cookies: CookiesView,
    /// Packets that were beyond a limit, or met a full table, by reason; all hooks together.
    pub limit_hits: Vec<ReasonCount>,
    /// Bans in force.
    pub bans: BanCountsView,
    /// Events.
    pub events: EventCounts,
}

/// SYN cookies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CookiesView {
    /// `auto`, `always` or `off`.
    pub setting: String,
    /// Whether the stack takes them now and the guard sends them where it has to.
    pub engaged: bool,
    /// Since when.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Why there are none here, whatever the setting says.
    #[serde(default)]
    pub unavailable: Option<String>,
    /// Connection requests that were answered with one.
    pub sent: u64,
    /// Those that came back.
    pub accepted: u64,
    /// Those that could not be made.
    pub failed: u64,
    /// Whether the guard has set the two sysctls, and is going to put them back.
    pub sysctls_set: bool,
    /// net.ipv4.tcp_syncookies now; null when it cannot be read.
    #[serde(default)]
    pub tcp_syncookies: Option<u32>,
    /// net.ipv4.tcp_timestamps now; null when it cannot be read.
    #[serde(default)]
    pub tcp_timestamps: Option<u32>,
}

/// Packets of one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// Name of the reason, see `docs/reasons.md`.
    pub reason: String,
    /// How many, since the tables were made.
    pub packets: u64,
}

/// Bans, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanCountsView {
    /// In force, by command.
    pub cli: u32,
    /// In force, by a rule.
    pub rule: u32,
    /// Without effect, as `never_ban` covers them.
    pub exempt: u32,
}

/// Events, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCounts {
    /// Those that there were since the daemon started, by name.
    pub published: Vec<EventCount>,
    /// Those that readers were too slow for.
    pub lost: u64,
    /// Packets that were dropped and not reported, since the tables were made, by reason.
    pub suppressed: Vec<ReasonCount>,
}

/// Events of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCount {
    /// The name.
    pub event: String,
    /// How many.
    pub count: u64,
}
