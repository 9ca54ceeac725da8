//! What becomes of requests, one by one.

use std::time::Duration;

use ftp_guard_common::ban::BanKind;
use jiff::Timestamp;

use super::{
    super::{Ban, BanBook, BanRequest, End, Origin, Outcome, Refusal, Term, Terms, check_text},
    HOUR, at, book, net, request,
};

fn seconds(seconds: u64) -> Term {
    Term::For(Duration::from_secs(seconds))
}

fn until(outcome: &Outcome) -> Option<Timestamp> {
    outcome.ban().expect("a ban").until
}

fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ban_is_made_longer_and_never_shorter() {
    let mut book = book(&[]);
    let first = book.add(at(0), &request("192.0.2.7", seconds(600)));
    assert!(matches!(&first, Outcome::Banned(ban) if ban.count == 1));
    assert_eq!(until(&first), Some(at(600)));
    let before = book.clone();
    for term in [seconds(600), seconds(5), Term::Until(at(600))] {
        let again = book.add(at(0), &request("192.0.2.7", term));
        assert!(matches!(&again, Outcome::Present(_)), "{again:?}");
        assert_eq!(until(&again), Some(at(600)));
        assert_eq!(book, before);
    }
    let longer = BanRequest {
        reason: Some("again".to_owned()),
        by: "fail2ban".to_owned(),
        ..request("192.0.2.7", seconds(600))
    };
    let outcome = book.add(at(60), &longer);
    let Outcome::Prolonged(ban) = &outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((ban.since, ban.until, ban.count), (at(0), Some(at(660)), 1));
    assert_eq!(
        (ban.reason.as_deref(), ban.by.as_str()),
        (Some("again"), "fail2ban")
    );
    let forever = book.add(at(60), &request("192.0.2.7", Term::Forever));
    assert!(matches!(&forever, Outcome::Prolonged(ban) if ban.until.is_none()));
    assert_eq!(forever.ban().unwrap().reason.as_deref(), Some("again"));
    let shorter = book.add(at(60), &request("192.0.2.7", seconds(HOUR as u64)));
    assert!(matches!(&shorter, Outcome::Present(ban) if ban.until.is_none()));
}

#[test]
fn each_further_ban_is_longer_until_the_history_is_forgotten() {
    let mut book = book(&[]);
    let mut now = 0;
    for (count, hours) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
        let outcome = book.add(at(now), &request("192.0.2.7", Term::Escalating));
        assert_eq!(until(&outcome), Some(at(now + hours * HOUR)), "{count}");
        assert_eq!(outcome.ban().unwrap().count, count);
        now += hours * HOUR;
        if count % 2 == 0 {
            // Swept or not, it is over.
            assert_eq!(book.sweep(at(now)).len(), 1);
        }
    }
    // Explicit times count and are not stretched.
    let explicit = book.add(at(now), &request("192.0.2.7", seconds(60)));
    assert_eq!(
        (until(&explicit), explicit.ban().unwrap().count),
        (Some(at(now + 60)), 5)
    );
    // Another prefix has a history of its own.
    let other = book.add(at(now), &request("192.0.2.8", Term::Escalating));
    assert_eq!(until(&other), Some(at(now + HOUR)));
    let month = 30 * 24 * HOUR;
    let later = now + 60 + month;
    let mut kept = book.clone();
    assert_eq!(
        kept.add(at(later - 1), &request("192.0.2.7", Term::Escalating))
            .ban()
            .unwrap()
            .count,
        6
    );
    let forgotten = book.add(at(later), &request("192.0.2.7", Term::Escalating));
    assert_eq!(forgotten.ban().unwrap().count, 1);
    assert_eq!(until(&forgotten), Some(at(later + HOUR)));
}

#[test]
fn a_prolonged_ban_of_the_configured_time_stays_at_its_step() {
    let mut book = book(&[]);
    book.add(at(0), &request("192.0.2.7", seconds(1)));
    book.add(at(10), &request("192.0.2.7", Term::Escalating));
    let again = book.add(at(20), &request("192.0.2.7", Term::Escalating));
    assert!(matches!(&again, Outcome::Prolonged(ban) if ban.count == 2));
    assert_eq!(until(&again), Some(at(20 + 2 * HOUR)));
}

#[test]
fn the_time_of_a_ban_has_an_end() {
    let terms = Terms::default();
    let week = Duration::from_secs(7 * 86_400);
    assert_eq!(terms.time_of(8), Duration::from_secs(128 * 3_600));
    assert_eq!(terms.time_of(9), week);
    assert_eq!(terms.time_of(u32::MAX), week);
    let constant = Terms {
        escalation: 1,
        ..terms
    };
    assert_eq!(constant.time_of(1_000), constant.default_time);
}

#[test]
fn what_is_never_banned_is_refused_and_stays_exempt_from_wider_bans() {
    let mut book = book(&["192.0.2.0/24", "2001:db8:7::/48"]);
    for prefix in ["192.0.2.0/24", "192.0.2.7", "192.0.2.128/25"] {
        let refusal = refusal(book.add(at(0), &request(prefix, Term::Escalating)));
        let entry = net("192.0.2.0/24");
        assert!(matches!(refusal, Refusal::Never { entry: found, .. } if found == entry));
        assert!(refusal.to_string().contains("192.0.2.0/24"), "{refusal}");
    }
    let mut forced = request("192.0.2.7", Term::Escalating);
    forced.force = true;
    assert!(
        matches!(book.add(at(0), &forced), Outcome::Refused(_)),
        "not even by force"
    );
    assert!(
        book.table(at(0)).is_empty(),
        "nothing to look up without a ban"
    );
    assert!(
        book.add(at(0), &request("192.0.0.0/16", Term::Escalating))
            .changed()
    );
    assert_eq!(
        book.never_inside(&net("192.0.0.0/16")).collect::<Vec<_>>(),
        [net("192.0.2.0/24")]
    );
    assert_eq!(book.never_inside(&net("192.0.2.0/25")).count(), 0);
    let table = book.table(at(0));
    let kinds: Vec<_> = table
        .iter()
        .map(|(prefix, value)| (prefix.to_string(), value.kind))
        .collect();
    let (ban, never) = (BanKind::Ban as u8, BanKind::Never as u8);
    assert_eq!(
        kinds,
        [
            ("192.0.0.0/16".to_owned(), ban),
            ("192.0.2.0/24".to_owned(), never)
        ],
        "IPv6 has no ban, and so no entry"
    );
}

#[test]
fn a_ban_that_never_ban_comes_to_cover_waits() {
    let mut book = book(&[]);
    book.add(at(0), &request("192.0.2.7", Term::Forever));
    let terms = book.terms().clone();
    book.set_terms(Terms {
        never: vec![net("192.0.2.0/24")],
        ..terms.clone()
    });
    assert!(book.table(at(0)).is_empty());
    assert_eq!((book.counts(at(0)).exempt, book.counts(at(0)).cli), (1, 0));
    book.set_terms(terms);
    assert_eq!(book.table(at(0)).len(), 1);
}

#[test]
fn what_is_most_likely_a_mistake_takes_force() {
    for prefix in [
        "0.0.0.0/0",
        "::/0",
        "10.0.0.0/7",
        "2000::/3",
        "127.0.0.1",
        "127.0.0.0/8",
        "::1",
    ] {
        let mut book = book(&[]);
        let mut request = request(prefix, Term::Escalating);
        let refusal = refusal(book.add(at(0), &request));
        assert!(refusal.to_string().contains("--force"), "{refusal}");
        request.force = true;
        assert!(book.add(at(0), &request).changed(), "{prefix}");
    }
    assert!(
        book(&[])
            .add(at(0), &request("10.0.0.0/8", Term::Escalating))
            .changed()
    );
    assert!(
        book(&[])
            .add(at(0), &request("2001::/16", Term::Escalating))
            .changed()
    );
}

#[test]
fn an_end_must_be_ahead_and_fit_the_kernel() {
    let mut book = book(&[]);
    let mut add = |term| book.add(at(0), &request("192.0.2.7", term));
    assert_eq!(refusal(add(seconds(0))), Refusal::Over(at(0)));
    assert_eq!(refusal(add(Term::Until(at(-1)))), Refusal::Over(at(-1)));
    assert_eq!(refusal(add(seconds(1 << 33))), Refusal::TooFar);
    assert_eq!(refusal(add(Term::For(Duration::MAX))), Refusal::TooFar);
    let last: Timestamp = "2106-02-07T06:28:15Z".parse().unwrap();
    assert_eq!(until(&add(Term::Until(last))), Some(last));
}

#[test]
fn ends_are_whole_seconds_and_no_ban_is_shorter_than_asked_for() {
    let mut book = book(&[]);
    let now: Timestamp = "2026-03-01T12:00:00.25Z".parse().unwrap();
    let outcome = book.add(now, &request("192.0.2.7", seconds(1)));
    let ban: &Ban = outcome.ban().unwrap();
    assert_eq!((ban.since, ban.until), (at(0), Some(at(2))));
    assert_eq!(u64::from(ban.value().expires_s), at(2).as_second() as u64);
    assert!(!ban.is_over("2026-03-01T12:00:01.9Z".parse().unwrap()) && ban.is_over(at(2)));
}

#[test]
fn a_full_table_refuses_what_is_new_and_prolongs_what_is_there() {
    let terms = Terms {
        never: vec![net("198.51.100.0/24")],
        max_entries: 3,
        ..Terms::default()
    };
    let mut book = BanBook::restore(terms, Vec::new(), Vec::new());
    let mut add = |prefix, time| book.add(at(time), &request(prefix, seconds(600)));
    assert!(add("192.0.2.1", 0).changed() && add("192.0.2.2", 0).changed());
    let full = refusal(add("192.0.2.3", 0)).to_string();
    assert!(
        full.contains("IPv4") && full.contains("max_entries"),
        "{full}"
    );
    assert!(add("2001:db8::1", 0).changed(), "the other family has room");
    assert!(add("192.0.2.1", 10).changed());
    assert!(add("192.0.2.3", 600).changed(), "one is over, swept or not");
}

#[test]
fn removing_keeps_the_count_unless_told_otherwise() {
    let mut book = book(&[]);
    book.add(at(0), &request("192.0.2.0/24", Term::Forever));
    book.add(at(0), &request("192.0.2.7", Term::Escalating));
    let removal = book.remove(at(5), &net("192.0.2.7"), false);
    assert_eq!(removal.ban.unwrap().count, 1);
    assert_eq!(removal.wider, Some(net("192.0.2.0/24")), "still kept out");
    let past = book.history().next().unwrap().clone();
    assert_eq!((past.ended, past.end), (at(5), End::Removed));
    let again = book.remove(at(6), &net("192.0.2.7"), false);
    assert_eq!((again.ban, again.forgotten), (None, 0));
    let second = book.add(at(7), &request("192.0.2.7", Term::Escalating));
    assert_eq!(second.ban().unwrap().count, 2);
    let removal = book.remove(at(8), &net("192.0.2.7"), true);
    assert_eq!((removal.ban.unwrap().count, removal.forgotten), (2, 2));
    let third = book.add(at(9), &request("192.0.2.7", Term::Escalating));
    assert_eq!(third.ban().unwrap().count, 1);
    assert_eq!(book.remove(at(9), &net("203.0.113.1"), true).forgotten, 0);
}

#[test]
fn a_ban_whose_time_is_over_was_not_removed() {
    let mut book = book(&[]);
    book.add(at(0), &request("192.0.2.7", seconds(60)));
    assert_eq!(book.remove(at(60), &net("192.0.2.7"), false).ban, None);
    assert_eq!(book.history().next().unwrap().end, End::Expired);
}

#[test]
fn a_sweep_is_due_when_something_ends_or_is_forgotten() {
    let mut book = book(&[]);
    assert!(!book.is_due(at(i32::MAX.into())));
    book.add(at(0), &request("192.0.2.7", seconds(60)));
    assert!(!book.is_due(at(59)) && book.is_due(at(60)));
    assert_eq!(book.sweep(at(60)).len(), 1);
    assert_eq!(book.counts(at(60)).history, 1);
    let month = 30 * 24 * HOUR;
    assert!(!book.is_due(at(59 + month)) && book.is_due(at(60 + month)));
    assert!(book.sweep(at(60 + month)).is_empty());
    assert_eq!(book.history().count(), 0);
    assert!(!book.is_due(at(2 * month)));
}

#[test]
fn the_history_does_not_grow_without_end() {
    let terms = Terms {
        max_entries: 2,
        ..Terms::default()
    };
    let mut book = BanBook::restore(terms, Vec::new(), Vec::new());
    for (number, host) in ["192.0.2.9", "192.0.2.1", "192.0.2.5"].iter().enumerate() {
        let now = 10 * number as i64;
        book.add(at(now), &request(host, seconds(1)));
        book.sweep(at(now + 1));
    }
    let kept: Vec<_> = book.history().map(|past| past.ban.prefix).collect();
    assert_eq!(
        kept,
        [net("192.0.2.1"), net("192.0.2.5")],
        "the oldest went"
    );
}

#[test]
fn a_rule_bans_for_the_configured_time() {
    let mut book = book(&["192.0.2.0/24"]);
    let request = BanRequest::of_rule("brute-login", net("203.0.113.9"), "12 failed logins");
    let outcome = book.add(at(0), &request);
    let ban = outcome.ban().unwrap();
    assert_eq!((ban.origin, ban.by.as_str()), (Origin::Rule, "brute-login"));
    assert_eq!(ban.until, Some(at(HOUR)));
    let partner = BanRequest::of_rule("brute-login", net("192.0.2.9"), "12 failed logins");
    assert!(matches!(
        book.add(at(0), &partner),
        Outcome::Refused(Refusal::Never { .. })
    ));
    let counts = book.counts(at(0));
    assert_eq!((counts.cli, counts.rule, counts.never), (0, 1, 1));
}

#[test]
fn a_text_is_one_line() {
    assert!(check_text("reason", "brute force, “FTP”").is_ok());
    for text in ["", "a\nb", "\u{1b}[31m", &"x".repeat(201)] {
        assert!(check_text("reason", text).unwrap_err().contains("reason"));
    }
}
