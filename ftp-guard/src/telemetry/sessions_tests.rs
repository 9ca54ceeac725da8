//! What is counted, and that nothing from outside makes it grow.

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::engine::monitor::{
    observation::{About, Command},
    record::SessionRecord,
    verb::Verb,
};

fn about(tls: TlsMode, anonymous: bool) -> About {
    About {
        session: 7,
        client: "192.0.2.7:40000".parse().unwrap(),
        server: "198.51.100.1:21".parse().unwrap(),
        user: Some(Arc::from("anna")),
        logged_in: true,
        anonymous,
        tls,
    }
}

pub(in crate::telemetry) fn observation(seen: Seen) -> Observation {
    Observation {
        time: Timestamp::UNIX_EPOCH,
        about: about(TlsMode::Clear, false),
        seen,
    }
}

pub(in crate::telemetry) fn transfer(
    direction: Direction,
    file_type: Option<&str>,
    seconds: f64,
) -> TransferRecord {
    TransferRecord {
        began: Timestamp::UNIX_EPOCH,
        direction,
        command: None,
        path: Some("/secret/payroll.zip".to_owned()),
        file_type: file_type.map(str::to_owned),
        bytes: Some(1000),
        seconds,
        code: Some(226),
        mode: None,
        data_client: None,
        data_server: None,
        encrypted: None,
        complete: true,
    }
}

pub(in crate::telemetry) fn detection(rule: &str, severity: Severity) -> DetectionEvent {
    DetectionEvent {
        rule: rule.to_owned(),
        severity,
        source: Some("192.0.2.7".parse().unwrap()),
        server: None,
        session: 7,
        user: Some("anna".to_owned()),
        message: "seen".to_owned(),
        count: 1,
        banned: false,
    }
}

pub(in crate::telemetry) fn software(product: &str, version: Option<&str>) -> Seen {
    Seen::Software {
        software: Software {
            product: product.to_owned(),
            version: version.map(str::to_owned),
        },
        text: "220 hello".to_owned(),
    }
}

fn command(verb: &[u8]) -> Seen {
    Seen::Command(Command {
        verb: Verb::of(verb),
        argument: "x".to_owned(),
        length: 6,
    })
}

/// One of each kind.
pub(in crate::telemetry) fn everything() -> SessionFigures {
    let mut figures = SessionFigures::default();
    let record = SessionRecord {
        tls: crate::engine::monitor::record::TlsInfo {
            mode: TlsMode::Explicit,
            ..Default::default()
        },
        ..SessionRecord::new(
            7,
            "192.0.2.7:40000".parse().unwrap(),
            "198.51.100.1:21".parse().unwrap(),
            Timestamp::UNIX_EPOCH,
        )
    };
    for seen in [
        Seen::Began,
        Seen::Ended(Box::new(record)),
        software("vsftpd", Some("3.0.5")),
        software("proftpd", None),
        command(b"USER"),
        command(b"hunter2"),
        command(b"PASV"),
        Seen::Reply {
            code: 230,
            to: None,
        },
        Seen::Reply {
            code: 999,
            to: None,
        },
        Seen::Login {
            accepted: false,
            code: 530,
        },
        Seen::Transferred(transfer(Direction::Download, Some("zip"), 0.3)),
        Seen::Transferred(transfer(Direction::Upload, None, 9_000.0)),
        Seen::Transferred(TransferRecord {
            complete: false,
            ..transfer(Direction::Listing, None, -1.0)
        }),
        Seen::Transferred(transfer(Direction::Hidden, None, f64::NAN)),
        Seen::Foreign {
            side: Side::Server,
            protocol: Protocol::Ssh,
        },
        Seen::OddPort {
            text: "220 odd".to_owned(),
        },
        Seen::Overlong(Side::Client),
        Seen::Binary(Side::Client),
        Seen::ClientSoftware("FileZilla".to_owned()),
    ] {
        figures.observe(&observation(seen));
    }
    figures.observe(&Observation {
        about: about(TlsMode::Explicit, true),
        ..observation(Seen::Login {
            accepted: true,
            code: 230,
        })
    });
    figures.detected(&detection("bounce", Severity::High));
    figures.detected(&detection("bounce", Severity::High));
    figures
}

#[test]
fn each_observation_counts_where_it_belongs() {
    let figures = everything();
    assert_eq!(figures.begun, [1, 0, 0, 0]);
    assert_eq!(figures.ended, [0, 1, 0, 0]);
    assert_eq!(figures.logins, [[1, 0], [0, 1], [0, 0], [0, 0]]);
    assert_eq!(figures.anonymous, [0, 1]);
    let moved = |direction: Direction, class: TypeClass| {
        figures.transfers[direction as usize][class as usize]
    };
    assert_eq!(moved(Direction::Download, TypeClass::Archive), 1);
    assert_eq!(moved(Direction::Upload, TypeClass::None), 1);
    assert_eq!(moved(Direction::Listing, TypeClass::None), 1);
    assert_eq!(moved(Direction::Hidden, TypeClass::Hidden), 1);
    assert_eq!(figures.incomplete, [0, 0, 1, 0]);
    assert_eq!(figures.bytes, [1000; 4]);
    let download = figures.durations[Direction::Download as usize];
    assert_eq!(download.classes[1], 1, "0.3 s is at most 0.5 s");
    assert_eq!(
        *figures.durations[0].classes.last().unwrap(),
        1,
        "9000 s is beyond all"
    );
    assert_eq!(figures.durations[2].sum, 0.0);
    assert_eq!(figures.durations[3].sum, 0.0, "NaN does not spread");
    assert_eq!(figures.replies, [1, 0, 1, 0, 0, 0]);
    assert_eq!(figures.commands[VerbClass::Unknown as usize], 1);
    assert_eq!(figures.foreign[1][Protocol::Ssh as usize], 1);
    assert_eq!(
        figures.detections().collect::<Vec<_>>(),
        [("bounce", Severity::High, 2)]
    );
    assert_eq!(
        figures.server_software().collect::<Vec<_>>(),
        [("proftpd", ""), ("vsftpd", "3.0.5")]
    );
}

#[test]
fn the_end_of_a_class_of_durations_belongs_to_it() {
    let mut durations = Durations::default();
    for end in DURATIONS {
        durations.add(end);
    }
    assert!(
        durations.classes[..DURATIONS.len()]
            .iter()
            .all(|count| *count == 1)
    );
}

#[test]
fn hostile_names_have_a_fixed_number_of_places() {
    let mut figures = SessionFigures::default();
    for number in 0..5_000 {
        let version = format!("1.{number}\u{1b}[2J\n\"{}", "x".repeat(5_000));
        figures.observe(&observation(software("evil", Some(&version))));
        figures.observe(&observation(command(format!("V{number}").as_bytes())));
        figures.detected(&detection(&format!("rule_{number}"), Severity::Low));
    }
    for rule in ["", "UPPER", "a b", "x\n", &"y".repeat(65)] {
        figures.detected(&detection(rule, Severity::Info));
    }
    assert_eq!(figures.server_software().count(), MOST_SOFTWARE);
    assert_eq!(figures.software_overflow, 5_000 - MOST_SOFTWARE as u64);
    for (product, version) in figures.server_software() {
        assert!(version.len() <= MOST_NAME && product.len() <= MOST_NAME);
        assert!(!version.chars().any(char::is_control));
    }
    assert_eq!(figures.commands[VerbClass::Unknown as usize], 5_000);
    let rules: Vec<_> = figures.detections().collect();
    assert_eq!(rules.len(), MOST_RULES + 2);
    let others = rules.iter().filter(|(rule, ..)| *rule == OTHER_RULE);
    let counts: Vec<_> = others
        .map(|(_, severity, count)| (*severity, *count))
        .collect();
    assert_eq!(
        counts,
        [
            (Severity::Info, 5),
            (Severity::Low, 5_000 - MOST_RULES as u64)
        ]
    );
    // A rule that has a place keeps it.
    figures.detected(&detection("rule_3", Severity::High));
    assert!(
        figures
            .detections()
            .any(|found| found == ("rule_3", Severity::High, 1))
    );
}
