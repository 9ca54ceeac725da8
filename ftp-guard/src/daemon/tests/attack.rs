//! Attacks, SYN cookies and the sysctls that they need.

use ftp_guard_common::limits::{Attack, Sysctls};

use super::fake::{Fake, Files};
use crate::{
    daemon::guard::Guard,
    engine::{
        cookies::{NEEDED, TcpSysctls},
        events::EventKind,
    },
};

const SECOND: u64 = 1_000_000_000;

/// As most distributions have them.
const USUAL: TcpSysctls = TcpSysctls {
    tcp_syncookies: 1,
    tcp_timestamps: 1,
};

fn kernel() -> Fake {
    Fake {
        tcp_sysctls: USUAL,
        clock_ns: 100 * SECOND,
        ..Fake::with_interfaces(&["eth0"])
    }
}

fn files(limits: &str) -> Files {
    let files = Files::new(r#"["eth0"]"#);
    let text = files.read("guard.toml") + "[limits]\n" + limits;
    std::fs::write(files.path("guard.toml"), text).unwrap();
    files
}

fn under_attack(guard: &mut Guard<Fake>) {
    let now = guard.kernel.clock_ns;
    guard.kernel.attack = Attack {
        window_ns: now,
        count: 7,
        last_count: 500,
        over_ns: now,
        since_ns: now,
        attacks: guard.kernel.attack.attacks + 1,
        ..Attack::default()
    };
    guard.look();
}

fn later(guard: &mut Guard<Fake>, seconds: u64) {
    guard.kernel.clock_ns += seconds * SECOND;
    guard.look();
}

fn told(guard: &Guard<Fake>) -> Vec<&'static str> {
    let events = guard.events().from_oldest().take(100);
    events.iter().map(|event| event.kind.name()).collect()
}

/// What was done about cookies.
fn steps(guard: &mut Guard<Fake>) -> Vec<String> {
    let log = std::mem::take(&mut guard.kernel.log);
    log.into_iter()
        .filter(|step| step.contains("sysctls") || step.contains("cookies"))
        .collect()
}

#[test]
fn an_attack_engages_cookies_and_calm_restores_the_sysctls() {
    let files = files("");
    let mut guard = files.guard(kernel());
    assert!(steps(&mut guard).is_empty());
    under_attack(&mut guard);
    assert_eq!(
        steps(&mut guard),
        ["save sysctls", "set sysctls", "cookies on"]
    );
    assert_eq!(guard.kernel.tcp_sysctls, NEEDED);
    assert_eq!(guard.kernel.saved_sysctls, USUAL.saved());
    assert_eq!(guard.kernel.cookies_since, guard.kernel.clock_ns);
    later(&mut guard, 5);
    assert!(steps(&mut guard).is_empty());
    later(&mut guard, 5);
    assert_eq!(steps(&mut guard), ["cookies off"]);
    later(&mut guard, 149);
    assert!(steps(&mut guard).is_empty());
    later(&mut guard, 1);
    assert_eq!(steps(&mut guard), ["set sysctls", "save sysctls"]);
    assert_eq!(guard.kernel.tcp_sysctls, USUAL);
    assert_eq!(guard.kernel.saved_sysctls, Sysctls::default());
    assert_eq!(
        told(&guard),
        ["attack_begin", "cookies_on", "attack_end", "cookies_off"]
    );
    let first = guard.events().from_oldest().take(1);
    assert!(matches!(&first[0].kind, EventKind::AttackBegin(attack)
            if attack.packets_per_second == 5000 && attack.attacks == 1));
}

#[test]
fn the_setting_counts_at_the_start_and_at_a_reload() {
    let always = files("syn_cookies = \"always\"\n");
    let mut guard = always.guard(kernel());
    assert_eq!(guard.kernel.tcp_sysctls, NEEDED);
    assert_eq!(
        steps(&mut guard),
        ["save sysctls", "set sysctls", "cookies on"]
    );
    let text = always.read("guard.toml").replace("always", "off");
    std::fs::write(always.path("guard.toml"), text).unwrap();
    assert!(guard.files_changed(true));
    assert_eq!(steps(&mut guard), ["cookies off"]);
    later(&mut guard, 150);
    assert_eq!(guard.kernel.tcp_sysctls, USUAL);
    under_attack(&mut guard);
    assert_eq!(guard.kernel.cookies_since, 0);
    assert_eq!(told(&guard), ["cookies_on", "cookies_off", "attack_begin"]);
}

#[test]
fn a_successor_takes_over_in_the_middle() {
    let files = files("");
    let fake = Fake {
        saved_sysctls: USUAL.saved(),
        tcp_sysctls: NEEDED,
        cookies_since: 90 * SECOND,
        attack: Attack {
            since_ns: 90 * SECOND,
            over_ns: 99 * SECOND,
            ..Attack::default()
        },
        ..kernel()
    };
    let mut guard = files.try_guard(fake, true).unwrap();
    assert!(steps(&mut guard).is_empty(), "nothing to do");
    assert_eq!(guard.kernel.cookies_since, 90 * SECOND);
    later(&mut guard, 10);
    assert_eq!(guard.kernel.cookies_since, 0);
    later(&mut guard, 150);
    assert_eq!(guard.kernel.tcp_sysctls, USUAL);
}

#[test]
fn without_the_means_there_are_no_cookies_and_it_is_known_why() {
    let router = |files: &Files| {
        let text = files.read("guard.toml");
        std::fs::write(
            files.path("guard.toml"),
            format!("role = \"router\"\n{text}"),
        )
        .unwrap();
    };
    type Hindrance = fn(&mut Fake);
    let cases: [(Hindrance, bool, &str); 3] = [
        (
            |fake| fake.broken.extend(["sysctls"]),
            false,
            "broken on purpose",
        ),
        (
            |fake| fake.cannot_answer = Some("eth0: no XDP_TX".into()),
            false,
            "no XDP_TX",
        ),
        (|_| {}, true, "router"),
    ];
    for (hinder, on_router, why) in cases {
        let files = files("syn_cookies = \"always\"\n");
        if on_router {
            router(&files);
        }
        let mut fake = kernel();
        hinder(&mut fake);
        let mut guard = files.guard(fake);
        under_attack(&mut guard);
        assert!(steps(&mut guard).is_empty(), "{why}");
        let unable = guard.defence.unable.clone().unwrap();
        assert!(unable.contains(why), "{unable}");
        assert_eq!(told(&guard), ["attack_begin"]);
    }
}

#[test]
fn sysctls_that_somebody_changes_end_cookies_for_a_while() {
    let files = files("syn_cookies = \"always\"\n");
    let mut guard = files.guard(kernel());
    guard.kernel.tcp_sysctls.tcp_syncookies = 1;
    guard.follow_defence();
    assert_eq!(guard.kernel.cookies_since, 0);
    assert_eq!(told(&guard), ["cookies_on", "cookies_off"]);
    later(&mut guard, 9);
    assert_eq!(guard.kernel.cookies_since, 0);
    later(&mut guard, 1);
    assert_eq!(guard.kernel.tcp_sysctls, NEEDED);
    assert_eq!(guard.kernel.cookies_since, guard.kernel.clock_ns);
    assert_eq!(guard.kernel.saved_sysctls, USUAL.saved(), "still the first");
}

#[test]
fn programs_that_cannot_be_told_leave_the_sysctls_to_a_later_try() {
    let files = files("");
    let mut guard = files.guard(kernel());
    guard.kernel.broken.insert("cookies");
    under_attack(&mut guard);
    assert_eq!(guard.kernel.cookies_since, 0);
    guard.kernel.broken.clear();
    later(&mut guard, 1);
    assert_eq!(guard.kernel.cookies_since, 0);
    guard.kernel.attack.over_ns += 10 * SECOND;
    later(&mut guard, 9);
    assert_eq!(guard.kernel.cookies_since, guard.kernel.clock_ns);
    assert_eq!(guard.kernel.tcp_sysctls, NEEDED);
}

#[test]
fn what_is_absorbed_is_measured_each_second() {
    let files = files("");
    let mut guard = files.guard(kernel());
    guard.follow_defence();
    assert_eq!(guard.defence.absorbed_rate, 0);
    guard.kernel.absorbed = 3_000_000;
    guard.kernel.clock_ns += 1_500_000_000;
    guard.follow_defence();
    assert_eq!(guard.defence.absorbed_rate, 2_000_000);
    guard.kernel.clock_ns += SECOND;
    guard.follow_defence();
    assert_eq!(guard.defence.absorbed_rate, 0);
}
