//! What the report says of what was.

use super::*;
use crate::engine::{
    events::{BanEvent, DetectionEvent, Event, EventKind, LoginEvent, Lost, TransferEvent},
    monitor::record::{Direction, SessionRecord, Software, TlsMode, TransferRecord},
};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_336_800 + 60 * minute).unwrap()
}

fn event(kind: EventKind) -> Event {
    Event { time: at(1), kind }
}

fn login(client: &str, user: &str, anonymous: bool, accepted: bool) -> Event {
    event(EventKind::Login(LoginEvent {
        session: 1,
        client: client.parse().unwrap(),
        server: "198.51.100.1:21".parse().unwrap(),
        user: Some(user.into()),
        anonymous,
        accepted,
        code: if accepted { 230 } else { 530 },
    }))
}

fn transfer(direction: Direction, path: &str, bytes: u64, complete: bool) -> Event {
    event(EventKind::Transfer(TransferEvent {
        session: 1,
        client: "192.0.2.7:40000".parse().unwrap(),
        server: "198.51.100.1:21".parse().unwrap(),
        user: Some("alice".into()),
        transfer: TransferRecord {
            began: at(0),
            direction,
            command: None,
            path: Some(path.into()),
            file_type: path.rsplit_once('.').map(|(_, end)| end.into()),
            bytes: Some(bytes),
            seconds: 1.0,
            code: Some(226),
            mode: None,
            data_client: None,
            data_server: None,
            encrypted: None,
            complete,
        },
    }))
}

fn detection(rule: &str, severity: Severity, message: &str) -> Event {
    event(EventKind::Detection(DetectionEvent {
        rule: rule.into(),
        severity,
        source: Some("192.0.2.7".parse().unwrap()),
        server: Some("198.51.100.1:21".parse().unwrap()),
        session: 0,
        user: None,
        message: message.into(),
        count: 1,
        banned: rule == "login_failures",
    }))
}

fn session(client: &str, mode: TlsMode) -> SessionRecord {
    let server = "198.51.100.1:21".parse().unwrap();
    let mut record = SessionRecord::new(1, client.parse().unwrap(), server, at(0));
    record.tls.mode = mode;
    record.server_software = Some(Software {
        product: "vsftpd".into(),
        version: Some("2.3.4".into()),
    });
    record.lost_bytes = 5;
    record
}

fn made(events: &[Event], sessions: &[SessionRecord]) -> Report {
    let mut gatherer = Gatherer::default();
    events.iter().for_each(|event| gatherer.event(event));
    sessions
        .iter()
        .for_each(|session| gatherer.session(session));
    let coverage = Coverage {
        lost_entries: 3,
        ..Coverage::default()
    };
    gatherer.finish((at(0), at(60)), at(61), coverage, Posture::default())
}

#[test]
fn nothing_makes_an_empty_report() {
    let report = made(&[], &[]);
    assert_eq!(report.sessions.clear_share, None);
    assert_eq!(report.coverage.lost_entries, 3);
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn sessions_and_logins_are_counted_by_how_they_are_protected() {
    let report = made(
        &[
            login("192.0.2.7:1", "alice", false, true),
            login("192.0.2.7:2", "alice", false, true),
            login("192.0.2.8:1", "anonymous", true, true),
            login("192.0.2.9:1", "root", false, false),
            event(EventKind::Lost(Lost { count: 4 })),
        ],
        &[
            session("192.0.2.7:1", TlsMode::Clear),
            session("192.0.2.7:2", TlsMode::Explicit),
            session("192.0.2.8:1", TlsMode::Implicit),
            session("192.0.2.9:1", TlsMode::Implicit),
            session("192.0.2.9:2", TlsMode::Unknown),
        ],
    );
    assert_eq!(report.sessions.total, 5);
    assert_eq!(report.sessions.clear_share, Some(0.25));
    assert_eq!(report.sessions.clients, 3);
    let logins = &report.logins;
    assert_eq!(
        (logins.accepted, logins.anonymous, logins.refused),
        (2, 1, 1)
    );
    let alice = Count {
        name: "alice".into(),
        count: 2,
    };
    assert_eq!(logins.users, [alice]);
    assert_eq!(logins.anonymous_sources[0].name, "192.0.2.8");
    assert_eq!(logins.refused_users[0].name, "root");
    assert_eq!(report.coverage.missed_events, 4);
    assert_eq!(report.coverage.unseen_bytes, 25);
    assert_eq!(report.software.len(), 1);
    assert_eq!(report.software[0].sessions, 5);
    assert_eq!(report.software[0].servers, ["198.51.100.1:21"]);
}

#[test]
fn files_are_counted_by_type_and_by_who_moved_them() {
    let report = made(
        &[
            transfer(Direction::Upload, "a.csv", 10, true),
            transfer(Direction::Download, "b.csv", 5, false),
            transfer(Direction::Download, "README", 100, true),
            transfer(Direction::Listing, "/", 1000, true),
            transfer(Direction::Hidden, "", 7, true),
        ],
        &[],
    );
    let transfers = &report.transfers;
    assert_eq!((transfers.uploads, transfers.downloads), (1, 2));
    assert_eq!((transfers.listings, transfers.hidden), (1, 1));
    assert_eq!((transfers.bytes_up, transfers.bytes_down), (10, 105));
    assert_eq!((transfers.bytes_hidden, transfers.incomplete), (7, 1));
    let types: Vec<_> = transfers
        .file_types
        .iter()
        .map(|it| (&*it.name, it.transfers))
        .collect();
    assert_eq!(types, [("none", 1), ("csv", 2)]);
    assert_eq!(transfers.users[0].bytes_down, 105);
}

#[test]
fn detections_are_told_by_rule_and_holes_once() {
    let hole = "vsftpd 2.3.4 has CVE-2011-2523";
    let report = made(
        &[
            detection("vulnerable_software", Severity::Critical, hole),
            detection(
                "vulnerable_software",
                Severity::Critical,
                &format!("{hole}; 7 times since it was last told"),
            ),
            detection("odd_port", Severity::Medium, "a server on port 2121"),
            detection("login_failures", Severity::High, "5 failed logins"),
            event(EventKind::BanAdded(BanEvent {
                prefix: "192.0.2.7/32".parse().unwrap(),
                until: None,
                reason: None,
                origin: "rule".into(),
                by: "login_failures".into(),
                count: 1,
            })),
        ],
        &[],
    );
    assert_eq!(report.vulnerabilities.len(), 1);
    assert_eq!(report.vulnerabilities[0].message, hole);
    assert_eq!(report.vulnerabilities[0].count, 2);
    assert_eq!(report.odd_ports.len(), 1);
    assert!(report.foreign_protocols.is_empty());
    let rules: Vec<_> = report
        .detections
        .iter()
        .map(|it| (&*it.rule, it.banned))
        .collect();
    assert_eq!(
        rules,
        [
            ("vulnerable_software", 0),
            ("login_failures", 1),
            ("odd_port", 0)
        ]
    );
    assert_eq!(report.bans.added, 1);
    assert_eq!(report.bans.by[0].name, "rule login_failures");
}

fn entry(prefix: &str, allows: bool) -> AllowEntry {
    AllowEntry {
        prefix: prefix.parse().unwrap(),
        allows,
        label: None,
        profile: "default".into(),
        expires: None,
    }
}

#[test]
fn the_width_of_an_allowlist_counts_each_address_once() {
    let expired = AllowEntry {
        expires: Some(at(0)),
        ..entry("0.0.0.0/0", true)
    };
    let width = AllowWidth::of(
        [
            entry("10.0.0.0/8", true),
            entry("10.1.0.0/16", false),
            entry("10.1.2.0/24", true),
            entry("10.1.2.3/32", true),
            entry("192.0.2.0/24", false),
            entry("192.0.2.7/32", true),
            entry("2001:db8::/126", true),
            entry("2001:db8::1/128", false),
            expired,
        ],
        at(1),
    );
    assert_eq!(width.ipv4_addresses, (1 << 24) - (1 << 16) + 256 + 1);
    assert_eq!(width.ipv6_addresses, 3.0);
    assert_eq!(
        (width.entries, width.exclusions, width.without_end),
        (5, 3, 5)
    );
    assert_eq!(width.widest[0].prefix.to_string(), "10.0.0.0/8");
    let all = AllowWidth::of([entry("0.0.0.0/0", true), entry("::/0", true)], at(1));
    assert_eq!(all.ipv4_addresses, 1 << 32);
    assert_eq!(all.ipv6_addresses, 2_f64.powi(128));
}

#[test]
fn very_many_names_do_not_grow_without_end() {
    let mut gatherer = Gatherer::default();
    for number in 0..30_000_u32 {
        let client = std::net::SocketAddr::from((std::net::Ipv4Addr::from(number), 1));
        gatherer.session(&SessionRecord::new(1, client, client, at(0)));
    }
    let report = gatherer.finish(
        (at(0), at(1)),
        at(1),
        Coverage::default(),
        Posture::default(),
    );
    assert_eq!(report.sessions.total, 30_000);
    assert!(report.coverage.cut);
    assert!(report.sessions.clients < 30_000);
}
