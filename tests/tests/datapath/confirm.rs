//! Enforce mode with a deadline: each program keeps to it by itself.

use std::{net::SocketAddr, thread, time::Duration};

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    class::PortClass,
    config::{GuardConfig, Mode},
    limits::POLICY_REQUIRE_TLS,
    reason::{Reason, Verdict},
};
use ftp_guard_tests::{policy::Policy, program::Guard};

use crate::{
    active::open,
    row::drop,
    scene::{ANYWHERE, Scene, Story},
};

const HOUR_NS: u64 = 3_600 * 1_000_000_000;

pub(crate) fn stories() -> Vec<Story> {
    Story::list([("enforce mode until a deadline", ANYWHERE, deadline)])
}

/// The configuration says enforce mode in both modes: what is in force is a matter of the deadline.
fn deadline(scene: &mut Scene<'_>) {
    let in_force = scene.policy.mode;
    let now = monotonic_ns();
    scene.policy.mode = Mode::Enforce;
    scene.policy.limits.confirm_until_ns = match in_force {
        Mode::Enforce => now + HOUR_NS,
        Mode::Monitor => now,
    };
    scene.refuse_by(POLICY_REQUIRE_TLS);
    scene.policy.mode = in_force;

    for (port, class) in [(21, PortClass::Control), (50_001, PortClass::PassiveData)] {
        let unlisted = scene.unlisted(7);
        scene.knock(unlisted, port, drop(Reason::NotListed, class));
    }
    let stranger = SocketAddr::new(scene.unlisted(7), 51_000);
    let bounce = drop(Reason::Bounce, PortClass::ActiveData);
    open(scene, 20, stranger, bounce);
    scene.refuses(Reason::TlsRequired, &[b"USER lab\r\n"]);
}

#[test]
fn enforce_mode_ends_at_its_deadline_under_way() {
    let mut guard = Guard::with(&Policy::new()).unwrap();
    // On a busy or emulated machine seconds may go by before the first look.
    let seen = [1, 2, 4, 8, 16, 32]
        .into_iter()
        .any(|seconds| is_seen_enforcing(&mut guard, seconds));
    assert!(seen, "it was never seen enforcing");
}

/// Looks at an unlisted client until the deadline is over; whether it was refused before.
fn is_seen_enforcing(guard: &mut Guard, seconds: u64) -> bool {
    let until = monotonic_ns() + seconds * 1_000_000_000;
    let policy = Policy {
        limits: GuardConfig {
            confirm_until_ns: until,
            ..Policy::new().limits
        },
        ..Policy::new()
    };
    guard.install(&policy).unwrap();
    let mut unlisted = ftp_guard_tests::conversation::Conversation::new(
        "203.0.113.7:40000".parse().unwrap(),
        "192.0.2.1:21".parse().unwrap(),
    );
    let frame = unlisted.client(TcpFlags::SYN, b"");
    let mut seen = false;
    loop {
        let begin = monotonic_ns();
        let verdict = guard
            .observe(&frame)
            .unwrap()
            .only_cell()
            .unwrap()
            .0
            .verdict;
        let end = monotonic_ns();
        if end < until {
            assert_eq!(verdict, Verdict::Drop, "{} ns early", until - end);
            seen = true;
        } else if begin >= until {
            assert_eq!(verdict, Verdict::WouldDrop, "{} ns late", begin - until);
            return seen;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
