//! When an attack begins and when it is over.

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    limits::{ATTACK_WINDOW_NS, Attack},
    reason::Reason,
};
use ftp_guard_tests::conversation::DATA;

use crate::{
    passive::SECOND,
    row::drop,
    scene::{ANYWHERE, HOST, Scene, Story},
    sources::{CONTROL, LISTED, SESSION, SOURCE_RATE, ago, connections},
};

/// Requests and strays in a window that begin an attack.
const MANY: u64 = 10;
const HOLD: u64 = 10 * SECOND;
/// The programs' clock may be a tick behind.
const TICK: u64 = 20_000_000;

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        ("an attack begins at its threshold", ANYWHERE, begins),
        ("what counts for an attack", HOST, counts),
        ("windows follow one another", HOST, windows),
        ("an attack is over after its hold", HOST, over),
        ("no threshold, no attack", HOST, never),
        ("without cookies limits hold in an attack", ANYWHERE, limits),
    ])
}

fn detect(scene: &mut Scene<'_>) {
    scene.limit(|policy| {
        policy.limits.attack_count = MANY;
        policy.limits.attack_hold_ns = HOLD;
    });
}

/// What becomes of an attack by one more SYN. Once more when a window has ended in between, which a busy
/// machine may lead to.
fn step(scene: &mut Scene<'_>, before: impl Fn(u64) -> Attack) -> Attack {
    let source = scene.source(1, 1);
    let syn = scene
        .connection(source, 30_000, 21)
        .client_at(1, TcpFlags::SYN, b"");
    for _ in 0..50 {
        let now = monotonic_ns();
        let before = before(now);
        scene.guard.state().set_attack(before).unwrap();
        scene.xdp("a SYN", &syn, LISTED);
        let after = scene.guard.state().attack().unwrap();
        let in_time = monotonic_ns() - now < ATTACK_WINDOW_NS / 4;
        if in_time {
            return after;
        }
    }
    panic!("no run of a frame takes less than a window");
}

/// A window that has just begun, with this count.
fn window(now: u64, count: u64) -> Attack {
    Attack {
        window_ns: now - TICK,
        count,
        ..Attack::default()
    }
}

fn is_now(time_ns: u64) -> bool {
    monotonic_ns().abs_diff(time_ns) < 5 * SECOND
}

fn begins(scene: &mut Scene<'_>) {
    detect(scene);
    for count in [0, 1, MANY - 2] {
        let attack = step(scene, |now| window(now, count));
        assert_eq!(attack.count, count + 1);
        assert_eq!((attack.since_ns, attack.attacks), (0, 0), "{count}");
    }
    let attack = step(scene, |now| window(now, MANY - 1));
    assert_eq!((attack.count, attack.attacks), (MANY, 1));
    assert!(is_now(attack.since_ns) && is_now(attack.over_ns));
    // One that is under way is no other one.
    let since = attack.since_ns;
    let attack = step(scene, |now| Attack {
        since_ns: since,
        attacks: 1,
        ..window(now, 5 * MANY)
    });
    assert_eq!((attack.since_ns, attack.attacks), (since, 1));
    assert!(is_now(attack.over_ns));
}

fn counts(scene: &mut Scene<'_>) {
    detect(scene);
    let source = scene.source(1, 1);
    let mut control = scene.greet(source, 30_000);
    let mut data = scene.connection(source, 30_001, 50_010);
    let stranger = scene.unlisted(7);
    let opening = {
        let mut opening = scene.connection(source, 30_002, 21);
        scene.prove(&mut opening, LISTED);
        opening
    };
    let other = scene.connection(source, 30_003, 21);
    let no_session = drop(Reason::NoPinhole, crate::passive::DATA_PORT);
    let far = scene.connection(source, 30_003, 22);
    for (what, frame, wanted, counts) in [
        ("a SYN", other.client_at(1, TcpFlags::SYN, b""), LISTED, 1),
        ("an ACK", other.client_at(1, TcpFlags::ACK, b""), LISTED, 1),
        ("a RST", other.client_at(1, TcpFlags::RST, b""), LISTED, 1),
        ("data", other.client_at(1, DATA, b"x"), LISTED, 1),
        ("a command", control.client(DATA, b"NOOP\r\n"), SESSION, 0),
        (
            "data before the greeting",
            opening.client_at(opening.client_next, DATA, b"x"),
            LISTED,
            0,
        ),
        (
            "a SYN to a passive port that is not open",
            data.client(TcpFlags::SYN, b""),
            no_session,
            0,
        ),
        (
            "a SYN to port 22",
            far.client_at(1, TcpFlags::SYN, b""),
            crate::cases::not_ftp(),
            0,
        ),
        (
            "a stranger's SYN",
            scene
                .connection(stranger, 30_000, 21)
                .client_at(1, TcpFlags::SYN, b""),
            drop(Reason::NotListed, CONTROL),
            0,
        ),
    ] {
        for _ in 0..50 {
            let now = monotonic_ns();
            scene.guard.state().set_attack(window(now, 3)).unwrap();
            scene.xdp(what, &frame, wanted);
            let attack = scene.guard.state().attack().unwrap();
            if monotonic_ns() - now < ATTACK_WINDOW_NS / 4 {
                assert_eq!(attack.count, 3 + counts, "{what}");
                break;
            }
        }
    }
}

fn windows(scene: &mut Scene<'_>) {
    detect(scene);
    // Nine in one window and one in the next begin no attack.
    let attack = step(scene, |now| Attack {
        window_ns: now - ATTACK_WINDOW_NS - TICK,
        ..window(now, MANY - 1)
    });
    assert_eq!((attack.count, attack.last_count), (1, MANY - 1));
    assert_eq!((attack.since_ns, attack.attacks), (0, 0));
    assert!(is_now(attack.window_ns));
    // What was long ago is no last window.
    let attack = step(scene, |now| Attack {
        window_ns: now - 100 * ATTACK_WINDOW_NS,
        ..window(now, MANY - 1)
    });
    assert_eq!((attack.count, attack.last_count), (1, 0));
    // Another CPU's clock is a moment ahead.
    let attack = step(scene, |now| Attack {
        window_ns: now + ATTACK_WINDOW_NS,
        last_count: 2,
        ..window(now, 4)
    });
    assert_eq!((attack.count, attack.last_count), (5, 2));
}

/// An attack since a minute, whose last window at the threshold was so long ago.
fn attack(now: u64, over_ns_ago: u64, count: u64, last_count: u64) -> Attack {
    Attack {
        since_ns: ago(now, 60 * SECOND),
        over_ns: ago(now, over_ns_ago),
        attacks: 7,
        last_count,
        ..window(now, count)
    }
}

fn over(scene: &mut Scene<'_>) {
    detect(scene);
    for (what, ago, count, last_count, goes_on) in [
        ("quiet, within the hold", HOLD - SECOND, 0, 0, true),
        ("quiet, behind the hold", HOLD + SECOND, 0, 0, false),
        (
            "just below half",
            HOLD + SECOND,
            MANY / 2 - 2,
            MANY / 2 - 1,
            false,
        ),
        (
            "at half in this window",
            HOLD + SECOND,
            MANY / 2 - 1,
            0,
            true,
        ),
        ("at half in the last one", HOLD + SECOND, 0, MANY / 2, true),
        ("at the threshold", HOLD + SECOND, MANY - 1, 0, true),
    ] {
        let after = step(scene, |now| attack(now, ago, count, last_count));
        assert_eq!(after.since_ns != 0, goes_on, "{what}: {after:?}");
        assert_eq!(after.attacks, 7, "{what}");
        let is_busy = count + 1 >= MANY / 2 || last_count >= MANY / 2;
        assert_eq!(is_now(after.over_ns), is_busy, "{what}: {after:?}");
    }
    // A flood that stopped at once, and a SYN an hour later.
    let after = step(scene, |now| Attack {
        window_ns: ago(now, 3600 * SECOND),
        since_ns: ago(now, 3700 * SECOND),
        ..attack(now, 3600 * SECOND, 100 * MANY, 100 * MANY)
    });
    assert_eq!(after.since_ns, 0, "no window has been busy for an hour");
    // The next one is another.
    let after = step(scene, |now| Attack {
        attacks: 7,
        ..window(now, MANY - 1)
    });
    assert_eq!(after.attacks, 8);
}

fn never(scene: &mut Scene<'_>) {
    scene.limit(|policy| policy.limits.attack_hold_ns = HOLD);
    let source = scene.source(1, 1);
    scene.syns(source, 40, LISTED);
    let attack = scene.guard.state().attack().unwrap();
    assert_eq!((attack.since_ns, attack.attacks), (0, 0));
}

fn limits(scene: &mut Scene<'_>) {
    scene.limit(|policy| {
        policy.limits.attack_count = MANY;
        policy.limits.attack_hold_ns = HOLD;
        policy.profiles.insert(0, connections(3));
    });
    let now = monotonic_ns();
    let attack = attack(now, 0, MANY, MANY);
    scene.guard.state().set_attack(attack).unwrap();
    let source = scene.source(1, 1);
    scene.syns(source, 3, LISTED);
    scene.syns(source, 3, SOURCE_RATE);
    let other = scene.source(1, 2);
    scene.syns(other, 3, LISTED);
}
