//! Events: what happened, one at a time, for people and for programs.
//!
//! The programs report dropped packets, sampled; everything else is the daemon's own word. The names and
//! fields here are those of the JSON, described in `docs/control-protocol.md`. Fields are only ever
//! added.

mod filter;
mod ftp;
mod packet;
#[cfg(test)]
mod tests;
mod text;

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    filter::Filter,
    ftp::{DetectionEvent, LoginEvent, Severity, TransferEvent},
    packet::{Packet, table_of},
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. The name of the variant is `event` in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A packet was dropped, or would be in monitor mode.
    Drop(Packet),
    /// The same, since a table has no room.
    TableFull(TableFull),
    /// A prefix is banned that was not.
    BanAdded(BanEvent),
    /// A ban ends later than it did.
    BanProlonged(BanEvent),
    /// A ban was taken back.
    BanRemoved(BanEvent),
    /// A ban is over.
    BanExpired(BanEvent),
    /// An attack begins.
    AttackBegin(AttackBegin),
    /// An attack is over.
    AttackEnd(AttackEnd),
    /// This host's stack takes SYN cookies from now on, and the guard sends them where it has to.
    CookiesOn(CookiesOn),
    /// The guard sends no more SYN cookies.
    CookiesOff(CookiesOff),
    /// The guard has ended a session, or a part of one.
    SessionEnded(SessionEnded),
    /// Somebody has logged in, or was refused.
    Login(LoginEvent),
    /// A transfer has ended.
    Transfer(TransferEvent),
    /// A rule of detection applies.
    Detection(DetectionEvent),
    /// To one reader only: it was too slow for that many events, which came here.
    Lost(Lost),
    /// A name of the allowlist has other addresses.
    NameChanged(NameChanged),
    /// Enforce mode has ended since nobody confirmed it in time.
    ModeFellBack(ModeFellBack),
}

impl EventKind {
    /// The names of all, in the order of the variants.
    pub const NAMES: [&'static str; 17] = [
        "drop",
        "table_full",
        "ban_added",
        "ban_prolonged",
        "ban_removed",
        "ban_expired",
        "attack_begin",
        "attack_end",
        "cookies_on",
        "cookies_off",
        "session_ended",
        "login",
        "transfer",
        "detection",
        "lost",
        "name_changed",
        "mode_fell_back",
    ];

    /// The name in JSON, metrics and text.
    #[must_use]
    pub fn name(&self) -> &'static str {
        Self::NAMES[self.number()]
    }

    /// The place of the name in [`EventKind::NAMES`].
    #[must_use]
    pub fn number(&self) -> usize {
        match self {
            Self::Drop(_) => 0,
            Self::TableFull(_) => 1,
            Self::BanAdded(_) => 2,
            Self::BanProlonged(_) => 3,
            Self::BanRemoved(_) => 4,
            Self::BanExpired(_) => 5,
            Self::AttackBegin(_) => 6,
            Self::AttackEnd(_) => 7,
            Self::CookiesOn(_) => 8,
            Self::CookiesOff(_) => 9,
            Self::SessionEnded(_) => 10,
            Self::Login(_) => 11,
            Self::Transfer(_) => 12,
            Self::Detection(_) => 13,
            Self::Lost(_) => 14,
            Self::NameChanged(_) => 15,
            Self::ModeFellBack(_) => 16,
        }
    }
}

/// A table of the kernel had no room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableFull {
    /// What it holds: `sessions`, `flows`, `pinholes`, `sources` or `opening`.
    pub table: String,
    /// The packet that was refused for it.
    #[serde(flatten)]
    pub packet: Packet,
}

/// What happened to a ban.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BanEvent {
    /// The prefix.
    pub prefix: IpNet,
    /// From when on the ban no longer counts; null: it has no end.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// What kind of hand it came from: `cli` or `rule`.
    pub origin: String,
    /// Whose hand: a name given at the command line, or that of the rule.
    #[serde(default)]
    pub by: String,
    /// The how many-th ban of this prefix it is.
    #[serde(default)]
    pub count: u32,
}

/// The beginning of an attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackBegin {
    /// How many there have been since the tables were made, with this one.
    pub attacks: u64,
    /// Connection requests and segments of no connection in the last second.
    pub packets_per_second: u64,
}

/// The end of an attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackEnd {
    /// How long it went on.
    pub seconds: f64,
}

/// SYN cookies are engaged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CookiesOn {
    /// The setting that it follows from: `auto` or `always`.
    pub setting: String,
}

/// SYN cookies are no longer sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CookiesOff {
    /// Why: `calm` (the attack is over), `setting` (they were switched off), or what went wrong.
    pub why: String,
}

/// The guard has ended a session, or a part of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionEnded {
    /// Its number; 0 for what belongs to no session.
    pub id: u64,
    /// What was ended: `session`, `opening` (a control connection before its greeting) or `data` (a single
    /// data connection).
    #[serde(default)]
    pub part: String,
    /// The client's end of the connection.
    pub client: SocketAddr,
    /// The server's end of the connection.
    pub server: SocketAddr,
    /// The profile of its source.
    pub profile: String,
    /// Why: `login_timeout`, `idle_timeout`, `data_idle_timeout`, `ports_held`, `killed`, `revoked` or
    /// `banned`.
    pub reason: String,
}

/// A name of the allowlist has other addresses than it had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NameChanged {
    /// The name.
    pub name: String,
    /// Addresses that are in force now and were not.
    pub added: Vec<IpAddr>,
    /// Addresses that were and are not.
    pub removed: Vec<IpAddr>,
}

/// Enforce mode has ended: the guard is in monitor mode again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeFellBack {
    /// Until when it was to be confirmed; monitor mode is in force since then.
    pub deadline: Timestamp,
}

/// Events that a reader has missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// How many.
    pub count: u64,
}
