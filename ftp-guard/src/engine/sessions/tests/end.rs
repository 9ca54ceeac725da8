//! Connections that are ended: by command, and with their place on the allowlist.

use ftp_guard_common::{
    config::Role,
    session::{FlowKind, LINGER_NS, Tls},
};

use super::world::{IDLE_NS, SECOND, World, key};
use crate::engine::sessions::{
    EndReason, Permit, Selection,
    view::{KillReport, KillTarget},
};

const ONE: &str = "198.51.100.1:4000";
const ONE_DATA: &str = "198.51.100.1:4001";
const ONE_AGAIN: &str = "198.51.100.1:5000";
const TWO: &str = "198.51.100.2:4000";
const TWO_DATA: &str = "198.51.100.2:4001";

/// Two clients, the first with two sessions; each session with an encrypted control connection, a data
/// connection, a pinhole and a named destination.
fn busy(role: Role) -> World {
    let mut world = World::new(role);
    for (id, remote, data, port) in [
        (0x10001, ONE, ONE_DATA, 50001),
        (0x20001, TWO, TWO_DATA, 50002),
        (0x30001, ONE_AGAIN, "198.51.100.1:5001", 50003),
    ] {
        world.session(id, remote, Tls::Encrypted);
        world.flow(port, data, FlowKind::Passive, id);
        world.pinhole(port + 4, remote, id, 30);
        world.named(port, remote, id, 30);
        if role == Role::Host {
            world.socket(21, remote);
            world.socket(port, data);
        }
    }
    // The host's own: no client and no list concerns it.
    world.flow(50009, "198.51.100.1:443", FlowKind::Outgoing, 0);
    if role == Role::Host {
        world.socket(50009, "198.51.100.1:443");
    }
    world
}

#[test]
fn a_kill_by_number_takes_one_session_with_all_that_is_its_own() {
    let mut world = busy(Role::Host);
    let selection = Selection::Kill(KillTarget::Session(0x10001));
    let counted = selection.count(&world.tables());
    assert_eq!((counted.sessions, counted.flows), (1, 1));
    world.end(&selection);
    assert_eq!(world.destroyed, [1, 2]);
    assert_eq!(world.figures(ONE), (1, 1));
    assert_eq!((world.pinholes.len(), world.named.len()), (2, 2));
    assert_eq!(selection.count(&world.tables()), KillReport::default());
    world.passes(LINGER_NS / SECOND + 1);
    assert_eq!((world.sessions.len(), world.flows.len()), (2, 3));
    assert_eq!(world.destroyed.len(), 2);
}

#[test]
fn a_kill_by_address_takes_all_of_a_client() {
    for (target, left) in [("198.51.100.1/32", 1), ("198.51.100.0/30", 0)] {
        let mut world = busy(Role::Host);
        world.end(&Selection::Kill(KillTarget::Clients(
            target.parse().unwrap(),
        )));
        world.passes(LINGER_NS / SECOND + 1);
        assert_eq!(world.sessions.len(), left);
        assert_eq!((world.pinholes.len(), world.named.len()), (left, left));
        assert_eq!(world.flows.len(), left + 1);
        assert!(world.flows.contains_key(&key(50009, "198.51.100.1:443")));
        assert_eq!(world.sockets.len(), 2 * left + 1);
    }
}

#[test]
fn nobody_has_session_number_0() {
    let mut world = busy(Role::Host);
    world.end(&Selection::Kill(KillTarget::Session(0)));
    assert!(world.destroyed.is_empty());
}

#[test]
fn a_killed_session_stays_on_a_router_until_its_peers_must_have_gone() {
    let mut world = busy(Role::Router);
    world.end(&Selection::Kill(KillTarget::Clients(
        "198.51.100.1/32".parse().unwrap(),
    )));
    assert!(world.destroyed.is_empty(), "there are no sockets");
    let entry = world.sessions[&key(21, ONE)];
    assert_eq!((entry.traffic.killed, entry.traffic.closed_ns), (1, 0));
    assert_eq!(world.flows[&key(50001, ONE_DATA)].traffic.killed, 1);
    assert_eq!(world.figures(ONE), (0, 0));
    assert_eq!(world.figures(TWO), (1, 1));
    world.passes(61);
    assert!(world.sessions.contains_key(&key(21, ONE)));
    assert!(!world.flows.contains_key(&key(50001, ONE_DATA)));
    world.now_ns += IDLE_NS;
    world.pass();
    assert!(world.sessions.is_empty() && world.clients.is_empty());
}

#[test]
fn a_data_connection_that_began_during_the_kill_ends_too() {
    for role in [Role::Host, Role::Router] {
        let mut world = busy(role);
        let selection = Selection::Kill(KillTarget::Session(0x10001));
        let before = world.tables();
        let late = world.flow(50006, "198.51.100.1:4009", FlowKind::Passive, 0x10001);
        if role == Role::Host {
            world.socket(50006, "198.51.100.1:4009");
            // The control connection's socket cannot be destroyed, so that its entry stays.
        }
        let commands = selection.entries(&before);
        world.apply(&commands);
        world.pass();
        assert_eq!(world.flows[&late].traffic.killed, 1);
        if role == Role::Host {
            world.pass();
            assert!(world.sockets.iter().all(|socket| socket.key() != late));
            assert!(
                world
                    .sockets
                    .iter()
                    .all(|socket| socket.key() != key(21, ONE)),
                "what could not be destroyed is tried again"
            );
        }
    }
}

#[test]
fn clients_that_are_no_longer_listed_lose_their_connections() {
    for role in [Role::Host, Role::Router] {
        let mut world = busy(role);
        let two = TWO.parse::<std::net::SocketAddr>().unwrap().ip();
        let listed = |address| match address == two {
            true => Ok(Permit::default()),
            false => Err(EndReason::Revoked),
        };
        world.end(&Selection::Unlisted(&listed));
        assert_eq!(world.figures(ONE), (0, 0), "{role:?}");
        assert_eq!(world.figures(TWO), (1, 1), "{role:?}");
        world.passes(LINGER_NS / SECOND + 1);
        assert_eq!(world.sessions.keys().collect::<Vec<_>>(), [&key(21, TWO)]);
        assert_eq!(world.flows.len(), 2, "{role:?}: the host's own stays");
        assert_eq!((world.pinholes.len(), world.named.len()), (1, 1));
        let sockets = if role == Role::Host { 4 } else { 0 };
        assert_eq!(world.destroyed.len(), sockets);
    }
}
