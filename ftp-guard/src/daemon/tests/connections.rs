//! `sessions` and `kill` as requests, and what `status` and the metrics tell.

use ftp_guard_common::{
    address::FlowKey,
    session::{Flow, FlowKind, Session, Tls, Traffic},
};

use super::fake::{Fake, Files, prefix};
use crate::{
    control::{
        protocol::Target,
        server::{Answer, Members},
        session_view::{KillView, SessionMember, SessionsReport},
    },
    daemon::guard::Guard,
    datapath::Capacities,
    telemetry::metrics::render,
};

fn key(port: u16, client: &str) -> FlowKey {
    FlowKey::new(
        client.parse().unwrap(),
        format!("192.0.2.100:{port}").parse().unwrap(),
    )
}

fn traffic() -> Traffic {
    Traffic {
        created_ns: 1_000_000_000,
        seen_ns: 8_000_000_000,
        bytes_in: 10,
        bytes_out: 20,
        ..Traffic::default()
    }
}

/// A router, where only the tables tell: two sessions, one with a data connection, and a data
/// connection of none.
fn router() -> (Files, Guard<Fake>) {
    let files = Files::new(r#"["eth0"]"#);
    let text = files
        .read("guard.toml")
        .replace("# kept\n", "role = \"router\"\n")
        .replace("passive_ports = []", "passive_ports = [\"50000-50004\"]");
    std::fs::write(files.path("guard.toml"), text).unwrap();
    files.list("a.list", "198.51.100.0/24\n");
    let mut kernel = Fake::with_interfaces(&["eth0"]);
    kernel.clock_ns = 10_000_000_000;
    kernel.capacities = Capacities {
        sessions: 2,
        flows: 100,
    };
    for (id, client, tls) in [
        (7, "198.51.100.1:4000", Tls::Clear),
        (8, "198.51.100.2:4000", Tls::Encrypted),
    ] {
        let session = Session {
            id,
            traffic: traffic(),
            tls: tls as u8,
            ..Session::default()
        };
        kernel.sessions.insert(key(21, client), session);
    }
    for (session, port, client) in [
        (7, 50001, "198.51.100.1:4001"),
        (0, 50002, "198.51.100.3:4001"),
        (0, 60001, "198.51.100.3:4002"),
    ] {
        let flow = Flow {
            session,
            traffic: traffic(),
            kind: FlowKind::Passive as u8,
            established: 1,
            ..Flow::default()
        };
        kernel.flows.insert(key(port, client), flow);
    }
    let guard = files.guard(kernel);
    (files, guard)
}

/// The clients of the members: `S` for a session, `D` for a data connection of none.
fn members(answer: &Answer) -> Vec<String> {
    let Some(Members::Sessions(members)) = &answer.members else {
        panic!("{answer:?}");
    };
    let clients = members.iter().map(|member| match member {
        SessionMember::Session(session) => format!("S {}", session.client),
        SessionMember::Data(data) => format!("D {}", data.client),
    });
    clients.collect()
}

fn killed(guard: &mut Guard<Fake>, targets: &[&str]) -> (Vec<String>, KillView) {
    let targets: Vec<Target> = targets.iter().map(|text| text.parse().unwrap()).collect();
    let answer = guard.kill_all(&targets).unwrap();
    let members = members(&answer);
    (members, serde_json::from_value(answer.result).unwrap())
}

#[test]
fn sessions_are_listed_all_or_those_of_a_client() {
    let (_files, guard) = router();
    let all = guard.session_list(None).unwrap();
    assert_eq!(
        members(&all),
        [
            "S 198.51.100.1:4000",
            "S 198.51.100.2:4000",
            "D 198.51.100.3:4001",
            "D 198.51.100.3:4002"
        ]
    );
    let report: SessionsReport = serde_json::from_value(all.result).unwrap();
    assert_eq!((report.sessions, report.data_connections), (2, 3));
    let one = guard.session_list(Some(prefix("198.51.100.1"))).unwrap();
    assert_eq!(members(&one), ["S 198.51.100.1:4000"]);
    let report: SessionsReport = serde_json::from_value(one.result).unwrap();
    assert_eq!((report.sessions, report.data_connections), (1, 1));
    let none = guard.session_list(Some(prefix("203.0.113.0/24"))).unwrap();
    assert!(members(&none).is_empty());
}

#[test]
fn kill_ends_what_is_meant_and_tells_what_was_not_there() {
    let (_files, mut guard) = router();
    let (ended, report) = killed(&mut guard, &["7", "99", "203.0.113.9"]);
    assert_eq!(ended, ["S 198.51.100.1:4000"]);
    assert_eq!((report.sessions, report.data_connections), (1, 1));
    assert_eq!(report.absent, ["99", "203.0.113.9"]);
    assert_eq!(
        guard.kernel.sessions[&key(21, "198.51.100.1:4000")]
            .traffic
            .killed,
        1
    );
    assert_eq!(
        guard.kernel.sessions[&key(21, "198.51.100.2:4000")]
            .traffic
            .killed,
        0
    );
    // Asking twice is no error, and ends nothing.
    let (ended, report) = killed(&mut guard, &["7"]);
    assert!(ended.is_empty());
    assert_eq!((report.sessions, report.absent), (0, vec!["7".to_owned()]));
    // All that match, each once, data connections of no session included.
    let (ended, report) = killed(&mut guard, &["198.51.100.0/24", "8"]);
    assert_eq!(
        ended,
        [
            "S 198.51.100.2:4000",
            "D 198.51.100.3:4001",
            "D 198.51.100.3:4002"
        ]
    );
    assert_eq!((report.sessions, report.data_connections), (1, 2));
    assert!(report.absent.is_empty());
}

#[test]
fn status_and_metrics_tell_them_and_warn() {
    let (_files, guard) = router();
    let status = guard.status().unwrap();
    assert_eq!(status.role.as_deref(), Some("router"));
    let sessions = status.sessions.unwrap();
    assert_eq!((sessions.clear, sessions.tls, sessions.unknown), (1, 1, 0));
    assert_eq!(sessions.data_connections, 3);
    let passive = status.passive_ports.unwrap();
    assert_eq!((passive.configured, passive.in_use), (5, 2));
    assert_eq!(passive.outside, [60001]);
    for part in [
        "the table of sessions is nearly full (2 of 2)",
        "passive ports outside ftp.passive_ports are in use, open to everyone: 60001",
        "sessions.max is 16384, and the table in the kernel has room for 2",
    ] {
        let warnings = &status.warnings;
        assert!(
            warnings.iter().any(|told| told.contains(part)),
            "{part}\n{warnings:#?}"
        );
    }
    assert!(
        status
            .warnings
            .iter()
            .all(|told| !told.contains("table of flows"))
    );

    let text = render(&guard.snapshot().unwrap()).unwrap();
    for line in [
        "ftp_guard_monitored_sessions 0",
        r#"ftp_guard_logins_total{result="accepted",tls="clear"} 0"#,
        r#"ftp_guard_sessions{tls="tls"} 1"#,
        r#"ftp_guard_data_connections{kind="passive"} 3"#,
        r#"ftp_guard_table_entries{table="flows"} 3"#,
        r#"ftp_guard_table_size{table="flows"} 100"#,
        r#"ftp_guard_passive_ports{state="in_use"} 2"#,
        "ftp_guard_passive_outside_range 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("198.51.100."), "no address in a label");
}

#[test]
fn counters_are_the_part_of_the_status_that_changes() {
    let (_files, guard) = router();
    let status = guard.status().unwrap();
    let counters = guard.counters().unwrap();
    assert_eq!(Some(counters.mode), status.mode);
    assert_eq!(Some(counters.role), status.role);
    assert_eq!(counters.interfaces, status.interfaces);
    assert_eq!(counters.missing_interfaces, status.missing_interfaces);
    assert_eq!(Some(counters.sessions), status.sessions);
    assert_eq!(Some(counters.passive_ports), status.passive_ports);
    assert_eq!(counters.tables, status.tables);
    assert_eq!(Some(counters.flood), status.flood);
    assert_eq!(counters.counters, status.counters);
    assert_eq!(counters.egress_counters, status.egress_counters);
    assert_eq!(counters.control_counters, status.control_counters);
    assert_eq!(
        Some(counters.started),
        status.daemon.map(|daemon| daemon.started)
    );
}
