//! Sessions: adoption, the pass of each second, the allowlist, `kill`.

use ftp_guard_common::{
    address::FlowKey,
    class::PortClass,
    config::{FLAG_FXP, FLAG_ODD_PORTS, FLAG_TEXT, Mode, Role},
    session::{Flow, FlowKind, Session, Tls},
};
use jiff::{SignedDuration, Timestamp};

use super::fake::{Fake, Files, prefix};
use crate::{
    control::protocol::{EntrySettings, ModeName},
    daemon::{guard::Guard, reload::Cause},
    engine::sessions::view::{KillTarget, TableFill},
    sockets::{Socket, TcpBytes, TcpState},
};

const SERVER: &str = "192.0.2.100";

fn socket(cookie: u64, port: u16, remote: &str) -> Socket {
    Socket {
        local: format!("{SERVER}:{port}").parse().unwrap(),
        remote: remote.parse().unwrap(),
        state: TcpState::Established,
        cookie,
        interface: 0,
        v6_only: false,
        bytes: Some(TcpBytes {
            received: 9,
            acked: 99,
        }),
    }
}

fn key(port: u16, remote: &str) -> FlowKey {
    socket(0, port, remote).key()
}

/// Files with 198.51.100.1 and .2 on the list and the passive ports 50000-50009.
fn files(role: &str) -> Files {
    let files = Files::new(r#"["eth0"]"#);
    configure(&files, role, "enforce");
    files.list("a.list", "198.51.100.1\n198.51.100.2\n");
    files
}

fn configure(files: &Files, role: &str, mode: &str) {
    files.configure(r#"["eth0"]"#, mode);
    let text = files
        .read("guard.toml")
        .replace("passive_ports = []", "passive_ports = [\"50000-50009\"]")
        .replace("# kept\n", &format!("role = \"{role}\"\n"));
    std::fs::write(files.path("guard.toml"), text).unwrap();
}

/// A host with a session and a data connection of each of the two clients, and one of a stranger.
fn busy_host() -> Fake {
    let mut kernel = Fake::with_interfaces(&["eth0"]);
    kernel.clock_ns = 1_000_000_000_000;
    for (cookie, port, remote) in [
        (1, 21, "198.51.100.1:4000"),
        (2, 50001, "198.51.100.1:4001"),
        (3, 21, "198.51.100.2:4000"),
        (4, 50002, "198.51.100.2:4001"),
        (5, 21, "203.0.113.1:4000"),
    ] {
        kernel.tcp.push(socket(cookie, port, remote));
    }
    let mut listener = socket(6, 50003, "0.0.0.0:0");
    listener.state = TcpState::Listen;
    kernel.tcp.push(listener);
    kernel
}

fn second(guard: &mut Guard<Fake>) {
    guard.kernel.clock_ns += 1_000_000_000;
    guard.tick(Timestamp::now());
}

#[test]
fn connections_are_taken_over_before_and_after_the_programs_are_attached() {
    let guard = files("host").guard(busy_host());
    let kernel = &guard.kernel;
    let log: Vec<&str> = kernel.log.iter().map(String::as_str).collect();
    let place = |step: &str| log.iter().position(|entry| *entry == step).unwrap();
    assert!(place("attach sockets") < place("insert session"));
    assert!(place("insert flow") < place("attach eth0"));
    assert!(place("set listener") < place("attach eth0"));
    assert!(place("adopt") < place("attach eth0"));
    assert_eq!((kernel.sessions.len(), kernel.flows.len()), (2, 2));
    assert_eq!((kernel.clients.len(), kernel.listeners.len()), (2, 1));
    assert!(!kernel.sessions.contains_key(&key(21, "203.0.113.1:4000")));
    assert_eq!(kernel.adopt_until, kernel.clock_ns + 5_000_000_000);
    let inserts = log.iter().filter(|step| step.starts_with("insert")).count();
    assert_eq!(inserts, 4, "the second time there is nothing new");
}

#[test]
fn a_successor_takes_over_what_was_missed_within_seconds_and_has_no_grace() {
    let files = files("host");
    let mut guard = files.try_guard(busy_host(), true).unwrap();
    assert_eq!(guard.kernel.adopt_until, 0);
    assert!(guard.kernel.sessions.is_empty());
    (0..2).for_each(|_| second(&mut guard));
    assert_eq!(
        (guard.kernel.sessions.len(), guard.kernel.flows.len()),
        (2, 2)
    );
}

#[test]
fn a_router_has_no_sockets_and_a_longer_grace() {
    let mut guard = files("router").guard(busy_host());
    assert!(!guard.kernel.sockets);
    assert_eq!(guard.kernel.session_config.role, Role::Router);
    assert_eq!(
        guard.kernel.adopt_until,
        guard.kernel.clock_ns + 60_000_000_000
    );
    second(&mut guard);
    assert!(guard.kernel.sessions.is_empty() && guard.kernel.listeners.is_empty());
}

/// Its socket went between the look and the insertion, so that no program has seen its end.
#[test]
fn a_data_connection_that_ended_unseen_is_closed_and_lingers() {
    let mut guard = files("host").guard(busy_host());
    let data = key(50001, "198.51.100.1:4001");
    guard.kernel.tcp.retain(|socket| socket.key() != data);
    (0..4).for_each(|_| second(&mut guard));
    let ended = guard.kernel.flows[&data].traffic.closed_ns;
    assert!(ended > guard.kernel.clock_ns - 3_000_000_000);
    let source = guard.kernel.sources.values().map(|source| source.data);
    assert_eq!(source.sum::<u32>(), 1, "the other one");
    (0..58).for_each(|_| second(&mut guard));
    assert!(guard.kernel.flows.contains_key(&data));
    (0..5).for_each(|_| second(&mut guard));
    assert!(!guard.kernel.flows.contains_key(&data));
}

#[test]
fn a_kernel_that_lists_no_sockets_is_guarded_all_the_same() {
    let mut kernel = busy_host();
    kernel.broken.insert("sockets");
    let mut guard = files("host").guard(kernel);
    assert!(guard.kernel.attached.contains_key("eth0"));
    guard.kernel.broken.clear();
    (0..12).for_each(|_| second(&mut guard));
    assert_eq!(guard.kernel.sessions.len(), 2);
}

#[test]
fn a_table_that_is_full_takes_what_fits() {
    let mut kernel = busy_host();
    kernel.capacities.sessions = 1;
    let guard = files("host").guard(kernel);
    assert_eq!(guard.kernel.sessions.len(), 1);
    assert_eq!(guard.kernel.clients.len(), 1, "counted is what is there");
    assert_eq!(guard.kernel.flows.len(), 2);
}

#[test]
fn the_programs_get_the_settings_of_sessions() {
    let files = files("host");
    let mut guard = files.guard(busy_host());
    let settings = guard.kernel.session_config;
    assert_eq!(settings.pinhole_ns, 30_000_000_000);
    assert_eq!(settings.pinhole_interval_ns, 30_000_000_000 / 16);
    assert_eq!(settings.pinhole_burst_ns, 15 * (30_000_000_000 / 16));
    assert_eq!(settings.flags, FLAG_TEXT | FLAG_ODD_PORTS);
    let text = files
        .read("guard.toml")
        .replace("[ftp]", "[ftp]\nfxp = true")
        + "[sessions]\npinhole_timeout = \"10s\"\nmax_pinholes = 1\n[inspect]\nodd_ports = false\n";
    std::fs::write(files.path("guard.toml"), text).unwrap();
    guard.reload(Cause::Command).unwrap();
    let settings = guard.kernel.session_config;
    assert_eq!(settings.pinhole_ns, 10_000_000_000);
    assert_eq!(settings.pinhole_burst_ns, 0);
    assert_eq!(settings.flags, FLAG_FXP | FLAG_TEXT);
}

#[test]
fn the_role_changes_at_a_start_only() {
    let files = files("host");
    let mut guard = files.guard(busy_host());
    configure(&files, "router", "enforce");
    let report = guard.reload(Cause::Command).unwrap();
    assert_eq!(report.restart_needed, ["role"]);
    assert_eq!(guard.kernel.session_config.role, Role::Host);
}

#[test]
fn a_client_that_leaves_the_list_loses_its_connections() {
    let files = files("host");
    let mut guard = files.guard(busy_host());
    guard.kernel.log.clear();
    files.list("a.list", "198.51.100.2\n");
    guard.reload(Cause::Command).unwrap();
    assert_eq!(
        guard.kernel.log,
        [
            "apply 1",
            "destroy 198.51.100.1:4000",
            "destroy 198.51.100.1:4001",
            "allow generation"
        ],
        "resets go out before the programs drop them"
    );
    assert_eq!(guard.sessions().unwrap().sessions.len(), 1);
    (0..12).for_each(|_| second(&mut guard));
    assert_eq!(
        (guard.kernel.sessions.len(), guard.kernel.flows.len()),
        (1, 1)
    );
}

#[test]
fn an_exclusion_by_command_and_an_expiry_end_connections_too() {
    let files = files("host");
    let mut guard = files.guard(busy_host());
    let exclude = EntrySettings {
        exclude: true,
        ..EntrySettings::default()
    };
    // The narrower entry decides.
    files.list("a.list", "198.51.100.0/24\n");
    guard.reload(Cause::Command).unwrap();
    assert_eq!(guard.kernel.tcp.len(), 6);
    guard
        .allow_add(&[prefix("198.51.100.1")], &exclude)
        .unwrap();
    assert_eq!(guard.kernel.tcp.len(), 4);

    let now = Timestamp::now();
    let soon = now + SignedDuration::from_secs(30);
    files.list("a.list", &format!("198.51.100.0/24 expires={soon}\n"));
    guard.reload(Cause::Command).unwrap();
    assert_eq!(guard.kernel.tcp.len(), 4);
    guard.tick(now + SignedDuration::from_secs(31));
    assert_eq!(guard.kernel.tcp.len(), 2);
    assert!(guard.sessions().unwrap().sessions.is_empty());
}

#[test]
fn a_list_that_only_grows_asks_for_no_second_look() {
    let files = files("host");
    let mut guard = files.guard(busy_host());
    guard
        .allow_add(&[prefix("198.51.100.3")], &EntrySettings::default())
        .unwrap();
    assert_eq!(guard.kernel.allow_generation, 0);
    guard.allow_remove(&[prefix("198.51.100.3")]).unwrap();
    assert_eq!(guard.kernel.allow_generation, 1);
}

#[test]
fn an_entry_of_another_profile_inside_a_wider_one_asks_for_a_second_look() {
    let files = files("host");
    let profile = files.read("guard.toml") + "[profile.other]\nlogin_time = \"1h\"\n";
    std::fs::write(files.path("guard.toml"), profile).unwrap();
    files.list("a.list", "198.51.100.0/24\n");
    let mut guard = files.guard(busy_host());
    let before = guard.kernel.allow_generation;
    files.list("a.list", "198.51.100.0/24\n198.51.100.2\n");
    guard.reload(Cause::Command).unwrap();
    assert_eq!(guard.kernel.allow_generation, before, "the same profile");
    let narrower = "198.51.100.0/24\n198.51.100.2\n198.51.100.1 profile=other\n";
    files.list("a.list", narrower);
    guard.reload(Cause::Command).unwrap();
    assert_eq!(guard.kernel.allow_generation, before + 1);
    assert_eq!(guard.kernel.tcp.len(), 6, "nothing has ended");
}

#[test]
fn what_could_not_be_ended_is_tried_again() {
    for broken in ["sockets", "destroy", "allow generation"] {
        let files = files("host");
        let mut guard = files.guard(busy_host());
        guard.kernel.broken.insert(broken);
        files.list("a.list", "198.51.100.2\n");
        guard.reload(Cause::Command).unwrap();
        guard.kernel.broken.clear();
        second(&mut guard);
        assert_eq!(guard.kernel.tcp.len(), 4, "{broken}");
        assert!(guard.kernel.allow_generation > 0, "{broken}");
        let raised = guard.kernel.allow_generation;
        second(&mut guard);
        assert_eq!(guard.kernel.allow_generation, raised, "{broken}");
    }
}

#[test]
fn monitor_mode_ends_nothing_until_it_is_enforce_mode() {
    let files = files("host");
    configure(&files, "host", "monitor");
    let mut guard = files.guard(busy_host());
    files.list("a.list", "198.51.100.2\n");
    guard.reload(Cause::Command).unwrap();
    assert_eq!(guard.kernel.allow_generation, 1, "the programs count it");
    assert_eq!(
        (guard.kernel.tcp.len(), guard.kernel.sessions.len()),
        (6, 2)
    );
    guard.mode(Some(ModeName::Enforce)).unwrap();
    assert_eq!(guard.kernel.mode, Mode::Enforce);
    assert_eq!(guard.kernel.tcp.len(), 4);
}

#[test]
fn a_successor_looks_at_the_list_again() {
    let files = files("host");
    let mut kernel = files.guard(busy_host()).kernel;
    kernel.log.clear();
    files.list("a.list", "198.51.100.2\n");
    let guard = files.try_guard(kernel, true).unwrap();
    assert_eq!(guard.kernel.tcp.len(), 4);
    assert_eq!(guard.kernel.allow_generation, 1);
}

#[test]
fn a_kill_on_a_host_ends_the_sockets_first() {
    let mut guard = files("host").guard(busy_host());
    guard.kernel.log.clear();
    let target = KillTarget::Clients("198.51.100.1/32".parse().unwrap());
    let report = guard.kill(target).unwrap();
    assert_eq!((report.sessions, report.flows, report.sockets), (1, 1, 2));
    assert_eq!(
        guard.kernel.log,
        ["destroy 198.51.100.1:4000", "destroy 198.51.100.1:4001"],
        "the socket program has closed the entries"
    );
    let left = guard.sessions().unwrap().sessions;
    assert_eq!(left.len(), 1);
    let report = guard.kill(KillTarget::Session(left[0].id)).unwrap();
    assert_eq!((report.sessions, report.sockets), (1, 2));
    let report = guard.kill(KillTarget::Session(left[0].id)).unwrap();
    assert_eq!((report.sessions, report.flows, report.sockets), (0, 0, 0));
}

#[test]
fn a_socket_that_cannot_be_destroyed_leaves_its_entry_killed() {
    let mut guard = files("host").guard(busy_host());
    guard.kernel.broken.insert("destroy");
    let target = KillTarget::Clients("198.51.100.1/32".parse().unwrap());
    let failure = guard.kill(target).unwrap_err();
    assert!(failure.message.contains("198.51.100.1:4000"), "{failure}");
    let session = guard.kernel.sessions[&key(21, "198.51.100.1:4000")];
    assert_eq!(session.traffic.killed, 1);
    assert_eq!(guard.kernel.clients.len(), 1);
    guard.kernel.broken.clear();
    second(&mut guard);
    assert_eq!(guard.kernel.tcp.len(), 4, "and is tried again");
}

#[test]
fn a_kill_on_a_router_marks_the_entries() {
    let mut guard = files("router").guard(busy_host());
    let session = Session {
        id: 0x10001,
        tls: Tls::Clear as u8,
        ..Session::default()
    };
    let flow = Flow {
        session: 0x10001,
        kind: FlowKind::Passive as u8,
        established: 1,
        ..Flow::default()
    };
    let (control, data) = (key(21, "198.51.100.1:1"), key(50001, "198.51.100.1:2"));
    guard.kernel.sessions.insert(control, session);
    guard.kernel.flows.insert(data, flow);
    let report = guard.kill(KillTarget::Session(0x10001)).unwrap();
    assert_eq!((report.sessions, report.flows, report.sockets), (1, 1, 0));
    assert_eq!(guard.kernel.sessions[&control].traffic.killed, 1);
    assert_eq!(guard.kernel.flows[&data].traffic.killed, 1);
    assert!(guard.kernel.tcp.len() == 6);
    assert!(guard.sessions().unwrap().sessions[0].killed);
}

#[test]
fn listeners_follow_ports_that_become_passive() {
    let files = files("host");
    let mut guard = files.guard(busy_host());
    let text = files.read("guard.toml").replace("50009", "50019");
    std::fs::write(files.path("guard.toml"), text).unwrap();
    let mut listener = socket(7, 50015, "0.0.0.0:0");
    listener.state = TcpState::Listen;
    guard.kernel.tcp.push(listener);
    guard.reload(Cause::Command).unwrap();
    assert_eq!(guard.kernel.listeners.len(), 2);
    assert!(guard.kernel.listeners.values().all(|l| l.since_ns == 0));
}

#[test]
fn the_figures_tell_sessions_ports_and_tables() {
    let mut guard = files("host").guard(busy_host());
    second(&mut guard);
    let figures = guard.session_figures().unwrap();
    assert_eq!(
        (figures.clear, figures.encrypted, figures.unknown),
        (0, 0, 2)
    );
    assert_eq!(figures.data, 2);
    let passive = &figures.passive;
    assert_eq!((passive.configured, passive.listening), (10, 1));
    assert_eq!((passive.in_use, passive.highest), (2, 2));
    assert!(figures.tables.contains(&TableFill {
        name: "flows",
        used: 2,
        size: 16
    }));
    guard.kernel.flows.clear();
    guard
        .kernel
        .tcp
        .retain(|socket| socket.local.port() < 50000);
    let passive = guard.session_figures().unwrap().passive;
    assert_eq!((passive.in_use, passive.highest), (0, 2));
    assert_eq!(PortClass::PassiveData as u8, 3);
}
