//! Lines of every kind, and what becomes of the file.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::engine::{
    events::{
        AttackBegin, AttackEnd, BanEvent, CookiesOff, CookiesOn, DetectionEvent, Event, EventKind,
        LoginEvent, Lost, ModeFellBack, NameChanged, Packet, SessionEnded, Severity, TableFull,
        TransferEvent,
    },
    monitor::record::{
        Direction, LoginState, SessionRecord, Software, TlsInfo, TlsMode, TransferRecord,
    },
};

fn at(kind: EventKind) -> Subject {
    Subject::Event(Event {
        time: "2026-11-22T08:40:00.123Z".parse().unwrap(),
        kind,
    })
}

fn packet() -> Packet {
    Packet {
        verdict: "drop".into(),
        reason: "not_listed".into(),
        hook: "xdp".into(),
        class: "control".into(),
        family: "ipv4".into(),
        source: Some("192.0.2.7".parse().unwrap()),
        source_port: Some(40_000),
        destination: Some("198.51.100.1".parse().unwrap()),
        destination_port: Some(21),
        flags: Some("SYN".into()),
        bytes: 74,
        suppressed: 3,
    }
}

fn ban() -> BanEvent {
    BanEvent {
        prefix: "192.0.2.7/32".parse().unwrap(),
        until: Some("2026-11-22T09:40:00Z".parse().unwrap()),
        reason: Some("brute force".into()),
        origin: "rule".into(),
        by: "login_failures".into(),
        count: 2,
    }
}

fn transfer() -> TransferEvent {
    TransferEvent {
        session: 17,
        client: "192.0.2.7:40000".parse().unwrap(),
        server: "198.51.100.1:21".parse().unwrap(),
        user: Some("alice".into()),
        transfer: TransferRecord {
            began: "2026-11-22T08:39:59.5Z".parse().unwrap(),
            direction: Direction::Upload,
            command: Some("STOR".into()),
            path: Some("/in/a\tb.csv".into()),
            file_type: Some("csv".into()),
            bytes: Some(1234),
            seconds: 0.5,
            code: Some(226),
            mode: Some("passive".into()),
            data_client: Some("192.0.2.7:40001".parse().unwrap()),
            data_server: Some("198.51.100.1:50000".parse().unwrap()),
            encrypted: Some(false),
            complete: true,
        },
    }
}

fn session() -> SessionRecord {
    let mut record = SessionRecord::new(
        17,
        "192.0.2.7:40000".parse().unwrap(),
        "198.51.100.1:21".parse().unwrap(),
        "2026-11-22T08:00:00Z".parse().unwrap(),
    );
    record.ended = Some("2026-11-22T08:40:00Z".parse().unwrap());
    record.tls = TlsInfo {
        mode: TlsMode::Explicit,
        server_name: Some("ftp.example".into()),
        version: Some("1.3".into()),
        cleared: false,
    };
    record.login = LoginState::Hidden;
    record.server_software = Some(Software {
        product: "vsftpd".into(),
        version: Some("3.0.5".into()),
    });
    record
}

fn every_kind() -> Vec<EventKind> {
    vec![
        EventKind::Drop(packet()),
        EventKind::TableFull(TableFull {
            table: "sources".into(),
            packet: packet(),
        }),
        EventKind::BanAdded(ban()),
        EventKind::BanProlonged(ban()),
        EventKind::BanRemoved(ban()),
        EventKind::BanExpired(ban()),
        EventKind::AttackBegin(AttackBegin {
            attacks: 3,
            packets_per_second: 5000,
        }),
        EventKind::AttackEnd(AttackEnd { seconds: 12.5 }),
        EventKind::CookiesOn(CookiesOn {
            setting: "auto".into(),
        }),
        EventKind::CookiesOff(CookiesOff { why: "calm".into() }),
        EventKind::SessionEnded(SessionEnded {
            id: 17,
            part: "session".into(),
            client: "192.0.2.7:40000".parse().unwrap(),
            server: "198.51.100.1:21".parse().unwrap(),
            profile: "bulk".into(),
            reason: "login_timeout".into(),
        }),
        EventKind::Login(LoginEvent {
            session: 17,
            client: "192.0.2.7:40000".parse().unwrap(),
            server: "198.51.100.1:21".parse().unwrap(),
            user: Some("alice".into()),
            anonymous: false,
            accepted: false,
            code: 530,
        }),
        EventKind::Transfer(transfer()),
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
        EventKind::Lost(Lost { count: 5 }),
        EventKind::NameChanged(NameChanged {
            name: "partner.example.net".into(),
            added: vec!["192.0.2.9".parse().unwrap()],
            removed: Vec::new(),
        }),
        EventKind::ModeFellBack(ModeFellBack {
            deadline: "2026-11-22T08:40:00Z".parse().unwrap(),
        }),
    ]
}

/// The values at these paths.
fn fields(document: &Value, paths: &[&str]) -> Vec<Value> {
    let of = |path: &&str| document.pointer(&format!("/{}", path.replace('.', "/")));
    paths
        .iter()
        .map(|path| of(path).cloned().unwrap_or_default())
        .collect()
}

#[test]
fn every_event_has_its_class_in_the_schema() {
    let expected = json!([
        [
            "drop",
            "event",
            ["network"],
            ["connection", "denied"],
            "success",
            "not_listed"
        ],
        [
            "table_full",
            "event",
            ["network"],
            ["connection", "denied"],
            "success",
            "not_listed"
        ],
        [
            "ban_added",
            "event",
            ["network", "configuration"],
            ["creation"],
            null,
            "brute force"
        ],
        [
            "ban_prolonged",
            "event",
            ["network", "configuration"],
            ["change"],
            null,
            "brute force"
        ],
        [
            "ban_removed",
            "event",
            ["network", "configuration"],
            ["deletion"],
            null,
            "brute force"
        ],
        [
            "ban_expired",
            "event",
            ["network", "configuration"],
            ["deletion"],
            null,
            "brute force"
        ],
        [
            "attack_begin",
            "alert",
            ["network", "threat"],
            ["start"],
            null,
            null
        ],
        [
            "attack_end",
            "alert",
            ["network", "threat"],
            ["end"],
            null,
            null
        ],
        [
            "cookies_on",
            "event",
            ["configuration"],
            ["change"],
            null,
            null
        ],
        [
            "cookies_off",
            "event",
            ["configuration"],
            ["change"],
            null,
            "calm"
        ],
        [
            "session_ended",
            "event",
            ["session", "network"],
            ["end", "denied"],
            null,
            "login_timeout"
        ],
        [
            "login",
            "event",
            ["authentication", "session"],
            ["start"],
            "failure",
            null
        ],
        [
            "transfer",
            "event",
            ["file", "network"],
            ["creation"],
            "success",
            null
        ],
        [
            "detection",
            "alert",
            ["intrusion_detection", "network"],
            ["info"],
            null,
            "5 failed logins within 10m"
        ],
        ["lost", "pipeline_error", null, null, null, null],
        [
            "name_changed",
            "event",
            ["configuration"],
            ["change"],
            null,
            null
        ],
        [
            "mode_fell_back",
            "event",
            ["configuration"],
            ["change"],
            null,
            "not confirmed in time"
        ],
    ]);
    let paths = [
        "event.action",
        "event.kind",
        "event.category",
        "event.type",
        "event.outcome",
        "event.reason",
    ];
    let mut names = Vec::new();
    for (kind, expected) in every_kind().into_iter().zip(expected.as_array().unwrap()) {
        names.push(kind.name());
        let document = ecs::of(&at(kind));
        assert_eq!(Value::Array(fields(&document, &paths)), *expected);
        assert_eq!(document["@timestamp"], "2026-11-22T08:40:00.123Z");
        assert!(!document.to_string().contains("null"), "{document}");
    }
    assert_eq!(names, EventKind::NAMES);
}

#[test]
fn a_transfer_in_the_schema() {
    let document = ecs::of(&at(EventKind::Transfer(transfer())));
    let expected = json!({
        "@timestamp": "2026-11-22T08:40:00.123Z",
        "ecs": {"version": "8.17.0"},
        "event": {
            "module": "ftp_guard", "dataset": "ftp_guard.transfer", "action": "transfer",
            "kind": "event", "category": ["file", "network"], "type": ["creation"],
            "outcome": "success", "code": "226", "start": "2026-11-22T08:39:59.5Z",
            "duration": 500_000_000,
        },
        "message": "upload \"/in/a\\tb.csv\" 1234 bytes in 0.5 s, code 226, 192.0.2.7:40000 at 198.51.100.1:21, user \"alice\", session 17",
        "observer": {"product": "ftp-guard", "version": env!("CARGO_PKG_VERSION")},
        "source": {"ip": "192.0.2.7", "port": 40000},
        "destination": {"ip": "198.51.100.1", "port": 21},
        "network": {
            "transport": "tcp", "type": "ipv4", "protocol": "ftp", "direction": "inbound",
            "bytes": 1234,
        },
        "related": {"ip": ["192.0.2.7", "198.51.100.1"], "user": ["alice"]},
        "user": {"name": "alice"},
        "file": {"path": "/in/a\tb.csv", "name": "a\tb.csv", "extension": "csv", "size": 1234},
        "ftp_guard": {
            "session": {"id": "17"},
            "transfer": {
                "direction": "upload", "command": "STOR", "mode": "passive", "complete": true,
                "encrypted": false, "data_client": "192.0.2.7:40001",
                "data_server": "198.51.100.1:50000",
            },
        },
    });
    assert_eq!(document, expected);
}

#[test]
fn a_session_in_the_schema_and_as_it_is() {
    let subject = Subject::Session(Box::new(session()));
    let document = ecs::of(&subject);
    let paths = [
        "event.action",
        "event.start",
        "event.end",
        "event.duration",
        "tls.established",
        "tls.version",
        "tls.client.server_name",
        "service.name",
        "service.version",
        "ftp_guard.session.login",
    ];
    assert_eq!(
        Value::Array(fields(&document, &paths)),
        json!([
            "session",
            "2026-11-22T08:00:00Z",
            "2026-11-22T08:40:00Z",
            2_400_000_000_000_u64,
            true,
            "1.3",
            "ftp.example",
            "vsftpd",
            "3.0.5",
            "hidden",
        ])
    );
    let native: Value =
        serde_json::from_str(&line(&subject, ExportFormat::Native).unwrap()).unwrap();
    assert_eq!(native["event"], "session");
    assert_eq!(native["time"], "2026-11-22T08:40:00Z");
    assert_eq!(native["id"], 17);
    assert_eq!(line(&subject, ExportFormat::Zeek), None);
}

#[test]
fn natively_a_line_is_that_of_the_command_line() {
    for kind in every_kind() {
        let subject = at(kind);
        let Subject::Event(event) = &subject else {
            panic!("an event");
        };
        let expected = serde_json::to_string(event).unwrap();
        assert_eq!(line(&subject, ExportFormat::Native), Some(expected));
    }
}

#[test]
fn only_transfers_of_files_are_lines_of_zeek() {
    let lines: Vec<&str> = every_kind()
        .into_iter()
        .filter(|kind| line(&at(kind.clone()), ExportFormat::Zeek).is_some())
        .map(|kind| kind.name())
        .collect();
    assert_eq!(lines, ["transfer"]);
    let mut listing = transfer();
    listing.transfer.direction = Direction::Listing;
    assert_eq!(
        line(&at(EventKind::Transfer(listing)), ExportFormat::Zeek),
        None
    );
}

#[test]
fn a_transfer_as_zeek_writes_it() {
    let subject = at(EventKind::Transfer(transfer()));
    let json: Value = serde_json::from_str(&line(&subject, ExportFormat::Zeek).unwrap()).unwrap();
    let uid = json["uid"].as_str().unwrap().to_owned();
    assert!(uid.len() == 18 && uid.starts_with('C'), "{uid}");
    assert_eq!(
        json,
        json!({
            "ts": 1_795_336_799.5, "uid": uid, "id.orig_h": "192.0.2.7", "id.orig_p": 40000,
            "id.resp_h": "198.51.100.1", "id.resp_p": 21, "user": "alice",
            "password": "<hidden>", "command": "STOR",
            "arg": "ftp://198.51.100.1/in/a\tb.csv", "file_size": 1234, "reply_code": 226,
            "data_channel.passive": true, "data_channel.orig_h": "192.0.2.7",
            "data_channel.resp_h": "198.51.100.1", "data_channel.resp_p": 50000,
        })
    );
    assert_eq!(
        line(&subject, ExportFormat::ZeekTsv).unwrap(),
        format!(
            "1795336799.500000\t{uid}\t192.0.2.7\t40000\t198.51.100.1\t21\talice\t<hidden>\tSTOR\t\
             ftp://198.51.100.1/in/a\\x09b.csv\t-\t1234\t226\t-\tT\t192.0.2.7\t198.51.100.1\t50000\t-"
        )
    );
    let mut active = transfer();
    active.transfer.mode = Some("active".into());
    active.transfer.path = Some("a.csv".into());
    let line = line(&at(EventKind::Transfer(active)), ExportFormat::Zeek).unwrap();
    let json: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(json["arg"], "ftp://198.51.100.1/./a.csv");
    assert_eq!(
        json["data_channel.orig_h"], "198.51.100.1",
        "the server opens it"
    );
    assert_eq!(json["data_channel.resp_p"], 40001);
}

#[test]
fn every_line_of_zeek_has_all_fields() {
    let header = zeek::header(Timestamp::UNIX_EPOCH);
    let columns = |start: &str| {
        let line = header.lines().find(|line| line.starts_with(start)).unwrap();
        line.split('\t').count() - 1
    };
    assert_eq!(columns("#fields"), 19);
    assert_eq!(columns("#types"), 19);
    let line = line(&at(EventKind::Transfer(transfer())), ExportFormat::ZeekTsv).unwrap();
    assert_eq!(line.split('\t').count(), 19);
}

fn settings(file: &Path) -> ExportSettings {
    ExportSettings {
        file: Some(file.to_owned()),
        journal: false,
        format: ExportFormat::Native,
    }
}

#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn event(seconds: f64) -> Event {
    Event {
        time: Timestamp::now(),
        kind: EventKind::AttackEnd(AttackEnd { seconds }),
    }
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[test]
fn a_file_that_is_moved_away_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log/events.json");
    let export = Export::start(settings(&path)).unwrap();
    let sink = export.sink();
    sink.event(&event(1.0));
    until("a line is there", || lines(&path) == 1);
    let rotated: PathBuf = folder.path().join("log/events.json.1");
    std::fs::rename(&path, &rotated).unwrap();
    sink.event(&event(2.0));
    until("a line is in the new file", || lines(&path) == 1);
    assert_eq!(lines(&rotated), 1);
    // A reload with another file and format.
    let other = folder.path().join("ftp.log");
    sink.set(ExportSettings {
        format: ExportFormat::ZeekTsv,
        ..settings(&other)
    });
    until("the other file is begun", || {
        sink.event(&Event {
            time: Timestamp::now(),
            kind: EventKind::Transfer(transfer()),
        });
        lines(&other) > 8
    });
    let text = std::fs::read_to_string(&other).unwrap();
    assert!(text.starts_with("#separator \\x09\n"), "{text}");
    assert_eq!(text.matches("#fields").count(), 1);
    export.stop(Duration::from_secs(20));
}

#[test]
fn what_cannot_be_written_is_counted_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("log");
    std::fs::write(&place, "").unwrap();
    let path = place.join("events.json");
    let export = Export::start(settings(&path)).unwrap();
    let sink = export.sink();
    sink.event(&event(1.0));
    until("it is lost", || sink.figures().lost == 1);
    std::fs::remove_file(&place).unwrap();
    until("it is written again", || {
        sink.event(&event(2.0));
        lines(&path) > 0
    });
    export.stop(Duration::from_secs(20));
}

#[test]
fn the_journal_gets_a_datagram_for_each_line() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let journald = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    let journal = journal::Journal::open(&socket).unwrap();
    journal.send(r#"{"event":"x"}"#).unwrap();
    let mut datagram = [0; 200];
    let length = journald.recv(&mut datagram).unwrap();
    assert_eq!(
        std::str::from_utf8(&datagram[..length]).unwrap(),
        "MESSAGE={\"event\":\"x\"}\nPRIORITY=6\nSYSLOG_IDENTIFIER=ftp-guard-export\n"
    );
}
