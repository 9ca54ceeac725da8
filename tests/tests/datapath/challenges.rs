//! Which requests are answered with a cookie, and which limits come before and behind. What the answers
//! look like is in `cookies`.

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    address::{ListenKey, from_ip},
    class::Family,
    config::Cookies,
    limits::{Attack, Primed},
    reason::Reason,
};
use ftp_guard_tests::{conversation::Conversation, program::Ran};

use crate::{
    passive::SECOND,
    row::{Wanted, drop, pass},
    scene::{HOST, Scene, Story},
    sources::{CONTROL, LISTED, SOURCE_RATE, ago, connections},
};

const COOKIE: Wanted = Wanted {
    passes: false,
    reason: Reason::SynCookie,
    class: CONTROL,
};
const ACCEPTED: Wanted = pass(Reason::CookieAccepted, CONTROL);
const FAILED: Wanted = drop(Reason::CookieFailed, CONTROL);
const MANY: u64 = 1000;

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        ("where a limit would refuse it is asked", HOST, refused),
        ("in an attack everybody is asked", HOST, attacked),
        ("proven limits come before cookies", HOST, proven),
        ("a listener that is not primed", HOST, unprimed),
        ("a primer passes once a second", HOST, primer),
    ])
}

/// Cookies are at hand, and a source may make two connections.
fn ready(scene: &mut Scene<'_>) {
    scene.limit(|policy| {
        policy.profiles.insert(0, connections(2));
        policy.limits.cookies = Cookies::Auto as u32;
        policy.limits.cookies_since_ns = ago(monotonic_ns(), 3600 * SECOND);
        policy.limits.attack_hold_ns = 10 * SECOND;
    });
    prime(scene, 0);
}

/// The listener was primed so long ago, and answers with cookies.
fn prime(scene: &mut Scene<'_>, primed_ago_ns: u64) {
    let (address, family) = from_ip(scene.server(1));
    let key = ListenKey {
        address,
        port: 21_u16.to_be_bytes(),
        family: family as u8,
        reserved: 0,
    };
    let now = monotonic_ns();
    let primed = Primed {
        // A listener that is to stay primed does so for a minute, however slow the machine is.
        primed_ns: match primed_ago_ns {
            0 => now + 60 * SECOND,
            ago => now - ago,
        },
        learned_ns: now,
        cookie_ns: now,
        mss: 1400,
        window: 64_000,
        scale: 7,
        scaled: 1,
        ..Primed::default()
    };
    let mut state = scene.guard.state();
    state.primed().unwrap().set(key, primed).unwrap();
}

/// The sequence number of an answer without tags.
fn number(scene: &Scene<'_>, answer: &Ran) -> u32 {
    let header = if scene.family == Family::Ipv6 { 40 } else { 20 };
    let at = 14 + header + 4;
    let bytes = answer.frame[at..at + 4].try_into().unwrap();
    u32::from_be_bytes(bytes)
}

/// A connection whose SYN is answered by the guard, and its last acknowledgement.
fn challenge(scene: &mut Scene<'_>, control: &mut Conversation) -> Vec<u8> {
    let syn = control.client(TcpFlags::SYN, b"");
    prime(scene, 0);
    let answer = scene.transform("a SYN that is answered", &syn, COOKIE);
    if scene.enforces() {
        control.server_next = number(scene, &answer).wrapping_add(1);
    } else {
        assert_eq!(answer.frame, syn);
    }
    control.client(TcpFlags::ACK, b"")
}

fn refused(scene: &mut Scene<'_>) {
    ready(scene);
    let source = scene.source(1, 1);
    scene.syns(source, 2, LISTED);
    let before = scene.guard.state().buckets().unwrap();
    prime(scene, 0);
    scene.syns(source, 4, COOKIE);
    assert_eq!(scene.guard.state().buckets().unwrap(), before);
    scene.syns(scene.source(1, 2), 1, LISTED);
    let mut control = scene.connection(source, 31_000, 21);
    let ack = challenge(scene, &mut control);
    if !scene.enforces() {
        return;
    }
    assert_eq!((scene.counts(source), scene.openings()), (None, 0));
    scene.xdp("the acknowledgement of the cookie", &ack, ACCEPTED);
    assert_eq!(scene.counts(source), Some((0, 1, 0)));
    scene.twice("the same again", &ack, LISTED);
    scene.reply(&mut control, "220 ready\r\n");
    assert_eq!(scene.counts(source), Some((1, 0, 0)));
    let mut broken = scene
        .connection(source, 31_001, 21)
        .client_at(1, TcpFlags::SYN, b"");
    broken[0] |= 1;
    prime(scene, 0);
    scene.xdp("a SYN to a group of hosts", &broken, FAILED);
}

fn attacked(scene: &mut Scene<'_>) {
    ready(scene);
    scene.policy.limits.attack_count = MANY;
    scene.install();
    let now = monotonic_ns();
    let attack = Attack {
        since_ns: now - SECOND,
        over_ns: now,
        window_ns: now,
        ..Attack::default()
    };
    scene.guard.state().set_attack(attack).unwrap();
    let before = scene.guard.state().buckets().unwrap();
    prime(scene, 0);
    let one = scene.source(1, 1);
    scene.syns(one, 6, COOKIE);
    scene.syns(scene.source(2, 2), 1, COOKIE);
    assert_eq!(scene.guard.state().buckets().unwrap(), before);
    scene.syns(scene.unlisted(7), 1, drop(Reason::NotListed, CONTROL));
    // Without cookies the buckets decide as ever.
    scene.policy.limits.cookies_since_ns = 0;
    scene.install();
    scene.syns(one, 2, LISTED);
    scene.syns(one, 2, SOURCE_RATE);
}

fn proven(scene: &mut Scene<'_>) {
    ready(scene);
    if !scene.enforces() {
        return;
    }
    scene.policy.limits.cookies = Cookies::Always as u32;
    scene.install();
    let source = scene.source(1, 1);
    for client_port in [31_000, 31_001] {
        let mut control = scene.connection(source, client_port, 21);
        let ack = challenge(scene, &mut control);
        scene.xdp("the acknowledgement of the cookie", &ack, ACCEPTED);
    }
    prime(scene, 0);
    scene.syns(source, 2, SOURCE_RATE);
    scene.syns(scene.source(1, 2), 1, COOKIE);
    // As many sessions as the source may have.
    let mut profile = connections(50);
    profile.sessions = 2;
    scene.policy.profiles.insert(0, profile);
    scene.install();
    scene.syns(source, 2, drop(Reason::SessionLimit, CONTROL));
}

fn unprimed(scene: &mut Scene<'_>) {
    ready(scene);
    scene.guard.state().primed().unwrap().clear().unwrap();
    let source = scene.source(1, 1);
    scene.syns(source, 2, LISTED);
    scene.syns(source, 2, SOURCE_RATE);
}

fn primer(scene: &mut Scene<'_>) {
    ready(scene);
    let source = scene.source(1, 1);
    scene.syns(source, 2, LISTED);
    prime(scene, 2 * SECOND);
    scene.syns(source, 1, LISTED);
    scene.syns(source, 2, COOKIE);
}
