//! Attacks and cookies over a made-up time.

use ftp_guard_common::{
    config::Cookies,
    limits::{Attack, Sysctls},
};

use super::*;

const SECOND: u64 = 1_000_000_000;
const HOLD: u64 = 10 * SECOND;

fn scene(now: u64, setting: Cookies, attack: bool) -> Scene {
    Scene {
        now_ns: now * SECOND,
        setting,
        attack,
        able: true,
    }
}

fn changed() -> Sysctls {
    TcpSysctls::default().saved()
}

#[test]
fn sysctls_come_first_and_go_last() {
    let mut keeper = Keeper::default();
    assert!(keeper.step(&scene(1, Cookies::Auto, false)).is_empty());
    let on = keeper.step(&scene(2, Cookies::Auto, true));
    assert_eq!(on, [Command::Set, Command::Announce(2 * SECOND)]);
    assert!(keeper.step(&scene(3, Cookies::Auto, true)).is_empty());
    let off = keeper.step(&scene(50, Cookies::Auto, false));
    assert_eq!(off, [Command::Withdraw]);
    assert!(keeper.step(&scene(199, Cookies::Auto, false)).is_empty());
    let out = keeper.step(&scene(200, Cookies::Auto, false));
    assert_eq!(out, [Command::Restore]);
    assert_eq!(keeper.phase(), Phase::Out);
    assert!(keeper.step(&scene(500, Cookies::Auto, false)).is_empty());
}

#[test]
fn an_attack_that_returns_finds_the_sysctls_set() {
    let mut keeper = Keeper::default();
    keeper.step(&scene(2, Cookies::Auto, true));
    keeper.step(&scene(50, Cookies::Auto, false));
    let again = keeper.step(&scene(60, Cookies::Auto, true));
    assert_eq!(again, [Command::Set, Command::Announce(60 * SECOND)]);
    // The time of the first end is forgotten.
    assert!(keeper.step(&scene(201, Cookies::Auto, true)).is_empty());
    assert_eq!(
        keeper.step(&scene(202, Cookies::Auto, false)),
        [Command::Withdraw]
    );
    assert!(keeper.step(&scene(351, Cookies::Auto, false)).is_empty());
}

#[test]
fn the_setting_decides_with_the_attack() {
    for (setting, attack, engaged) in [
        (Cookies::Off, true, false),
        (Cookies::Auto, false, false),
        (Cookies::Always, false, true),
        (Cookies::Always, true, true),
    ] {
        let mut keeper = Keeper::default();
        let commands = keeper.step(&scene(1, setting, attack));
        assert_eq!(!commands.is_empty(), engaged, "{setting:?} {attack}");
    }
    let mut keeper = Keeper::default();
    keeper.step(&scene(1, Cookies::Always, false));
    assert_eq!(
        keeper.step(&scene(2, Cookies::Off, true)),
        [Command::Withdraw]
    );
}

#[test]
fn who_is_not_able_does_nothing_or_leaves() {
    let unable = |now| Scene {
        able: false,
        ..scene(now, Cookies::Always, true)
    };
    let mut keeper = Keeper::default();
    assert!(keeper.step(&unable(1)).is_empty());
    keeper.step(&scene(2, Cookies::Always, true));
    assert_eq!(keeper.step(&unable(3)), [Command::Withdraw]);
}

#[test]
fn a_successor_goes_on() {
    let now = 1000 * SECOND;
    let none = Sysctls::default();
    assert_eq!(Keeper::resume(&none, 0, now).phase(), Phase::Out);
    // Nobody may have set what was never remembered.
    assert_eq!(Keeper::resume(&none, 5, now).phase(), Phase::Out);
    let mut engaged = Keeper::resume(&changed(), 5, now);
    assert_eq!(engaged.phase(), Phase::Engaged { since_ns: 5 });
    assert!(engaged.step(&scene(1000, Cookies::Auto, true)).is_empty());
    assert_eq!(
        engaged.step(&scene(1001, Cookies::Auto, false)),
        [Command::Withdraw]
    );
    let mut leaving = Keeper::resume(&changed(), 0, now);
    assert!(leaving.step(&scene(1149, Cookies::Auto, false)).is_empty());
    assert_eq!(
        leaving.step(&scene(1150, Cookies::Auto, false)),
        [Command::Restore]
    );
}

#[test]
fn what_failed_is_tried_again_later() {
    let mut keeper = Keeper::default();
    let attack = |now| scene(now, Cookies::Auto, true);
    keeper.step(&attack(1));
    let undo = keeper.failed(Some(&Command::Set), SECOND);
    assert_eq!(undo, [Command::Withdraw]);
    assert!(keeper.step(&attack(10)).is_empty());
    assert_eq!(keeper.step(&attack(11))[0], Command::Set);
    // Somebody has changed the sysctls.
    assert_eq!(keeper.failed(None, 20 * SECOND), [Command::Withdraw]);
    assert!(matches!(keeper.phase(), Phase::Leaving { .. }));
    // The programs could not be told to stop: they still send.
    keeper.step(&attack(40));
    keeper.step(&scene(41, Cookies::Auto, false));
    assert!(
        keeper
            .failed(Some(&Command::Withdraw), 41 * SECOND)
            .is_empty()
    );
    assert_eq!(
        keeper.step(&scene(42, Cookies::Auto, false)),
        [Command::Withdraw]
    );
    assert_eq!(
        keeper.step(&scene(192, Cookies::Auto, false)),
        [Command::Restore]
    );
    keeper.failed(Some(&Command::Restore), 192 * SECOND);
    assert!(keeper.step(&scene(201, Cookies::Auto, false)).is_empty());
    assert_eq!(
        keeper.step(&scene(202, Cookies::Auto, false)),
        [Command::Restore]
    );
}

#[test]
fn sysctls_go_back_unless_somebody_changed_them() {
    let values = |tcp_syncookies, tcp_timestamps| TcpSysctls {
        tcp_syncookies,
        tcp_timestamps,
    };
    assert_eq!(restored(values(1, 1), NEEDED), values(1, 1));
    assert_eq!(restored(values(1, 1), values(0, 2)), values(0, 1));
    assert_eq!(restored(values(1, 1), values(2, 0)), values(1, 0));
    assert_eq!(restored(NEEDED, NEEDED), NEEDED);
    assert_eq!(NEEDED.differences(), None);
    assert_eq!(
        values(1, 2).differences().unwrap(),
        "net.ipv4.tcp_syncookies is 1 instead of 2"
    );
}

#[test]
fn an_attack_begins_and_ends_also_when_nothing_comes_any_more() {
    let mut watch = AttackWatch::default();
    let mut attack = Attack {
        window_ns: 100 * SECOND,
        count: 20,
        last_count: 400,
        over_ns: 100 * SECOND,
        ..Attack::default()
    };
    assert_eq!(watch.look(&attack, HOLD, 100 * SECOND), None);
    attack.since_ns = 90 * SECOND;
    attack.attacks = 1;
    assert_eq!(
        watch.look(&attack, HOLD, 100 * SECOND),
        Some(Change::Begins { rate: 4000 })
    );
    assert_eq!(watch.since_ns(), Some(90 * SECOND));
    assert_eq!(watch.look(&attack, HOLD, 109 * SECOND), None);
    let ends = Some(Change::Ends {
        lasted_ns: 10 * SECOND,
    });
    assert_eq!(watch.look(&attack, HOLD, 110 * SECOND), ends);
    assert_eq!(watch.look(&attack, HOLD, 111 * SECOND), None);
    // It goes on after all.
    attack.over_ns = 112 * SECOND;
    assert!(watch.look(&attack, HOLD, 112 * SECOND).is_some());
    attack.since_ns = 0;
    assert!(matches!(
        watch.look(&attack, HOLD, 113 * SECOND),
        Some(Change::Ends { .. })
    ));
}

#[test]
fn the_rate_is_that_of_the_last_whole_window() {
    let attack = Attack {
        window_ns: 100 * SECOND,
        count: 20,
        last_count: 400,
        ..Attack::default()
    };
    let millisecond = SECOND / 1000;
    for (after_ms, packets) in [(50, 4000), (100, 200), (999, 200), (1000, 0)] {
        let now = 100 * SECOND + after_ms * millisecond;
        assert_eq!(rate(&attack, now), packets, "{after_ms} ms");
    }
    assert_eq!(rate(&Attack::default(), 7), 0);
}
