//! Connections that take too long for their profile, and what sources amount to.

use ftp_guard_common::{
    address::FlowKey,
    config::Mode,
    limits::{Opening, Source, SourceKey},
    reason::Reason,
    session::{Flow, FlowKind, Session, Tls, Traffic},
};
use jiff::Timestamp;

use super::fake::{Fake, Files};
use crate::{
    control::{
        protocol::ModeName,
        server::Members,
        session_view::{SourceView, SourcesReport},
    },
    daemon::{guard::Guard, reload::Cause},
    engine::{
        events::EventKind,
        sessions::{
            EndReason,
            view::{KillTarget, Login},
        },
    },
    sockets::{Socket, TcpBytes, TcpState},
    telemetry::metrics::render,
};

const CLIENT: &str = "198.51.100.1:4000";
const DATA: &str = "198.51.100.1:4001";
const START_NS: u64 = 1_000_000_000_000;

fn files(role: &str, mode: &str) -> Files {
    let files = Files::new(r#"["eth0"]"#);
    files.configure(r#"["eth0"]"#, mode);
    let text = files
        .read("guard.toml")
        .replace("passive_ports = []", "passive_ports = [\"50000-50009\"]")
        .replace("# kept\n", &format!("role = \"{role}\"\n"))
        + "[profile.default]\nlogin_time = \"5s\"\nidle_time = \"10s\"\nmax_sessions = 8\n\
           max_data_connections = 2\n[profile.patient]\nlogin_time = \"off\"\nidle_time = \"1h\"\n\
           max_sessions = 0\n";
    std::fs::write(files.path("guard.toml"), text).unwrap();
    files.list(
        "a.list",
        "198.51.100.0/28\n198.51.100.64/28 profile=patient\n",
    );
    files
}

fn socket(cookie: u64, port: u16, remote: &str) -> Socket {
    Socket {
        local: format!("192.0.2.100:{port}").parse().unwrap(),
        remote: remote.parse().unwrap(),
        state: TcpState::Established,
        cookie,
        interface: 0,
        v6_only: false,
        bytes: Some(TcpBytes::default()),
    }
}

fn key(port: u16, remote: &str) -> FlowKey {
    socket(0, port, remote).key()
}

fn source(remote: &str) -> SourceKey {
    let key = key(21, remote);
    SourceKey::of(key.client, key.family, 64)
}

fn traffic() -> Traffic {
    Traffic {
        created_ns: START_NS,
        seen_ns: START_NS,
        ..Traffic::default()
    }
}

fn session(id: u64) -> Session {
    Session {
        id,
        traffic: traffic(),
        tls: Tls::Clear as u8,
        ..Session::default()
    }
}

/// A guard whose kernel has a session that is not logged in, with its socket, and its source's figures.
fn guard(files: &Files) -> Guard<Fake> {
    let mut kernel = Fake::with_interfaces(&["eth0"]);
    kernel.clock_ns = START_NS;
    let mut guard = files.try_guard(kernel, true).unwrap();
    let kernel = &mut guard.kernel;
    kernel.tcp.push(socket(1, 21, CLIENT));
    kernel.sessions.insert(key(21, CLIENT), session(0x10001));
    let figures = Source {
        sessions: 1,
        ..Source::default()
    };
    kernel.sources.insert(source(CLIENT), figures);
    guard
}

fn seconds(guard: &mut Guard<Fake>, number: u32) {
    for _ in 0..number {
        guard.kernel.clock_ns += 1_000_000_000;
        guard.tick(Timestamp::now());
    }
}

/// Reasons of the sessions that were ended, as events tell.
fn told(guard: &Guard<Fake>) -> Vec<(u64, String, String)> {
    let events = guard.events().from_oldest().take(100);
    let ended = events.iter().filter_map(|event| match &event.kind {
        EventKind::SessionEnded(ended) => Some(ended.clone()),
        _ => None,
    });
    ended
        .map(|ended| (ended.id, ended.profile, ended.reason))
        .collect()
}

fn ended(guard: &Guard<Fake>, reason: EndReason) -> (u64, u64) {
    let figures = guard.session_figures().unwrap();
    (figures.ended.of(reason), figures.would_end.of(reason))
}

#[test]
fn who_does_not_log_in_loses_its_socket() {
    let files = files("host", "enforce");
    let mut guard = guard(&files);
    seconds(&mut guard, 5);
    assert_eq!(guard.kernel.tcp.len(), 1);
    guard.kernel.log.clear();
    seconds(&mut guard, 1);
    let destroyed = format!("destroy {CLIENT}");
    assert!(
        guard.kernel.log.contains(&destroyed),
        "{:?}",
        guard.kernel.log
    );
    assert!(guard.kernel.tcp.is_empty());
    let expected = (0x10001, "default".to_owned(), "login_timeout".to_owned());
    assert_eq!(told(&guard), [expected]);
    seconds(&mut guard, 3);
    assert_eq!(ended(&guard, EndReason::LoginTimeout), (1, 0));
    let text = render(&guard.snapshot().unwrap()).unwrap();
    let line = "ftp_guard_sessions_ended_total{reason=\"login_timeout\"} 1\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_session_whose_command_was_refused_ends_at_the_next_look() {
    for role in ["host", "router"] {
        let files = files(role, "enforce");
        let mut guard = guard(&files);
        let entry = guard.kernel.sessions.get_mut(&key(21, CLIENT)).unwrap();
        entry.refused_by = Reason::ReadOnly as u8;
        seconds(&mut guard, 1);
        let left = guard.kernel.tcp.len();
        assert_eq!(left, usize::from(role == "router"), "{role}");
        let expected = (0x10001, "default".to_owned(), "policy".to_owned());
        assert_eq!(told(&guard), [expected]);
        seconds(&mut guard, 3);
        assert_eq!(ended(&guard, EndReason::Policy), (1, 0), "{role}");
    }
}

#[test]
fn on_a_router_it_is_marked_and_its_place_is_free_at_once() {
    let files = files("router", "enforce");
    let mut guard = guard(&files);
    guard.kernel.flows.insert(
        key(50001, DATA),
        Flow {
            session: 0x10001,
            traffic: traffic(),
            kind: FlowKind::Passive as u8,
            established: 0,
            reserved: [0; 6],
        },
    );
    guard.kernel.sources.get_mut(&source(CLIENT)).unwrap().data = 1;
    seconds(&mut guard, 6);
    assert_eq!(guard.kernel.sessions[&key(21, CLIENT)].traffic.killed, 1);
    assert_eq!(guard.kernel.flows[&key(50001, DATA)].traffic.killed, 1);
    assert_eq!(guard.kernel.sources[&source(CLIENT)], Source::default());
    assert_eq!(guard.kernel.tcp.len(), 1, "it is none of its sockets");
}

#[test]
fn before_its_greeting_a_connection_ends_as_well() {
    for role in ["host", "router"] {
        let files = files(role, "enforce");
        let mut guard = guard(&files);
        let kernel = &mut guard.kernel;
        let opening = Opening {
            since_ns: START_NS,
            ..Opening::default()
        };
        let entry = kernel.sessions.remove(&key(21, CLIENT));
        assert!(entry.is_some());
        kernel.opening.insert(key(21, CLIENT), opening);
        let figures = Source {
            opening: 1,
            ..Source::default()
        };
        kernel.sources.insert(source(CLIENT), figures);
        seconds(&mut guard, 6);
        assert!(guard.kernel.opening.is_empty(), "{role}");
        let left = guard.kernel.sources.get(&source(CLIENT)).copied();
        assert_eq!(left.unwrap_or_default(), Source::default(), "{role}");
        assert_eq!(told(&guard).len(), 1, "{role}");
        let killed = guard.kernel.sessions.get(&key(21, CLIENT));
        match role {
            "host" => assert!(killed.is_none() && guard.kernel.tcp.is_empty()),
            _ => assert_eq!(killed.unwrap().traffic.killed, 1),
        }
        seconds(&mut guard, 5);
        assert_eq!(ended(&guard, EndReason::LoginTimeout), (1, 0), "{role}");
    }
}

#[test]
fn in_monitor_mode_it_is_told_once() {
    let files = files("host", "monitor");
    let mut guard = guard(&files);
    seconds(&mut guard, 9);
    assert_eq!(guard.kernel.tcp.len(), 1);
    assert_eq!(ended(&guard, EndReason::LoginTimeout), (0, 1));
    assert!(told(&guard).is_empty(), "it has not ended");
    guard.mode(Some(ModeName::Enforce)).unwrap();
    assert_eq!(guard.kernel.mode, Mode::Enforce);
    seconds(&mut guard, 1);
    assert!(guard.kernel.tcp.is_empty());
    assert_eq!(ended(&guard, EndReason::LoginTimeout), (1, 1));
}

#[test]
fn what_cannot_be_ended_is_tried_again_and_counted_once() {
    let files = files("host", "enforce");
    let mut guard = guard(&files);
    guard.kernel.broken.insert("destroy");
    seconds(&mut guard, 8);
    assert_eq!(guard.kernel.sessions[&key(21, CLIENT)].traffic.killed, 1);
    guard.kernel.broken.clear();
    seconds(&mut guard, 1);
    assert!(guard.kernel.tcp.is_empty());
    assert_eq!(ended(&guard, EndReason::LoginTimeout), (1, 0));
}

#[test]
fn the_entry_of_the_client_names_the_profile_and_a_reload_changes_it() {
    let files = files("host", "enforce");
    let mut guard = guard(&files);
    files.list("a.list", "198.51.100.0/28 profile=patient\n");
    guard.reload(Cause::Command).unwrap();
    seconds(&mut guard, 30);
    assert_eq!(guard.kernel.tcp.len(), 1);
    let shown = guard.sessions().unwrap().sessions;
    assert_eq!(guard.profile_name(shown[0].profile), "patient");
    assert_eq!(shown[0].login, Login::No);
    let text = files.read("guard.toml").replace("\"off\"", "\"20s\"");
    std::fs::write(files.path("guard.toml"), text).unwrap();
    guard.reload(Cause::Command).unwrap();
    seconds(&mut guard, 1);
    assert!(guard.kernel.tcp.is_empty());
    assert_eq!(told(&guard)[0].1, "patient");
}

#[test]
fn a_kill_and_a_revocation_are_told_too() {
    let files = files("host", "enforce");
    let mut killed = guard(&files);
    killed.kill(KillTarget::Session(0x10001)).unwrap();
    assert_eq!(told(&killed)[0].2, "killed");
    assert_eq!(ended(&killed, EndReason::Killed), (1, 0));

    let mut revoked = guard(&files);
    files.list("a.list", "# nobody\n");
    revoked.reload(Cause::Command).unwrap();
    assert_eq!(told(&revoked)[0].2, "revoked");
    assert_eq!(ended(&revoked, EndReason::Revoked), (1, 0));
}

#[test]
fn sources_are_shown_with_their_limits() {
    let files = files("router", "enforce");
    let mut guard = guard(&files);
    let kernel = &mut guard.kernel;
    let figures = Source {
        sessions: 3,
        opening: 1,
        data: 2,
        reserved: 0,
    };
    kernel.sources.insert(source(CLIENT), figures);
    kernel.sources.insert(
        source("198.51.100.65:1"),
        Source {
            sessions: 1,
            ..figures
        },
    );
    kernel
        .sources
        .insert(source("203.0.113.1:1"), Source { data: 1, ..figures });
    kernel
        .sources
        .insert(source("203.0.113.2:1"), Source::default());
    let answer = guard.source_list(None).unwrap();
    let report: SourcesReport = serde_json::from_value(answer.result).unwrap();
    assert_eq!(report.sources, 3);
    let Some(Members::Sources(sources)) = answer.members else {
        panic!("sources");
    };
    let first = SourceView {
        source: "198.51.100.1/32".parse().unwrap(),
        profile: Some("default".to_owned()),
        sessions: 3,
        opening: 1,
        max_sessions: Some(8),
        data_connections: 2,
        max_data_connections: Some(6),
    };
    assert_eq!(sources[0], first);
    let profiles: Vec<_> = sources
        .iter()
        .map(|source| (source.profile.as_deref(), source.max_sessions))
        .collect();
    assert_eq!(
        profiles,
        [
            (Some("default"), Some(8)),
            (None, None),
            (Some("patient"), None)
        ]
    );
    let one = guard
        .source_list(Some("198.51.100.65".parse().unwrap()))
        .unwrap();
    let report: SourcesReport = serde_json::from_value(one.result).unwrap();
    assert_eq!(report.sources, 1);
}
