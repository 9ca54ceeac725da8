//! Segments on control ports that belong to no session: ends of handshakes, connections before their
//! greeting, and everything else.

use std::net::IpAddr;

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{limits::EXPECTED_S, reason::Reason, session::Tls};
use ftp_guard_tests::conversation::{DATA, FIN_ACK, RST_ACK, SYN_ACK};

use crate::{
    passive::SECOND,
    row::{Wanted, drop},
    scene::{ANYWHERE, HOST, Scene, Story},
    sources::{CONTROL, HOUR, LISTED, connections, rate},
};

const STRAY_ACK: Wanted = drop(Reason::StrayAck, CONTROL);
const STRAY_RST: Wanted = drop(Reason::StrayRst, CONTROL);
const STRAY_FIN: Wanted = drop(Reason::StrayFin, CONTROL);
const STRAY_DATA: Wanted = drop(Reason::StrayData, CONTROL);

/// Segments of no connection, and what they are beyond the rate.
const STRAYS: [(&str, TcpFlags, &[u8], Wanted); 8] = [
    ("an ACK", TcpFlags::ACK, b"", STRAY_ACK),
    ("a SYN+ACK", SYN_ACK, b"", STRAY_ACK),
    ("a RST", TcpFlags::RST, b"", STRAY_RST),
    ("a RST with ACK", RST_ACK, b"", STRAY_RST),
    ("a FIN", TcpFlags::FIN, b"", STRAY_FIN),
    ("a FIN with ACK", FIN_ACK, b"", STRAY_FIN),
    ("data", DATA, b"USER x\r\n", STRAY_DATA),
    ("data with ACK alone", TcpFlags::ACK, b"x", STRAY_DATA),
];

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        ("strays of a source have a rate", ANYWHERE, of_a_source),
        ("strays of all have a rate", HOST, of_all),
        ("strays and requests have buckets of their own", HOST, kinds),
        ("the end of a handshake is no stray", ANYWHERE, expected),
        (
            "the number of an acknowledgement must be right",
            ANYWHERE,
            wrong_number,
        ),
        ("data may end a handshake", ANYWHERE, hello),
        ("a reset ends no handshake", ANYWHERE, reset),
        (
            "an acknowledgement is not expected for ever",
            ANYWHERE,
            late,
        ),
    ])
}

fn strays(scene: &mut Scene<'_>, of_source: u64, of_all: u64) {
    scene.limit(|policy| {
        policy.limits.strays = rate(of_source);
        policy.limits.strays_total = rate(of_all);
    });
}

/// No stray passes any more, of whomever.
pub(crate) fn exhaust(scene: &mut Scene<'_>) {
    strays(scene, 1, 1);
    let stray = scene.connection(scene.source(9, 9), 39_999, 21);
    let ack = stray.client_at(1, TcpFlags::ACK, b"");
    scene.xdp("the one stray that may pass", &ack, LISTED);
}

fn stray(scene: &mut Scene<'_>, client: IpAddr, flags: TcpFlags, payload: &[u8]) -> Vec<u8> {
    let connection = scene.connection(client, 39_000, 21);
    connection.client_at(77, flags, payload)
}

fn of_a_source(scene: &mut Scene<'_>) {
    strays(scene, 8, 1000);
    let (one, other) = (scene.source(1, 1), scene.source(1, 2));
    for (what, flags, payload, _) in STRAYS {
        let frame = stray(scene, one, flags, payload);
        scene.xdp(what, &frame, LISTED);
    }
    for (what, flags, payload, wanted) in STRAYS {
        let frame = stray(scene, one, flags, payload);
        scene.twice(what, &frame, wanted);
        let frame = stray(scene, other, flags, payload);
        scene.xdp(what, &frame, LISTED);
    }
    for (what, flags, payload, wanted) in STRAYS {
        let frame = stray(scene, other, flags, payload);
        scene.xdp(what, &frame, wanted);
        let stranger = scene.unlisted(7);
        let frame = stray(scene, stranger, flags, payload);
        scene.twice(what, &frame, drop(Reason::NotListed, CONTROL));
        let connection = scene.connection(one, 39_000, 22);
        let frame = connection.client_at(77, flags, payload);
        scene.twice(what, &frame, crate::cases::not_ftp());
    }
    scene.elapse(HOUR);
    let frame = stray(scene, one, TcpFlags::ACK, b"");
    scene.xdp("later", &frame, LISTED);
    scene.xdp("later, once more", &frame, STRAY_ACK);
    assert_eq!((scene.counts(one), scene.openings()), (None, 0));
    // No rate is no limit.
    scene.limit(|policy| policy.limits.strays.interval_ns = 0);
    scene.limit(|policy| policy.limits.strays_total.interval_ns = 0);
    for (what, flags, payload, _) in STRAYS {
        let frame = stray(scene, one, flags, payload);
        scene.twice(what, &frame, LISTED);
    }
}

fn of_all(scene: &mut Scene<'_>) {
    strays(scene, 2, 5);
    for (number, wanted) in [
        (1, LISTED),
        (1, LISTED),
        // What its own rate refuses does not count against all.
        (1, STRAY_ACK),
        (1, STRAY_ACK),
        (1, STRAY_ACK),
        (2, LISTED),
        (3, LISTED),
        (4, LISTED),
        (5, STRAY_ACK),
        (6, STRAY_ACK),
    ] {
        let client = scene.source(number, number);
        let frame = stray(scene, client, TcpFlags::ACK, b"");
        scene.xdp("a stray of many", &frame, wanted);
    }
    scene.elapse(HOUR);
    let client = scene.source(7, 7);
    let frame = stray(scene, client, TcpFlags::ACK, b"");
    scene.xdp("later", &frame, LISTED);
    scene.xdp("later, once more", &frame, STRAY_ACK);
}

fn kinds(scene: &mut Scene<'_>) {
    scene.limit(|policy| {
        policy.limits.strays = rate(1);
        policy.profiles.insert(0, connections(2));
    });
    let source = scene.source(1, 1);
    let frame = stray(scene, source, TcpFlags::ACK, b"");
    scene.xdp("a stray", &frame, LISTED);
    scene.xdp("a stray too many", &frame, STRAY_ACK);
    scene.syns(source, 2, LISTED);
    scene.syns(source, 1, crate::sources::SOURCE_RATE);
    let other = scene.source(1, 2);
    scene.syns(other, 2, LISTED);
    scene.syns(other, 1, crate::sources::SOURCE_RATE);
    let frame = stray(scene, other, TcpFlags::ACK, b"");
    scene.xdp("a stray of one who may not connect", &frame, LISTED);
}

fn expected(scene: &mut Scene<'_>) {
    exhaust(scene);
    for (client, client_port, port) in [
        (scene.source(1, 1), 30_000, 21),
        (scene.source(1, 1), 30_001, 21),
        (scene.source(1, 1), 30_002, 990),
        (scene.source(1, 2), 30_000, 21),
    ] {
        let before = scene.openings();
        let mut control = scene.connection(client, client_port, port);
        scene.request(&mut control);
        assert_eq!(scene.openings(), before);
        let ack = control.client(TcpFlags::ACK, b"");
        scene.xdp("the ACK that proves the client", &ack, LISTED);
        scene.control("the ACK that proves the client", &ack, LISTED);
        assert_eq!(scene.openings(), before + 1);
        let mut state = scene.guard.state();
        let opening = state.opening().unwrap().get(control.key()).unwrap();
        assert!(opening.unwrap().since_ns.abs_diff(monotonic_ns()) < 5 * SECOND);
        // Sent again, and what follows: by its entry.
        scene.twice("the ACK again", &ack, LISTED);
        let early = control.client_at(control.client_next, DATA, b"USER x\r\n");
        scene.twice("data before the greeting", &early, LISTED);
        assert_eq!(scene.openings(), before + 1);
        // Beside it.
        let neighbour = scene.connection(client, client_port + 100, port);
        let ack = neighbour.client_at(1, TcpFlags::ACK, b"");
        scene.twice("an ACK from another port", &ack, STRAY_ACK);
    }
    let one = scene.source(1, 1);
    assert_eq!(scene.counts(one), Some((0, 3, 0)));
}

fn wrong_number(scene: &mut Scene<'_>) {
    exhaust(scene);
    let source = scene.source(1, 1);
    let mut control = scene.connection(source, 30_000, 21);
    scene.request(&mut control);
    let right = control.server_next;
    for wrong in [
        right.wrapping_add(1),
        right.wrapping_sub(1),
        0,
        1,
        !right,
        right ^ 0x8000_0000,
    ] {
        control.server_next = wrong;
        let ack = control.client_at(control.client_next, TcpFlags::ACK, b"");
        scene.twice("an ACK with a wrong number", &ack, STRAY_ACK);
        let data = control.client_at(control.client_next, DATA, b"x");
        scene.twice("data with a wrong number", &data, STRAY_DATA);
    }
    assert_eq!((scene.counts(source), scene.openings()), (None, 0));
    control.server_next = right;
    let ack = control.client_at(control.client_next, TcpFlags::ACK, b"");
    scene.xdp("an ACK with the right one", &ack, LISTED);
    assert_eq!(scene.counts(source), Some((0, 1, 0)));
}

/// Under implicit TLS the client speaks first, and its ACK may be lost.
fn hello(scene: &mut Scene<'_>) {
    exhaust(scene);
    let source = scene.source(1, 1);
    for client_port in [30_000, 30_001] {
        let mut control = scene.connection(source, client_port, 990);
        scene.request(&mut control);
        if client_port == 30_001 {
            let ack = control.client(TcpFlags::ACK, b"");
            scene.xdp("the ACK", &ack, LISTED);
        }
        let first = control.client(TcpFlags::ACK, b"\x16\x03\x01\x02\x00the first half");
        scene.xdp("half a hello", &first, LISTED);
        scene.control("half a hello", &first, LISTED);
        let second = control.client(DATA, b"the second half");
        scene.twice("its other half", &second, LISTED);
        scene.xdp("the first half again", &first, LISTED);
        scene.reply_bytes(&mut control, b"\x16\x03\x03hello");
        assert_eq!(scene.session(&control).unwrap().tls, Tls::Encrypted as u8);
        scene.said(&mut control, b"\x17\x03\x03data");
    }
    assert_eq!(scene.counts(source), Some((2, 0, 0)));
    assert_eq!(scene.openings(), 0);
}

fn reset(scene: &mut Scene<'_>) {
    exhaust(scene);
    let source = scene.source(1, 1);
    let mut control = scene.connection(source, 30_000, 21);
    scene.request(&mut control);
    for (what, flags, wanted) in [
        ("a RST with the right number", RST_ACK, STRAY_RST),
        ("a SYN+ACK with the right number", SYN_ACK, STRAY_ACK),
    ] {
        let frame = control.client_at(control.client_next, flags, b"");
        scene.twice(what, &frame, wanted);
    }
    assert_eq!((scene.counts(source), scene.openings()), (None, 0));
}

fn late(scene: &mut Scene<'_>) {
    exhaust(scene);
    let source = scene.source(1, 1);
    for (age_s, wanted) in [(EXPECTED_S - 5, LISTED), (EXPECTED_S + 5, STRAY_ACK)] {
        let client_port = 30_000 + age_s as u16;
        let mut control = scene.connection(source, client_port, 21);
        let fresh = scene.guard.state().expected().unwrap();
        scene.request(&mut control);
        let mut state = scene.guard.state();
        let mut slots = state.expected().unwrap();
        let written: Vec<usize> = (0..slots.len())
            .filter(|slot| slots[*slot] != fresh[*slot])
            .collect();
        let [slot] = written[..] else {
            panic!("{written:?}")
        };
        assert_eq!(slots[slot] as u32, control.server_next);
        slots[slot] -= u64::from(age_s) << 32;
        state.set_expected(&slots).unwrap();
        let ack = control.client(TcpFlags::ACK, b"");
        scene.xdp("a late ACK", &ack, wanted);
    }
    assert_eq!(scene.counts(source), Some((0, 1, 0)));
}
