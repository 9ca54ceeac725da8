//! Golden JSON and text, and what filters take.

use ftp_guard_common::{
    address::FlowKey,
    class::{Family, PortClass},
    event::Event as Reported,
    reason::{Reason, Verdict},
};

use super::*;
use crate::engine::monitor::record::{Direction, TransferRecord};

fn reported() -> Reported {
    Reported {
        time_ns: 7,
        suppressed: 12,
        key: FlowKey::new(
            "192.0.2.7:40000".parse().unwrap(),
            "198.51.100.1:21".parse().unwrap(),
        ),
        bytes: 74,
        reason: Reason::NotListed as u8,
        verdict: Verdict::Drop as u8,
        class: PortClass::Control as u8,
        family: Family::Ipv4 as u8,
        hook: 0,
        flags: 2,
        reserved: [0; 6],
    }
}

fn kind(event: &Reported) -> EventKind {
    EventKind::reported(event, |flags| format!("flags {flags}")).unwrap()
}

fn at(kind: EventKind) -> Event {
    Event {
        time: "2026-11-22T08:40:00.123Z".parse().unwrap(),
        kind,
    }
}

fn ban() -> BanEvent {
    BanEvent {
        prefix: "192.0.2.0/24".parse().unwrap(),
        until: Some("2026-11-22T09:40:00Z".parse().unwrap()),
        reason: Some("brute force".into()),
        origin: "cli".into(),
        by: "alice".into(),
        count: 2,
    }
}

fn ended() -> SessionEnded {
    SessionEnded {
        id: 17,
        part: "session".into(),
        client: "192.0.2.7:40000".parse().unwrap(),
        server: "198.51.100.1:21".parse().unwrap(),
        profile: "bulk".into(),
        reason: "login_timeout".into(),
    }
}

fn transfer() -> TransferRecord {
    TransferRecord {
        began: "2026-11-22T08:40:00Z".parse().unwrap(),
        direction: Direction::Download,
        command: Some("RETR".into()),
        path: Some("/a.zip".into()),
        file_type: Some("zip".into()),
        bytes: Some(4096),
        seconds: 0.25,
        code: Some(226),
        mode: Some("passive".into()),
        data_client: Some("192.0.2.7:40001".parse().unwrap()),
        data_server: Some("198.51.100.1:50000".parse().unwrap()),
        encrypted: Some(false),
        complete: true,
    }
}

fn every_kind() -> Vec<(EventKind, &'static str, &'static str)> {
    let full = Reported {
        reason: Reason::SourceTableFull as u8,
        verdict: Verdict::WouldDrop as u8,
        suppressed: 0,
        ..reported()
    };
    vec![
        (
            kind(&reported()),
            r#""event":"drop","verdict":"drop","reason":"not_listed","hook":"xdp","class":"control","family":"ipv4","source":"192.0.2.7","source_port":40000,"destination":"198.51.100.1","destination_port":21,"flags":"flags 2","bytes":74,"suppressed":12"#,
            "drop not_listed 192.0.2.7:40000 > 198.51.100.1:21 flags 2, control, 74 bytes, xdp (12 more before it)",
        ),
        (
            kind(&full),
            r#""event":"table_full","table":"sources","verdict":"would_drop","reason":"source_table_full","hook":"xdp","class":"control","family":"ipv4","source":"192.0.2.7","source_port":40000,"destination":"198.51.100.1","destination_port":21,"flags":"flags 2","bytes":74,"suppressed":0"#,
            "the table of sources is full: would_drop source_table_full 192.0.2.7:40000 > 198.51.100.1:21 flags 2, control, 74 bytes, xdp",
        ),
        (
            EventKind::BanAdded(ban()),
            r#""event":"ban_added","prefix":"192.0.2.0/24","until":"2026-11-22T09:40:00Z","reason":"brute force","origin":"cli","by":"alice","count":2"#,
            "banned: 192.0.2.0/24 by alice until 2026-11-22T09:40:00Z: brute force",
        ),
        (
            EventKind::BanProlonged(BanEvent {
                until: None,
                ..ban()
            }),
            r#""event":"ban_prolonged","prefix":"192.0.2.0/24","until":null,"reason":"brute force","origin":"cli","by":"alice","count":2"#,
            "ban prolonged: 192.0.2.0/24 by alice: brute force",
        ),
        (
            EventKind::BanRemoved(BanEvent {
                reason: None,
                ..ban()
            }),
            r#""event":"ban_removed","prefix":"192.0.2.0/24","until":"2026-11-22T09:40:00Z","reason":null,"origin":"cli","by":"alice","count":2"#,
            "ban removed: 192.0.2.0/24 by alice until 2026-11-22T09:40:00Z",
        ),
        (
            EventKind::BanExpired(ban()),
            r#""event":"ban_expired","prefix":"192.0.2.0/24","until":"2026-11-22T09:40:00Z","reason":"brute force","origin":"cli","by":"alice","count":2"#,
            "ban expired: 192.0.2.0/24 by alice until 2026-11-22T09:40:00Z: brute force",
        ),
        (
            EventKind::AttackBegin(AttackBegin {
                attacks: 3,
                packets_per_second: 40_000,
            }),
            r#""event":"attack_begin","attacks":3,"packets_per_second":40000"#,
            "attack begins: 40000 connection requests and stray segments a second",
        ),
        (
            EventKind::AttackEnd(AttackEnd { seconds: 61.5 }),
            r#""event":"attack_end","seconds":61.5"#,
            "attack is over after 62 s",
        ),
        (
            EventKind::CookiesOn(CookiesOn {
                setting: "auto".into(),
            }),
            r#""event":"cookies_on","setting":"auto""#,
            "SYN cookies are on (syn_cookies = \"auto\")",
        ),
        (
            EventKind::CookiesOff(CookiesOff { why: "calm".into() }),
            r#""event":"cookies_off","why":"calm""#,
            "SYN cookies are off: calm",
        ),
        (
            EventKind::SessionEnded(ended()),
            r#""event":"session_ended","id":17,"part":"session","client":"192.0.2.7:40000","server":"198.51.100.1:21","profile":"bulk","reason":"login_timeout""#,
            "session 17 of 192.0.2.7:40000 with 198.51.100.1:21 ended: login_timeout, profile bulk",
        ),
        (
            EventKind::Login(LoginEvent {
                session: 17,
                client: "192.0.2.7:40000".parse().unwrap(),
                server: "198.51.100.1:21".parse().unwrap(),
                user: Some("alice".into()),
                anonymous: false,
                accepted: false,
                code: 530,
            }),
            r#""event":"login","session":17,"client":"192.0.2.7:40000","server":"198.51.100.1:21","user":"alice","anonymous":false,"accepted":false,"code":530"#,
            "login refused \"alice\" from 192.0.2.7:40000 at 198.51.100.1:21, session 17, code 530",
        ),
        (
            EventKind::Transfer(TransferEvent {
                session: 17,
                client: "192.0.2.7:40000".parse().unwrap(),
                server: "198.51.100.1:21".parse().unwrap(),
                user: Some("alice".into()),
                transfer: transfer(),
            }),
            r#""event":"transfer","session":17,"client":"192.0.2.7:40000","server":"198.51.100.1:21","user":"alice","began":"2026-11-22T08:40:00Z","direction":"download","command":"RETR","path":"/a.zip","file_type":"zip","bytes":4096,"seconds":0.25,"code":226,"mode":"passive","data_client":"192.0.2.7:40001","data_server":"198.51.100.1:50000","encrypted":false,"complete":true"#,
            "download \"/a.zip\" 4096 bytes in 0.2 s, code 226, 192.0.2.7:40000 at 198.51.100.1:21, user \"alice\", session 17",
        ),
        (
            EventKind::Detection(DetectionEvent {
                rule: "login_failures".into(),
                severity: Severity::High,
                source: Some("192.0.2.7".parse().unwrap()),
                server: Some("198.51.100.1:21".parse().unwrap()),
                session: 17,
                user: None,
                message: "5 failed logins within 10m".into(),
                count: 5,
                banned: true,
            }),
            r#""event":"detection","rule":"login_failures","severity":"high","source":"192.0.2.7","server":"198.51.100.1:21","session":17,"user":null,"message":"5 failed logins within 10m","count":5,"banned":true"#,
            "high login_failures: 5 failed logins within 10m, source 192.0.2.7, session 17; banned",
        ),
        (
            EventKind::Lost(Lost { count: 5 }),
            r#""event":"lost","count":5"#,
            "5 events are not shown: they came faster than they were read",
        ),
        (
            EventKind::NameChanged(NameChanged {
                name: "partner.example.net".into(),
                added: vec!["192.0.2.9".parse().unwrap()],
                removed: vec!["2001:db8::1".parse().unwrap()],
            }),
            r#""event":"name_changed","name":"partner.example.net","added":["192.0.2.9"],"removed":["2001:db8::1"]"#,
            "host:partner.example.net +192.0.2.9 -2001:db8::1",
        ),
        (
            EventKind::ModeFellBack(ModeFellBack {
                deadline: "2026-11-22T08:40:00Z".parse().unwrap(),
            }),
            r#""event":"mode_fell_back","deadline":"2026-11-22T08:40:00Z""#,
            "mode is monitor again since 2026-11-22T08:40:00Z: nobody confirmed enforce mode in time",
        ),
    ]
}

#[test]
fn every_event_as_json_and_as_text() {
    let mut names = Vec::new();
    for (kind, json, text) in every_kind() {
        let event = at(kind);
        let written = serde_json::to_string(&event).unwrap();
        assert_eq!(
            written,
            format!(r#"{{"time":"2026-11-22T08:40:00.123Z",{json}}}"#)
        );
        assert_eq!(
            event.to_string(),
            format!("2026-11-22T08:40:00.123Z {text}")
        );
        assert_eq!(serde_json::from_str::<Event>(&written).unwrap(), event);
        let value: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(value["event"], event.kind.name());
        names.push(event.kind.name());
    }
    assert_eq!(names, EventKind::NAMES);
}

#[test]
fn on_egress_the_server_is_the_source() {
    let EventKind::Drop(packet) = kind(&Reported {
        hook: 1,
        reason: Reason::Bounce as u8,
        ..reported()
    }) else {
        panic!("no drop");
    };
    assert_eq!(packet.hook, "egress");
    assert_eq!(packet.source, Some("198.51.100.1".parse().unwrap()));
    assert_eq!(packet.destination_port, Some(40000));
    assert_eq!(packet.remote(), Some("192.0.2.7".parse().unwrap()));
}

#[test]
fn a_packet_that_shows_no_connection_has_no_ends() {
    let EventKind::Drop(packet) = kind(&Reported {
        key: FlowKey::default(),
        reason: Reason::VlanTooDeep as u8,
        ..reported()
    }) else {
        panic!("no drop");
    };
    assert_eq!((packet.source, packet.flags), (None, None));
}

#[test]
fn numbers_of_a_later_version_are_left_out() {
    let flags = |_| String::new();
    for unknown in [
        Reported {
            reason: 127,
            ..reported()
        },
        Reported {
            verdict: 9,
            ..reported()
        },
        Reported {
            hook: 3,
            ..reported()
        },
    ] {
        assert_eq!(EventKind::reported(&unknown, flags), None);
    }
}

#[test]
fn every_full_table_is_named() {
    for reason in Reason::ALL {
        assert_eq!(
            table_of(*reason).is_some(),
            reason.as_str().ends_with("_table_full"),
            "{}",
            reason.as_str()
        );
    }
}

#[test]
fn filters_take_what_they_name() {
    let takes = |filter: &Filter| -> Vec<&str> {
        let kinds = every_kind().into_iter().map(|(kind, ..)| at(kind));
        kinds
            .filter(|event| filter.takes(event))
            .map(|event| event.kind.name())
            .collect()
    };
    assert_eq!(takes(&Filter::default()).len(), EventKind::NAMES.len());
    let of = |reasons: &[&str], source: Option<&str>| Filter {
        reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
        source: source.map(|source| source.parse().unwrap()),
        severity: None,
        kinds: Vec::new(),
    };
    assert_eq!(
        takes(&of(&["not_listed", "login_timeout"], None)),
        ["drop", "session_ended"]
    );
    assert_eq!(
        takes(&of(&[], Some("192.0.2.7/32"))),
        [
            "drop",
            "table_full",
            "ban_added",
            "ban_prolonged",
            "ban_removed",
            "ban_expired",
            "session_ended",
            "login",
            "transfer",
            "detection"
        ]
    );
    assert!(takes(&of(&["not_listed"], Some("2001:db8::/32"))).is_empty());
    let at_least = |severity| Filter {
        severity: Some(severity),
        ..Filter::default()
    };
    assert_eq!(takes(&at_least(Severity::High)), ["detection"]);
    assert!(takes(&at_least(Severity::Critical)).is_empty());
    assert_eq!(takes(&of(&["login_failures"], None)), ["detection"]);
    let filter = Filter {
        kinds: vec!["login".into(), "ban_added".into()],
        ..of(&[], Some("192.0.0.0/8"))
    };
    assert_eq!(takes(&filter), ["ban_added", "login"]);
}
