//! A guard at work, as tests see it, with names that nobody should trust.

use std::time::Duration;

use super::snapshot::Snapshot;
use crate::{
    control::{
        counters_view::CountersView,
        flood_view::FloodView,
        protocol::ModeName,
        record_view::RecordView,
        session_view::{
            DataView, PassiveView, PinholeView, SessionCounts, SessionView, SourceView,
        },
        view::{CounterView, InterfaceView},
    },
    engine::{
        events::{DetectionEvent, Event, EventKind, LoginEvent, Packet, Severity},
        monitor::record::{Direction, LoginState, SessionRecord, TlsMode, TransferRecord},
    },
};

pub const TIME: &str = "2026-11-22T12:30:00Z";

fn counter(verdict: &str, reason: &str, class: &str, packets: u64) -> CounterView {
    CounterView {
        verdict: verdict.into(),
        reason: reason.into(),
        class: class.into(),
        family: "ipv4".into(),
        packets,
        bytes: packets * 100,
    }
}

fn data(client: &str, port: u16, bytes_out: u64) -> DataView {
    DataView {
        client: client.parse().unwrap(),
        server: format!("198.51.100.1:{port}").parse().unwrap(),
        kind: "passive".into(),
        established: true,
        age_seconds: 4.0,
        idle_seconds: 0.0,
        bytes_in: 0,
        bytes_out,
    }
}

pub fn session(id: u64, client: &str, user: &str, path: Option<&str>) -> SessionView {
    let client: std::net::SocketAddr = client.parse().unwrap();
    let mut record = SessionRecord::new(
        id,
        client,
        "198.51.100.1:21".parse().unwrap(),
        TIME.parse().unwrap(),
    );
    record.user = Some(user.into());
    record.login = LoginState::Accepted;
    record.tls.mode = TlsMode::Explicit;
    record.tls.version = Some("1.3".into());
    record.transferring = path.map(|path| TransferRecord {
        began: TIME.parse().unwrap(),
        direction: Direction::Download,
        command: Some("RETR".into()),
        path: Some(path.into()),
        file_type: None,
        bytes: None,
        seconds: 0.0,
        code: None,
        mode: None,
        data_client: None,
        data_server: None,
        encrypted: Some(true),
        complete: false,
    });
    let flows = match path {
        Some(_) => vec![data(
            &std::net::SocketAddr::new(client.ip(), 41_000).to_string(),
            50_000 + id as u16 % 100,
            4 << 20,
        )],
        None => Vec::new(),
    };
    SessionView {
        id,
        client,
        server: record.server,
        tls: "tls".into(),
        age_seconds: 120.0,
        idle_seconds: 1.0,
        adopted: false,
        killed: false,
        bytes_in: 300,
        bytes_out: 900,
        profile: "default".into(),
        login: "unknown".into(),
        would_drop: None,
        pinholes: vec![PinholeView {
            port: 50_080,
            expires_in_seconds: 20.0,
        }],
        record: Some(Box::new(RecordView::of(&record, &flows))),
        data: flows,
    }
}

/// A snapshot so many seconds after the first one, with so many dropped packets.
pub fn at(seconds: f64, dropped: u64) -> Snapshot {
    let mut sessions = vec![
        session(
            17,
            "192.0.2.7:40000",
            "anna",
            Some("/pub/images/debian.iso"),
        ),
        session(18, "[2001:db8::7]:40000", "bob", None),
    ];
    let anna = &mut sessions[0];
    anna.data[0].bytes_out += (seconds * 1_048_576.0) as u64;
    let record = anna.record.as_mut().unwrap();
    record.transferring.as_mut().unwrap().bytes = Some(anna.data[0].bytes_out);
    Snapshot {
        taken: Duration::from_secs_f64(seconds),
        guard: CountersView {
            time: TIME.parse().unwrap(),
            version: "0.1.0".into(),
            started: TIME.parse().unwrap(),
            uptime_seconds: 7_500,
            mode: ModeName::Enforce,
            deadline: None,
            role: "host".into(),
            interfaces: vec![InterfaceView {
                interface: "eth0".into(),
                ifindex: 2,
                mode: "native".into(),
                program_id: 7,
                tc: Some("tcx".into()),
            }],
            missing_interfaces: Vec::new(),
            sessions: SessionCounts {
                clear: 0,
                tls: 2,
                unknown: 0,
                data_connections: 1,
                pinholes: 2,
            },
            watched_sessions: 2,
            passive_ports: PassiveView {
                configured: 101,
                in_use: 1,
                ..PassiveView::default()
            },
            tables: Vec::new(),
            flood: FloodView::default(),
            counters: vec![
                counter("pass", "session", "control", 1_000 + dropped),
                counter("drop", "not_listed", "control", 50 + dropped),
                counter("drop", "not_listed", "passive_data", dropped),
            ],
            egress_counters: vec![counter("pass", "data_flow", "passive_data", 10)],
            control_counters: Vec::new(),
        },
        sources: vec![
            SourceView {
                source: "192.0.2.7/32".parse().unwrap(),
                profile: Some("default".into()),
                sessions: 1,
                opening: 0,
                max_sessions: None,
                data_connections: 1,
                max_data_connections: None,
            },
            SourceView {
                source: "2001:db8::/64".parse().unwrap(),
                profile: Some("default".into()),
                sessions: 1,
                opening: 0,
                max_sessions: None,
                data_connections: 0,
                max_data_connections: None,
            },
        ],
        sessions,
        other_data: Vec::new(),
    }
}

/// Two seconds later, with 20 packets dropped.
pub fn snapshot() -> Snapshot {
    at(2.0, 10)
}

pub fn drop_of(source: &str) -> Event {
    Event {
        time: "2026-11-22T12:29:50Z".parse().unwrap(),
        kind: EventKind::Drop(Packet {
            verdict: "drop".into(),
            reason: "not_listed".into(),
            hook: "xdp".into(),
            class: "control".into(),
            family: "ipv4".into(),
            source: Some(source.parse().unwrap()),
            source_port: Some(50_000),
            destination: Some("198.51.100.1".parse().unwrap()),
            destination_port: Some(21),
            flags: Some("SYN".into()),
            bytes: 74,
            suppressed: 0,
        }),
    }
}

pub fn events() -> Vec<Event> {
    let login = EventKind::Login(LoginEvent {
        session: 17,
        client: "192.0.2.7:40000".parse().unwrap(),
        server: "198.51.100.1:21".parse().unwrap(),
        user: Some("anna".into()),
        anonymous: false,
        accepted: true,
        code: 230,
    });
    let detection = EventKind::Detection(DetectionEvent {
        rule: "login_burst".into(),
        severity: Severity::High,
        source: Some("203.0.113.9".parse().unwrap()),
        server: None,
        session: 0,
        user: None,
        message: "10 refused logins in 60 s".into(),
        count: 10,
        banned: true,
    });
    let time = |text: &str| text.parse().unwrap();
    vec![
        Event {
            time: time("2026-11-22T12:29:40Z"),
            kind: login,
        },
        drop_of("203.0.113.9"),
        drop_of("203.0.113.9"),
        Event {
            time: time("2026-11-22T12:29:55Z"),
            kind: detection,
        },
    ]
}
