//! Profiles, limits, bans and events.

use std::time::Duration;

use ftp_guard_common::config::Cookies;
use ipnet::IpNet;

use super::super::{BanSettings, Config, DeniedCommand, EventSettings, Limits, ProfileSettings};
use super::mistakes::{mistakes, one_mistake};
use super::{MINIMAL, parse};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn with(lines: &str) -> Config {
    parse(&format!("{MINIMAL}{lines}\n")).unwrap()
}

const DEFAULT: ProfileSettings = ProfileSettings {
    number: 0,
    connections_per_second: 100,
    connections_burst: 500,
    max_sessions: 256,
    max_data_connections: 16,
    login_time: Some(Duration::from_secs(2 * 60)),
    idle_time: Some(Duration::from_secs(30 * 60)),
    data_idle_time: Some(Duration::from_secs(15 * 60)),
    control_packets_per_second: 500,
    control_packets_burst: 2000,
    require_tls: false,
    anonymous: true,
    read_only: false,
    deny_commands: Vec::new(),
};

#[test]
fn defaults() {
    let config = with("");
    assert_eq!(config.profiles.len(), 1);
    assert_eq!(config.profiles["default"], DEFAULT);
    let limits = Limits {
        ipv6_source_prefix: 64,
        network_connections_per_second: 1000,
        network_connections_burst: 5000,
        total_connections_per_second: 5000,
        total_connections_burst: 20_000,
        stray_packets_per_second: 100,
        stray_packets_burst: 500,
        total_stray_packets_per_second: 1000,
        total_stray_packets_burst: 5000,
        syn_cookies: Cookies::Auto,
        attack_rate: 1000,
        attack_hold: Duration::from_secs(10),
    };
    assert_eq!(config.limits, limits);
    let bans = BanSettings {
        file: "/var/lib/ftp-guard/bans.json".into(),
        never_ban: Vec::new(),
        default_time: HOUR,
        escalation: 2,
        max_time: 7 * DAY,
        forget: 30 * DAY,
        max_entries: 65_536,
    };
    assert_eq!(config.bans, bans);
    let events = EventSettings {
        per_second: 10,
        burst: 50,
        journal: true,
    };
    assert_eq!(config.events, events);
}

#[test]
fn every_key_can_be_set() {
    let config = with(
        r#"
        [profile.slow]
        connections_per_second = 1
        connections_burst = 2
        max_sessions = 3
        max_data_connections = 4
        login_time = "5s"
        idle_time = "6m"
        data_idle_time = "7h"
        control_packets_per_second = 8
        control_packets_burst = 9
        require_tls = true
        anonymous = false
        read_only = true
        deny_commands = ["site exec", "DELE", "SITE"]
        [limits]
        ipv6_source_prefix = 56
        network_connections_per_second = 10
        network_connections_burst = 11
        total_connections_per_second = 12
        total_connections_burst = 13
        stray_packets_per_second = 14
        stray_packets_burst = 15
        total_stray_packets_per_second = 16
        total_stray_packets_burst = 17
        syn_cookies = "always"
        attack_rate = 18
        attack_hold = "19s"
        [bans]
        file = "/b"
        never_ban = ["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"]
        default_time = "20s"
        escalation = 21
        max_time = "22m"
        forget = "23d"
        max_entries = 24
        [events]
        per_second = 25
        burst = 26
        journal = false
    "#,
    );
    let slow = ProfileSettings {
        number: 1,
        connections_per_second: 1,
        connections_burst: 2,
        max_sessions: 3,
        max_data_connections: 4,
        login_time: Some(Duration::from_secs(5)),
        idle_time: Some(6 * MINUTE),
        data_idle_time: Some(7 * HOUR),
        control_packets_per_second: 8,
        control_packets_burst: 9,
        require_tls: true,
        anonymous: false,
        read_only: true,
        deny_commands: ["DELE", "SITE", "SITE EXEC"]
            .map(|text| DeniedCommand::parse(text).unwrap())
            .into(),
    };
    assert_eq!(config.profiles["slow"], slow);
    assert_eq!(config.profiles["default"], DEFAULT);
    let limits = Limits {
        ipv6_source_prefix: 56,
        network_connections_per_second: 10,
        network_connections_burst: 11,
        total_connections_per_second: 12,
        total_connections_burst: 13,
        stray_packets_per_second: 14,
        stray_packets_burst: 15,
        total_stray_packets_per_second: 16,
        total_stray_packets_burst: 17,
        syn_cookies: Cookies::Always,
        attack_rate: 18,
        attack_hold: Duration::from_secs(19),
    };
    assert_eq!(config.limits, limits);
    let never_ban: Vec<IpNet> = ["192.0.2.7/32", "10.0.0.0/8", "2001:db8::/32"]
        .map(|prefix| prefix.parse().unwrap())
        .into();
    let bans = BanSettings {
        file: "/b".into(),
        never_ban,
        default_time: Duration::from_secs(20),
        escalation: 21,
        max_time: 22 * MINUTE,
        forget: 23 * DAY,
        max_entries: 24,
    };
    assert_eq!(config.bans, bans);
    let events = EventSettings {
        per_second: 25,
        burst: 26,
        journal: false,
    };
    assert_eq!(config.events, events);
}

#[test]
fn a_profile_has_the_values_of_the_default_one_where_it_says_nothing() {
    let config = with(
        r#"
        [profile.bulk]
        max_sessions = 1000
        idle_time = "off"
        anonymous = false
        [profile.default]
        deny_commands = ["DELE"]
        max_sessions = 10
        connections_burst = 7
        login_time = "0s"
    "#,
    );
    let default = ProfileSettings {
        max_sessions: 10,
        connections_burst: 7,
        login_time: None,
        deny_commands: vec![DeniedCommand::parse("DELE").unwrap()],
        ..DEFAULT
    };
    assert_eq!(config.profiles["default"], default);
    let bulk = ProfileSettings {
        number: 1,
        max_sessions: 1000,
        idle_time: None,
        anonymous: false,
        ..default
    };
    assert_eq!(config.profiles["bulk"], bulk);
}

#[test]
fn what_is_0_or_off_is_no_limit() {
    let config = with(
        r#"
        [profile.a]
        connections_per_second = 0
        max_sessions = 0
        max_data_connections = 0
        control_packets_per_second = 0
        login_time = "off"
        idle_time = "0s"
        data_idle_time = "off"
        [limits]
        network_connections_per_second = 0
        total_connections_per_second = 0
        stray_packets_per_second = 0
        total_stray_packets_per_second = 0
        attack_rate = 0
        syn_cookies = "off"
        [events]
        per_second = 0
    "#,
    );
    let a = &config.profiles["a"];
    assert_eq!((a.connections_per_second, a.max_sessions), (0, 0));
    assert_eq!(
        (a.login_time, a.idle_time, a.data_idle_time),
        (None, None, None)
    );
    assert_eq!(config.limits.syn_cookies, Cookies::Off);
}

#[test]
fn profiles_are_found_by_name_and_by_number() {
    let config = with("[profile.slow]\n[profile.bulk]");
    assert_eq!(config.profile_number("default"), Some(0));
    assert_eq!(config.profile_number("bulk"), Some(1));
    assert_eq!(config.profile_number("slow"), Some(2));
    assert_eq!(config.profile_number("none"), None);
    let name = |number| config.profile(number).unwrap().0;
    assert_eq!((name(0), name(1), name(2)), ("default", "bulk", "slow"));
    assert_eq!(name(3), "default", "as the programs take it");
}

#[test]
fn profiles_are_checked() {
    let profile = |line: &str| format!("{MINIMAL}[profile.p]\n{line}\n");
    one_mistake(
        &profile("connections_per_second = 1000001"),
        "5:26",
        "profile.p.connections_per_second must be an integer from 0 to 1000000, not 1000001",
    );
    one_mistake(&profile("connections_per_second = -1"), "5:26", "not -1");
    one_mistake(
        &profile("connections_burst = 0"),
        "5:21",
        "from 1 to 1000000, not 0",
    );
    one_mistake(&profile("max_sessions = \"many\""), "5:16", "not a string");
    for bad in ["", "1", "31d", "-1s", "never", "500ms"] {
        one_mistake(
            &profile(&format!("login_time = {bad:?}")),
            "5:14",
            "profile.p.login_time must be a duration from \"1s\" to \"30d\"",
        );
    }
    one_mistake(&profile("idle_time = 5"), "5:13", "or \"off\"");
    // A mistake in the profile that others take from is told once, and those of the others too.
    let text = format!(
        "{MINIMAL}[profile.default]\nmax_sessions = -1\n[profile.p]\n[profile.q]\nmax_sessions = -2\n"
    );
    let found = mistakes(&text);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("profile.default.max_sessions") && found[0].contains(":5:16:"));
    assert!(found[1].contains("profile.q.max_sessions") && found[1].contains(":8:16:"));
}

#[test]
fn there_are_at_most_255_profiles_beside_the_default_one() {
    let text = |count: u32| {
        let profiles: String = (0..count).map(|n| format!("[profile.p{n}]\n")).collect();
        format!("{MINIMAL}[profile.default]\n{profiles}")
    };
    let config = parse(&text(255)).unwrap();
    let highest = config.profiles.values().map(|profile| profile.number).max();
    assert_eq!(highest, Some(255));
    one_mistake(&text(256), "260:10", "there can be 255 beside default");
    one_mistake(&text(400), "260:10", "too many profiles");
}

#[test]
fn limits_are_checked() {
    let limits = |line: &str| format!("{MINIMAL}[limits]\n{line}\n");
    one_mistake(
        &limits("ipv6_source_prefix = 15"),
        "5:22",
        "from 16 to 128, not 15",
    );
    one_mistake(&limits("ipv6_source_prefix = 129"), "5:22", "not 129");
    one_mistake(&limits("total_connections_burst = 0"), "5:27", "from 1 to");
    one_mistake(
        &limits("syn_cookies = true"),
        "5:15",
        "\"auto\" or \"always\" or \"off\", not a boolean",
    );
    one_mistake(&limits("syn_cookies = \"on\""), "5:15", "not \"on\"");
    one_mistake(&limits("attack_rate = 10000001"), "5:15", "to 10000000");
    one_mistake(&limits("attack_hold = \"2h\""), "5:15", "to \"1h\"");
    one_mistake(&limits("attack_hold = \"off\""), "5:15", "from \"1s\"");
    one_mistake(
        &limits("stray_packet_burst = 1"),
        "5:1",
        "did you mean \"stray_packets_burst\"?",
    );
}

#[test]
fn bans_are_checked() {
    let bans = |lines: &str| format!("{MINIMAL}[bans]\n{lines}\n");
    one_mistake(&bans("file = \"bans.json\""), "5:8", "absolute path");
    one_mistake(
        &bans("never_ban = [\"192.0.2.1\", \"10.1.2.3/8\"]"),
        "5:27",
        "bans.never_ban: \"10.1.2.3/8\" has bits set beyond its length: write 10.0.0.0/8",
    );
    one_mistake(
        &bans("never_ban = [\"example.org\"]"),
        "5:14",
        "written host:NAME",
    );
    one_mistake(
        &bans("never_ban = [\"::1\", \"0::1/128\"]"),
        "5:21",
        "already",
    );
    one_mistake(&bans("never_ban = \"::1\""), "5:13", "in brackets");
    assert_eq!(mistakes(&bans("never_ban = [\"a\", 1]")).len(), 1);
    one_mistake(&bans("escalation = 0"), "5:14", "from 1 to 100");
    one_mistake(&bans("max_time = \"3651d\""), "5:12", "to \"3650d\"");
    one_mistake(&bans("max_entries = 1000001"), "5:15", "from 1 to 1000000");
    one_mistake(
        &bans("max_time = \"30m\""),
        "5:12",
        "bans.max_time must be at least as long as bans.default_time",
    );
    one_mistake(
        &bans("default_time = \"8d\""),
        "5:16",
        "bans.max_time must be",
    );
    one_mistake(
        &bans("default_time = \"2d\"\nmax_time = \"1d\""),
        "6:12",
        "bans.max_time must be",
    );
}

#[test]
fn events_are_checked() {
    let events = |line: &str| format!("{MINIMAL}[events]\n{line}\n");
    one_mistake(&events("per_second = 1000001"), "5:14", "from 0 to 1000000");
    one_mistake(&events("burst = 0"), "5:9", "from 1 to 1000000");
    one_mistake(&events("journal = \"no\""), "5:11", "true or false");
}

#[test]
fn commands_that_can_not_be_denied_are_told_one_by_one() {
    let text = format!(
        "{MINIMAL}[profile.x]\ndeny_commands = [\"DELE\", \"dele\", \"X\", \"RETR x\", \"SITE \", 7]\n"
    );
    let said = mistakes(&text);
    assert_eq!(said.len(), 1, "{said:?}");
    let said = mistakes(&text.replace(", 7", ""));
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(
        said[0].contains("\"DELE\" is in profile.x.deny_commands already"),
        "{said:?}"
    );
    assert!(
        said[1].contains("bad command \"X\" in profile.x.deny_commands"),
        "{said:?}"
    );
    assert!(
        said[2].contains("only SITE can have a second word"),
        "{said:?}"
    );
}
