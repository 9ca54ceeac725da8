//! `[detect]`.

use std::time::Duration;

use super::super::{Config, DetectSettings};
use super::mistakes::one_mistake;
use super::{MINIMAL, parse};
use crate::engine::detect::Rules;
use crate::engine::detect::rule::{Rule, RuleSet};

fn with(lines: &str) -> String {
    format!("{MINIMAL}[detect]\n{lines}\n")
}

fn read(lines: &str) -> DetectSettings {
    let config: Config = parse(&with(lines)).unwrap();
    config.detect
}

#[test]
fn defaults_are_those_of_the_rules() {
    let (settings, rules) = (read(""), Rules::default());
    let expected = DetectSettings {
        enabled: rules.enabled,
        ban: rules.ban,
        ban_time: rules.ban_time,
        end_sessions: rules.end,
        disable: rules.disable,
        ignore: rules.ignore,
        window: rules.window,
        max_failures: rules.max_failures,
        max_failures_all: rules.max_failures_all,
        max_tls_failures: rules.max_tls_failures,
        max_deletes: rules.max_deletes,
        max_renames: rules.max_renames,
        max_commands: rules.max_commands,
        repeat: rules.repeat,
        cve_file: None,
    };
    assert_eq!(settings, expected);
    assert_eq!(settings.ban, RuleSet::from_iter([Rule::LoginFailures]));
}

#[test]
fn every_key_can_be_set() {
    let settings = read(
        r#"
        enabled = false
        ban = ["path_traversal", "mass_delete"]
        ban_time = "2h"
        end_sessions = ["bounce_attempt"]
        disable = ["cleartext_login", "odd_port"]
        ignore = ["192.0.2.0/24", "2001:db8::1"]
        window = "1h"
        max_failures = 3
        max_failures_all = 30
        max_tls_failures = 0
        max_deletes = 1
        max_renames = 2
        max_commands = 4
        repeat = "1m"
        cve_file = "/etc/ftp-guard/cves.csv"
        "#,
    );
    let expected = DetectSettings {
        enabled: false,
        ban: RuleSet::from_iter([Rule::PathTraversal, Rule::MassDelete]),
        ban_time: Some(Duration::from_secs(7_200)),
        end_sessions: RuleSet::from_iter([Rule::BounceAttempt]),
        disable: RuleSet::from_iter([Rule::CleartextLogin, Rule::OddPort]),
        ignore: vec![
            "192.0.2.0/24".parse().unwrap(),
            "2001:db8::1/128".parse().unwrap(),
        ],
        window: Duration::from_secs(3_600),
        max_failures: 3,
        max_failures_all: 30,
        max_tls_failures: 0,
        max_deletes: 1,
        max_renames: 2,
        max_commands: 4,
        repeat: Duration::from_secs(60),
        cve_file: Some("/etc/ftp-guard/cves.csv".into()),
    };
    assert_eq!(settings, expected);
    assert_eq!(read("ban = []").ban, RuleSet::default());
    // What nobody wrote is no mistake.
    assert!(
        read(r#"disable = ["login_failures"]"#)
            .disable
            .has(Rule::LoginFailures)
    );
}

#[test]
fn mistakes_are_named_where_they_are() {
    for (line, column, part) in [
        (
            r#"ban = ["login_failure"]"#,
            8,
            r#"unknown rule "login_failure"; did you mean "login_failures"?"#,
        ),
        (
            r#"ban = ["mass_delete", "colour"]"#,
            23,
            r#"unknown rule "colour"; known are login_failures, "#,
        ),
        (
            r#"ban = ["odd_port"]"#,
            8,
            "odd_port cannot ban: it is about a server",
        ),
        (r#"ban = ["pasv_theft"]"#, 8, "can forge"),
        (r#"disable = ["odd_port", "odd_port"]"#, 24, "already"),
        (
            r#"ban = "login_failures""#,
            7,
            "must be a list of names of rules",
        ),
        ("end_sessions = [1]", 17, "must be a string"),
        (r#"ignore = ["192.0.2.1/24"]"#, 11, "detect.ignore: "),
        (r#"window = "2d""#, 10, r#"a duration from "1s" to "1d""#),
        ("max_failures = 1001", 16, "not 1001"),
        ("max_deletes = -1", 15, "not -1"),
        (r#"ban_time = "0s""#, 12, r#"or "escalating""#),
        (r#"cve_file = "cves.csv""#, 12, "absolute path"),
        ("max_failure = 3", 1, r#"did you mean "max_failures"?"#),
    ] {
        let line_number = MINIMAL.lines().count() + 2;
        one_mistake(&with(line), &format!("{line_number}:{column}"), part);
    }
    let both = with("disable = [\"mass_delete\"]\nban = [\"mass_delete\"]");
    let line = MINIMAL.lines().count() + 3;
    one_mistake(
        &both,
        &format!("{line}:7"),
        "in detect.ban and in detect.disable",
    );
}
