//! The exposition of what sessions do, whole, and how long it can become.

use prometheus::{Encoder, TextEncoder};

use super::*;
use crate::{
    engine::{
        events::Severity,
        monitor::{Losses, record::TransferRecord},
    },
    telemetry::sessions::{
        MOST_RULES, MOST_SOFTWARE,
        tests::{detection, everything, observation, software, transfer},
    },
};

fn text(figures: &MonitorFigures) -> String {
    let registry = Registry::new();
    fill(&registry, figures).unwrap();
    let mut text = Vec::new();
    TextEncoder::new()
        .encode(&registry.gather(), &mut text)
        .unwrap();
    String::from_utf8(text).unwrap()
}

fn figures() -> MonitorFigures {
    MonitorFigures {
        sessions: everything(),
        losses: Losses {
            client_bytes: 11,
            server_bytes: 12,
            conflicting_bytes: 13,
            sessions: 14,
        },
        told_lost: [0, 1, 2, 3, 4, 5, 6, 7],
        watched: 15,
    }
}

/// `FTP_GUARD_GOLDEN=write cargo test` writes it anew, to be read before it is committed.
#[test]
fn the_exposition_is_as_it_was() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/telemetry/session_metrics_golden.txt"
    );
    let text = text(&figures());
    if std::env::var_os("FTP_GUARD_GOLDEN").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    for (line, expected) in text.lines().zip(golden.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(text.lines().count(), golden.lines().count());
}

#[test]
fn hostile_peers_add_no_series() {
    let mut figures = MonitorFigures::default();
    let samples = |figures: &MonitorFigures| {
        let text = text(figures);
        text.lines().filter(|line| !line.starts_with('#')).count()
    };
    let before = samples(&figures);
    for number in 0..3_000 {
        let name = format!("evil{number}\n}} 1\nftp_guard_attack 0\n#\"\\");
        let sessions = &mut figures.sessions;
        sessions.observe(&observation(software(&name, Some(&name))));
        sessions.detected(&detection(
            &format!("rule{number}"),
            Severity::ALL[number % 5],
        ));
        sessions.detected(&detection(&name, Severity::ALL[number % 5]));
        for direction in Direction::ALL {
            let seen = TransferRecord {
                command: Some(name.clone()),
                path: Some(name.clone()),
                ..transfer(direction, Some(&name), number as f64)
            };
            sessions.observe(&observation(
                crate::engine::monitor::observation::Seen::Transferred(seen),
            ));
        }
    }
    let after = samples(&figures);
    let most = MOST_SOFTWARE + (MOST_RULES + 1) * Severity::ALL.len();
    assert!(after <= before + most, "{before} {after}");
    let text = text(&figures);
    assert!(
        !text
            .lines()
            .any(|line| line.starts_with("ftp_guard_attack "))
    );
    for private in ["192.0.2.7", "anna", "payroll"] {
        assert!(!text.contains(private), "{private} is nobody's label");
    }
}
