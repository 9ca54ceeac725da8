//! What is read from the command line of `ban`, and what is said.

use ipnet::IpNet;

use super::*;
use crate::control::ban_view::BanAbsentView;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn view(prefix: &str) -> BanView {
    BanView {
        prefix: net(prefix),
        since: "2026-03-01T12:00:00Z".parse().unwrap(),
        until: Some("2026-03-01T13:00:00Z".parse().unwrap()),
        reason: Some("brute force".to_owned()),
        origin: "cli".to_owned(),
        by: "fail2ban".to_owned(),
        count: 1,
        active: Some(true),
        exempt_by: None,
        ended: None,
        end: None,
    }
}

#[test]
fn durations_are_spans_or_seconds() {
    for (text, seconds) in [
        ("600", 600),
        ("1", 1),
        ("90m", 5_400),
        ("1h 30m", 5_400),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("PT10M", 600),
        ("1500ms", 2),
    ] {
        assert_eq!(parse_length(text), Ok(Length::Seconds(seconds)), "{text}");
    }
    assert_eq!(
        parse_length("-1"),
        Ok(Length::Forever),
        "as fail2ban says it"
    );
    for text in [
        "",
        "0",
        "0s",
        "-2",
        "-1h",
        "2h ago",
        "soon",
        "1y",
        "99999999999999999999",
    ] {
        assert!(parse_length(text).is_err(), "{text}");
    }
    assert!(parse_length("soon").unwrap_err().contains("90m"));
    assert!(
        parse_until("2001-01-01T00:00:00Z")
            .unwrap_err()
            .contains("over")
    );
    assert!(parse_until("tomorrow").unwrap_err().contains("RFC 3339"));
}

#[test]
fn what_was_banned_is_a_line() {
    let line = |outcome: &str, count, exempt: &[&str]| {
        added_line(&BanAddedView {
            outcome: outcome.to_owned(),
            ban: BanView {
                count,
                ..view("192.0.2.7/32")
            },
            exempt: exempt.iter().map(|text| net(text)).collect(),
        })
    };
    let end = "until 2026-03-01T13:00:00Z";
    assert_eq!(line("banned", 1, &[]), format!("192.0.2.7: banned {end}\n"));
    assert_eq!(
        line("prolonged", 3, &[]),
        format!("192.0.2.7: ban prolonged, now {end} (ban number 3)\n")
    );
    assert_eq!(
        line("present", 1, &["192.0.2.7/32"]),
        format!("192.0.2.7: already banned {end}\n  exempt: 192.0.2.7 (bans.never_ban)\n")
    );
}

#[test]
fn what_was_removed_and_what_was_not_there_is_told() {
    let report = BanRemoveReport {
        removed: vec![net("192.0.2.7/32")],
        absent: vec![
            BanAbsentView {
                prefix: net("192.0.2.8/32"),
                banned_by: None,
            },
            BanAbsentView {
                prefix: net("198.51.100.1/32"),
                banned_by: Some(net("198.51.100.0/24")),
            },
        ],
        forgotten: 2,
    };
    assert_eq!(
        removed_text(&report),
        "192.0.2.7: no longer banned\n192.0.2.8: was not banned\n\
         198.51.100.1: was not banned, but 198.51.100.0/24, which it lies in, is\n2 bans forgotten\n"
    );
}

#[test]
fn a_ban_is_a_line_of_the_list() {
    let waits = BanView {
        until: None,
        reason: None,
        origin: "rule".to_owned(),
        by: "slow".to_owned(),
        count: 2,
        active: Some(false),
        exempt_by: Some(net("198.51.100.0/24")),
        ..view("198.51.100.0/25")
    };
    let now = "2026-03-01T12:15:00Z".parse().unwrap();
    assert_eq!(
        listed_text(&[view("192.0.2.7/32"), waits], false, now),
        "\
PREFIX           SINCE                 UNTIL                 LEFT    BANS  BY         REASON
192.0.2.7        2026-03-01T12:00:00Z  2026-03-01T13:00:00Z  45 min  1     fail2ban   brute force
198.51.100.0/25  2026-03-01T12:00:00Z  removed               -       2     rule slow  (waits: 198.51.100.0/24 is in never_ban)
2 bans
"
    );
    let past = BanView {
        ended: Some("2026-03-01T12:30:00Z".parse().unwrap()),
        end: Some("removed".to_owned()),
        ..view("192.0.2.7/32")
    };
    assert_eq!(
        listed_text(&[past], true, now),
        "\
PREFIX     SINCE                 ENDED                 HOW      BANS  BY        REASON
192.0.2.7  2026-03-01T12:00:00Z  2026-03-01T12:30:00Z  removed  1     fail2ban  brute force
1 prefix that was banned
"
    );
    assert_eq!(listed_text(&[], false, now), "0 bans\n");
}
