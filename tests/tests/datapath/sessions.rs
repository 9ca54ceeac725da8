//! How sessions begin, go on and end.

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    allow::EntryKind,
    class::PortClass,
    reason::Reason,
    session::{LINGER_NS, Tls},
};
use ftp_guard_tests::conversation::{Conversation, DATA, FIN_ACK, RST_ACK, SYN_ACK};

use crate::{
    row::{Wanted, drop, pass},
    scene::{ANYWHERE, HOST, ROUTER, Scene, Story},
};

const SESSION: Wanted = pass(Reason::Session, PortClass::Control);
const LISTED: Wanted = pass(Reason::Listed, PortClass::Control);
const ANSWER: Wanted = pass(Reason::ServerAnswer, PortClass::Control);

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        (
            "a session begins with the server's first payload",
            ANYWHERE,
            begins,
        ),
        ("the first byte tells TLS", ANYWHERE, first_byte),
        (
            "a client that is not listed gets no session where that counts",
            ANYWHERE,
            unlisted,
        ),
        ("kill ends a session both ways", ANYWHERE, killed),
        ("an entry that is removed ends a session", ANYWHERE, removed),
        ("an entry that expires ends a session", ANYWHERE, expires),
        (
            "a removed entry is looked up once the generation says so",
            ANYWHERE,
            generation,
        ),
        ("an ended session lingers", ANYWHERE, lingers),
        ("a full table refuses new sessions", ANYWHERE, full),
        ("CCC leads back to clear text", ANYWHERE, cleared),
        (
            "on a router FIN both ways or RST ends a session",
            ROUTER,
            ends_on_a_router,
        ),
        ("what a server sends again after the end", ROUTER, repeats),
        (
            "on a host the sockets end a session, not what clients send",
            HOST,
            does_not_end_on_a_host,
        ),
    ])
}

fn client_counts(scene: &mut Scene<'_>) -> Vec<(u32, u32)> {
    let entries = scene.guard.state().clients().unwrap().entries().unwrap();
    entries
        .into_iter()
        .map(|(_, client)| (client.sessions, client.encrypted))
        .collect()
}

fn begins(scene: &mut Scene<'_>) {
    let mut control = scene.connection(scene.listed(7), 40_000, 21);
    scene.handshake(&mut control);
    let early = control.client_at(control.client_next, DATA, b"USER before the greeting\r\n");
    scene.xdp("a command before the greeting", &early, LISTED);
    assert_eq!(scene.session(&control), None);
    let ack = control.server_at(control.server_next, TcpFlags::ACK, b"");
    scene.egress("an ACK of the server without payload", &ack, ANSWER);
    assert_eq!(scene.session(&control), None);
    scene.reply(&mut control, "220 ready\r\n");
    let session = scene.session(&control).unwrap();
    assert_ne!(session.id, 0);
    assert_eq!(session.tls, Tls::Clear as u8);
    assert_eq!(client_counts(scene), [(1, 0)]);
    scene.command(&mut control, "USER x\r\n");
    // Neighbours: another port of the same client, another client.
    for (client, port) in [(scene.listed(7), 40_009), (scene.listed(8), 40_000)] {
        let other = scene.connection(client, port, 21);
        let ack = other.client_at(1, TcpFlags::ACK, b"");
        scene.xdp("an ACK beside the session", &ack, LISTED);
        scene.control("an ACK beside the session", &ack, LISTED);
        let ack = other.server_at(1, TcpFlags::ACK, b"");
        scene.egress("an ACK beside the session", &ack, ANSWER);
    }
    let mut second = scene.connection(scene.listed(7), 40_009, 21);
    scene.handshake(&mut second);
    scene.reply(&mut second, "220 ready\r\n");
    assert_eq!(client_counts(scene), [(2, 0)]);
    assert_ne!(scene.session(&second).unwrap().id, session.id);
    let other_port = scene.connection(scene.listed(7), 40_000, 22);
    let frame = other_port.client_at(1, DATA, b"x");
    let not_ftp = pass(Reason::NotFtp, PortClass::Other);
    scene.xdp("to port 22", &frame, not_ftp);
    scene.control("to port 22", &frame, not_ftp);
    scene.egress(
        "from port 22",
        &other_port.server_at(1, DATA, b"220 x\r\n"),
        not_ftp,
    );
    assert_eq!(scene.session(&other_port), None);
}

fn first_byte(scene: &mut Scene<'_>) {
    for (client_port, first, tls) in [
        (41_000, 0x13_u8, Tls::Clear),
        (41_001, 0x14, Tls::Encrypted),
        (41_002, 0x15, Tls::Encrypted),
        (41_003, 0x16, Tls::Encrypted),
        (41_004, 0x17, Tls::Encrypted),
        (41_005, 0x18, Tls::Clear),
        (41_006, b'2', Tls::Clear),
    ] {
        for port in [21, 990] {
            let mut control = scene.connection(scene.listed(7), client_port, port);
            scene.handshake(&mut control);
            scene.reply_bytes(&mut control, &[first, 3, 3, 0, 1, 0]);
            let session = scene.session(&control).unwrap();
            assert_eq!(session.tls, tls as u8, "first byte {first:#x}");
        }
    }
    assert_eq!(client_counts(scene), [(14, 8)]);
}

fn unlisted(scene: &mut Scene<'_>) {
    let mut control = scene.connection(scene.unlisted(7), 40_000, 21);
    let syn = control.client(TcpFlags::SYN, b"");
    scene.xdp(
        "a stranger's SYN",
        &syn,
        drop(Reason::NotListed, PortClass::Control),
    );
    scene.egress("the answer to it", &control.server(SYN_ACK, b""), ANSWER);
    let greeting = control.server(DATA, b"220 ready\r\n");
    let followed = !scene.enforces();
    scene.egress(
        "a greeting",
        &greeting,
        if followed { SESSION } else { ANSWER },
    );
    assert_eq!(scene.session(&control).is_some(), followed);
    assert_eq!(client_counts(scene).is_empty(), !followed);
}

fn killed(scene: &mut Scene<'_>) {
    let control = scene.login();
    let other = scene.login_of(scene.listed(8));
    scene.change_session(&control, |session| session.traffic.killed = 1);
    let killed = drop(Reason::Killed, PortClass::Control);
    for (what, flags, payload) in [
        ("a command", DATA, &b"NOOP\r\n"[..]),
        ("an ACK", TcpFlags::ACK, b""),
        ("a FIN", FIN_ACK, b""),
    ] {
        scene.xdp(
            what,
            &control.client_at(control.client_next, flags, payload),
            killed,
        );
        scene.egress(
            what,
            &control.server_at(control.server_next, flags, payload),
            killed,
        );
        scene.xdp(
            what,
            &other.client_at(other.client_next, flags, payload),
            SESSION,
        );
    }
}

fn remove(scene: &mut Scene<'_>, raise: bool) {
    scene.policy.allow.clear();
    scene
        .policy
        .entry("198.51.100.8/32".parse().unwrap(), EntryKind::Allow, 0);
    scene
        .policy
        .entry("2001:db8:1::8/128".parse().unwrap(), EntryKind::Allow, 0);
    if raise {
        scene.guard.allow_generation += 1;
    }
    scene.install();
}

fn removed(scene: &mut Scene<'_>) {
    let control = scene.login();
    let other = scene.login_of(scene.listed(8));
    remove(scene, true);
    let refused = drop(Reason::NotListed, PortClass::Control);
    let noop = |control: &Conversation| control.client_at(control.client_next, DATA, b"NOOP\r\n");
    for _ in 0..2 {
        scene.xdp("a command of the removed client", &noop(&control), refused);
        scene.xdp("a command of the other client", &noop(&other), SESSION);
    }
    let generation = scene.guard.allow_generation;
    assert_eq!(
        scene.session(&other).unwrap().traffic.allow_generation,
        generation
    );
}

fn generation(scene: &mut Scene<'_>) {
    let control = scene.login();
    remove(scene, false);
    let noop = control.client_at(control.client_next, DATA, b"NOOP\r\n");
    scene.xdp("a command, the generation being as it was", &noop, SESSION);
    scene.guard.allow_generation += 1;
    scene.install();
    let refused = drop(Reason::NotListed, PortClass::Control);
    scene.xdp("a command, the generation raised", &noop, refused);
}

fn expires(scene: &mut Scene<'_>) {
    let soon = ftp_guard_tests::program::now_s() as u32 + 86_400;
    scene.policy.allow.clear();
    for prefix in ["198.51.100.0/24", "2001:db8:1::/64"] {
        scene
            .policy
            .entry(prefix.parse().unwrap(), EntryKind::Allow, soon);
    }
    scene.install();
    let control = scene.login();
    let session = scene.session(&control).unwrap();
    assert_eq!(session.traffic.allow_expires_s, soon);
    let noop = control.client_at(control.client_next, DATA, b"NOOP\r\n");
    scene.xdp("a command before the entry expires", &noop, SESSION);
    // What the clock does by itself.
    let past = ftp_guard_tests::program::now_s() as u32 - 1;
    for prefix in ["198.51.100.0/24", "2001:db8:1::/64"] {
        scene
            .policy
            .entry(prefix.parse().unwrap(), EntryKind::Allow, past);
    }
    scene.install();
    scene.change_session(&control, |session| session.traffic.allow_expires_s = past);
    let expired = drop(Reason::Expired, PortClass::Control);
    scene.xdp("a command after the entry has expired", &noop, expired);
}

fn lingers(scene: &mut Scene<'_>) {
    let control = scene.login();
    let now = monotonic_ns();
    scene.change_session(&control, |session| session.traffic.closed_ns = now);
    let (ack, answer) = (
        control.client_at(control.client_next, TcpFlags::ACK, b""),
        control.server_at(control.server_next, TcpFlags::ACK, b""),
    );
    scene.xdp("an ACK while it lingers", &ack, SESSION);
    scene.egress("an ACK while it lingers", &answer, SESSION);
    scene.change_session(&control, |session| {
        session.traffic.closed_ns = now - LINGER_NS - 1_000_000_000;
    });
    scene.xdp("an ACK after it has lingered", &ack, LISTED);
    scene.control("an ACK after it has lingered", &ack, LISTED);
    // The same ports once more: a new session.
    let old = scene.session(&control).unwrap().id;
    let mut again = control.clone();
    again.client_next = 77;
    scene.xdp("a new SYN", &again.client(TcpFlags::SYN, b""), LISTED);
    again.server(SYN_ACK, b"");
    scene.xdp("a new ACK", &again.client(TcpFlags::ACK, b""), LISTED);
    scene.reply(&mut again, "220 again\r\n");
    let session = scene.session(&control).unwrap();
    assert_ne!(session.id, old);
    assert_eq!(session.traffic.closed_ns, 0);
}

fn ends_on_a_router(scene: &mut Scene<'_>) {
    let now = monotonic_ns();
    let mut control = scene.login();
    scene.xdp("the client's FIN", &control.client(FIN_ACK, b""), SESSION);
    assert_eq!(scene.session(&control).unwrap().traffic.closed_ns, 0);
    assert_eq!(client_counts(scene), [(1, 0)]);
    scene.egress("the server's FIN", &control.server(FIN_ACK, b""), SESSION);
    assert!(scene.session(&control).unwrap().traffic.closed_ns + 1_000_000_000 > now);
    assert_eq!(client_counts(scene), [(0, 0)]);

    let mut control = scene.login_of(scene.listed(8));
    scene.xdp(
        "the client's RST",
        &control.client(TcpFlags::RST, b""),
        SESSION,
    );
    assert_ne!(scene.session(&control).unwrap().traffic.closed_ns, 0);
    let mut control = scene.login_of(scene.listed(9));
    scene.egress("the server's RST", &control.server(RST_ACK, b""), SESSION);
    assert_ne!(scene.session(&control).unwrap().traffic.closed_ns, 0);
    assert_eq!(client_counts(scene), [(0, 0); 3]);
}

/// What a server sends again after the end is no new session.
fn repeats(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    let at = control.server_next;
    scene.reply(&mut control, "221 bye\r\n");
    let fin = control.server(FIN_ACK, b"");
    scene.egress("the server's FIN", &fin, SESSION);
    scene.xdp("the client's FIN", &control.client(FIN_ACK, b""), SESSION);
    let before = scene.session(&control).unwrap();
    assert_ne!(before.traffic.closed_ns, 0);
    let last = control.server_at(at, FIN_ACK, b"221 bye\r\n");
    scene.egress("the last reply again", &last, SESSION);
    assert_eq!(scene.session(&control).unwrap().id, before.id);
    assert_eq!(client_counts(scene), [(0, 0)]);
}

fn does_not_end_on_a_host(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    for frame in [
        control.client(FIN_ACK, b""),
        control.client(TcpFlags::RST, b""),
    ] {
        scene.xdp("the client's FIN or RST", &frame, SESSION);
    }
    scene.egress("the server's FIN", &control.server(FIN_ACK, b""), SESSION);
    assert_eq!(scene.session(&control).unwrap().traffic.closed_ns, 0);
    assert_eq!(client_counts(scene), [(1, 0)]);
}

fn full(scene: &mut Scene<'_>) {
    let mut first = None;
    let mut refused = 0;
    for number in 0..1100_u16 {
        let mut control = scene.connection(scene.listed(7), 10_000 + number, 21);
        let greeting = control.server(DATA, b"220 ready\r\n");
        let has_room = number < 1024;
        let wanted = if has_room {
            SESSION
        } else {
            refused += 1;
            drop(Reason::SessionTableFull, PortClass::Control)
        };
        scene.egress("a greeting", &greeting, wanted);
        assert_eq!(scene.session(&control).is_some(), has_room, "{number}");
        first.get_or_insert(control);
    }
    assert_eq!(refused, 76);
    let first = first.unwrap();
    scene.xdp(
        "the first session goes on",
        &first.client_at(1, DATA, b"NOOP\r\n"),
        SESSION,
    );
}

fn cleared(scene: &mut Scene<'_>) {
    let mut control = scene.login_tls();
    assert_eq!(scene.session(&control).unwrap().tls, Tls::Encrypted as u8);
    assert_eq!(client_counts(scene), [(1, 1)]);
    // CCC and its 200 under TLS, then clear text.
    scene.said(&mut control, b"\x17\x03\x03\x00\x05....1");
    scene.reply_bytes(&mut control, b"\x17\x03\x03\x00\x05....2");
    assert_eq!(scene.session(&control).unwrap().tls, Tls::Encrypted as u8);
    scene.command(&mut control, "EPSV\r\n");
    scene.reply(&mut control, "229 ok (|||50005|)\r\n");
    assert_eq!(scene.session(&control).unwrap().tls, Tls::Clear as u8);
    assert_eq!(client_counts(scene), [(1, 0)]);
    assert_eq!(scene.open_ports(), [50_005]);
}
