//! Rates of new control connections: of a source, of its network, of all together; before and after the
//! client's address is proven.

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{class::Family, limits::Profile, reason::Reason};
use ftp_guard_tests::packet::hex;

use crate::{
    row::drop,
    scene::{ANYWHERE, HOST, Scene, Story},
    sources::{
        CONTROL, HOUR, LISTED, NETWORK_RATE, SOURCE_RATE, TOTAL_RATE, connections, rate, tagged,
    },
};

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        ("a source has its burst, then its rate", HOST, of_a_source),
        ("sources of IPv6 are prefixes", HOST, prefixes),
        ("a network has its burst, then its rate", HOST, of_a_network),
        ("all have their burst, then their rate", HOST, of_all),
        ("a rate of zero is no limit", HOST, zero),
        ("each entry has its profile", HOST, profiles),
        ("a profile that nobody wrote", HOST, no_profile),
        ("SYNs charge no bucket of the proven", HOST, spoofed),
        ("a proven connection is charged once", ANYWHERE, proven),
        (
            "proven connections of a network, of all",
            ANYWHERE,
            aggregates,
        ),
        (
            "what the rate of a source does not limit",
            ANYWHERE,
            neighbours,
        ),
    ])
}

fn of_a_source(scene: &mut Scene<'_>) {
    scene.profile(connections(5));
    let (one, other) = (scene.source(1, 7), scene.source(1, 8));
    scene.syns(one, 5, LISTED);
    scene.syns(one, 4, SOURCE_RATE);
    scene.syns(other, 5, LISTED);
    scene.syns(other, 1, SOURCE_RATE);
    // Half of the time is not enough for one more; nothing that was refused was charged.
    scene.elapse(HOUR / 2);
    scene.syns(one, 2, SOURCE_RATE);
    scene.elapse(HOUR / 2);
    scene.syns(one, 1, LISTED);
    scene.syns(one, 2, SOURCE_RATE);
    scene.elapse(2 * HOUR);
    scene.syns(one, 2, LISTED);
    scene.syns(one, 1, SOURCE_RATE);
    // It fills up to the burst, whatever time goes by.
    scene.elapse(1000 * HOUR);
    scene.syns(one, 5, LISTED);
    scene.syns(one, 2, SOURCE_RATE);
}

fn prefixes(scene: &mut Scene<'_>) {
    scene.profile(connections(3));
    if scene.family == Family::Ipv4 {
        for number in [1, 2, 255] {
            let source = scene.source(1, number);
            scene.syns(source, 3, LISTED);
            scene.syns(source, 1, SOURCE_RATE);
        }
        return;
    }
    for host in [1, 2, 0xffff] {
        scene.syns(scene.host(1, 7, host), 1, LISTED);
    }
    for host in [1, 4] {
        scene.syns(scene.host(1, 7, host), 1, SOURCE_RATE);
    }
    scene.syns(scene.host(1, 8, 1), 3, LISTED);
    // Each address is a source of its own; and a whole /48.
    scene.limit(|policy| policy.limits.source_bits_v6 = 128);
    for host in [1, 2] {
        scene.syns(scene.host(1, 7, host), 3, LISTED);
        scene.syns(scene.host(1, 7, host), 1, SOURCE_RATE);
    }
    scene.limit(|policy| policy.limits.source_bits_v6 = 48);
    for number in 1..=3 {
        scene.syns(scene.source(1, number), 1, LISTED);
    }
    scene.syns(scene.source(1, 4), 1, SOURCE_RATE);
    scene.syns(scene.source(2, 4), 1, LISTED);
}

fn of_a_network(scene: &mut Scene<'_>) {
    scene.limit(|policy| {
        policy.profiles.insert(0, connections(2));
        policy.limits.network = rate(6);
    });
    // What its own rate refuses does not count against its network.
    scene.syns(scene.source(1, 1), 2, LISTED);
    scene.syns(scene.source(1, 1), 10, SOURCE_RATE);
    scene.syns(scene.source(1, 2), 2, LISTED);
    scene.syns(scene.source(1, 255), 2, LISTED);
    for number in [3, 4, 200] {
        scene.syns(scene.source(1, number), 2, NETWORK_RATE);
    }
    scene.syns(scene.source(2, 3), 2, LISTED);
    scene.syns(scene.source(0, 3), 2, LISTED);
    scene.elapse(HOUR);
    scene.syns(scene.source(1, 9), 1, LISTED);
    scene.syns(scene.source(1, 9), 1, NETWORK_RATE);
}

fn of_all(scene: &mut Scene<'_>) {
    scene.limit(|policy| {
        policy.profiles.insert(0, connections(2));
        policy.limits.network = rate(4);
        policy.limits.total = rate(9);
    });
    scene.syns(scene.source(1, 1), 2, LISTED);
    scene.syns(scene.source(1, 2), 2, LISTED);
    // What the network's rate refuses does not count against all.
    for number in 3..8 {
        scene.syns(scene.source(1, number), 2, NETWORK_RATE);
    }
    scene.syns(scene.source(2, 1), 2, LISTED);
    scene.syns(scene.source(3, 1), 2, LISTED);
    scene.syns(scene.source(4, 1), 1, LISTED);
    for network in [5, 6, 7] {
        scene.syns(scene.source(network, 1), 2, TOTAL_RATE);
    }
    scene.elapse(HOUR);
    scene.syns(scene.source(8, 1), 1, LISTED);
    scene.syns(scene.source(8, 2), 1, TOTAL_RATE);
}

fn zero(scene: &mut Scene<'_>) {
    scene.profile(Profile::default());
    scene.syns(scene.source(1, 1), 50, LISTED);
    assert!(
        scene
            .guard
            .state()
            .buckets()
            .unwrap()
            .iter()
            .all(|due| *due == 0)
    );
    // One of the three alone.
    scene.limit(|policy| policy.limits.network = rate(3));
    scene.syns(scene.source(1, 1), 3, LISTED);
    scene.syns(scene.source(1, 1), 1, NETWORK_RATE);
    scene.limit(|policy| {
        policy.limits.network.interval_ns = 0;
        policy.limits.total = rate(3);
    });
    scene.syns(scene.source(1, 1), 3, LISTED);
    scene.syns(scene.source(1, 1), 1, TOTAL_RATE);
}

/// Gives a source's own entry a profile.
fn assign(scene: &mut Scene<'_>, network: u8, number: u8, profile: u16) {
    let client = scene.source(network, number);
    let prefix = ipnet::IpNet::from(client);
    let entry = scene.policy.allow.values().next().copied().unwrap();
    let entry = ftp_guard_common::allow::AllowValue {
        profile,
        prefix_len: prefix.prefix_len(),
        ..entry
    };
    scene.policy.allow.insert(prefix, entry);
}

fn profiles(scene: &mut Scene<'_>) {
    scene.limit(|policy| {
        policy.profiles.insert(0, connections(2));
        policy.profiles.insert(1, connections(4));
        policy.profiles.insert(255, Profile::default());
    });
    assign(scene, 1, 1, 1);
    assign(scene, 1, 2, 255);
    scene.install();
    scene.syns(scene.source(1, 1), 4, LISTED);
    scene.syns(scene.source(1, 1), 1, SOURCE_RATE);
    scene.syns(scene.source(1, 2), 20, LISTED);
    scene.syns(scene.source(1, 3), 2, LISTED);
    scene.syns(scene.source(1, 3), 1, SOURCE_RATE);
}

/// The daemon writes the profiles before the entries that refer to them; a number that no profile can have
/// counts as the default one, which is the stricter reading of a table that is wrong.
fn no_profile(scene: &mut Scene<'_>) {
    scene.profile(connections(2));
    assign(scene, 1, 1, 17);
    assign(scene, 1, 2, 256);
    assign(scene, 1, 3, u16::MAX);
    scene.install();
    scene.syns(scene.source(1, 1), 10, LISTED);
    for number in [2, 3] {
        scene.syns(scene.source(1, number), 2, LISTED);
        scene.syns(scene.source(1, number), 1, SOURCE_RATE);
    }
}

/// The buckets that differ.
fn changed(before: &[u64], after: &[u64]) -> Vec<usize> {
    (0..before.len())
        .filter(|slot| before[*slot] != after[*slot])
        .collect()
}

fn spoofed(scene: &mut Scene<'_>) {
    scene.limit(|policy| {
        policy.profiles.insert(0, connections(3));
        policy.limits.network = rate(3);
        policy.limits.total = rate(3);
    });
    let source = scene.source(1, 1);
    let before = scene.guard.state().buckets().unwrap();
    scene.syns(source, 3, LISTED);
    let after = scene.guard.state().buckets().unwrap();
    let charged = changed(&before, &after);
    assert_eq!(
        charged.len(),
        4,
        "two buckets of the source, two of its network"
    );
    assert_eq!(
        charged.iter().filter(|slot| **slot < 1 << 16).count(),
        2,
        "one of each in each row"
    );
    let attack = scene.guard.state().attack().unwrap();
    assert_ne!(attack.requests_due_ns, 0);
    assert_eq!(attack.proven_due_ns, 0);
    // With those buckets full of tokens again there is no other that would refuse.
    for round in 0..3 {
        scene.syns(source, 2, SOURCE_RATE);
        scene.guard.state().clear_limits().unwrap();
        scene.syns(source, 3, LISTED);
        let slots = changed(&before, &scene.guard.state().buckets().unwrap());
        assert_eq!(slots, charged, "round {round}");
    }
    assert_eq!(
        scene.counts(source),
        None,
        "no SYN takes a place in a table"
    );
    assert_eq!(scene.openings(), 0);
}

fn proven(scene: &mut Scene<'_>) {
    scene.profile(connections(2));
    let source = scene.source(1, 1);
    for number in 0..2 {
        let mut control = scene.connection(source, 30_000 + number, 21);
        let fresh = scene.guard.state().buckets().unwrap();
        scene.request(&mut control);
        let requested = scene.guard.state().buckets().unwrap();
        let ack = control.client(TcpFlags::ACK, b"");
        scene.xdp("the ACK that proves the client", &ack, LISTED);
        let proven = scene.guard.state().buckets().unwrap();
        let slots = changed(&requested, &proven);
        assert_eq!(slots.len(), 2, "the buckets of the proven source");
        assert!(
            changed(&fresh, &requested)
                .iter()
                .all(|slot| !slots.contains(slot))
        );
        // What comes again charges nothing: the connection is known.
        for frame in [
            ack.clone(),
            tagged(&ack),
            control.client_at(control.client_next, TcpFlags::ACK, b"USER x\r\n"),
        ] {
            scene.xdp(&hex(&frame), &frame, LISTED);
        }
        assert_eq!(scene.guard.state().buckets().unwrap(), proven);
        // A flood of spoofed SYNs is over: the requests' buckets alone are full of tokens again.
        let mut state = scene.guard.state();
        let mut buckets = proven;
        for slot in changed(&fresh, &requested) {
            buckets[slot] = 0;
        }
        state.set_buckets(&buckets).unwrap();
    }
    assert_eq!(scene.counts(source), Some((0, 2, 0)));
    // By now the source has proven as much as it may; its requests do not count any more.
    scene.syns(source, 3, SOURCE_RATE);
    scene.syns(scene.source(1, 2), 2, LISTED);
    scene.elapse(HOUR);
    scene.syns(source, 1, LISTED);
}

fn aggregates(scene: &mut Scene<'_>) {
    for wanted in [NETWORK_RATE, TOTAL_RATE] {
        scene.guard.state().sources().unwrap().clear().unwrap();
        scene.guard.state().opening().unwrap().clear().unwrap();
        scene.limit(|policy| {
            let (network, total) = (rate(2), rate(50));
            policy.limits.network = network;
            policy.limits.total = total;
            if wanted == TOTAL_RATE {
                (policy.limits.network, policy.limits.total) = (total, network);
            }
        });
        let mut last = Vec::new();
        for number in 1..=2 {
            let mut control = scene.connection(scene.source(1, number), 30_000, 21);
            let before = scene.guard.state().buckets().unwrap();
            let attack = scene.guard.state().attack().unwrap();
            scene.request(&mut control);
            last = before;
            let ack = control.client(TcpFlags::ACK, b"");
            let requested = scene.guard.state().buckets().unwrap();
            scene.xdp("the ACK that proves the client", &ack, LISTED);
            // Gives back what the request took.
            let mut state = scene.guard.state();
            let mut buckets = state.buckets().unwrap();
            for slot in changed(&last, &requested) {
                buckets[slot] = last[slot];
            }
            state.set_buckets(&buckets).unwrap();
            let mut now = state.attack().unwrap();
            now.requests_due_ns = attack.requests_due_ns;
            state.set_attack(now).unwrap();
        }
        assert!(!last.is_empty());
        scene.syns(scene.source(1, 3), 2, wanted);
        let other = scene.source(2, 3);
        if wanted == NETWORK_RATE {
            scene.syns(other, 2, LISTED);
        } else {
            scene.syns(other, 2, wanted);
        }
    }
}

fn neighbours(scene: &mut Scene<'_>) {
    scene.profile(connections(1));
    let source = scene.source(1, 1);
    scene.syns(source, 1, LISTED);
    scene.syns(source, 1, SOURCE_RATE);
    for (what, client, port, wanted) in [
        ("the other control port", source, 990, SOURCE_RATE),
        ("port 22", source, 22, crate::cases::not_ftp()),
        (
            "an unlisted source",
            scene.unlisted(7),
            21,
            drop(Reason::NotListed, CONTROL),
        ),
    ] {
        let syn = scene
            .connection(client, 30_100, port)
            .client_at(1, TcpFlags::SYN, b"");
        scene.twice(what, &syn, wanted);
    }
    // A session that is open does not care.
    scene.profile(Profile::default());
    let control = scene.greet(source, 30_200);
    scene.policy.profiles.insert(0, connections(1));
    scene.install();
    scene.syns(source, 1, LISTED);
    scene.syns(source, 1, SOURCE_RATE);
    for _ in 0..5 {
        let noop = control.client_at(control.client_next, TcpFlags::ACK, b"");
        scene.xdp("a segment of a session", &noop, crate::sources::SESSION);
    }
}
