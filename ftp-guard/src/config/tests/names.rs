//! `[names]`.

use std::time::Duration;

use super::{
    MINIMAL,
    mistakes::{mistakes, one_mistake},
    parse,
};
use crate::{config::NameSettings, engine::names::Settings};

fn text(lines: &str) -> String {
    format!("{MINIMAL}[names]\n{lines}\n")
}

fn names(lines: &str) -> NameSettings {
    parse(&text(lines)).unwrap().names
}

#[test]
fn defaults() {
    const HOUR: Duration = Duration::from_secs(60 * 60);
    let wanted = NameSettings {
        servers: Vec::new(),
        timeout: Duration::from_secs(5),
        max_names: 256,
        file: "/var/lib/ftp-guard/names.json".into(),
        rules: Settings {
            min_ttl: Duration::from_secs(30),
            max_ttl: HOUR,
            linger: HOUR,
            keep: 7 * 24 * HOUR,
            max_addresses: 32,
            private: true,
        },
    };
    assert_eq!(parse(MINIMAL).unwrap().names, wanted);
    assert_eq!(names(""), wanted);
}

#[test]
fn every_key_can_be_set() {
    let wanted = NameSettings {
        servers: vec![
            "192.0.2.53:53".parse().unwrap(),
            "[2001:db8::53]:5353".parse().unwrap(),
        ],
        timeout: Duration::from_secs(2),
        max_names: 3,
        file: "/srv/names.json".into(),
        rules: Settings {
            min_ttl: Duration::from_secs(60),
            max_ttl: Duration::from_secs(600),
            linger: Duration::from_secs(120),
            keep: Duration::from_secs(3 * 24 * 60 * 60),
            max_addresses: 4,
            private: false,
        },
    };
    let set = names(
        "servers = [\"192.0.2.53\", \"[2001:db8::53]:5353\"]\ntimeout = \"2s\"\nmin_ttl = \"1m\"\nmax_ttl = \"10m\"\n\
         linger = \"2m\"\nkeep = \"3d\"\nmax_names = 3\nmax_addresses = 4\nprivate = false\nfile = \"/srv/names.json\"",
    );
    assert_eq!(set, wanted);
}

#[test]
fn mistakes_are_named() {
    one_mistake(
        &text("servers = [\"dns.example.net\"]"),
        "5:12",
        "[2001:db8::53]:5353",
    );
    one_mistake(
        &text("servers = [\"192.0.2.53:0\"]"),
        "5:12",
        "192.0.2.53:0",
    );
    one_mistake(&text("timeout = \"21s\""), "5:11", "20s");
    one_mistake(&text("keep = \"30s\""), "5:8", "1m");
    one_mistake(&text("max_addresses = 0"), "5:17", "max_addresses");
    one_mistake(&text("file = \"names.json\""), "5:8", "absolute");
    one_mistake(&text("max_name = 1"), "5:1", "max_names");
    assert_eq!(mistakes(&text("servers = [\"a\", \"b\"]")).len(), 2);
}

#[test]
fn the_longest_time_is_not_shorter_than_the_shortest() {
    // At the key that was given, whichever it is.
    one_mistake(&text("max_ttl = \"10s\""), "5:11", "min_ttl");
    one_mistake(&text("min_ttl = \"2h\""), "5:11", "max_ttl");
    one_mistake(
        &text("min_ttl = \"2m\"\nmax_ttl = \"1m\""),
        "6:11",
        "names.min_ttl",
    );
    let same = names("min_ttl = \"5m\"\nmax_ttl = \"5m\"").rules;
    assert_eq!(same.min_ttl, same.max_ttl);
}
