//! Profiles, limits, bans and events.

use std::collections::BTreeMap;
use std::time::Duration;

use ftp_guard_common::config::Cookies;
use ipnet::IpNet;
use toml_edit::{Item, TableLike};

use super::{Check, Reader, default_value};
use crate::config::commands::DeniedCommand;
use crate::config::limits::{BanSettings, EventSettings, Limits, ProfileSettings};
use crate::config::model::Config;
use crate::config::problems::Problems;
use crate::config::schema::{Default, Key, PROFILE_TABLE, bans, events, limits, profile};
use crate::config::values;
use crate::engine::allowlist::parse_prefix;

/// The largest rate, burst and number of connections. Ten times what a fast network carries of
/// connection requests: more is a typing mistake.
const MOST: u32 = 1_000_000;

impl Reader<'_> {
    /// All profiles, numbered in the order of their names. Which there are and what they are called
    /// is checked by [`keys::check`](crate::config::keys::check).
    pub(super) fn profiles(&mut self) -> Option<BTreeMap<String, ProfileSettings>> {
        let given = self.root.get(PROFILE_TABLE).and_then(Item::as_table_like);
        let table = |name| given?.get(name)?.as_table_like();
        let default = ProfileReader {
            problems: &mut self.problems,
            name: Config::DEFAULT_PROFILE,
            table: table(Config::DEFAULT_PROFILE),
            base: None,
        }
        .read(0);
        let mut names: Vec<&str> = given
            .into_iter()
            .flat_map(TableLike::iter)
            .map(|(name, _)| name)
            .filter(|name| *name != Config::DEFAULT_PROFILE)
            .collect();
        names.sort_unstable();
        let mut profiles = BTreeMap::new();
        let mut good = true;
        for (name, number) in names.into_iter().zip(1..=u16::MAX) {
            let settings = ProfileReader {
                problems: &mut self.problems,
                name,
                table: table(name),
                base: default.as_ref(),
            }
            .read(number);
            good &= settings.is_some();
            profiles.extend(settings.map(|settings| (name.to_owned(), settings)));
        }
        profiles.insert(Config::DEFAULT_PROFILE.to_owned(), default?);
        let commands: usize = profiles.values().map(|it| it.deny_commands.len()).sum();
        if commands > MOST_COMMANDS_OF_ALL {
            self.problems.note(
                self.root.get(PROFILE_TABLE).and_then(Item::span),
                format!(
                    "all profiles together deny {commands} commands: there can be \
                     {MOST_COMMANDS_OF_ALL}"
                ),
            );
            return None;
        }
        good.then_some(profiles)
    }

    pub(super) fn limits(&mut self) -> Option<Limits> {
        let ipv6_source_prefix = self.read(&limits::IPV6_SOURCE_PREFIX, |problems, key, item| {
            let bits = values::integer(problems, key, item, 16..=128)?;
            u8::try_from(bits).ok()
        });
        let network_rate = self.read(&limits::NETWORK_CONNECTIONS_PER_SECOND, from_0);
        let network_burst = self.read(&limits::NETWORK_CONNECTIONS_BURST, from_1);
        let total_rate = self.read(&limits::TOTAL_CONNECTIONS_PER_SECOND, from_0);
        let total_burst = self.read(&limits::TOTAL_CONNECTIONS_BURST, from_1);
        let strays_rate = self.read(&limits::STRAY_PACKETS_PER_SECOND, from_0);
        let strays_burst = self.read(&limits::STRAY_PACKETS_BURST, from_1);
        let total_strays_rate = self.read(&limits::TOTAL_STRAY_PACKETS_PER_SECOND, from_0);
        let total_strays_burst = self.read(&limits::TOTAL_STRAY_PACKETS_BURST, from_1);
        let syn_cookies = self.read(&limits::SYN_COOKIES, cookies);
        let attack_rate = self.read(&limits::ATTACK_RATE, |problems, key, item| {
            values::integer(problems, key, item, 0..=10_000_000)
        });
        let attack_hold = self.read(&limits::ATTACK_HOLD, |problems, key, item| {
            values::duration(problems, key, item, "1h")
        });
        Some(Limits {
            ipv6_source_prefix: ipv6_source_prefix?,
            network_connections_per_second: network_rate?,
            network_connections_burst: network_burst?,
            total_connections_per_second: total_rate?,
            total_connections_burst: total_burst?,
            stray_packets_per_second: strays_rate?,
            stray_packets_burst: strays_burst?,
            total_stray_packets_per_second: total_strays_rate?,
            total_stray_packets_burst: total_strays_burst?,
            syn_cookies: syn_cookies?,
            attack_rate: attack_rate?,
            attack_hold: attack_hold?,
        })
    }

    pub(super) fn bans(&mut self) -> Option<BanSettings> {
        let file = self.read(&bans::FILE, values::absolute_path);
        let never_ban = self.read(&bans::NEVER_BAN, prefixes);
        let default_time = self.read(&bans::DEFAULT_TIME, ban_time);
        let escalation = self.read(&bans::ESCALATION, |problems, key, item| {
            values::count(problems, key, item, 100)
        });
        let max_time = self.read(&bans::MAX_TIME, ban_time);
        let forget = self.read(&bans::FORGET, ban_time);
        let max_entries = self.read(&bans::BAN_ENTRIES, from_1);
        if let (Some(first), Some(longest)) = (default_time, max_time)
            && first > longest
        {
            // Either of the two may be a default, and a default is not wrong.
            let at = self.item(&bans::MAX_TIME);
            let at = at.or_else(|| self.item(&bans::DEFAULT_TIME));
            self.problems.note(
                at.and_then(Item::span),
                format!(
                    "{} must be at least as long as {}",
                    bans::MAX_TIME.path(),
                    bans::DEFAULT_TIME.path()
                ),
            );
            return None;
        }
        Some(BanSettings {
            file: file?,
            never_ban: never_ban?,
            default_time: default_time?,
            escalation: escalation?,
            max_time: max_time?,
            forget: forget?,
            max_entries: max_entries?,
        })
    }

    pub(super) fn events(&mut self) -> Option<EventSettings> {
        let per_second = self.read(&events::PER_SECOND, from_0);
        let burst = self.read(&events::BURST, from_1);
        let journal = self.read(&events::JOURNAL, values::boolean);
        Some(EventSettings {
            per_second: per_second?,
            burst: burst?,
            journal: journal?,
        })
    }
}

/// Reads the keys of one profile.
struct ProfileReader<'r, 'p> {
    problems: &'r mut Problems<'p>,
    name: &'r str,
    table: Option<&'r dyn TableLike>,
    /// The default profile. Without it, what the keys have without being given.
    base: Option<&'r ProfileSettings>,
}

impl ProfileReader<'_, '_> {
    fn read(mut self, number: u16) -> Option<ProfileSettings> {
        let connections_per_second = self.key(&profile::CONNECTIONS_PER_SECOND, from_0, |base| {
            base.connections_per_second
        });
        let connections_burst = self.key(&profile::CONNECTIONS_BURST, from_1, |base| {
            base.connections_burst
        });
        let max_sessions = self.key(&profile::MAX_SESSIONS, from_0, |base| base.max_sessions);
        let max_data_connections = self.key(&profile::MAX_DATA_CONNECTIONS, from_0, |base| {
            base.max_data_connections
        });
        let login_time = self.key(&profile::LOGIN_TIME, time_limit, |base| base.login_time);
        let idle_time = self.key(&profile::IDLE_TIME, time_limit, |base| base.idle_time);
        let data_idle_time = self.key(&profile::DATA_IDLE_TIME, time_limit, |base| {
            base.data_idle_time
        });
        let packets_per_second = self.key(&profile::CONTROL_PACKETS_PER_SECOND, from_0, |base| {
            base.control_packets_per_second
        });
        let packets_burst = self.key(&profile::CONTROL_PACKETS_BURST, from_1, |base| {
            base.control_packets_burst
        });
        let require_tls = self.key(&profile::REQUIRE_TLS, values::boolean, |base| {
            base.require_tls
        });
        let anonymous = self.key(&profile::ANONYMOUS, values::boolean, |base| base.anonymous);
        let read_only = self.key(&profile::READ_ONLY, values::boolean, |base| base.read_only);
        let deny_commands = self.key(&profile::DENY_COMMANDS, commands, |base| {
            base.deny_commands.clone()
        });
        Some(ProfileSettings {
            number,
            connections_per_second: connections_per_second?,
            connections_burst: connections_burst?,
            max_sessions: max_sessions?,
            max_data_connections: max_data_connections?,
            login_time: login_time?,
            idle_time: idle_time?,
            data_idle_time: data_idle_time?,
            control_packets_per_second: packets_per_second?,
            control_packets_burst: packets_burst?,
            require_tls: require_tls?,
            anonymous: anonymous?,
            read_only: read_only?,
            deny_commands: deny_commands?,
        })
    }

    fn key<T>(
        &mut self,
        key: &Key,
        check: Check<T>,
        inherited: fn(&ProfileSettings) -> T,
    ) -> Option<T> {
        if let Some(item) = self.table.and_then(|table| table.get(key.name)) {
            let path = format!("profile.{}.{}", self.name.escape_debug(), key.name);
            return check(self.problems, &path, item);
        }
        match (self.base, &key.default) {
            (Some(base), _) => Some(inherited(base)),
            (None, Default::Value(toml)) => default_value(key, toml, check),
            (None, _) => None,
        }
    }
}

/// How many commands a profile may refuse. No server has more that are worth it.
const MOST_COMMANDS: usize = 64;
/// How many all profiles together: the kernel's table holds a few more.
pub(in crate::config) const MOST_COMMANDS_OF_ALL: usize = 4000;

fn commands(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<Vec<DeniedCommand>> {
    let texts = values::strings(problems, key, item, "commands")?;
    if texts.len() > MOST_COMMANDS {
        let count = texts.len();
        problems.note(
            item.span(),
            format!("{key} has {count} commands: there can be {MOST_COMMANDS}"),
        );
        return None;
    }
    let mut found = Vec::new();
    let mut good = true;
    for (text, span) in texts {
        let mistake = match DeniedCommand::parse(text) {
            Ok(command) if found.contains(&command) => {
                format!("\"{command}\" is in {key} already")
            }
            Ok(command) => {
                found.push(command);
                continue;
            }
            Err(mistake) => format!("bad command {text:?} in {key}: {mistake}"),
        };
        problems.note(span, mistake);
        good = false;
    }
    found.sort_unstable();
    good.then_some(found)
}

fn from_0(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<u32> {
    values::integer(problems, key, item, 0..=MOST)
}

fn from_1(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<u32> {
    values::integer(problems, key, item, 1..=MOST)
}

/// `Some(None)`: no limit.
fn time_limit(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<Option<Duration>> {
    match item.as_str() {
        Some("off" | "0s") => Some(None),
        _ => values::duration_or(problems, key, item, "30d", "off").map(Some),
    }
}

fn ban_time(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<Duration> {
    values::duration(problems, key, item, "3650d")
}

fn cookies(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<Cookies> {
    let known = [Cookies::Auto, Cookies::Always, Cookies::Off].map(|it| (it.as_str(), it));
    values::choice(problems, key, item, &known)
}

pub(super) fn prefixes(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<Vec<IpNet>> {
    let texts = values::strings(problems, key, item, "addresses and prefixes")?;
    let mut found = Vec::new();
    let mut good = true;
    for (text, span) in texts {
        let mistake = match parse_prefix(text) {
            Ok(prefix) if found.contains(&prefix) => format!("{text:?} is in {key} already"),
            Ok(prefix) => {
                found.push(prefix);
                continue;
            }
            Err(mistake) => format!("{key}: {mistake}"),
        };
        problems.note(span, mistake);
        good = false;
    }
    good.then_some(found)
}
