//! Listening sockets on passive ports.

use ftp_guard_common::{address::from_ip, session::Listener};

use super::world::{SECOND, World};

fn listed(world: &World) -> Vec<(String, u64)> {
    let text = |(key, value): (&ftp_guard_common::address::ListenKey, &Listener)| {
        let address = ftp_guard_common::address::to_ip(key.address, key.family);
        assert_eq!(from_ip(address).1 as u8, key.family);
        let port = u16::from_be_bytes(key.port);
        (format!("{address} {port}"), value.since_ns)
    };
    world.listeners.iter().map(text).collect()
}

#[test]
fn the_wildcard_of_ipv6_takes_both_families_unless_it_says_otherwise() {
    let mut world = World::host();
    world.listener("[::]:50001");
    world.listener("[::]:50002").v6_only = true;
    world.listener("0.0.0.0:50003");
    world.listener("192.0.2.1:50004");
    world.listener("[2001:db8::1]:50005");
    world.listener("0.0.0.0:21");
    world.listener("0.0.0.0:8080");
    world.adopt();
    let mut found = listed(&world);
    found.sort();
    let expected = [
        "0.0.0.0 50001",
        "0.0.0.0 50003",
        "192.0.2.1 50004",
        "2001:db8::1 50005",
        ":: 50001",
        ":: 50002",
    ];
    assert_eq!(found, expected.map(|text| (text.to_owned(), 0)));
    assert_eq!(world.passes(3), []);
}

#[test]
fn a_listener_that_was_missed_is_as_old_as_may_be() {
    let mut world = World::host();
    world.listener("0.0.0.0:50003");
    assert_eq!(
        world.pass(),
        [],
        "the socket program may be about to add it"
    );
    world.pass();
    assert_eq!(
        listed(&world),
        [("0.0.0.0 50003".to_owned(), 0)],
        "the server may have named it already"
    );
    world.sockets.clear();
    assert_eq!(world.pass(), []);
    world.pass();
    assert_eq!(listed(&world), []);
}

#[test]
fn a_listener_that_opens_and_closes_all_the_time_is_left_to_the_socket_program() {
    let mut world = World::host();
    world.listener("0.0.0.0:50003");
    world.passes(2);
    world.sockets.clear();
    for _ in 0..5 {
        assert_eq!(world.pass(), [], "another one than in the look before");
        for listener in world.listeners.values_mut() {
            listener.since_ns += SECOND;
        }
    }
}
