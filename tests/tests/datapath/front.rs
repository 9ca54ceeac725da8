//! What stands in front of the data connections: it passes what their entries would pass, counts what they would count,
//! and holds no longer than they do.

use std::{net::SocketAddr, os::fd::AsFd, thread, time::Duration};

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    allow::EntryKind,
    ban::BanKind,
    class::PortClass,
    config::Mode,
    front::{IDLE_NS, index},
    reason::{Reason, Verdict},
    session::{Flow, FlowKind, HALF_CLOSED_LINGER_NS, Traffic},
    stats::StatsKey,
};
use ftp_guard_tests::{
    conversation::{Conversation, DATA, FIN_ACK, RST_ACK, SYN_ACK},
    program::now_s,
    sys,
};

use crate::{
    active::open,
    passive::{DATA_PORT, FLOW, NO_FLOW, NOT_LISTED, PINHOLE, SECOND, connect},
    row::{Wanted, drop, pass},
    scene::{ANYWHERE, ROUTER, Scene, Story},
    sources::wait_for_age,
    speed::scaled,
};

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        ("in front: segments are counted there", ANYWHERE, counted),
        ("in front: until the client's FIN", ANYWHERE, until_fin),
        ("in front: until the client's reset", ANYWHERE, until_reset),
        (
            "in front: until the server's reset",
            ANYWHERE,
            until_reset_by_server,
        ),
        ("in front: until it is killed", ANYWHERE, until_killed),
        ("in front: until it is over", ANYWHERE, until_over),
        ("in front: until it is removed", ANYWHERE, until_removed),
        (
            "in front: until its client is not listed",
            ANYWHERE,
            until_unlisted,
        ),
        (
            "in front: until its client is banned",
            ANYWHERE,
            until_banned,
        ),
        (
            "in front: until its entry is to expire",
            ANYWHERE,
            until_expiring,
        ),
        (
            "in front: until another one of its key begins",
            ANYWHERE,
            until_replaced,
        ),
        (
            "in front: never where the client may not be",
            ANYWHERE,
            never_witnessed,
        ),
        (
            "in front: two connections that meet",
            ANYWHERE,
            two_that_meet,
        ),
        ("in front: one that rests gives way", ROUTER, one_that_rests),
        ("in front: two processors", ROUTER, two_processors),
    ])
}

/// A connection as it is read, and as its entry is.
fn read(scene: &mut Scene<'_>, data: &Conversation) -> (Flow, Flow) {
    let mut state = scene.guard.state();
    let flows = state.flows().unwrap();
    let whole = flows.get(data.key()).unwrap().unwrap();
    (whole, flows.entry(data.key()).unwrap().unwrap())
}

/// How many of the client's segments were counted, and how many of them in front of the entry.
fn counts(scene: &mut Scene<'_>, data: &Conversation) -> (u64, u64) {
    let (whole, entry) = read(scene, data);
    let [all, known] = [whole, entry].map(|flow| flow.traffic.packets_in);
    (all, all - known)
}

fn send(scene: &mut Scene<'_>, data: &mut Conversation, segments: u32) {
    for _ in 0..segments {
        scene.xdp("data of the client", &data.client(DATA, b"abc"), FLOW);
    }
}

/// A passive data connection of which the client has sent five segments, the last four counted in front.
fn in_front(scene: &mut Scene<'_>) -> Conversation {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    let mut data = connect(scene, 50_005, PINHOLE);
    send(scene, &mut data, 5);
    assert_eq!(counts(scene, &data), (5, 4));
    data
}

fn ack(data: &Conversation) -> Vec<u8> {
    data.client_at(data.client_next, TcpFlags::ACK, b"")
}

/// One more segment, which passes and is counted in the entry.
fn passes_by_the_entry(scene: &mut Scene<'_>, data: &Conversation, what: &str) {
    let (all, front) = counts(scene, data);
    scene.xdp(what, &ack(data), FLOW);
    assert_eq!(counts(scene, data), (all + 1, front), "{what}");
}

fn counted(scene: &mut Scene<'_>) {
    let mut data = in_front(scene);
    let (whole, entry) = read(scene, &data);
    let [whole, entry] = [whole, entry].map(|flow| flow.traffic);
    assert_eq!((whole.bytes_in, entry.bytes_in), (15, 3));
    assert!(whole.seen_ns >= entry.seen_ns && monotonic_ns() - whole.seen_ns < SECOND);
    // What the server says changes nothing of it.
    for flags in [TcpFlags::ACK, DATA] {
        scene.egress("the server's", &data.server(flags, b"x"), FLOW);
    }
    send(scene, &mut data, 5);
    assert_eq!(counts(scene, &data), (10, 9));
    // What others do neither.
    let other = scene.data(40_002, 50_005);
    scene.xdp("an ACK of another port", &ack(&other), NO_FLOW);
    let other = scene.connection(scene.listed(8), data.client.port(), 50_005);
    scene.xdp("an ACK of another client", &ack(&other), NO_FLOW);
    assert_eq!(counts(scene, &data), (10, 9));
    // A look into the table is not an end: the rest is counted besides, whatever is written there.
    scene.change_flow(&data, |_| {});
    assert_eq!(counts(scene, &data), (10, 0));
    passes_by_the_entry(scene, &data, "the first one after a change");
    send(scene, &mut data, 2);
    assert_eq!(counts(scene, &data), (13, 2));
    assert_eq!(read(scene, &data).0.traffic.bytes_in, 36);
}

/// The end of a connection, by the client or the server: what was counted stays, what follows goes by the entry.
fn until(scene: &mut Scene<'_>, data: &Conversation, end: &[u8], by_client: bool) {
    if by_client {
        scene.xdp("the end", end, FLOW);
        assert_eq!(counts(scene, data), (6, 4));
    } else {
        scene.egress("the end", end, FLOW);
        assert_eq!(counts(scene, data), (5, 4));
    }
    for _ in 0..3 {
        passes_by_the_entry(scene, data, "after the end");
    }
    assert_eq!(read(scene, data).0.traffic.bytes_in, 15);
}

fn until_fin(scene: &mut Scene<'_>) {
    let mut data = in_front(scene);
    let fin = data.client(FIN_ACK, b"");
    until(scene, &data, &fin, true);
}

fn until_reset(scene: &mut Scene<'_>) {
    let mut data = in_front(scene);
    scene.egress("the server's ACK", &data.server(TcpFlags::ACK, b""), FLOW);
    let blind = data.client_at(data.client_next.wrapping_add(9), RST_ACK, b"");
    scene.xdp("a reset with another number", &blind, FLOW);
    assert_eq!(counts(scene, &data), (6, 4));
    send(scene, &mut data, 1);
    assert_eq!(counts(scene, &data), (7, 5), "it proves nothing");
    scene.egress("the server's ACK", &data.server(TcpFlags::ACK, b""), FLOW);
    scene.xdp("a reset", &data.client(RST_ACK, b""), FLOW);
    assert_eq!(counts(scene, &data), (8, 5));
    passes_by_the_entry(scene, &data, "after the reset");
}

fn until_reset_by_server(scene: &mut Scene<'_>) {
    let mut data = in_front(scene);
    let reset = data.server(RST_ACK, b"");
    until(scene, &data, &reset, false);
}

fn until_killed(scene: &mut Scene<'_>) {
    let data = in_front(scene);
    scene.change_flow(&data, |flow| flow.traffic.killed = 1);
    scene.xdp(
        "after it is killed",
        &ack(&data),
        drop(Reason::Killed, DATA_PORT),
    );
    assert_eq!(counts(scene, &data).0, 5);
}

fn until_over(scene: &mut Scene<'_>) {
    let data = in_front(scene);
    wait_for_age(HALF_CLOSED_LINGER_NS + SECOND);
    let past = monotonic_ns() - HALF_CLOSED_LINGER_NS - SECOND;
    scene.change_flow(&data, |flow| flow.traffic.closed_ns = past);
    scene.xdp("after it is over", &ack(&data), NO_FLOW);
}

fn until_removed(scene: &mut Scene<'_>) {
    let data = in_front(scene);
    scene
        .guard
        .state()
        .flows()
        .unwrap()
        .remove(data.key())
        .unwrap();
    scene.xdp("after it is removed", &ack(&data), NO_FLOW);
    // One that begins at the same moment under the same key is another one.
    scene.set_flow(&data, FlowKind::Passive);
    assert_eq!(counts(scene, &data), (0, 0));
}

/// After a change of what is listed and banned, the entry decides.
fn follow(scene: &mut Scene<'_>, data: &Conversation, wanted: Wanted) {
    scene.guard.allow_generation += 1;
    scene.install();
    scene.xdp("after the change", &ack(data), wanted);
}

fn until_unlisted(scene: &mut Scene<'_>) {
    let data = in_front(scene);
    scene.policy.allow.clear();
    follow(scene, &data, NOT_LISTED);
}

fn until_banned(scene: &mut Scene<'_>) {
    let data = in_front(scene);
    let client = scene.listed(7);
    scene.policy.ban(client.into(), BanKind::Ban, 0);
    follow(scene, &data, drop(Reason::Banned, DATA_PORT));
}

fn until_expiring(scene: &mut Scene<'_>) {
    let mut data = in_front(scene);
    follow(scene, &data, FLOW);
    assert_eq!(counts(scene, &data), (6, 4), "it was looked up");
    send(scene, &mut data, 2);
    assert_eq!(counts(scene, &data), (8, 5), "and is in front again");
    let expires_s = now_s() as u32 + 86_400;
    let client = scene.listed(7);
    scene
        .policy
        .entry(client.into(), EntryKind::Allow, expires_s);
    follow(scene, &data, FLOW);
    for _ in 0..3 {
        passes_by_the_entry(scene, &data, "of an entry that is to expire");
    }
}

/// The server opens a connection to the client, and once more under the same key.
fn until_replaced(scene: &mut Scene<'_>) {
    const ACTIVE: Wanted = pass(Reason::DataFlow, PortClass::ActiveData);
    let _control = scene.login();
    let to = SocketAddr::new(scene.listed(7), 51_000);
    let requested = pass(Reason::ActiveClient, PortClass::ActiveData);
    let mut data = open(scene, 20, to, requested);
    for _ in 0..2 {
        scene.xdp("the SYN+ACK", &data.client(SYN_ACK, b""), ACTIVE);
        scene.xdp("the ACK", &data.client(DATA, b"abc"), ACTIVE);
        scene.xdp("more", &data.client(DATA, b"abc"), ACTIVE);
        assert_eq!(counts(scene, &data), (3, 1));
        assert_eq!(read(scene, &data).0.traffic.bytes_in, 6);
        data = open(scene, 20, to, requested);
        assert_eq!(counts(scene, &data), (0, 0));
        // The handshake is not proven: no segment of it is only counted.
        let (_, entry) = read(scene, &data);
        assert_eq!(entry.established, 0);
    }
    scene.xdp("an ACK of the one before", &ack(&data), ACTIVE);
    assert_eq!(counts(scene, &data), (1, 0));
}

/// What monitor mode only follows is judged each time.
fn never_witnessed(scene: &mut Scene<'_>) {
    if scene.policy.mode != Mode::Monitor {
        return;
    }
    let data = in_front(scene);
    scene.change_flow(&data, |flow| {
        flow.traffic.witnessed = Reason::NotListed as u8;
    });
    scene.policy.allow.clear();
    for _ in 0..3 {
        scene.install();
        scene.xdp("of one that may not be here", &ack(&data), NOT_LISTED);
    }
    assert_eq!(counts(scene, &data), (8, 0));
}

/// Connections of a client that one slot is for.
fn meeting<const COUNT: usize>(scene: &mut Scene<'_>) -> [Conversation; COUNT] {
    let slot = |data: &Conversation| index(&data.key().words());
    let wanted = slot(&scene.data(10_000, 50_005));
    let all = (10_000..=u16::MAX).map(|port| scene.data(port, 50_005));
    let some: Vec<_> = all
        .filter(|data| slot(data) == wanted)
        .take(COUNT)
        .collect();
    let Ok(some) = some.try_into() else {
        panic!("55,535 keys lead to each of 4,096 slots more often than that");
    };
    for data in &some {
        scene.set_flow(data, FlowKind::Passive);
    }
    some
}

fn two_that_meet(scene: &mut Scene<'_>) {
    let [mut first, mut second] = meeting(scene);
    for round in 1..=5 {
        send(scene, &mut first, 1);
        send(scene, &mut second, 1);
        assert_eq!(counts(scene, &first), (round, round - 1));
        assert_eq!(counts(scene, &second), (round, 0), "the first one stays");
    }
    // When anything leads there has changed, whoever comes first has it.
    let fin = first.client(FIN_ACK, b"");
    scene.xdp("the FIN of the first", &fin, FLOW);
    assert_eq!(counts(scene, &first), (6, 4));
    send(scene, &mut second, 1);
    assert_eq!(counts(scene, &first), (6, 0), "the rest is in its entry");
    assert_eq!(counts(scene, &second), (6, 0));
    send(scene, &mut second, 3);
    passes_by_the_entry(scene, &first, "an ACK of the first");
    assert_eq!(counts(scene, &second), (9, 3));
    for (data, bytes) in [(&first, 15), (&second, 27)] {
        assert_eq!(read(scene, data).0.traffic.bytes_in, bytes);
    }
    // What is gone takes no counts with it that are another's.
    scene
        .guard
        .state()
        .flows()
        .unwrap()
        .remove(first.key())
        .unwrap();
    send(scene, &mut second, 2);
    assert_eq!(counts(scene, &second), (11, 4));
    scene.xdp("an ACK of the one that is gone", &ack(&first), NO_FLOW);
    let mut state = scene.guard.state();
    let read: u64 = (state.flows().unwrap().entries().unwrap().iter())
        .map(|(_, flow)| flow.traffic.packets_in)
        .sum();
    assert_eq!(read, 11);
}

fn one_that_rests(scene: &mut Scene<'_>) {
    let [mut first, mut second] = meeting(scene);
    send(scene, &mut first, 3);
    send(scene, &mut second, 2);
    assert_eq!(counts(scene, &second), (2, 0));
    thread::sleep(Duration::from_nanos(IDLE_NS) + Duration::from_millis(50));
    send(scene, &mut second, 3);
    assert_eq!(counts(scene, &first), (3, 0));
    assert_eq!(counts(scene, &second), (5, 2));
    send(scene, &mut first, 2);
    assert_eq!(counts(scene, &first), (5, 0));
    for data in [&first, &second] {
        assert_eq!(read(scene, data).0.traffic.bytes_in, 15);
    }
}

/// Two connections that meet, each on a processor of its own, which both take their slot again and again: a third
/// connection that leads there is changed all the time.
fn two_processors(scene: &mut Scene<'_>) {
    const AT_A_TIME: u32 = 5;
    /// In the moment in which the slot passes from one to the other, a segment may be counted for the wrong one.
    const AMISS: u64 = 5;
    let rounds = scaled(10_000);
    let [first, second, third] = meeting(scene);
    let key = StatsKey {
        verdict: Verdict::Pass,
        reason: Reason::DataFlow,
        class: PortClass::PassiveData,
        family: scene.family,
    };
    let before = scene.guard.cell(key).unwrap();
    let front = &scene.guard.state().front().unwrap();
    let program = scene.guard.program().unwrap().fd().unwrap().as_fd();
    let cpus = aya::util::online_cpus().unwrap();
    thread::scope(|scope| {
        for (data, cpu) in [&first, &second].into_iter().zip(cpus.iter().cycle()) {
            let frame = data.client_at(data.client_next, DATA, b"abc");
            let third = third.key();
            scope.spawn(move || {
                sys::stay_on_cpu(*cpu as usize).unwrap();
                for _ in 0..rounds {
                    front.settle(&third);
                    for _ in 0..AT_A_TIME {
                        sys::run_many(program, &frame, 1).unwrap();
                    }
                }
            });
        }
    });
    let sent = u64::from(rounds * AT_A_TIME);
    let after = scene.guard.cell(key).unwrap();
    assert_eq!(after.packets - before.packets, 2 * sent);
    for (data, sent) in [(&first, sent), (&second, sent), (&third, 0)] {
        let Traffic {
            packets_in,
            bytes_in,
            ..
        } = read(scene, data).0.traffic;
        let good = packets_in.abs_diff(sent) <= AMISS && bytes_in.abs_diff(3 * sent) <= 3 * AMISS;
        assert!(good, "{packets_in} of {sent} segments, {bytes_in} bytes");
    }
    scene.recount();
}
