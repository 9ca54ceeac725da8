//! Connections from before the guard.

use ftp_guard_common::session::{FlowKind, Tls};

use super::world::{World, key};
use crate::engine::sessions::{Command, TcpBytes, TcpState};

#[test]
fn control_and_data_connections_of_listed_clients_are_taken_over() {
    let mut world = World::host();
    world.socket(21, "198.51.100.1:4000");
    world.socket(50001, "198.51.100.1:4001");
    world.socket(20, "198.51.100.1:4002").state = TcpState::FinWait1;
    world.adopt();
    let session = world.sessions[&key(21, "198.51.100.1:4000")];
    assert_eq!(
        (session.tls, session.adopted, session.unsynchronised),
        (Tls::Unknown as u8, 1, 1)
    );
    assert_eq!(
        (session.traffic.bytes_in, session.traffic.bytes_out),
        (30, 200)
    );
    assert_eq!(session.traffic.created_ns, world.now_ns);
    assert_eq!(session.passive_asked, 1, "an answer may be under way");
    assert_eq!(session.id & 0xffff, 0, "given by the daemon");
    for (port, remote, kind) in [
        (50001, "198.51.100.1:4001", FlowKind::Passive),
        (20, "198.51.100.1:4002", FlowKind::Active),
    ] {
        let flow = world.flows[&key(port, remote)];
        assert_eq!(
            (flow.session, flow.kind, flow.established),
            (session.id, kind as u8, 1)
        );
    }
    assert_eq!(
        world.figures("198.51.100.1:0"),
        (1, 1),
        "it may be encrypted"
    );
}

#[test]
fn a_connection_that_was_taken_over_is_not_taken_over_again() {
    let mut world = World::host();
    world.socket(21, "198.51.100.1:4000");
    world.socket(50001, "198.51.100.1:4001");
    assert_eq!(world.adopt().len(), 2);
    assert_eq!(world.adopt(), []);
    assert_eq!(world.passes(5), []);
}

#[test]
fn what_no_client_of_the_list_has_is_left_alone() {
    let mut world = World::host();
    world.socket(21, "203.0.113.1:4000");
    world.socket(50001, "203.0.113.1:4001");
    world.socket(22, "198.51.100.1:4002");
    world.socket(45000, "198.51.100.1:21");
    assert_eq!(world.adopt(), []);
}

#[test]
fn a_connection_that_waits_for_its_greeting_is_no_session_yet() {
    let mut world = World::host();
    world.socket(21, "198.51.100.1:4000").bytes = Some(TcpBytes::default());
    assert_eq!(world.adopt(), []);
    assert_eq!(world.passes(3), []);
    world.socket(21, "198.51.100.1:4001").state = TcpState::LastAck;
    assert_eq!(world.adopt(), []);
}

#[test]
fn data_connections_belong_to_the_newest_session_of_their_client() {
    let mut world = World::host();
    world.session(0x90_0001, "198.51.100.1:3000", Tls::Clear);
    world.now_ns += 5;
    world.session(0x20_0002, "198.51.100.1:3001", Tls::Clear);
    world.session(0x30_0002, "198.51.100.2:3001", Tls::Clear);
    world.now_ns += 5;
    let ended = world.session(0x40_0002, "198.51.100.1:3002", Tls::Clear);
    world.closed(&ended);
    for remote in [
        "198.51.100.1:3000",
        "198.51.100.1:3001",
        "198.51.100.2:3001",
    ] {
        world.socket(21, remote);
    }
    world.socket(50003, "198.51.100.1:4001");
    world.adopt();
    assert_eq!(
        world.flows[&key(50003, "198.51.100.1:4001")].session,
        0x20_0002
    );
}

#[test]
fn the_hosts_own_connections_from_passive_ports_are_outgoing() {
    let mut world = World::host();
    world.socket(50002, "203.0.113.9:443");
    // Someone else's: this port listens.
    world.listener("0.0.0.0:50003");
    world.socket(50003, "203.0.113.9:4444");
    // Of a client that is not listed, but has a control connection here.
    world.socket(21, "203.0.113.8:4000");
    world.socket(50004, "203.0.113.8:4001");
    world.adopt();
    let flows: Vec<_> = world.flows.iter().collect();
    assert_eq!(flows.len(), 1);
    assert_eq!(*flows[0].0, key(50002, "203.0.113.9:443"));
    assert_eq!(
        (flows[0].1.kind, flows[0].1.session),
        (FlowKind::Outgoing as u8, 0)
    );
    assert_eq!(world.passes(3).len(), 0, "its socket keeps it");
}

#[test]
fn numbers_stay_above_all_that_were_given() {
    let mut world = World::host();
    world.session(0x0007_0000_0003, "198.51.100.9:1", Tls::Clear);
    world.socket(21, "198.51.100.9:1");
    world.flow(50000, "198.51.100.8:2", FlowKind::Passive, 0x0009_0000_0001);
    world.socket(50000, "198.51.100.8:2");
    let mut given = Vec::new();
    for port in 4000..4005 {
        world.socket(21, &format!("198.51.100.1:{port}"));
        for command in world.adopt() {
            if let Command::InsertSession(_, session) = command {
                given.push(session.id);
            }
        }
    }
    assert_eq!(given.len(), 5);
    assert!(given[0] > 0x0009_0000_0001);
    assert!(given.is_sorted() && given.iter().all(|id| id & 0xffff == 0));
    // A daemon that starts later goes on above, although the tables are empty.
    let mut later = World::host();
    later.now_ns = world.now_ns + 1000 * super::world::SECOND;
    later.socket(21, "198.51.100.1:1");
    let [Command::InsertSession(_, session)] = &later.adopt()[..] else {
        panic!("one session");
    };
    assert_ne!(session.id, 0);
}

#[test]
fn a_router_has_nothing_to_take_over() {
    let mut world = World::router();
    world.socket(21, "198.51.100.1:4000");
    world.listener("0.0.0.0:50003");
    assert_eq!(world.adopt(), []);
}

#[test]
fn what_a_program_missed_is_taken_over_at_the_second_look() {
    let mut world = World::host();
    world.socket(21, "198.51.100.1:4000");
    world.socket(50001, "198.51.100.1:4001");
    world.socket(50002, "203.0.113.9:443");
    assert_eq!(world.pass(), [], "a program may be about to add it");
    assert_eq!(world.pass().len(), 2);
    assert!(world.flows.contains_key(&key(50001, "198.51.100.1:4001")));
    assert!(
        !world.flows.contains_key(&key(50002, "203.0.113.9:443")),
        "outgoing ones are known from their first packet on"
    );
}
