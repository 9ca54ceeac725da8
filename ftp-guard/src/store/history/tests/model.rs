//! Queries give what a plain filter over all events gives; readers read beside the writer.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::engine::events::{
    BanEvent, DetectionEvent, Filter, LoginEvent, Packet, SessionEnded, Severity,
};

fn address(number: u8) -> IpAddr {
    match number % 4 {
        0 => IpAddr::from([192, 0, 2, number]),
        1 => IpAddr::from([198, 51, 100, number]),
        2 => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(number)]),
        _ => IpAddr::from([10, number, 0, 1]),
    }
}

fn kind(choice: u8, number: u8) -> EventKind {
    let client = (address(number), 40_000).into();
    let server = "198.51.100.1:21".parse().unwrap();
    let user = Some(["alice", "bob", "anonymous"][usize::from(number) % 3].to_owned());
    match choice % 6 {
        0 => EventKind::Login(LoginEvent {
            session: number.into(),
            client,
            server,
            user,
            anonymous: false,
            accepted: true,
            code: 230,
        }),
        1 => EventKind::SessionEnded(SessionEnded {
            id: number.into(),
            part: "session".into(),
            client,
            server,
            profile: "default".into(),
            reason: ["idle_timeout", "killed"][usize::from(number) % 2].into(),
        }),
        2 => EventKind::Drop(Packet {
            verdict: "drop".into(),
            reason: ["not_listed", "killed"][usize::from(number) % 2].into(),
            hook: ["xdp", "egress"][usize::from(number / 2) % 2].into(),
            class: "control".into(),
            family: "ipv4".into(),
            source: Some(address(number)),
            source_port: Some(1),
            destination: Some(address(number.wrapping_add(1))),
            destination_port: Some(21),
            flags: None,
            bytes: 60,
            suppressed: 0,
        }),
        3 => EventKind::Detection(DetectionEvent {
            rule: ["login_failures", "odd_port"][usize::from(number) % 2].into(),
            severity: Severity::ALL[usize::from(number) % 5],
            source: (!number.is_multiple_of(3)).then(|| address(number)),
            server: None,
            session: 0,
            user,
            message: "seen".into(),
            count: 1,
            banned: false,
        }),
        4 => EventKind::BanAdded(BanEvent {
            prefix: IpNet::new(address(number), 8 + number % 25).unwrap(),
            until: None,
            reason: None,
            origin: "cli".into(),
            by: "x".into(),
            count: 1,
        }),
        _ => EventKind::AttackEnd(AttackEnd { seconds: 1.0 }),
    }
}

/// Seconds of 1970.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn meant(query: &EventQuery, event: &Event) -> bool {
    let filter = Filter {
        reasons: query.reasons.clone(),
        kinds: query.kinds.clone(),
        source: query.source,
        ..Filter::default()
    };
    let severity = match &event.kind {
        EventKind::Detection(detection) => Some(detection.severity),
        _ => None,
    };
    filter.takes(event)
        && query.since.is_none_or(|since| event.time >= since)
        && query.until.is_none_or(|until| event.time <= until)
        && query
            .severity
            .is_none_or(|least| severity.is_some_and(|severity| severity >= least))
        && query
            .user
            .as_deref()
            .is_none_or(|user| event.kind.user() == Some(user))
}

fn queries() -> impl Strategy<Value = EventQuery> {
    let some = |words: &'static [&'static str]| {
        proptest::collection::vec(proptest::sample::select(words), 0..3)
            .prop_map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    (
        proptest::option::of(0_i64..50),
        proptest::option::of(0_i64..50),
        some(&["login", "drop", "detection", "ban_added"]),
        some(&["killed", "not_listed", "odd_port"]),
        proptest::option::of((any::<u8>(), 0_u8..=128)),
        proptest::option::of(proptest::sample::select(&Severity::ALL[..])),
        proptest::option::of(proptest::sample::select(&["alice", "bob"][..])),
        proptest::option::of(0_u64..20),
    )
        .prop_map(
            |(since, until, kinds, reasons, source, severity, user, limit)| EventQuery {
                since: since.map(at),
                until: until.map(at),
                kinds,
                reasons,
                source: source.map(|(number, length)| {
                    let address = address(number);
                    let length = if address.is_ipv4() {
                        length % 33
                    } else {
                        length
                    };
                    IpNet::new(address, length).unwrap()
                }),
                severity,
                user: user.map(str::to_owned),
                limit,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn queries_give_what_a_plain_filter_gives(
        made in proptest::collection::vec((0_i64..50, any::<u8>(), any::<u8>()), 0..120),
        queries in proptest::collection::vec(queries(), 1..12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history.db");
        let all: Vec<Event> = made
            .into_iter()
            .map(|(time, choice, number)| Event { time: at(time), kind: kind(choice, number) })
            .collect();
        let mut base = base::Base::open(&file, &new_tables(), Timestamp::now()).unwrap();
        let entries: Vec<_> = all.iter().cloned().map(base::Entry::Event).collect();
        base.write(&entries, 0, Timestamp::now()).unwrap();
        for query in queries {
            let mut expected: Vec<Event> =
                all.iter().filter(|event| meant(&query, event)).cloned().collect();
            // Stable: what happened at one time stays in its order.
            expected.sort_by_key(|event| event.time);
            let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
            let surplus = expected.len().saturating_sub(limit);
            expected.drain(..surplus);
            prop_assert_eq!(events(&file, &query), expected, "{:?}", query);
        }
    }
}

#[test]
fn sessions_are_found_by_time_client_and_user() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let history = start(&file);
    for (id, client, user, began, ended) in [
        (
            1,
            "192.0.2.7:1",
            Some("alice"),
            "2026-11-22T08:00:00Z",
            Some("2026-11-22T08:30:00Z"),
        ),
        (
            2,
            "192.0.2.8:1",
            Some("bob"),
            "2026-11-22T08:10:00Z",
            Some("2026-11-22T09:00:00Z"),
        ),
        (3, "[2001:db8::7]:1", None, "2026-11-22T09:30:00Z", None),
    ] {
        let mut session = record(id, began);
        session.client = client.parse().unwrap();
        session.user = user.map(str::to_owned);
        session.ended = ended.map(|time| time.parse().unwrap());
        history.sink().session(&session);
    }
    history.stop(Duration::from_secs(20));
    let found = |query: SessionQuery| -> Vec<u64> {
        let found = sessions(&file, &query);
        found.iter().map(|session| session.record.id).collect()
    };
    let all = SessionQuery::default();
    assert_eq!(found(all.clone()), [1, 2, 3]);
    let time = |text: &str| Some(text.parse().unwrap());
    let since = |text| SessionQuery {
        since: time(text),
        ..all.clone()
    };
    assert_eq!(found(since("2026-11-22T08:31:00Z")), [2, 3]);
    assert_eq!(found(since("2026-11-22T23:00:00Z")), [3], "it lives");
    let until = SessionQuery {
        until: time("2026-11-22T08:05:00Z"),
        ..all.clone()
    };
    assert_eq!(found(until), [1]);
    let client = |prefix: &str| SessionQuery {
        client: Some(prefix.parse().unwrap()),
        ..all.clone()
    };
    assert_eq!(found(client("192.0.2.0/24")), [1, 2]);
    assert_eq!(found(client("::/0")), [3]);
    let user = SessionQuery {
        user: Some("bob".into()),
        ..all.clone()
    };
    assert_eq!(found(user), [2]);
    let last = SessionQuery {
        limit: Some(2),
        ..all
    };
    assert_eq!(found(last), [2, 3]);
}

#[test]
fn two_read_while_one_writes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let history = start(&file);
    let sink = history.sink();
    let begin = Timestamp::now().as_second();
    sink.event(&attack_end(at(begin), 0.0));
    until("the first is written", || sink.figures().written > 0);
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let file = file.clone();
            std::thread::spawn(move || {
                let mut last = 0;
                while last < 4000 {
                    let found = events(&file, &EventQuery::default());
                    assert!(found.len() >= last, "nothing that was there is gone");
                    let in_order = found.iter().enumerate().all(|(number, event)| {
                        matches!(&event.kind, EventKind::AttackEnd(end) if end.seconds == number as f64)
                    });
                    assert!(in_order);
                    last = found.len();
                }
            })
        })
        .collect();
    for number in 1..4000 {
        sink.event(&attack_end(at(begin + number), number as f64));
        if number % 200 == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(sink.figures().lost, 0);
    history.stop(Duration::from_secs(20));
}

#[test]
fn an_index_serves_each_question() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let base = base::Base::open(&file, &new_tables(), Timestamp::now()).unwrap();
    for question in [
        "SELECT id FROM event WHERE time >= 5 ORDER BY time DESC, id DESC LIMIT 9",
        "SELECT id FROM event WHERE client BETWEEN x'04' AND x'05'",
        "SELECT id FROM event WHERE reason IN ('a') ORDER BY time DESC, id DESC",
        "SELECT id FROM event WHERE user = 'a' ORDER BY time DESC, id DESC",
        "SELECT row FROM session WHERE user = 'a' ORDER BY began DESC, row DESC",
        "SELECT row FROM session WHERE seen < 5 AND state <> 0 ORDER BY seen LIMIT 5",
    ] {
        let plan: Vec<String> = base
            .connection
            .prepare(&format!("EXPLAIN QUERY PLAN {question}"))
            .unwrap()
            .query_map([], |row| row.get(3))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let plan = plan.join("; ");
        assert!(
            plan.contains("INDEX") && !plan.contains("TEMP"),
            "{question}: {plan}"
        );
    }
}
