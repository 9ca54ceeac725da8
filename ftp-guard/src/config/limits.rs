//! The part of the configuration that is about floods: profiles, limits, bans, events.

use std::path::PathBuf;
use std::time::Duration;

use ftp_guard_common::config::Cookies;
use ipnet::IpNet;

use super::commands::DeniedCommand;

/// `[profile.NAME]`: what a source whose allowlist entry names the profile may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileSettings {
    /// The number by which the kernel's tables know it; no setting, see
    /// [`Config::keep_numbers`](super::Config::keep_numbers). 0: the default profile.
    pub number: u16,
    /// New control connections of a source each second; 0: no limit.
    pub connections_per_second: u32,
    /// How many of them may come at once, at least 1.
    pub connections_burst: u32,
    /// Control connections of a source at one time; 0: no limit.
    pub max_sessions: u32,
    /// Data connections at one time for each session of the source; 0: no limit.
    pub max_data_connections: u32,
    /// How long a session may take to log in; `None`: no limit.
    pub login_time: Option<Duration>,
    /// How long a session may be without any packet; `None`: no limit.
    pub idle_time: Option<Duration>,
    /// How long a data connection may carry no payload; `None`: no limit.
    pub data_idle_time: Option<Duration>,
    /// Segments from the client on one control connection each second; 0: no limit.
    pub control_packets_per_second: u32,
    /// How many of them may come at once, at least 1.
    pub control_packets_burst: u32,
    /// Whether a login in clear text is refused.
    pub require_tls: bool,
    /// Whether an anonymous login is permitted.
    pub anonymous: bool,
    /// Whether commands in clear text that change files are refused.
    pub read_only: bool,
    /// Further commands that are refused in clear text, in order, none twice.
    pub deny_commands: Vec<DeniedCommand>,
}

/// `[limits]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the IPv6 prefix that counts as one source.
    pub ipv6_source_prefix: u8,
    /// New control connections of a network (/24, /48) each second; 0: no limit.
    pub network_connections_per_second: u32,
    /// How many of them may come at once, at least 1.
    pub network_connections_burst: u32,
    /// New control connections of all sources each second; 0: no limit.
    pub total_connections_per_second: u32,
    /// How many of them may come at once, at least 1.
    pub total_connections_burst: u32,
    /// Segments of no connection of a source each second; 0: no limit.
    pub stray_packets_per_second: u32,
    /// How many of them may come at once, at least 1.
    pub stray_packets_burst: u32,
    /// Segments of no connection of all sources each second; 0: no limit.
    pub total_stray_packets_per_second: u32,
    /// How many of them may come at once, at least 1.
    pub total_stray_packets_burst: u32,
    /// When the guard answers with SYN cookies.
    pub syn_cookies: Cookies,
    /// Requests and segments of no connection in a second that begin an attack; 0: none does.
    pub attack_rate: u32,
    /// How long it must have been less than half of that until an attack is over.
    pub attack_hold: Duration,
}

/// `[bans]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanSettings {
    /// Where bans are kept.
    pub file: PathBuf,
    /// What no ban covers; host bits zero, none twice.
    pub never_ban: Vec<IpNet>,
    /// How long a first ban lasts, at most [`BanSettings::max_time`].
    pub default_time: Duration,
    /// How many times as long each further ban of the same prefix lasts, at least 1.
    pub escalation: u32,
    /// The longest that a ban becomes by that.
    pub max_time: Duration,
    /// After so long without a ban the count begins anew.
    pub forget: Duration,
    /// Size of the kernel's tables: entries for each of IPv4 and IPv6.
    pub max_entries: u32,
}

/// `[events]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventSettings {
    /// Events of one reason, hook and CPU each second; 0: none is reported.
    pub per_second: u32,
    /// How many of them may come at once, at least 1.
    pub burst: u32,
    /// Whether they, and bans, are written to the log.
    pub journal: bool,
}
