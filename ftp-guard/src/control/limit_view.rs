//! Profiles and limits, as `check`, `allow test` and `explain` show them.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::config::{Config, Limits, ProfileSettings};

/// What a source of a profile may. In numbers 0, in times null: no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileView {
    /// Its name.
    pub name: String,
    /// New control connections each second.
    pub connections_per_second: u32,
    /// How many of them at once.
    pub connections_burst: u32,
    /// Control connections at one time.
    pub max_sessions: u32,
    /// Data connections at one time for each session.
    pub max_data_connections: u32,
    /// Time to log in.
    pub login_seconds: Option<u64>,
    /// Time without any packet of a session.
    pub idle_seconds: Option<u64>,
    /// Time in which a data connection carries no payload.
    pub data_idle_seconds: Option<u64>,
    /// Segments from the client on one control connection each second.
    pub control_packets_per_second: u32,
    /// How many of them at once.
    pub control_packets_burst: u32,
    /// Whether a login in clear text is refused.
    #[serde(default)]
    pub require_tls: bool,
    /// Whether an anonymous login is permitted.
    #[serde(default = "yes")]
    pub anonymous: bool,
    /// Whether commands in clear text that change files are refused.
    #[serde(default)]
    pub read_only: bool,
    /// Further commands that are refused in clear text.
    #[serde(default)]
    pub deny_commands: Vec<String>,
}

fn yes() -> bool {
    true
}

impl ProfileView {
    /// The profile that this configuration calls so.
    #[must_use]
    pub fn of(name: &str, settings: &ProfileSettings) -> Self {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
        Self {
            name: name.to_owned(),
            connections_per_second: settings.connections_per_second,
            connections_burst: settings.connections_burst,
            max_sessions: settings.max_sessions,
            max_data_connections: settings.max_data_connections,
            login_seconds: seconds(settings.login_time),
            idle_seconds: seconds(settings.idle_time),
            data_idle_seconds: seconds(settings.data_idle_time),
            control_packets_per_second: settings.control_packets_per_second,
            control_packets_burst: settings.control_packets_burst,
            require_tls: settings.require_tls,
            anonymous: settings.anonymous,
            read_only: settings.read_only,
            deny_commands: settings
                .deny_commands
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }

    /// All profiles, the default one first.
    #[must_use]
    pub fn all(config: &Config) -> Vec<Self> {
        let mut profiles: Vec<_> = config
            .profiles
            .iter()
            .map(|(name, settings)| Self::of(name, settings))
            .collect();
        // Stable: the others stay in the order of their names.
        profiles.sort_by_key(|profile| profile.name != Config::DEFAULT_PROFILE);
        profiles
    }
}

impl fmt::Display for ProfileView {
    /// The limits and the policy, without the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = vec![
            rate(
                "connections",
                self.connections_per_second,
                self.connections_burst,
            ),
            most("sessions", self.max_sessions),
            most("data connections each", self.max_data_connections),
            rate(
                "control packets",
                self.control_packets_per_second,
                self.control_packets_burst,
            ),
            within("login", self.login_seconds),
            within("idle", self.idle_seconds),
            within("data idle", self.data_idle_seconds),
        ];
        let policy = [
            (self.require_tls, "login under TLS only"),
            (!self.anonymous, "no anonymous login"),
            (self.read_only, "read-only"),
        ];
        let said = policy.into_iter().filter(|(set, _)| *set);
        parts.extend(said.map(|(_, words)| words.to_owned()));
        if !self.deny_commands.is_empty() {
            parts.push(format!("not {}", self.deny_commands.join(", ")));
        }
        f.write_str(&parts.join(", "))
    }
}

/// Limits beside those of profiles. In numbers 0: no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsView {
    /// Length of the IPv6 prefix that counts as one source.
    pub ipv6_source_prefix: u8,
    /// New control connections of a network (/24, /48) each second.
    pub network_connections_per_second: u32,
    /// How many of them at once.
    pub network_connections_burst: u32,
    /// New control connections of all sources each second.
    pub total_connections_per_second: u32,
    /// How many of them at once.
    pub total_connections_burst: u32,
    /// Segments of no connection of a source each second.
    pub stray_packets_per_second: u32,
    /// How many of them at once.
    pub stray_packets_burst: u32,
    /// Segments of no connection of all sources each second.
    pub total_stray_packets_per_second: u32,
    /// How many of them at once.
    pub total_stray_packets_burst: u32,
    /// `auto`, `always` or `off`.
    pub syn_cookies: String,
    /// Requests and segments of no connection in a second that begin an attack; 0: none does.
    pub attack_rate: u32,
    /// How long it must have been less than half of that until an attack is over.
    pub attack_hold_seconds: u64,
}

impl LimitsView {
    /// Those of a configuration.
    #[must_use]
    pub fn of(limits: &Limits) -> Self {
        Self {
            ipv6_source_prefix: limits.ipv6_source_prefix,
            network_connections_per_second: limits.network_connections_per_second,
            network_connections_burst: limits.network_connections_burst,
            total_connections_per_second: limits.total_connections_per_second,
            total_connections_burst: limits.total_connections_burst,
            stray_packets_per_second: limits.stray_packets_per_second,
            stray_packets_burst: limits.stray_packets_burst,
            total_stray_packets_per_second: limits.total_stray_packets_per_second,
            total_stray_packets_burst: limits.total_stray_packets_burst,
            syn_cookies: limits.syn_cookies.as_str().to_owned(),
            attack_rate: limits.attack_rate,
            attack_hold_seconds: limits.attack_hold.as_secs(),
        }
    }
}

impl fmt::Display for LimitsView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attack = match self.attack_rate {
            0 => "nothing is an attack".to_owned(),
            rate => format!("attack from {rate} packets/s"),
        };
        let parts = [
            rate(
                "connections of a network",
                self.network_connections_per_second,
                self.network_connections_burst,
            ),
            rate(
                "connections in total",
                self.total_connections_per_second,
                self.total_connections_burst,
            ),
            rate(
                "stray packets of a source",
                self.stray_packets_per_second,
                self.stray_packets_burst,
            ),
            rate(
                "stray packets in total",
                self.total_stray_packets_per_second,
                self.total_stray_packets_burst,
            ),
            format!("IPv6 sources by /{}", self.ipv6_source_prefix),
            format!("SYN cookies {}", self.syn_cookies),
            attack,
        ];
        f.write_str(&parts.join(", "))
    }
}

fn rate(what: &str, per_second: u32, burst: u32) -> String {
    match per_second {
        0 => format!("any rate of {what}"),
        _ => format!("{what} {per_second}/s (burst {burst})"),
    }
}

fn most(what: &str, count: u32) -> String {
    match count {
        0 => format!("any number of {what}"),
        _ => format!("{count} {what}"),
    }
}

fn within(what: &str, seconds: Option<u64>) -> String {
    let Some(seconds) = seconds else {
        return format!("{what} without end");
    };
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let units = [(hours, "h"), (minutes, "min"), (rest, "s")];
    let time: Vec<_> = units
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    format!("{what} {}", time.join(" "))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(lines: &str) -> Config {
        let text = format!("interfaces = [\"eth0\"]\n[ftp]\npassive_ports = []\n{lines}");
        Config::parse(Path::new("x"), &text).unwrap()
    }

    #[test]
    fn the_default_profile_comes_first_and_limits_are_said_in_a_line() {
        let config = config(
            "[profile.bulk]\nconnections_per_second = 0\nmax_sessions = 0\nidle_time = \"off\"\n\
             login_time = \"1h 1s\"\n",
        );
        let said: Vec<_> = ProfileView::all(&config)
            .iter()
            .map(|profile| format!("{}: {profile}", profile.name))
            .collect();
        assert_eq!(
            said,
            [
                "default: connections 100/s (burst 500), 256 sessions, 16 data connections each, \
                 control packets 500/s (burst 2000), login 2 min, idle 30 min, data idle 15 min",
                "bulk: any rate of connections, any number of sessions, 16 data connections each, \
                 control packets 500/s (burst 2000), login 1 h 1 s, idle without end, \
                 data idle 15 min",
            ]
        );
        assert_eq!(
            LimitsView::of(&config.limits).to_string(),
            "connections of a network 1000/s (burst 5000), connections in total 5000/s (burst \
             20000), stray packets of a source 100/s (burst 500), stray packets in total 1000/s \
             (burst 5000), IPv6 sources by /64, SYN cookies auto, attack from 1000 packets/s"
        );
    }

    #[test]
    fn a_policy_is_said_behind_the_limits() {
        let config = config(
            "[profile.default]\nrequire_tls = true\nanonymous = false\nread_only = true\n\
             deny_commands = [\"site exec\", \"RETR\"]\n",
        );
        let said = ProfileView::all(&config)[0].to_string();
        let policy = ", login under TLS only, no anonymous login, read-only, not RETR, SITE EXEC";
        assert!(said.ends_with(policy), "{said}");
    }

    #[test]
    fn no_limit_is_null_or_0() {
        let config = config("[profile.default]\nidle_time = \"off\"\nmax_sessions = 0\n");
        let view = serde_json::to_value(&ProfileView::all(&config)[0]).unwrap();
        assert_eq!(view["idle_seconds"], serde_json::Value::Null);
        assert_eq!(view["login_seconds"], 120);
        assert_eq!(view["max_sessions"], 0);
    }
}
