//! Proposals from sessions that are made up.

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
};

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::engine::{
    allowlist::{Entry, written_entry},
    monitor::record::{LoginState, SessionRecord},
};

const TERMS: Terms = Terms {
    min_sessions: 1,
    min_days: 1,
    anonymous: false,
};

/// What came of a session that is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    User(&'static str),
    Anonymous,
    Tls,
    TlsIdle,
    Refused,
    Nothing,
}

fn session(client: &str, came: Came, day: i64) -> SessionRecord {
    let began = Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap();
    let client: IpAddr = client.parse().unwrap();
    let server = "198.51.100.1:21".parse().unwrap();
    let mut record = SessionRecord::new(1, (client, 40_000).into(), server, began);
    record.ended = Some(began + SignedDuration::from_secs(60));
    record.would_drop = Some("not_listed".to_owned());
    let user = match came {
        Came::User(user) => Some(user),
        Came::Anonymous => Some("ftp"),
        Came::Refused => Some("root"),
        _ => None,
    };
    record.user = user.map(str::to_owned);
    record.anonymous = came == Came::Anonymous;
    record.login = match came {
        Came::User(_) | Came::Anonymous => LoginState::Accepted,
        Came::Tls | Came::TlsIdle => LoginState::Hidden,
        Came::Refused => LoginState::Failed,
        Came::Nothing => LoginState::None,
    };
    record.failed_logins = (came == Came::Refused).into();
    if matches!(came, Came::User(_) | Came::Anonymous | Came::Tls) {
        record.data_connections = 2;
        record.transfer_count = 2;
        record.bytes_up = 100;
        record.bytes_down = 10;
    }
    record
}

fn seen(sessions: &[(&str, Came, i64)]) -> Sightings {
    let mut seen = Sightings::default();
    for (client, came, day) in sessions {
        seen.session(&session(client, *came, *day));
    }
    seen
}

/// What is proposed when these prefixes have this standing, and nothing else is listed.
fn proposed(seen: &Sightings, terms: Terms, known: &[(&str, Standing)]) -> Suggestion {
    let known: Vec<(IpNet, Standing)> = known
        .iter()
        .map(|(prefix, standing)| (prefix.parse().unwrap(), *standing))
        .collect();
    let kept_out = known
        .iter()
        .filter(|(_, standing)| matches!(standing, Standing::Banned | Standing::Excluded))
        .map(|(prefix, _)| *prefix)
        .collect();
    let standing = |address: IpAddr| {
        let found = known.iter().find(|(prefix, _)| prefix.contains(&address));
        found.map_or(Standing::NotListed, |(_, standing)| *standing)
    };
    let present = Present {
        standing: &standing,
        kept_out: &kept_out,
    };
    propose(seen, &terms, &present)
}

fn prefixes(suggestion: &Suggestion) -> Vec<String> {
    let prefixes = suggestion.entries.iter().map(|entry| entry.prefix);
    prefixes.map(|prefix| prefix.to_string()).collect()
}

#[test]
fn a_client_that_logged_in_is_proposed_with_its_evidence() {
    let seen = seen(&[
        ("192.0.2.7", Came::User("alice"), 0),
        ("192.0.2.7", Came::User("bob"), 0),
        ("192.0.2.7", Came::Refused, 1),
        ("192.0.2.7", Came::Tls, 2),
    ]);
    let suggestion = proposed(&seen, TERMS, &[]);
    assert_eq!(prefixes(&suggestion), ["192.0.2.7/32"]);
    assert_eq!(suggestion.left_out, LeftOut::default());
    let Proposal {
        addresses,
        evidence,
        ..
    } = &suggestion.entries[0];
    assert_eq!((*addresses, evidence.sessions), (1, 4));
    assert_eq!((evidence.successful, evidence.refused), (3, 1));
    assert_eq!((evidence.transfers, evidence.bytes), (6, 330));
    assert_eq!(evidence.days.len(), 2, "a day of failures is none");
    let spanned = evidence.last.duration_since(evidence.first);
    assert_eq!(spanned, SignedDuration::from_secs(2 * 86_400 + 60));
    let users: Vec<_> = evidence.users.iter().map(String::as_str).collect();
    assert_eq!((users, evidence.more_users), (vec!["alice", "bob"], false));
}

#[test]
fn who_has_not_logged_in_is_counted_by_reason() {
    let sessions = seen(&[
        ("192.0.2.1", Came::Refused, 0),
        ("192.0.2.2", Came::Nothing, 0),
        ("192.0.2.3", Came::TlsIdle, 0),
        ("192.0.2.4", Came::Anonymous, 0),
        ("192.0.2.5", Came::User("a"), 0),
        ("192.0.2.6", Came::User("a"), 0),
        ("192.0.2.7", Came::User("a"), 0),
        ("192.0.2.8", Came::User("a"), 0),
    ]);
    let known = [
        ("192.0.2.5/32", Standing::Listed),
        ("192.0.2.6/32", Standing::Banned),
        ("192.0.2.7/32", Standing::Excluded),
        ("192.0.2.8/32", Standing::Expired),
    ];
    let left_out = LeftOut {
        listed: 1,
        banned: 1,
        excluded: 1,
        expired: 1,
        refused: 1,
        no_login: 2,
        anonymous: 1,
        too_few: 0,
    };
    let suggestion = proposed(&sessions, TERMS, &known);
    assert_eq!(prefixes(&suggestion), [""; 0]);
    assert_eq!(suggestion.left_out, left_out);
    let terms = Terms {
        anonymous: true,
        ..TERMS
    };
    assert_eq!(
        prefixes(&proposed(&sessions, terms, &known)),
        ["192.0.2.4/32"]
    );
}

#[test]
fn sessions_of_clients_that_may_be_here_are_not_meant() {
    let mut listed = session("192.0.2.1", Came::User("a"), 0);
    listed.would_drop = None;
    let mut seen = Sightings::default();
    seen.session(&listed);
    assert!(seen.is_empty());
}

#[test]
fn too_few_sessions_or_days_are_not_enough() {
    let sessions = seen(&[
        ("192.0.2.1", Came::User("a"), 0),
        ("192.0.2.1", Came::User("a"), 0),
        ("192.0.2.2", Came::User("a"), 0),
        ("192.0.2.2", Came::User("a"), 1),
        ("192.0.2.3", Came::User("a"), 0),
        ("192.0.2.3", Came::Refused, 1),
    ]);
    let with = |min_sessions, min_days| {
        let terms = Terms {
            min_sessions,
            min_days,
            ..TERMS
        };
        let suggestion = proposed(&sessions, terms, &[]);
        (prefixes(&suggestion).len(), suggestion.left_out.too_few)
    };
    assert_eq!(with(1, 1), (3, 0));
    assert_eq!(with(2, 1), (2, 1));
    assert_eq!(with(2, 2), (1, 2));
    assert_eq!(with(3, 1), (0, 3));
}

#[test]
fn four_of_a_network_stand_for_it() {
    let four: Vec<(String, Came, i64)> = (1..5)
        .map(|host| (format!("192.0.2.{host}"), Came::User("a"), host))
        .collect();
    let with = |more: &[(&str, Came, i64)], terms, known: &[(&str, Standing)]| {
        let mut sessions: Vec<(&str, Came, i64)> = four
            .iter()
            .map(|(client, came, day)| (client.as_str(), *came, *day))
            .collect();
        sessions.extend(more);
        proposed(&seen(&sessions), terms, known)
    };
    let suggestion = with(&[("192.0.3.1", Came::User("b"), 0)], TERMS, &[]);
    assert_eq!(prefixes(&suggestion), ["192.0.2.0/24", "192.0.3.1/32"]);
    let whole = &suggestion.entries[0];
    assert_eq!((whole.addresses, whole.evidence.sessions), (4, 4));
    assert_eq!(whole.evidence.days.len(), 4);

    let listed = with(
        &[("192.0.2.9", Came::User("b"), 0)],
        TERMS,
        &[("192.0.2.9/32", Standing::Listed)],
    );
    assert_eq!(prefixes(&listed), ["192.0.2.0/24"]);
    assert_eq!(listed.entries[0].addresses, 4);

    // Somebody in it must not be let in.
    for (more, known) in [
        (Some(("192.0.2.9", Came::Refused, 0)), None),
        (Some(("192.0.2.9", Came::Nothing, 0)), None),
        (Some(("192.0.2.9", Came::Anonymous, 0)), None),
        (None, Some(("192.0.2.128/25", Standing::Excluded))),
        (None, Some(("192.0.2.200/32", Standing::Banned))),
    ] {
        let suggestion = with(more.as_slice(), TERMS, known.as_slice());
        assert_eq!(suggestion.entries.len(), 4, "{more:?} {known:?}");
    }
    let wider = with(&[], TERMS, &[("192.0.0.0/16", Standing::Banned)]);
    assert_eq!((wider.entries.len(), wider.left_out.banned), (0, 4));

    // Who was here too rarely makes no network, but is in one and part of what it stands for.
    let rarely = Terms {
        min_days: 2,
        ..TERMS
    };
    let again: Vec<(&str, Came, i64)> = four
        .iter()
        .map(|(client, came, day)| (client.as_str(), *came, day + 50))
        .chain([("192.0.2.77", Came::User("c"), 0)])
        .collect();
    let suggestion = with(&again, rarely, &[]);
    assert_eq!(prefixes(&suggestion), ["192.0.2.0/24"]);
    assert_eq!(suggestion.entries[0].addresses, 5);
    assert_eq!(suggestion.left_out.too_few, 0);
    assert_eq!(prefixes(&with(&again[..3], rarely, &[])).len(), 3);
}

#[test]
fn two_of_an_ipv6_network_stand_for_it() {
    let two = |first: &str, second: &str| {
        let sessions = seen(&[(first, Came::Tls, 0), (second, Came::Tls, 0)]);
        prefixes(&proposed(&sessions, TERMS, &[]))
    };
    assert_eq!(two("2001:db8::1", "2001:db8::2:1"), ["2001:db8::/64"]);
    assert_eq!(
        two("2001:db8::1", "2001:db8:0:1::1"),
        ["2001:db8::1/128", "2001:db8:0:1::1/128"]
    );
    assert_eq!(two("fe80::1", "fe80::2").len(), 2);
}

#[test]
fn clients_beyond_the_bound_are_counted() {
    let mut seen = Sightings::default();
    let mut record = session("192.0.2.1", Came::User("a"), 0);
    for number in 0..Sightings::MOST_CLIENTS as u32 + 3 {
        record
            .client
            .set_ip(std::net::Ipv4Addr::from(number).into());
        seen.session(&record);
    }
    assert_eq!((seen.len(), seen.not_kept), (Sightings::MOST_CLIENTS, 3));
}

#[test]
fn at_most_three_users_are_named() {
    let users = ["a", "b", "c", "a", "d"];
    let sessions: Vec<_> = users
        .iter()
        .map(|user| ("192.0.2.1", Came::User(user), 0))
        .collect();
    let of = |count: usize| {
        let seen = seen(&sessions[..count]);
        let (_, evidence) = seen.clients().next().unwrap();
        (evidence.users.len(), evidence.more_users)
    };
    assert_eq!((of(4), of(5)), ((3, false), (3, true)));
}

fn came() -> impl Strategy<Value = Came> {
    prop_oneof![
        6 => Just(Came::User("a")),
        1 => Just(Came::Anonymous),
        2 => Just(Came::Tls),
        1 => Just(Came::TlsIdle),
        1 => Just(Came::Refused),
        1 => Just(Came::Nothing),
    ]
}

/// Addresses of a few networks.
fn client() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..4u8, 0..12u8).prop_map(|(network, host)| format!("192.0.{network}.{host}")),
        (0..4u8, 0..4u8).prop_map(|(network, host)| format!("2001:db8:0:{network}::{host}")),
    ]
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        Just(Standing::Listed),
        Just(Standing::Banned),
        Just(Standing::Excluded),
        Just(Standing::Expired),
    ]
}

proptest! {
    #[test]
    fn every_entry_lets_in_exactly_those_that_it_stands_for(
        sessions in prop::collection::vec((client(), came(), 0..5i64), 0..80),
        known in prop::collection::btree_map(client(), standing(), 0..6),
        min_days in 1..3u64,
        anonymous in any::<bool>(),
    ) {
        let mut seen = Sightings::default();
        for (client, came, day) in &sessions {
            seen.session(&session(client, *came, *day));
        }
        let known: BTreeMap<IpAddr, Standing> = known
            .iter()
            .map(|(client, standing)| (client.parse().unwrap(), *standing))
            .collect();
        let kept_out: HashSet<IpNet> = known
            .iter()
            .filter(|(_, standing)| matches!(standing, Standing::Banned | Standing::Excluded))
            .map(|(address, _)| IpNet::from(*address))
            .collect();
        let standing =
            |address: IpAddr| known.get(&address).copied().unwrap_or(Standing::NotListed);
        let terms = Terms { min_sessions: 1, min_days, anonymous };
        let suggestion = propose(&seen, &terms, &Present { standing: &standing, kept_out: &kept_out });

        let mut covered = 0;
        for Proposal { prefix, addresses, evidence } in &suggestion.entries {
            // A line of the allowlist, that says just this.
            let entry = Entry::allow(*prefix);
            prop_assert_eq!(written_entry(&entry.to_string()), Some(entry));
            let narrowest = match prefix { IpNet::V4(_) => 24, IpNet::V6(_) => 64 };
            prop_assert!(prefix.prefix_len() == prefix.max_prefix_len() || prefix.prefix_len() == narrowest);
            prop_assert!(!kept_out.iter().any(|out| prefix.contains(out)));
            let inside: Vec<_> = seen
                .clients()
                .filter(|(address, _)| prefix.contains(address))
                .filter(|(address, _)| standing(*address) != Standing::Listed)
                .collect();
            prop_assert_eq!(inside.len() as u64, *addresses);
            for (address, evidence) in &inside {
                prop_assert_eq!(standing(*address), Standing::NotListed);
                prop_assert!(evidence.successful > 0);
                prop_assert!(anonymous || !evidence.is_anonymous());
            }
            let sum = |of: fn(&Evidence) -> u64| inside.iter().map(|(_, one)| of(one)).sum::<u64>();
            prop_assert_eq!(sum(|one| one.sessions), evidence.sessions);
            prop_assert_eq!(sum(|one| one.bytes), evidence.bytes);
            prop_assert_eq!(sum(|one| one.transfers), evidence.transfers);
            prop_assert!(evidence.days.len() as u64 >= min_days);
            covered += inside.len();
        }
        let left = suggestion.left_out;
        let left = left.listed + left.banned + left.excluded + left.expired + left.refused
            + left.no_login + left.anonymous + left.too_few;
        prop_assert_eq!(left as usize + covered, seen.len(), "everybody has one place");
        let mut sorted = suggestion.entries.clone();
        sorted.sort_by_key(|entry| entry.prefix);
        prop_assert_eq!(&sorted, &suggestion.entries);
    }
}
