//! Entries expire by Unix time, to the second, whatever the host's TAI offset is.

use std::{
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ftp_guard_common::{
    allow::EntryKind,
    class::Family,
    config::{GuardConfig, Mode},
    reason::Reason,
};
use ftp_guard_tests::{
    packet::{Macs, ethernet},
    policy::Policy,
    program::{Guard, now_s},
};

use crate::{cases::Flow, tcp::syn};

fn frame(family: Family) -> Vec<u8> {
    let flow = Flow {
        family,
        listed: true,
        port: 21,
    };
    ethernet(
        Macs::default(),
        &[],
        flow.ethertype(),
        &flow.plain(syn(&flow)),
    )
}

fn policy(expires_s: u64) -> Policy {
    let mut policy = Policy::new();
    for prefix in ["198.51.100.0/24", "2001:db8:1::/64"] {
        policy.entry(prefix.parse().unwrap(), EntryKind::Allow, expires_s as u32);
    }
    policy
}

fn reason(guard: &Guard, frame: &[u8]) -> Reason {
    guard.observe(frame).unwrap().only_cell().unwrap().0.reason
}

#[test]
fn an_entry_expires_when_its_second_begins() {
    let mut guard = Guard::with(&Policy::new()).unwrap();
    // On a busy or emulated machine seconds may go by before the first look.
    let seen = [2, 4, 8, 16, 32]
        .into_iter()
        .any(|lifetime_s| is_seen_alive(&mut guard, now_s() + lifetime_s));
    assert!(seen, "the entry was never seen alive");
}

/// Looks at an entry until it has expired; whether it was seen before.
fn is_seen_alive(guard: &mut Guard, expires_s: u64) -> bool {
    guard.install(&policy(expires_s)).unwrap();
    let frames = [frame(Family::Ipv4), frame(Family::Ipv6)];
    let moment = UNIX_EPOCH + Duration::from_secs(expires_s);
    // The kernel may read its clock up to a tick away from ours.
    let tick = Duration::from_millis(20);
    let mut seen = false;
    loop {
        let begin = SystemTime::now();
        let reasons = frames.each_ref().map(|frame| reason(guard, frame));
        let end = SystemTime::now();
        if end + tick < moment {
            assert_eq!(
                reasons,
                [Reason::Listed; 2],
                "{:?} early",
                moment.duration_since(end)
            );
            seen = true;
        } else if begin > moment + tick {
            assert_eq!(
                reasons,
                [Reason::Expired; 2],
                "{:?} late",
                begin.duration_since(moment)
            );
            return seen;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_offset_of_the_tai_clock_is_taken_off() {
    let host = ftp_guard_tests::sys::tai_offset_s().unwrap() * 1_000_000_000;
    let day = 86_400 * 1_000_000_000_i64;
    let frame = frame(Family::Ipv4);
    let mut guard = Guard::with(&Policy::new()).unwrap();
    // An hour before and behind the end of an entry, by a clock that is right, a day behind and a
    // day ahead.
    for (ends_s, wanted) in [
        (
            now_s() + 3600,
            [Reason::Listed, Reason::Listed, Reason::Expired],
        ),
        (
            now_s() - 3600,
            [Reason::Expired, Reason::Listed, Reason::Expired],
        ),
    ] {
        guard.install(&policy(ends_s)).unwrap();
        for (skew, wanted) in [0, day, -day].into_iter().zip(wanted) {
            guard
                .set_config(GuardConfig {
                    mode: Mode::Enforce as u32,
                    tai_offset_ns: host + skew,
                    ..GuardConfig::default()
                })
                .unwrap();
            assert_eq!(reason(&guard, &frame), wanted, "skew {skew}");
        }
    }
}

#[test]
fn a_mode_that_is_none_of_ours_enforces() {
    let mut guard = Guard::with(&Policy::new()).unwrap();
    let frame = frame(Family::Ipv4);
    for mode in [2, 255, 256, u32::MAX] {
        guard
            .set_config(GuardConfig {
                mode,
                ..GuardConfig::default()
            })
            .unwrap();
        assert!(!guard.run(&frame).unwrap(), "mode {mode}");
    }
}
