//! SYN cookies: the answer field by field, read by another parser; when the guard answers; which
//! acknowledgements it accepts; what it learns.

mod answer;
mod bench;
mod learned;
mod offers;

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    address::{ListenKey, from_ip},
    class::PortClass,
    config::{Cookies, Mode},
    limits::{PRIME_EVERY_NS, PRIMED_NS, Primed},
    reason::Reason,
};
use ftp_guard_tests::program::{XDP_DROP, XDP_PASS};

use self::{
    answer::Answer,
    bench::{Bench, LISTENER, SEQUENCE, network, policy},
};
use crate::{
    passive::SECOND,
    row::{drop, pass},
    scene::{HOST, Scene, Story},
};

const MILLISECOND: i64 = 1_000_000;
const PRIMED_MS: i64 = PRIMED_NS as i64 / MILLISECOND;
const PRIME_EVERY_MS: i64 = PRIME_EVERY_NS as i64 / MILLISECOND;
/// A moment that stays the last one however slow the machine is.
const JUST_NOW: i64 = -60_000;

pub(crate) fn stories() -> Vec<Story> {
    vec![Story {
        name: "a connection request that is answered with a cookie",
        roles: HOST,
        tell: a_cookie,
    }]
}

fn a_cookie(scene: &mut Scene<'_>) {
    scene.policy.limits.cookies = Cookies::Always as u32;
    scene.policy.limits.cookies_since_ns = 1;
    scene.install();
    let (address, family) = from_ip(scene.server(1));
    let listener = ListenKey {
        address,
        port: 21_u16.to_be_bytes(),
        family: family as u8,
        reserved: 0,
    };
    let now = monotonic_ns();
    let primed = Primed {
        primed_ns: now + 60 * SECOND,
        cookie_ns: now,
        ..LISTENER
    };
    let mut state = scene.guard.state();
    state.primed().unwrap().set(listener, primed).unwrap();
    let answered = drop(Reason::SynCookie, PortClass::Control);
    let listed = pass(Reason::Listed, PortClass::Control);
    let mut control = scene.connection(scene.listed(7), 40_001, 21);
    let syn = control.client(TcpFlags::SYN, b"");
    let ran = scene.transform("a SYN", &syn, answered);
    if !scene.enforces() {
        assert_eq!(ran.frame, syn);
        return;
    }
    let tcp = ran.frame.len() - 24;
    let number: [u8; 4] = ran.frame[tcp + 4..tcp + 8].try_into().unwrap();
    control.server_next = u32::from_be_bytes(number).wrapping_add(1);
    let ack = control.client(TcpFlags::ACK, b"");
    let accepted = pass(Reason::CookieAccepted, PortClass::Control);
    scene.xdp("the ACK of the cookie", &ack, accepted);
    scene.xdp("the same again", &ack, listed);

    let mut to_group = syn;
    to_group[0] |= 1;
    let failed = drop(Reason::CookieFailed, PortClass::Control);
    scene.xdp("a SYN to a group of stations", &to_group, failed);
}

/// What becomes of a SYN.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The guard answers it.
    Answered,
    /// It passes, and the listener counts as primed from now on.
    Primes,
    /// It passes as if there were no cookies.
    Passes,
}

#[test]
fn the_guard_answers_where_the_stack_accepts_and_lets_primers_pass() {
    use Fate::{Answered, Passes, Primes};
    // How many milliseconds ago the listener was last primed and has last answered, if ever; and since when
    // the stack takes cookies, if it does: 0 is since the machine runs.
    #[rustfmt::skip]
    let rows = [
        ("primed and answered", Some(JUST_NOW), Some(0), Some(0), Answered),
        ("answered long ago", Some(JUST_NOW), Some(PRIMED_MS - 5_000), Some(0), Answered),
        ("answered too long ago", Some(JUST_NOW), Some(PRIMED_MS + 100), Some(0), Passes),
        ("answered too long ago, time to try again", Some(100), Some(PRIMED_MS + 100), Some(0), Primes),
        ("due", Some(PRIME_EVERY_MS + 100), Some(0), Some(0), Primes),
        ("never primed", None, None, Some(0), Primes),
        ("never primed, but answered", None, Some(0), Some(0), Primes),
        ("primed before the stack took cookies", Some(300), Some(0), Some(200), Primes),
        ("answered before the stack took cookies", Some(JUST_NOW), Some(300), Some(200), Passes),
        ("answered before that, time to try again", Some(100), Some(300), Some(200), Primes),
        ("just primed, not answered", Some(JUST_NOW), None, Some(0), Passes),
        ("primed, not answered for a while", Some(100), None, Some(0), Primes),
        ("no cookies", Some(JUST_NOW), Some(0), None, Passes),
        ("cookies that begin later", Some(JUST_NOW), Some(0), Some(-60_000), Passes),
    ];
    Bench::each(&policy(), |bench| {
        for (name, primed, answered, since, fate) in rows {
            let mut policy = policy();
            let now = monotonic_ns();
            let ago = |age: i64| now.checked_add_signed(-age * MILLISECOND);
            policy.limits.cookies_since_ns = match since {
                None => 0,
                Some(0) => 1,
                Some(age) => ago(age).unwrap(),
            };
            bench.guard.install(&policy).unwrap();
            let when = |age: Option<i64>| age.map_or(Some(0), ago);
            let (Some(primed_ns), Some(cookie_ns)) = (when(primed), when(answered)) else {
                ftp_guard_tests::report!("cookies: this machine is too young for: {name}");
                continue;
            };
            bench.set(Primed {
                primed_ns,
                cookie_ns,
                ..LISTENER
            });
            let syn = bench.syn(&[]);
            let reason = match fate {
                Answered => Reason::SynCookie,
                Primes | Passes => Reason::Listed,
            };
            let ran = bench.enforce(&syn, reason);
            let after = bench.primed().unwrap();
            assert_eq!(after.primed_ns != primed_ns, fate == Primes, "{name}");
            if fate != Answered {
                assert_eq!((ran.action, ran.frame), (XDP_PASS, syn), "{name}");
            }
        }
    });
}

#[test]
fn without_a_listener_there_are_no_cookies() {
    Bench::each(&policy(), |bench| {
        let syn = bench.syn(&[]);
        bench.enforce(&syn, Reason::Listed);
        assert_eq!(bench.primed(), None);
        bench.prime();
        bench.enforce(&syn, Reason::SynCookie);
        bench.guard.state().primed().unwrap().clear().unwrap();
        bench.enforce(&syn, Reason::Listed);
    });
}

#[test]
fn cookies_are_accepted_as_long_as_the_stack_does() {
    Bench::each(&policy(), |bench| {
        bench.prime();
        let syn = bench.syn(&[]);
        let ran = bench.enforce(&syn, Reason::SynCookie);
        let number = Answer::read(&ran.frame[network(0)..], &bench.flow()).number;
        let ack = bench.ack(SEQUENCE.wrapping_add(1), number.wrapping_add(1));
        let now = monotonic_ns();
        for (age, reason) in [
            (2 * PRIMED_NS - 10 * SECOND, Reason::CookieAccepted),
            (2 * PRIMED_NS + SECOND / 10, Reason::Listed),
        ] {
            let Some(cookie_ns) = now.checked_sub(age) else {
                ftp_guard_tests::report!(
                    "cookies: this machine is too young for a cookie of {age} ns"
                );
                continue;
            };
            bench.set(Primed {
                cookie_ns,
                ..LISTENER
            });
            bench.enforce(&ack, reason);
            bench.guard.state().opening().unwrap().clear().unwrap();
        }
        // The daemon has put the stack back, but cookies are still under way.
        let mut after = policy();
        after.limits.cookies_since_ns = 0;
        bench.guard.install(&after).unwrap();
        bench.prime();
        bench.enforce(&ack, Reason::CookieAccepted);
        bench.guard.state().opening().unwrap().clear().unwrap();
        after.limits.cookies = Cookies::Off as u32;
        bench.guard.install(&after).unwrap();
        bench.enforce(&ack, Reason::Listed);
    });
}

#[test]
fn monitor_mode_answers_nothing() {
    Bench::each(&policy().monitoring(), |bench| {
        bench.prime();
        let syn = bench.syn(&[2, 4, 5, 180]);
        let ran = bench.run(&syn, Reason::SynCookie, Mode::Monitor);
        assert_eq!((ran.action, ran.frame), (XDP_PASS, syn));
    });
}

#[test]
fn what_cannot_be_answered_is_dropped() {
    Bench::each(&policy(), |bench| {
        bench.prime();
        let whole = bench.syn(&[2, 4, 5, 180]);
        let mut to_group = whole.clone();
        to_group[0] |= 1;
        let mut from_group = whole.clone();
        from_group[6] |= 1;
        // With its padding beyond what fits into a page with its headroom: several buffers.
        let mut scattered = whole.clone();
        scattered.resize(4000, 0);
        for frame in [to_group, from_group, scattered] {
            let ran = bench.enforce(&frame, Reason::CookieFailed);
            assert_eq!((ran.action, ran.frame), (XDP_DROP, frame));
        }
        bench.enforce(&whole, Reason::SynCookie);
    });
}
