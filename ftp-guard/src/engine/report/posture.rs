//! What is in force, and how wide the allowlist is.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Posture {
    /// Version of the guard.
    pub version: String,
    /// `enforce` or `monitor`.
    pub mode: String,
    /// `host` or `router`.
    pub role: String,
    /// Interfaces with the guard's program.
    pub interfaces: Vec<String>,
    /// Interfaces that hold an address and that the configuration leaves out.
    pub uncovered_interfaces: Vec<String>,
    /// Ports of control connections.
    pub control_ports: Vec<u16>,
    /// Ports of passive data connections.
    pub passive_ports: Vec<String>,
    /// The allowlist.
    pub allowlist: AllowWidth,
    /// The profiles, each with its settings.
    pub profiles: Vec<ProfileLimits>,
    /// Limits beside those of profiles.
    pub limits: Map<String, Value>,
    /// Bans in force.
    pub bans: u64,
    /// Dropped packets since the guard's tables were made, all of them.
    pub drops: Vec<Drops>,
    /// What deserves attention.
    pub warnings: Vec<String>,
}

/// A profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProfileLimits {
    /// Its name.
    pub name: String,
    /// Entries of the allowlist that have it.
    pub entries: u64,
    /// Its settings, by the names of the configuration.
    pub settings: Map<String, Value>,
}

/// Dropped packets of a reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drops {
    /// The reason.
    pub reason: String,
    /// `drop`, or `would_drop` in monitor mode.
    pub verdict: String,
    /// How many.
    pub packets: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// How wide the allowlist is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AllowWidth {
    /// Entries that allow, and that have not expired.
    pub entries: u64,
    /// Entries that exclude, and that have not expired.
    pub exclusions: u64,
    /// IPv4 addresses that may use FTP.
    pub ipv4_addresses: u64,
    /// IPv6 addresses that may use FTP, about.
    pub ipv6_addresses: f64,
    /// Entries without an end.
    pub without_end: u64,
    /// The widest entries of both versions.
    pub widest: Vec<AllowEntry>,
}

/// An entry of the allowlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowEntry {
    /// The sources.
    pub prefix: IpNet,
    /// Whether it allows them.
    pub allows: bool,
    /// What people call it.
    pub label: Option<String>,
    /// Its profile.
    pub profile: String,
    /// Its end.
    pub expires: Option<Timestamp>,
}

impl AllowWidth {
    /// Entries of each version that are called the widest.
    const WIDEST: usize = 5;

    /// The width of these entries, in which no prefix comes twice; those that have expired do not count.
    #[must_use]
    pub fn of(entries: impl IntoIterator<Item = AllowEntry>, now: Timestamp) -> Self {
        let mut entries: Vec<AllowEntry> = entries
            .into_iter()
            .filter(|entry| entry.expires.is_none_or(|end| end > now))
            .collect();
        // A prefix comes before those inside it.
        entries.sort_by_key(|entry| (entry.prefix.network(), entry.prefix.prefix_len()));
        let mut width = Self::default();
        let mut around: Vec<(IpNet, bool)> = Vec::new();
        let (mut v4, mut v6) = (0_i64, 0_f64);
        for entry in &entries {
            while around
                .last()
                .is_some_and(|(outer, _)| !outer.contains(&entry.prefix))
            {
                around.pop();
            }
            let before = around.last().is_some_and(|(_, allows)| *allows);
            around.push((entry.prefix, entry.allows));
            match entry.allows {
                true => width.entries += 1,
                false => width.exclusions += 1,
            }
            width.without_end += u64::from(entry.allows && entry.expires.is_none());
            let change = i64::from(entry.allows) - i64::from(before);
            let free = entry.prefix.max_prefix_len() - entry.prefix.prefix_len();
            match entry.prefix.network() {
                IpAddr::V4(_) => v4 += change << free,
                IpAddr::V6(_) => v6 += change as f64 * 2_f64.powi(i32::from(free)),
            }
        }
        width.ipv4_addresses = u64::try_from(v4).unwrap_or(0);
        width.ipv6_addresses = v6.max(0.0);
        for version in [true, false] {
            let mut allowed: Vec<&AllowEntry> = entries
                .iter()
                .filter(|entry| entry.allows && entry.prefix.addr().is_ipv4() == version)
                .collect();
            allowed.sort_by_key(|entry| entry.prefix.prefix_len());
            width
                .widest
                .extend(allowed.into_iter().take(Self::WIDEST).cloned());
        }
        width
    }
}
