//! What is told.

use std::time::Duration;

use ftp_guard_common::{
    reason::Reason,
    session::{FlowKind, Tls},
};

use super::world::{SECOND, World, key};
use crate::engine::sessions::{show, watch};

const CLIENT: &str = "198.51.100.1:4000";

#[test]
fn sessions_are_shown_with_what_belongs_to_them() {
    let mut world = World::host();
    world.session(0x20001, "198.51.100.2:1", Tls::Clear);
    world.session(0x10001, CLIENT, Tls::Encrypted);
    let ended = world.session(0x30001, "198.51.100.3:1", Tls::Clear);
    world.closed(&ended);
    world.pinhole(50002, CLIENT, 0x10001, 30);
    world.pinhole(50001, CLIENT, 0x10001, 5);
    world.now_ns += 7 * SECOND;
    let flow = world.flow(50005, "198.51.100.1:4005", FlowKind::Passive, 0x10001);
    world.flows.get_mut(&flow).unwrap().traffic.bytes_in = 99;
    world.flow(50006, "203.0.113.1:443", FlowKind::Outgoing, 0);
    let gone = world.flow(50007, "198.51.100.1:4007", FlowKind::Passive, 0x10001);
    world.closed(&gone);
    world.now_ns += SECOND;

    let shown = show(&world.tables(), world.now_ns);
    let ids: Vec<_> = shown.sessions.iter().map(|session| session.id).collect();
    assert_eq!(ids, [0x10001, 0x20001]);
    let session = &shown.sessions[0];
    assert_eq!(session.client, CLIENT.parse().unwrap());
    assert_eq!(session.server, "192.0.2.1:21".parse().unwrap());
    assert_eq!(session.tls, Tls::Encrypted);
    assert_eq!(session.age, Duration::from_secs(8));
    assert_eq!(
        session.idle,
        Duration::from_secs(1),
        "its data connection was seen"
    );
    assert_eq!(session.data.len(), 1);
    assert_eq!(session.data[0].kind, FlowKind::Passive);
    assert_eq!(session.data[0].bytes_in, 99);
    let pinholes: Vec<_> = session
        .pinholes
        .iter()
        .map(|pinhole| (pinhole.port, pinhole.expires_in))
        .collect();
    assert_eq!(pinholes, [(50002, Duration::from_secs(22))]);
    assert_eq!(shown.orphans.len(), 1);
    assert_eq!(shown.orphans[0].kind, FlowKind::Outgoing);
}

#[test]
fn the_passive_ports_are_counted_once_each() {
    let mut world = World::host();
    world.listener("[::]:50000");
    world.listener("0.0.0.0:50001");
    world.adopt();
    world.flow(50005, "198.51.100.1:1", FlowKind::Passive, 1);
    world.flow(50005, "198.51.100.2:1", FlowKind::Passive, 2);
    world.flow(50006, "198.51.100.2:2", FlowKind::Passive, 2);
    world.flow(50007, "203.0.113.1:443", FlowKind::Outgoing, 0);
    world.flow(60001, "198.51.100.2:3", FlowKind::Passive, 2);
    world.flow(40001, "198.51.100.2:4", FlowKind::Active, 2);
    let gone = world.flow(50008, "198.51.100.2:5", FlowKind::Passive, 2);
    world.closed(&gone);
    world.pinhole(60002, CLIENT, 1, 30);
    world.pinhole(60003, CLIENT, 1, 0);
    let watch = watch(&world.rules(), &world.tables(), world.now_ns);
    assert_eq!(
        (
            watch.configured,
            watch.listening,
            watch.in_use,
            watch.highest
        ),
        (10, 2, 2, 2)
    );
    assert_eq!(watch.outside, [60001, 60002]);
    assert_eq!(key(21, CLIENT).client(), CLIENT.parse().unwrap());
}

#[test]
fn sessions_of_clients_that_may_not_be_here_say_why() {
    let mut world = World::host();
    world.session(0x10001, CLIENT, Tls::Clear);
    let key = world.session(0x20001, "198.51.100.2:1", Tls::Clear);
    world.sessions.get_mut(&key).unwrap().traffic.witnessed = Reason::Banned as u8;
    let shown = show(&world.tables(), world.now_ns);
    let reasons: Vec<_> = shown.sessions.iter().map(|one| one.would_drop).collect();
    assert_eq!(reasons, [None, Some(Reason::Banned)]);
}
