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
    // Loading takes seconds on an emulated machine.
    let mut guard = Guard::with(&Policy::new()).unwrap();
    let expires_s = now_s() + 3;
    guard.install(&policy(expires_s)).unwrap();
    let frames = [frame(Family::Ipv4), frame(Family::Ipv6)];
    let moment = UNIX_EPOCH + Duration::from_secs(expires_s);
    // The kernel may read its clock up to a tick away from ours.
    let tick = Duration::from_millis(20);
    let mut before = 0;
    loop {
        let from = SystemTime::now();
        let reasons = frames.each_ref().map(|frame| reason(&guard, frame));
        let to = SystemTime::now();
        if to + tick < moment {
            let early = moment.duration_since(to);
            assert_eq!(reasons, [Reason::Listed; 2], "{early:?} early");
            before += 1;
        } else if from > moment + tick {
            let late = from.duration_since(moment);
            assert_eq!(reasons, [Reason::Expired; 2], "{late:?} late");
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    assert!(before > 0, "the entry was never seen alive");
}

#[test]
fn the_offset_of_the_tai_clock_is_taken_off() {
    let host = ftp_guard_tests::sys::tai_offset_s().unwrap() * 1_000_000_000;
    let day = 86_400 * 1_000_000_000_i64;
    let frame = frame(Family::Ipv4);
    // An entry that ends in an hour, by a clock that is right, a day behind and a day ahead.
    let mut guard = Guard::with(&policy(now_s() + 3600)).unwrap();
    for (skew, wanted) in [
        (0, Reason::Listed),
        (day, Reason::Listed),
        (-day, Reason::Expired),
    ] {
        guard
            .set_config(GuardConfig {
                mode: Mode::Enforce as u32,
                reserved: 0,
                tai_offset_ns: host + skew,
            })
            .unwrap();
        assert_eq!(reason(&guard, &frame), wanted, "skew {skew}");
    }
    // One that ended an hour ago.
    guard.install(&policy(now_s() - 3600)).unwrap();
    for (skew, wanted) in [
        (0, Reason::Expired),
        (day, Reason::Listed),
        (-day, Reason::Expired),
    ] {
        guard
            .set_config(GuardConfig {
                mode: Mode::Enforce as u32,
                reserved: 0,
                tai_offset_ns: host + skew,
            })
            .unwrap();
        assert_eq!(reason(&guard, &frame), wanted, "skew {skew}");
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
