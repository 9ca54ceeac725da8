//! Connections that take too long.

use ftp_guard_common::{
    config::Role,
    session::{FlowKind, LINGER_NS, Session, Tls},
};

use super::world::{SECOND, World, key};
use crate::engine::sessions::{EndReason, Part, Patience, TcpBytes};

const CLIENT: &str = "198.51.100.1:4000";
const DATA: &str = "198.51.100.1:4001";
/// Of the profile with twice the time.
const OTHER: &str = "198.51.100.2:4000";
const ID: u64 = 0x10001;

/// Seconds to log in, without a packet, and without payload on a data connection.
fn times(login: u64, idle: u64, data_idle: u64) -> Patience {
    Patience {
        login_ns: Some(login * SECOND),
        idle_ns: Some(idle * SECOND),
        data_idle_ns: Some(data_idle * SECOND),
    }
}

fn world(role: Role) -> World {
    let mut world = World::new(role);
    world.patience = vec![times(5, 10, 7), times(10, 20, 14)];
    world.even = 1;
    world
}

fn both(test: impl Fn(World)) {
    for role in [Role::Host, Role::Router] {
        test(world(role));
    }
}

/// A session on which the user has logged in, with its socket.
fn logged_in(world: &mut World, id: u64, remote: &str) {
    begun(world, id, remote, Tls::Clear).logged_in = 1;
}

fn begun<'w>(world: &'w mut World, id: u64, remote: &str, tls: Tls) -> &'w mut Session {
    let entry = world.session(id, remote, tls);
    if world.role == Role::Host {
        world.socket(21, remote);
    }
    world.sessions.get_mut(&entry).unwrap()
}

fn data(world: &mut World, remote: &str, id: u64) {
    world.flow(50001, remote, FlowKind::Passive, id);
    if world.role == Role::Host {
        world.socket(50001, remote);
    }
}

/// What ended, when and why.
fn ended(world: &mut World, seconds: u64) -> Vec<(u64, Part, EndReason)> {
    let ended = world.patrols(seconds).into_iter();
    ended
        .map(|(second, ending)| (second, ending.part, ending.reason))
        .collect()
}

const LOGIN: EndReason = EndReason::LoginTimeout;
const IDLE: EndReason = EndReason::IdleTimeout;

#[test]
fn who_does_not_log_in_is_ended_by_the_time_of_its_profile() {
    both(|mut world| {
        begun(&mut world, ID, CLIENT, Tls::Clear);
        begun(&mut world, 0x20001, OTHER, Tls::Clear);
        logged_in(&mut world, 0x30001, "198.51.100.1:4002");
        let found = ended(&mut world, 9);
        assert_eq!(found, [(6, Part::Session(ID), LOGIN)], "{:?}", world.role);
        assert_eq!(world.source(CLIENT), (1, 0, 0));
        let found = ended(&mut world, 3);
        assert_eq!(
            found,
            [
                (2, Part::Session(0x30001), IDLE),
                (2, Part::Session(0x20001), LOGIN),
            ]
        );
    });
}

#[test]
fn the_wait_for_the_greeting_counts_for_itself() {
    both(|mut world| {
        world.open(CLIENT);
        if world.role == Role::Host {
            world.socket(21, CLIENT).bytes = Some(TcpBytes::default());
        }
        assert_eq!(ended(&mut world, 5), []);
        let found = ended(&mut world, 5);
        assert_eq!(found, [(1, Part::Opening, LOGIN)]);
        assert_eq!(world.source(CLIENT), (0, 0, 0));
        assert!(world.opening.is_empty() && world.sockets.is_empty());
        // On a router the greeting would begin a session, were there not one that is killed.
        let killed = world.sessions.get(&key(21, CLIENT));
        match world.role {
            Role::Host => assert!(killed.is_none()),
            Role::Router => {
                let session = killed.unwrap();
                assert!(session.traffic.killed == 1 && session.id != 0);
            }
        }
    });
}

#[test]
fn a_greeting_that_comes_late_begins_the_time_anew() {
    both(|mut world| {
        world.open(CLIENT);
        if world.role == Role::Host {
            world.socket(21, CLIENT);
        }
        assert_eq!(ended(&mut world, 4), []);
        world.greet(ID, CLIENT);
        assert_eq!(ended(&mut world, 5), []);
        assert_eq!(ended(&mut world, 1), [(1, Part::Session(ID), LOGIN)]);
    });
}

#[test]
fn a_socket_that_the_guard_has_not_seen_begin_is_ended_unless_it_is_taken_over() {
    let mut world = world(Role::Host);
    world.socket(21, CLIENT).bytes = Some(TcpBytes::default());
    // On this one the server has spoken.
    world.socket(21, "198.51.100.1:4002");
    // These are nobody's business.
    world.socket(21, "203.0.113.1:4000").bytes = Some(TcpBytes::default());
    world.socket(22, CLIENT).bytes = Some(TcpBytes::default());
    let found = ended(&mut world, 10);
    assert_eq!(found, [(7, Part::Opening, LOGIN)]);
    assert_eq!(world.destroyed, [1]);
    let adopted = world.sessions[&key(21, "198.51.100.1:4002")];
    assert_eq!((adopted.adopted, adopted.traffic.closed_ns), (1, 0));
    assert_eq!(world.sockets.len(), 3);
}

#[test]
fn a_session_that_was_taken_over_counts_as_logged_in() {
    let mut world = world(Role::Host);
    world.socket(21, CLIENT);
    world.adopt();
    let id = world.sessions[&key(21, CLIENT)].id;
    assert_eq!(ended(&mut world, 11), [(11, Part::Session(id), IDLE)]);
}

#[test]
fn under_tls_six_messages_are_a_login() {
    both(|mut world| {
        begun(&mut world, ID, CLIENT, Tls::Encrypted).messages = 5;
        begun(&mut world, 0x20001, "198.51.100.3:1", Tls::Encrypted).messages = 6;
        begun(&mut world, 0x30001, "198.51.100.5:1", Tls::Clear).messages = 100;
        let found = ended(&mut world, 9);
        assert_eq!(
            found,
            [
                (6, Part::Session(ID), LOGIN),
                (6, Part::Session(0x30001), LOGIN)
            ]
        );
    });
}

#[test]
fn under_tls_a_data_connection_is_a_login_even_when_it_is_over() {
    both(|mut world| {
        begun(&mut world, ID, CLIENT, Tls::Encrypted).messages = 4;
        // The program has taken it for another session of the client.
        let flow = world.flow(50001, DATA, FlowKind::Passive, 0x77);
        world.closed(&flow);
        world.patrols(2);
        world.flows.clear();
        let found = ended(&mut world, LINGER_NS / SECOND);
        assert_eq!(found, [(9, Part::Session(ID), IDLE)], "no login is missing");
    });
}

#[test]
fn a_transfer_keeps_its_session() {
    both(|mut world| {
        logged_in(&mut world, ID, CLIENT);
        data(&mut world, DATA, ID);
        for _ in 0..30 {
            let now = world.now_ns;
            let flow = world.flows.get_mut(&key(50001, DATA)).unwrap();
            flow.traffic.seen_ns = now;
            flow.traffic.bytes_out += 1;
            assert_eq!(ended(&mut world, 3), []);
        }
        // It stands still.
        let found = ended(&mut world, 20);
        assert_eq!(found[0].1, Part::Data(ID));
        assert_eq!(found[0].2, EndReason::DataIdle);
        assert_eq!(found[1], (found[0].0 + 3, Part::Session(ID), IDLE));
        assert_eq!(found.len(), 2);
    });
}

#[test]
fn probes_of_a_closed_window_are_no_progress() {
    both(|mut world| {
        logged_in(&mut world, ID, CLIENT);
        data(&mut world, DATA, ID);
        let mut found = Vec::new();
        for second in 1..=9 {
            let now = world.now_ns;
            let flow = world.flows.get_mut(&key(50001, DATA)).unwrap();
            flow.traffic.seen_ns = now;
            flow.traffic.packets_out += 1;
            found.extend(ended(&mut world, 1).into_iter().map(|e| (second, e.1, e.2)));
        }
        assert_eq!(found, [(8, Part::Data(ID), EndReason::DataIdle)]);
        assert_eq!(world.source(CLIENT), (1, 0, 0), "the session goes on");
    });
}

#[test]
fn a_session_that_holds_too_many_ports_is_ended_at_once() {
    both(|mut world| {
        logged_in(&mut world, ID, CLIENT);
        let entry = world.sessions.get_mut(&key(21, CLIENT)).unwrap();
        entry.refused = 1;
        world.pinhole(50001, CLIENT, ID, 30);
        let found = ended(&mut world, 3);
        assert_eq!(found, [(1, Part::Session(ID), EndReason::PortsHeld)]);
        assert!(world.pinholes.is_empty());
    });
}

#[test]
fn without_times_nothing_is_overdue() {
    both(|mut world| {
        for patience in [vec![], vec![Patience::default(); 2]] {
            world.patience = patience;
            begun(&mut world, ID, CLIENT, Tls::Clear);
            data(&mut world, DATA, ID);
            assert_eq!(ended(&mut world, 100), []);
        }
    });
}

#[test]
fn a_profile_without_a_time_is_not_that_of_another() {
    both(|mut world| {
        world.patience[1] = Patience::default();
        begun(&mut world, ID, CLIENT, Tls::Clear);
        begun(&mut world, 0x20001, OTHER, Tls::Clear);
        assert_eq!(ended(&mut world, 60), [(6, Part::Session(ID), LOGIN)]);
    });
}

#[test]
fn a_client_that_is_not_listed_is_left_to_those_who_end_it() {
    both(|mut world| {
        begun(&mut world, ID, CLIENT, Tls::Clear);
        world.listed.clear();
        assert_eq!(ended(&mut world, 30), []);
    });
}

#[test]
fn what_is_overdue_is_told_once_and_again_when_it_is_ended() {
    let mut world = world(Role::Router);
    begun(&mut world, ID, CLIENT, Tls::Clear);
    let mut told = Vec::new();
    for second in 0..20 {
        world.pass();
        let due = world.overdue();
        let enforced = second >= 15;
        let fresh = world.overdue.tell(&due, enforced);
        told.extend(fresh.into_iter().map(|ending| (second, ending.reason)));
    }
    assert_eq!(told, [(5, LOGIN), (15, LOGIN)]);
    // Another connection of the same addresses.
    world.session(0x20001, CLIENT, Tls::Clear);
    world.passes(6);
    let due = world.overdue();
    assert_eq!(world.overdue.tell(&due, true).len(), 1);
}

#[test]
fn a_thousand_at_once_end_in_one_pass() {
    both(|mut world| {
        for number in 0..1000_u64 {
            let remote = format!("198.51.100.1:{}", 10_000 + number);
            begun(&mut world, number << 16 | 1, &remote, Tls::Clear);
        }
        logged_in(&mut world, 0xffff_0001, OTHER);
        assert_eq!(ended(&mut world, 5), []);
        assert_eq!(ended(&mut world, 1).len(), 1000);
        assert_eq!(
            (world.source(CLIENT), world.source(OTHER)),
            ((0, 0, 0), (1, 0, 0))
        );
        assert_eq!(ended(&mut world, 3), []);
    });
}
