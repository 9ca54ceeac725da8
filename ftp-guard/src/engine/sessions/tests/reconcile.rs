//! Entries whose connection has ended.

use ftp_guard_common::{
    config::Role,
    session::{Client, FlowKind, HALF_CLOSED_LINGER_NS, LINGER_NS, Tls},
};

use super::world::{IDLE_NS, SECOND, World, key};
use crate::engine::sessions::{Command, TcpState};

const CLIENT: &str = "198.51.100.1:4000";
const DATA: &str = "198.51.100.1:4001";

#[test]
fn an_entry_ends_when_its_socket_is_missing_twice() {
    let mut world = World::host();
    world.session(0x10001, CLIENT, Tls::Clear);
    world.flow(50001, DATA, FlowKind::Passive, 0x10001);
    world.socket(21, CLIENT);
    world.socket(50001, DATA);
    assert_eq!(world.passes(3), []);
    world.close(50001, DATA);
    assert_eq!(world.pass(), []);
    let [Command::CloseFlow(ended, _, now_ns)] = world.pass()[..] else {
        panic!("one step");
    };
    assert_eq!((ended, now_ns), (key(50001, DATA), world.now_ns));
    assert_eq!(world.source(CLIENT), (1, 0, 0));
    world.close(21, CLIENT);
    world.passes(2);
    assert!(world.sessions.is_empty());
    assert_eq!(world.figures(CLIENT), (0, 0));
    world.passes(HALF_CLOSED_LINGER_NS / SECOND);
    assert!(world.flows.is_empty());
    assert_eq!(world.source(CLIENT), (0, 0, 0));
}

/// As after an end between the look at the sockets and the adoption: the client's FIN comes when it has read
/// what was under way.
#[test]
fn a_data_connection_whose_end_nobody_saw_waits_for_the_clients_end() {
    let mut world = World::host();
    world.socket(21, CLIENT);
    world.socket(50001, DATA);
    let commands = world.adopt();
    assert_eq!(commands.len(), 2, "{commands:?}");
    world.close(50001, DATA);
    world.passes(4);
    let flow = world.flows[&key(50001, DATA)];
    assert_ne!(flow.traffic.closed_ns, 0);
    assert_eq!(world.source(CLIENT), (1, 0, 0));
    let ended = flow.traffic.closed_ns;
    while world.now_ns - ended < HALF_CLOSED_LINGER_NS {
        assert_eq!(world.pass(), []);
    }
    assert_eq!(world.pass(), [Command::RemoveFlow(key(50001, DATA), flow)]);
    assert_eq!(world.source(CLIENT), (1, 0, 0));
}

#[test]
fn a_killed_data_connection_whose_end_nobody_saw_stays_killed() {
    let mut world = World::host();
    world.session(0x10001, CLIENT, Tls::Clear);
    world.socket(21, CLIENT);
    let flow = world.flow(50001, DATA, FlowKind::Passive, 0x10001);
    world.socket(50001, DATA);
    world.apply(&[Command::KillFlow(flow, world.flows[&flow])]);
    world.close(50001, DATA);
    world.passes(4);
    let traffic = world.flows[&flow].traffic;
    assert_eq!(traffic.killed, 1);
    assert_ne!(traffic.closed_ns, 0);
    assert_eq!(world.source(CLIENT), (1, 0, 0), "counted off once");
    world.passes(HALF_CLOSED_LINGER_NS / SECOND);
    assert!(world.flows.is_empty());
}

#[test]
fn one_look_that_misses_a_socket_removes_nothing() {
    let mut world = World::host();
    world.session(0x10001, CLIENT, Tls::Clear);
    world.socket(21, CLIENT);
    for _ in 0..5 {
        let hidden = std::mem::take(&mut world.sockets);
        assert_eq!(world.pass(), []);
        world.sockets = hidden;
        assert_eq!(world.pass(), []);
    }
}

#[test]
fn an_entry_younger_than_a_second_is_not_looked_for() {
    let mut world = World::host();
    world.pass();
    world.session(0x10001, CLIENT, Tls::Clear);
    // Its second begins with the pass that comes next.
    world.now_ns -= SECOND / 2;
    assert_eq!(world.pass(), []);
    assert_eq!(world.pass(), []);
    assert_eq!(world.pass().len(), 1);
}

#[test]
fn what_has_ended_lingers() {
    for role in [Role::Host, Role::Router] {
        let mut world = World::new(role);
        let session = world.session(0x10001, CLIENT, Tls::Encrypted);
        let flow = world.flow(50001, DATA, FlowKind::Passive, 0x10001);
        world.closed(&session);
        world.closed(&flow);
        assert_eq!(
            world.figures(CLIENT),
            (0, 0),
            "a program has counted it off"
        );
        assert_eq!(world.passes(LINGER_NS / SECOND), [], "{role:?}");
        let commands = world.pass();
        assert_eq!(commands.len(), 2, "{role:?}: {commands:?}");
        assert!(world.sessions.is_empty() && world.flows.is_empty() && world.clients.is_empty());
    }
}

/// The server's program has closed its socket, the client is still reading what is under way.
#[test]
fn a_data_connection_waits_for_the_clients_end() {
    let mut world = World::host();
    world.session(0x10001, CLIENT, Tls::Encrypted);
    world.socket(21, CLIENT);
    let flow = world.flow(50001, DATA, FlowKind::Passive, 0x10001);
    world.closed(&flow);
    world.flows.get_mut(&flow).unwrap().traffic.fin_client = 0;
    world.passes(HALF_CLOSED_LINGER_NS / SECOND);
    assert!(world.flows.contains_key(&flow));
    world.pass();
    assert!(world.flows.is_empty());
}

#[test]
fn a_quiet_session_goes_on_a_router_with_its_data_connections() {
    let mut world = World::router();
    world.session(0x10001, CLIENT, Tls::Clear);
    let flow = world.flow(50001, DATA, FlowKind::Passive, 0x10001);
    world.now_ns += IDLE_NS;
    world.flows.get_mut(&flow).unwrap().traffic.seen_ns = world.now_ns - 5 * SECOND;
    assert_eq!(world.pass(), [], "the data connection speaks for both");
    world.now_ns += IDLE_NS - 7 * SECOND;
    assert_eq!(world.pass(), []);
    world.now_ns += 10 * SECOND;
    world.pass();
    assert!(world.sessions.is_empty() && world.flows.is_empty() && world.clients.is_empty());
}

#[test]
fn a_quiet_session_goes_on_a_host_and_stays_away_until_the_server_speaks() {
    let mut world = World::host();
    world.session(0x10001, CLIENT, Tls::Clear);
    world.flow(50001, DATA, FlowKind::Passive, 0x10001);
    world.socket(21, CLIENT);
    world.socket(50001, DATA);
    world.now_ns += IDLE_NS;
    assert_eq!(world.pass().len(), 1);
    assert!(world.sessions.is_empty() && world.clients.is_empty());
    assert!(
        world.flows.contains_key(&key(50001, DATA)),
        "a transfer that has paused goes on when its peers do"
    );
    assert_eq!(world.passes(5), [], "it is not taken over at once");
    // The egress program makes it a session again, with another number.
    world.session(0x20001, CLIENT, Tls::Clear);
    assert_eq!(world.passes(5), []);
    // Another connection of the same addresses has nothing to do with it.
    let entry = key(21, CLIENT);
    world.closed(&entry);
    world.sessions.remove(&entry);
    world.close(21, CLIENT);
    world.pass();
    world.socket(21, CLIENT);
    assert_eq!(world.passes(2).len(), 1);
}

#[test]
fn a_handshake_that_comes_to_nothing_is_given_up() {
    for role in [Role::Host, Role::Router] {
        let mut world = World::new(role);
        let flow = world.flow(20, DATA, FlowKind::Active, 0x10001);
        world.flows.get_mut(&flow).unwrap().established = 0;
        world.session(0x10001, CLIENT, Tls::Clear);
        world.socket(21, CLIENT);
        world.socket(20, DATA).state = TcpState::SynSent;
        assert_eq!(world.passes(60), [], "{role:?}");
        let value = world.flows[&flow];
        assert_eq!(world.pass(), [Command::RemoveFlow(flow, value)], "{role:?}");
    }
}

#[test]
fn a_live_socket_keeps_a_flow_that_seems_half_open() {
    let mut world = World::host();
    let flow = world.flow(20, DATA, FlowKind::Active, 0x10001);
    world.flows.get_mut(&flow).unwrap().established = 0;
    world.session(0x10001, CLIENT, Tls::Clear);
    world.socket(21, CLIENT);
    world.socket(20, DATA);
    assert_eq!(world.passes(100), []);
}

#[test]
fn what_was_negotiated_goes_with_its_time() {
    let mut world = World::host();
    world.pinhole(50001, CLIENT, 0x10001, 3);
    world.named(4001, CLIENT, 0x10001, 5);
    assert_eq!(world.passes(2), []);
    assert!(matches!(world.pass()[..], [Command::RemovePinhole(_)]));
    assert_eq!(world.pass(), []);
    assert!(matches!(world.pass()[..], [Command::RemoveNamed(_)]));
}

#[test]
fn figures_that_are_wrong_twice_are_corrected() {
    let mut world = World::host();
    world.session(0x10001, CLIENT, Tls::Encrypted);
    world.session(0x20001, DATA, Tls::Clear);
    world.socket(21, CLIENT);
    world.socket(21, DATA);
    assert_eq!(world.figures(CLIENT), (2, 1));
    let wrong = Client {
        sessions: 5,
        encrypted: 0,
        encrypted_reply_ns: 77,
        encrypted_session: 0x10001,
    };
    world.clients.insert(world.client(CLIENT), wrong);
    assert_eq!(world.pass(), []);
    let commands = world.pass();
    let [Command::CountClient(_, delta)] = commands[..] else {
        panic!("{commands:?}");
    };
    // What programs have written since the look stays.
    let meanwhile = Client {
        sessions: 6,
        encrypted_reply_ns: 78,
        ..wrong
    };
    let applied = delta.applied(Some(meanwhile), 100).unwrap();
    assert_eq!((applied.sessions, applied.encrypted_reply_ns), (3, 78));
    let right = world.clients[&world.client(CLIENT)];
    assert_eq!(
        right,
        Client {
            sessions: 2,
            encrypted: 1,
            ..wrong
        }
    );
    world.clients.clear();
    world.passes(2);
    assert_eq!(world.figures(CLIENT), (2, 1));
    let made = world.clients[&world.client(CLIENT)];
    assert_eq!(
        made.encrypted_reply_ns, world.now_ns,
        "a port that is open may have been named"
    );
}

#[test]
fn figures_of_nobody_are_removed() {
    let mut world = World::host();
    for figures in [0, 3] {
        let client = Client {
            sessions: figures,
            ..Client::default()
        };
        world.clients.insert(world.client(CLIENT), client);
        assert_eq!(world.pass(), []);
        assert_eq!(world.pass().len(), 1);
        assert!(world.clients.is_empty());
    }
}

#[test]
fn figures_that_move_are_left_to_the_programs() {
    let mut world = World::host();
    let client = world.client(CLIENT);
    // A reader who is late by one session each time, of a client that opens and closes them.
    for id in 1..20 {
        world.sessions.clear();
        world.session(id << 16 | 1, &format!("198.51.100.1:{id}"), Tls::Clear);
        world.socket(21, &format!("198.51.100.1:{id}"));
        world.clients.remove(&client);
        let commands = world.pass();
        let figures = commands
            .iter()
            .any(|command| matches!(command, Command::CountClient(..)));
        assert!(!figures, "{commands:?}");
    }
}

#[test]
fn a_router_counts_each_server_for_itself() {
    let mut world = World::router();
    world.session(0x10001, CLIENT, Tls::Clear);
    assert_ne!(world.client(CLIENT).server, [0; 16]);
    assert_eq!(world.passes(3), []);
}

#[test]
fn bits_of_ports_go_ten_seconds_after_their_last_use() {
    let mut world = World::host();
    world.session(0x10001, CLIENT, Tls::Clear);
    world.socket(21, CLIENT);
    world.flow(40001, DATA, FlowKind::Active, 0x10001);
    world.socket(40001, DATA);
    world.pinhole(40002, CLIENT, 0x10001, 100);
    world.bits = [(40001, 0x80), (40002, 0x40), (40003, 0x80)].into();
    assert_eq!(world.passes(10), []);
    assert_eq!(world.pass(), [Command::ClearPortBits(vec![40003])]);
    world.close(40001, DATA);
    world.flows.clear();
    world.passes(5);
    // Used again meanwhile: the time begins anew.
    world.flow(40001, DATA, FlowKind::Active, 0x10001);
    world.socket(40001, DATA);
    world.pass();
    world.flows.clear();
    world.close(40001, DATA);
    world.passes(10);
    assert!(world.bits.contains_key(&40001));
    world.pass();
    assert_eq!(world.bits.keys().collect::<Vec<_>>(), [&40002]);
}
