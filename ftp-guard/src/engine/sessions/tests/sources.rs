//! The figures of sources, and connections before their greeting.

use ftp_guard_common::{
    config::Role,
    limits::{OPENING_NS, Source},
    reason::Reason,
    session::{FlowKind, LINGER_NS, Tls},
};

use super::world::{SECOND, World, key};
use crate::engine::sessions::{Command, Selection, TcpBytes, view::KillTarget};

const CLIENT: &str = "198.51.100.1:4000";
const DATA: &str = "198.51.100.1:4001";

/// A session with a data connection, and a connection that waits for its greeting.
fn busy(role: Role) -> World {
    let mut world = World::new(role);
    world.session(0x10001, CLIENT, Tls::Clear);
    world.flow(50001, DATA, FlowKind::Passive, 0x10001);
    world.flow(50002, "198.51.100.1:443", FlowKind::Outgoing, 0);
    world.open("198.51.100.1:5000");
    if role == Role::Host {
        world.socket(21, CLIENT);
        world.socket(50001, DATA);
        world.socket(50002, "198.51.100.1:443");
        world.socket(21, "198.51.100.1:5000").bytes = Some(TcpBytes::default());
    }
    world
}

#[test]
fn a_source_has_its_sessions_its_connections_and_its_data_connections() {
    for role in [Role::Host, Role::Router] {
        let mut world = busy(role);
        assert_eq!(world.source(CLIENT), (1, 1, 1));
        assert_eq!(world.passes(3), [], "{role:?}: they are right");
    }
}

#[test]
fn figures_that_are_wrong_twice_are_corrected() {
    let mut world = busy(Role::Host);
    let source = world.source_key(CLIENT);
    for wrong in [
        Some((7, 0, 0)),
        Some((1, 9, 1)),
        Some((1, 1, 0)),
        Some((0, 0, 0)),
        None,
    ] {
        match wrong {
            Some((sessions, opening, data)) => {
                let value = Source {
                    sessions,
                    opening,
                    data,
                    reserved: 0,
                };
                world.sources.insert(source, value);
            }
            None => drop(world.sources.remove(&source)),
        }
        assert_eq!(world.pass(), [], "{wrong:?}");
        assert_eq!(world.pass().len(), 1, "{wrong:?}");
        assert_eq!(world.source(CLIENT), (1, 1, 1), "{wrong:?}");
    }
}

#[test]
fn figures_of_nothing_are_removed_after_a_minute() {
    let mut world = World::host();
    let source = world.source_key(CLIENT);
    world.sources.insert(source, Source::default());
    assert_eq!(world.passes(40), []);
    // Used again meanwhile: the time begins anew.
    world.open(CLIENT);
    world.pass();
    world.closed(&key(21, CLIENT));
    assert_eq!(world.source(CLIENT), (0, 0, 0));
    assert_eq!(world.passes(60), []);
    assert_eq!(world.pass(), [Command::RemoveSource(source)]);
}

#[test]
fn figures_that_move_are_left_to_the_programs() {
    let mut world = World::host();
    let source = world.source_key(CLIENT);
    for id in 1..20 {
        world.sessions.clear();
        world.clients.clear();
        let remote = format!("198.51.100.1:{id}");
        world.session(id << 16 | 1, &remote, Tls::Clear);
        world.socket(21, &remote);
        world.sources.remove(&source);
        let commands = world.pass();
        let figures = commands
            .iter()
            .any(|command| matches!(command, Command::SetSource(..) | Command::RemoveSource(_)));
        assert!(!figures, "{commands:?}");
    }
}

#[test]
fn clients_of_one_ipv6_prefix_are_one_source() {
    let mut world = World::router();
    world.session(0x10001, "[2001:db8:1:2::1]:4000", Tls::Clear);
    world.session(0x20001, "[2001:db8:1:2:ffff::2]:4000", Tls::Clear);
    world.session(0x30001, "[2001:db8:1:3::1]:4000", Tls::Clear);
    assert_eq!(world.source("[2001:db8:1:2::9]:1"), (2, 0, 0));
    assert_eq!(world.source("[2001:db8:1:3::9]:1"), (1, 0, 0));
    assert_eq!(world.passes(3), []);
}

#[test]
fn a_kill_frees_the_place_of_its_source_at_once() {
    for role in [Role::Host, Role::Router] {
        let mut world = busy(role);
        let before = world.tables();
        let kill = Selection::Kill(KillTarget::Session(0x10001));
        // The sockets stay, as when they cannot be destroyed.
        let commands = kill.entries(&before);
        world.apply(&commands);
        assert_eq!(world.source(CLIENT), (0, 1, 0), "{role:?}");
    }
}

#[test]
fn a_connection_before_its_greeting_goes_with_its_socket() {
    let mut world = World::host();
    let key = world.open(CLIENT);
    let removed = Command::RemoveOpening(key, world.opening[&key]);
    world.socket(21, CLIENT).bytes = Some(TcpBytes::default());
    assert_eq!(
        world.passes(400),
        [],
        "it is there for as long as its socket"
    );
    // The programs have missed its end.
    world.close(21, CLIENT);
    assert_eq!(world.pass(), []);
    assert_eq!(world.pass(), [removed]);
    assert_eq!(world.source(CLIENT), (0, 0, 0));
    assert_eq!(world.passes(3), []);
}

#[test]
fn a_connection_that_is_just_proven_is_not_looked_for() {
    let mut world = World::host();
    world.pass();
    world.open(CLIENT);
    world.now_ns -= SECOND / 2;
    assert_eq!(world.pass(), [], "its socket may be on its way");
    assert_eq!(world.pass(), []);
    assert_eq!(world.pass().len(), 1);
}

#[test]
fn a_router_gives_up_a_connection_that_nobody_greets() {
    let mut world = World::router();
    let key = world.open(CLIENT);
    let removed = Command::RemoveOpening(key, world.opening[&key]);
    assert_eq!(world.passes(OPENING_NS / SECOND), []);
    assert_eq!(world.pass(), [removed]);
    assert_eq!(world.source(CLIENT), (0, 0, 0));
}

#[test]
fn what_has_a_session_waits_no_more() {
    for role in [Role::Host, Role::Router] {
        let mut world = World::new(role);
        let key = world.open(CLIENT);
        let removed = Command::RemoveOpening(key, world.opening[&key]);
        world.session(0x10001, CLIENT, Tls::Clear);
        if role == Role::Host {
            world.socket(21, CLIENT);
        }
        assert_eq!(world.source(CLIENT), (1, 1, 0));
        assert_eq!(world.pass(), [], "the programs are about to remove it");
        assert_eq!(world.pass(), [removed]);
        assert_eq!(world.source(CLIENT), (1, 0, 0));
    }
}

#[test]
fn the_session_of_an_older_connection_greets_nobody() {
    let mut world = World::router();
    let session = world.session(0x10001, CLIENT, Tls::Clear);
    world.pass();
    world.closed(&session);
    world.open(CLIENT);
    world.passes(LINGER_NS / SECOND + 3);
    assert_eq!(world.source(CLIENT), (0, 1, 0));
}

#[test]
fn what_is_only_followed_counts_for_no_source() {
    let mut world = World::router();
    let control = world.session(0x10001, CLIENT, Tls::Clear);
    let data = world.flow(50001, DATA, FlowKind::Passive, 0x10001);
    // As if monitor mode had begun them for a client that may not be here.
    world.sessions.get_mut(&control).unwrap().traffic.witnessed = Reason::NotListed as u8;
    world.flows.get_mut(&data).unwrap().traffic.witnessed = Reason::NotListed as u8;
    world.sources.clear();
    assert_eq!(world.passes(5), [], "nothing is to be corrected");
    let kill = Selection::Kill(KillTarget::Session(0x10001));
    world.end(&kill);
    assert!(world.sources.is_empty(), "{:?}", world.sources);

    let mut world = World::router();
    let waiting = world.open(CLIENT);
    world.opening.get_mut(&waiting).unwrap().witnessed = Reason::NotListed as u8;
    world.sources.clear();
    assert_eq!(world.passes(5), []);
    let removed = Command::RemoveOpening(waiting, world.opening[&waiting]);
    world.apply(&[removed]);
    assert!(world.sources.is_empty(), "{:?}", world.sources);
}
