//! How many control connections a listed source may have, and how many segments each.

use std::net::IpAddr;

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{config::Role, limits::Profile, reason::Reason};
use ftp_guard_tests::conversation::{Conversation, DATA, FIN_ACK};

use crate::{
    row::{Wanted, drop},
    scene::{ANYWHERE, Scene, Story},
    sources::{CONTROL, HOUR, LISTED, SESSION, rate, tagged},
};

const SESSION_LIMIT: Wanted = drop(Reason::SessionLimit, CONTROL);
const CONTROL_RATE: Wanted = drop(Reason::ControlRate, CONTROL);

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        (
            "as many sessions as the profile permits",
            ANYWHERE,
            sessions,
        ),
        ("the end of a session makes room", ANYWHERE, ended),
        ("openings are connections too", ANYWHERE, openings),
        ("handshakes that race for the last place", ANYWHERE, race),
        ("sessions of a source of IPv6", ANYWHERE, shared),
        ("segments of a control connection", ANYWHERE, segments),
        ("segments before the greeting", ANYWHERE, early_segments),
    ])
}

pub(crate) fn limited(sessions: u32, data: u32) -> Profile {
    Profile {
        sessions,
        data,
        ..Profile::default()
    }
}

fn syn(scene: &mut Scene<'_>, client: IpAddr, wanted: Wanted) {
    let syn = scene
        .connection(client, 39_000, 21)
        .client_at(1, TcpFlags::SYN, b"");
    scene.twice("a SYN", &syn, wanted);
}

fn sessions(scene: &mut Scene<'_>) {
    scene.profile(limited(2, 0));
    let (one, other) = (scene.source(1, 1), scene.source(1, 2));
    let first = scene.greet(one, 30_000);
    syn(scene, one, LISTED);
    let second = scene.greet(one, 30_001);
    assert_eq!(scene.counts(one), Some((2, 0, 0)));
    syn(scene, one, SESSION_LIMIT);
    syn(scene, other, LISTED);
    let stranger = scene.unlisted(7);
    syn(scene, stranger, drop(Reason::NotListed, CONTROL));
    for control in [&first, &second] {
        let noop = control.client_at(control.client_next, DATA, b"NOOP\r\n");
        scene.xdp("a session goes on", &noop, SESSION);
    }
    let knock = scene
        .connection(one, 39_000, 22)
        .client_at(1, TcpFlags::SYN, b"");
    scene.twice("port 22", &knock, crate::cases::not_ftp());
    // A number of zero is no limit.
    scene.profile(limited(0, 0));
    syn(scene, one, LISTED);
}

/// Both sides end a session.
fn finish(scene: &mut Scene<'_>, control: &mut Conversation) {
    let fin = control.client(FIN_ACK, b"");
    scene.xdp("the client's FIN", &fin, SESSION);
    scene.egress("the server's FIN", &control.server(FIN_ACK, b""), SESSION);
    if scene.role() == Role::Host {
        // The program on sockets says that it has ended.
        assert_eq!(scene.counts(control.client.ip()), Some((1, 0, 0)));
        scene.close(control);
    }
}

fn ended(scene: &mut Scene<'_>) {
    scene.profile(limited(1, 0));
    let source = scene.source(1, 1);
    for client_port in [30_000, 30_001, 30_000] {
        if client_port == 30_000 {
            // The same ports once more are a connection of their own.
            scene.guard.state().sessions().unwrap().clear().unwrap();
        }
        let mut control = scene.greet(source, client_port);
        assert_eq!(scene.counts(source), Some((1, 0, 0)));
        syn(scene, source, SESSION_LIMIT);
        finish(scene, &mut control);
        assert_eq!(scene.counts(source), Some((0, 0, 0)));
        syn(scene, source, LISTED);
    }
}

fn openings(scene: &mut Scene<'_>) {
    scene.profile(limited(2, 0));
    let source = scene.source(1, 1);
    scene.greet(source, 30_000);
    let mut second = scene.connection(source, 30_001, 21);
    scene.prove(&mut second, LISTED);
    assert_eq!(scene.counts(source), Some((1, 1, 0)));
    syn(scene, source, SESSION_LIMIT);
    scene.reply(&mut second, "220 ready\r\n");
    assert_eq!(scene.counts(source), Some((2, 0, 0)));
    syn(scene, source, SESSION_LIMIT);
}

/// SYNs prove nothing, so that as many pass as rates permit; not so the ends of their handshakes.
fn race(scene: &mut Scene<'_>) {
    scene.profile(limited(2, 0));
    let source = scene.source(1, 1);
    let mut requests: Vec<Conversation> = (0..4)
        .map(|number| scene.connection(source, 30_000 + number, 21))
        .collect();
    for control in &mut requests {
        scene.request(control);
    }
    for (number, control) in requests.iter_mut().enumerate() {
        let ack = control.client(TcpFlags::ACK, b"");
        let wanted = if number < 2 { LISTED } else { SESSION_LIMIT };
        scene.twice("the end of a handshake", &ack, wanted);
    }
    assert_eq!(scene.counts(source), Some((0, 2, 0)));
    assert_eq!(scene.openings(), 2);
}

fn shared(scene: &mut Scene<'_>) {
    scene.profile(limited(2, 0));
    let (one, other) = (scene.host(1, 1, 1), scene.host(1, 1, 2));
    let neighbour = scene.source(1, 2);
    scene.greet(one, 30_000);
    scene.greet(other, 30_001);
    assert_eq!(scene.counts(one), Some((2, 0, 0)));
    syn(scene, scene.host(1, 1, 3), SESSION_LIMIT);
    syn(scene, neighbour, LISTED);
    assert_eq!(
        scene
            .guard
            .state()
            .sources()
            .unwrap()
            .entries()
            .unwrap()
            .len(),
        1
    );
}

fn segments(scene: &mut Scene<'_>) {
    let profile = Profile {
        packets: rate(4),
        ..Profile::default()
    };
    scene.profile(profile);
    let source = scene.source(1, 1);
    let control = scene.greet(source, 30_000);
    let other = scene.greet(source, 30_001);
    scene.change_session(&control, |session| session.packets_ns = 0);
    scene.change_session(&other, |session| session.packets_ns = 0);
    let noop = control.client_at(control.client_next, DATA, b"NOOP\r\n");
    let ack = control.client_at(control.client_next, TcpFlags::ACK, b"");
    for frame in [&noop, &ack, &tagged(&noop), &ack] {
        scene.xdp("within the rate", frame, SESSION);
    }
    for frame in [&noop, &ack] {
        scene.twice("beyond the rate", frame, CONTROL_RATE);
    }
    // What the server says is not counted, and other sessions have buckets of their own.
    let reply = control.server_at(control.server_next, DATA, b"200 ok\r\n");
    scene.egress("a reply", &reply, SESSION);
    let noop_of_other = other.client_at(other.client_next, DATA, b"NOOP\r\n");
    scene.twice("another session", &noop_of_other, SESSION);
    scene.change_session(&control, |session| {
        session.packets_ns = session.packets_ns.saturating_sub(HOUR);
    });
    scene.xdp("later", &noop, SESSION);
    scene.xdp("later, once more", &noop, CONTROL_RATE);
    scene.policy.profiles.insert(0, Profile::default());
    scene.install();
    scene.twice("no limit any more", &noop, SESSION);
}

fn early_segments(scene: &mut Scene<'_>) {
    let profile = Profile {
        packets: rate(8),
        ..Profile::default()
    };
    scene.profile(profile);
    let mut control = scene.connection(scene.source(1, 1), 30_000, 21);
    scene.prove(&mut control, LISTED);
    let early = control.client_at(control.client_next, DATA, b"USER x\r\n");
    for _ in 0..7 {
        scene.xdp("before the greeting, within the rate", &early, LISTED);
    }
    // Whether the segment that proves the client counts is left open.
    let (key, mut state) = (control.key(), scene.guard.state());
    let mut table = state.opening().unwrap();
    let mut opening = table.get(key).unwrap().unwrap();
    assert_ne!(opening.packets_ns, 0);
    opening.packets_ns = monotonic_ns() + 7 * HOUR + HOUR / 2;
    table.set(key, opening).unwrap();
    scene.twice("beyond the rate", &early, CONTROL_RATE);
}
