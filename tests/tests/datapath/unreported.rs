//! Drops that are not reported as events are counted.

use std::collections::BTreeMap;

use ftp_guard::{datapath::Hook, frame::TcpFlags};
use ftp_guard_common::{
    config::GuardConfig,
    event::{EVENTS_BYTES, Event},
    names::{STATS_CONTROL_MAP, STATS_EGRESS_MAP, STATS_MAP},
    reason::{Reason, Verdict},
    stats::StatsKey,
};
use ftp_guard_tests::program::Guard;

use crate::{
    events::{ALL, conversation, guard, only, policy, syn},
    sources::{HOUR, rate},
};

/// How many packets of a reason a hook has dropped.
fn dropped(guard: &Guard, stats: &str, reason: Reason) -> u64 {
    let table = guard.table_of(stats).unwrap();
    StatsKey::all()
        .filter(|key| key.reason == reason)
        .filter(|key| matches!(key.verdict, Verdict::Drop | Verdict::WouldDrop))
        .map(|key| table[key.index() as usize].packets)
        .sum()
}

fn unreported(guard: &mut Guard, hook: Option<Hook>, reason: Reason) -> (u64, u64) {
    let budgets = guard.state().event_budgets(hook, reason).unwrap();
    budgets.iter().fold((0, 0), |(waiting, all), budget| {
        (waiting + budget.suppressed, all + budget.suppressed_total)
    })
}

#[test]
fn what_is_not_reported_is_counted() {
    let burst = 5;
    let mut guard = guard(&policy(rate(burst)));
    let frames = [
        (syn("203.0.113.7", 21), Reason::NotListed),
        (syn("2001:db8:2::7", 990), Reason::NotListed),
        (syn("198.51.100.7", 20), Reason::ActiveDataSyn),
        (syn("198.51.100.7", 50_000), Reason::NoSession),
    ];
    let mut sent: BTreeMap<Reason, u64> = BTreeMap::new();
    let mut reported: BTreeMap<u8, u64> = BTreeMap::new();
    for round in 0..50 {
        for (frame, reason) in &frames {
            assert!(!guard.run(frame).unwrap());
            *sent.entry(*reason).or_default() += 1;
        }
        // Somebody else's drops, on another hook.
        let bounce = conversation("203.0.113.7", 20).server_at(1, TcpFlags::SYN, b"");
        assert!(!guard.run_egress(&bounce).unwrap(), "{round}");
        for event in guard.state().events().unwrap() {
            assert_eq!(event.suppressed, 0, "{event:?}");
            *reported.entry(event.reason).or_default() += 1;
        }
    }
    for (reason, sent) in sent {
        assert_eq!(dropped(&guard, STATS_MAP, reason), sent);
        assert_eq!(reported[&(reason as u8)], burst, "{}", reason.as_str());
        let wanted = sent - burst;
        assert_eq!(unreported(&mut guard, None, reason), (wanted, wanted));
    }
    assert_eq!(dropped(&guard, STATS_EGRESS_MAP, Reason::Bounce), 50);
    assert_eq!(reported[&(Reason::Bounce as u8)], burst);
    let wanted = (50 - burst, 50 - burst);
    assert_eq!(
        unreported(&mut guard, Some(Hook::Egress), Reason::Bounce),
        wanted
    );
    assert_eq!(unreported(&mut guard, None, Reason::Bounce), (0, 0));
    assert_eq!(dropped(&guard, STATS_CONTROL_MAP, Reason::Bounce), 0);

    // An hour later the next event says how many there were.
    guard
        .state()
        .elapse_events(Reason::ActiveDataSyn, HOUR)
        .unwrap();
    let (frame, reason) = &frames[2];
    assert!(!guard.run(frame).unwrap());
    assert!(!guard.run(frame).unwrap());
    assert_eq!(only(&mut guard).suppressed, 50 - burst);
    let (waiting, all) = unreported(&mut guard, None, *reason);
    assert_eq!((waiting, all), (1, 51 - burst));
}

/// Where nobody reads, nothing is lost but the events themselves.
#[test]
fn a_full_ring_is_counted() {
    let mut guard = guard(&policy(ALL));
    let frame = syn("203.0.113.7", 21);
    // An event has a header of 8 bytes in the ring.
    let room = u64::from(EVENTS_BYTES) / (size_of::<Event>() as u64 + 8);
    let sent = room + 500;
    for _ in 0..sent {
        assert!(!guard.run(&frame).unwrap());
    }
    let reason = Reason::NotListed;
    let (waiting, all) = unreported(&mut guard, None, reason);
    let events = guard.state().events().unwrap();
    assert!(events.len() as u64 <= room && events.len() as u64 > room - 10);
    assert_eq!(events.len() as u64 + all, sent);
    assert_eq!(waiting, all);
    assert!(events.iter().all(|event| event.suppressed == 0));
    assert!(!guard.run(&frame).unwrap());
    assert_eq!(only(&mut guard).suppressed, all);
    assert_eq!(unreported(&mut guard, None, reason), (0, all));
}

/// A rate of zero reports nothing, and counts everything: no limit would let a flood cost the daemon.
#[test]
fn no_rate_reports_nothing() {
    let mut guard = guard(&policy(GuardConfig::default().events));
    for _ in 0..20 {
        assert!(!guard.run(&syn("203.0.113.7", 21)).unwrap());
    }
    assert_eq!(guard.state().events().unwrap(), []);
    assert_eq!(unreported(&mut guard, None, Reason::NotListed), (20, 20));
}
