//! Enforce mode with a deadline.

use ftp_guard_common::config::Mode;
use jiff::Timestamp;

use super::fake::{Fake, Files};
use crate::{
    control::protocol::{Failure, ModeName},
    daemon::{guard::Guard, kernel::Kernel, reload::Cause},
    engine::events::EventKind,
};

const SECOND: u64 = 1_000_000_000;

/// A guard in monitor mode, some time after the host has started.
fn monitor() -> (Files, Guard<Fake>) {
    let files = Files::new(r#"["eth0"]"#);
    files.configure(r#"["eth0"]"#, "monitor");
    let mut kernel = Fake::with_interfaces(&["eth0"]);
    kernel.clock_ns = 1_000 * SECOND;
    let guard = files.guard(kernel);
    (files, guard)
}

/// The same, with enforce mode to be confirmed within 60 seconds.
fn pending() -> (Files, Guard<Fake>) {
    let (files, mut guard) = monitor();
    guard.mode_trial(60).unwrap();
    (files, guard)
}

fn in_file(files: &Files) -> String {
    let text = files.read("guard.toml");
    let line = text.lines().find(|line| line.starts_with("mode"));
    line.unwrap_or_default().to_owned()
}

fn later(guard: &mut Guard<Fake>, seconds: u64) {
    guard.kernel.clock_ns += seconds * SECOND;
    guard.tick(Timestamp::now());
}

/// The kernel's mode now, and whether it has a deadline.
fn in_force(guard: &Guard<Fake>) -> (Mode, bool) {
    let setting = guard.kernel.mode_setting().unwrap();
    (
        guard.kernel.mode().unwrap(),
        setting.deadline_ns().is_some(),
    )
}

/// How often the guard told that enforce mode has ended.
fn told(guard: &Guard<Fake>) -> usize {
    let events = guard.events().from_oldest().take(1000);
    let fell = |event: &&_| {
        let event: &crate::engine::events::Event = event;
        matches!(event.kind, EventKind::ModeFellBack(_))
    };
    events.iter().map(|event| &**event).filter(fell).count()
}

#[test]
fn a_trial_enforces_at_once_and_the_file_stays_at_monitor() {
    let (files, mut guard) = monitor();
    guard.kernel.log.clear();
    let report = guard.mode_trial(60).unwrap();
    assert_eq!((report.mode, report.changed), (ModeName::Enforce, true));
    assert_eq!(report.deadline.unwrap().seconds_left, 60);
    assert_eq!(
        guard.kernel.log[0],
        format!("mode enforce until {}", 1_060 * SECOND)
    );
    assert_eq!(in_file(&files), r#"mode = "monitor""#);
    later(&mut guard, 59);
    assert_eq!(in_force(&guard), (Mode::Enforce, true));
    let status = guard.status().unwrap();
    assert_eq!(status.mode, Some(ModeName::Enforce));
    assert_eq!(status.deadline.unwrap().seconds_left, 1);
    assert_eq!((status.fell_back, told(&guard)), (None, 0));
    assert!(guard.files_changed(true));
    assert_eq!(guard.reloads.applied, 0, "ones own writing");
}

#[test]
fn the_deadline_is_noticed_told_once_and_cleared() {
    let (files, mut guard) = pending();
    guard.kernel.clock_ns += 60 * SECOND;
    // The kernel's own doing, before the daemon looks.
    assert_eq!(in_force(&guard), (Mode::Monitor, true));
    let status = guard.status().unwrap();
    assert_eq!(status.mode, Some(ModeName::Monitor));
    assert!(status.deadline.is_none() && status.fell_back.is_some());
    later(&mut guard, 0);
    assert_eq!(in_force(&guard), (Mode::Monitor, false));
    later(&mut guard, 1);
    assert_eq!(told(&guard), 1);
    let status = guard.status().unwrap();
    assert!(status.fell_back.is_some(), "it is still known");
    assert_eq!(in_file(&files), r#"mode = "monitor""#);
    let scrape = guard.snapshot().unwrap();
    assert_eq!(
        (scrape.mode, scrape.mode_deadline, scrape.mode_fallbacks),
        (Mode::Monitor, None, 1)
    );
}

#[test]
fn a_kernel_that_refuses_to_clear_it_is_asked_again_and_it_is_told_once() {
    let (_files, mut guard) = pending();
    guard.kernel.broken.insert("mode");
    later(&mut guard, 60);
    later(&mut guard, 1);
    assert_eq!((in_force(&guard), told(&guard)), ((Mode::Monitor, true), 1));
    assert!(!guard.enforces(), "whatever the kernel refuses");
    guard.kernel.broken.clear();
    later(&mut guard, 1);
    assert_eq!(
        (in_force(&guard), told(&guard)),
        ((Mode::Monitor, false), 1)
    );
}

#[test]
fn confirmed_in_time_it_stays() {
    let (files, mut guard) = pending();
    later(&mut guard, 59);
    let report = guard.mode_confirm().unwrap();
    assert_eq!((report.mode, report.changed), (ModeName::Enforce, true));
    assert_eq!(report.deadline, None);
    assert_eq!(in_file(&files), r#"mode = "enforce""#);
    later(&mut guard, 100_000);
    assert_eq!(
        (in_force(&guard), told(&guard)),
        ((Mode::Enforce, false), 0)
    );
    let again = guard.mode_confirm().unwrap();
    assert_eq!((again.mode, again.changed), (ModeName::Enforce, false));
}

#[test]
fn what_cannot_be_confirmed_is_said() {
    let (files, mut guard) = monitor();
    let nothing = guard.mode_confirm().unwrap_err();
    assert!(nothing.message.contains("nothing to confirm"), "{nothing}");
    guard.mode_trial(60).unwrap();
    guard.kernel.clock_ns += 60 * SECOND;
    let late = guard.mode_confirm().unwrap_err();
    assert_eq!(late.exit_code, 1);
    for said in ["monitor mode again", "mode enforce --confirm-within"] {
        assert!(late.message.contains(said), "{late}");
    }
    let later = guard.mode_confirm().unwrap_err();
    assert_eq!(later, late, "asked twice");
    assert_eq!(in_file(&files), r#"mode = "monitor""#);
    assert_eq!(in_force(&guard), (Mode::Monitor, false));
}

#[test]
fn other_commands_meanwhile() {
    type Act = fn(&mut Guard<Fake>) -> Result<(), Failure>;
    let monitor: Act = |guard| guard.mode(Some(ModeName::Monitor)).map(drop);
    let enforce: Act = |guard| guard.mode(Some(ModeName::Enforce)).map(drop);
    let again: Act = |guard| guard.mode_trial(600).map(drop);
    let reload: Act = |guard| guard.reload(Cause::Command).map(drop);
    let ask: Act = |guard| guard.mode(None).map(drop);
    for (name, act, file, after, after_60) in [
        (
            "monitor",
            monitor,
            "monitor",
            (Mode::Monitor, false),
            Mode::Monitor,
        ),
        (
            "enforce",
            enforce,
            "enforce",
            (Mode::Enforce, false),
            Mode::Enforce,
        ),
        (
            "again",
            again,
            "monitor",
            (Mode::Enforce, true),
            Mode::Enforce,
        ),
        (
            "reload",
            reload,
            "monitor",
            (Mode::Enforce, true),
            Mode::Monitor,
        ),
        ("ask", ask, "monitor", (Mode::Enforce, true), Mode::Monitor),
    ] {
        let (files, mut guard) = pending();
        later(&mut guard, 30);
        act(&mut guard).unwrap();
        assert_eq!(in_force(&guard), after, "{name}");
        assert_eq!(in_file(&files), format!("mode = {file:?}"), "{name}");
        later(&mut guard, 30);
        assert_eq!(in_force(&guard).0, after_60, "{name}");
    }
}

#[test]
fn a_file_that_says_enforce_confirms() {
    let (files, mut guard) = pending();
    files.configure(r#"["eth0"]"#, "enforce");
    guard.reload(Cause::Command).unwrap();
    assert_eq!(in_force(&guard), (Mode::Enforce, false));
}

#[test]
fn a_reload_behind_the_deadline_tells_it_too() {
    let (_files, mut guard) = pending();
    guard.kernel.clock_ns += 61 * SECOND;
    guard.reload(Cause::Command).unwrap();
    assert_eq!(
        (in_force(&guard), told(&guard)),
        ((Mode::Monitor, false), 1)
    );
}

#[test]
fn a_guard_that_enforces_for_good_can_be_put_on_trial() {
    let (files, mut guard) = monitor();
    guard.mode(Some(ModeName::Enforce)).unwrap();
    guard.mode_trial(60).unwrap();
    assert_eq!(in_file(&files), r#"mode = "monitor""#);
    later(&mut guard, 60);
    assert_eq!(in_force(&guard), (Mode::Monitor, false));
}

#[test]
fn a_successor_adopts_the_deadline_as_it_is() {
    let (files, guard) = pending();
    let mut kernel = guard.kernel;
    kernel.clock_ns += 30 * SECOND;
    let mut guard = files.try_guard(kernel, true).unwrap();
    assert_eq!(guard.kernel.confirm_until_ns, 1_060 * SECOND);
    assert_eq!(in_force(&guard), (Mode::Enforce, true));
    assert!(guard.enforces());
    later(&mut guard, 29);
    assert_eq!(in_force(&guard), (Mode::Enforce, true));
    later(&mut guard, 1);
    assert_eq!(
        (in_force(&guard), told(&guard)),
        ((Mode::Monitor, false), 1)
    );
}

#[test]
fn a_successor_behind_the_deadline_tells_it() {
    let (files, guard) = pending();
    let mut kernel = guard.kernel;
    kernel.clock_ns += 90 * SECOND;
    let mut guard = files.try_guard(kernel, true).unwrap();
    assert_eq!(
        (in_force(&guard), told(&guard)),
        ((Mode::Monitor, false), 1)
    );
    assert!(guard.status().unwrap().fell_back.is_some());
    later(&mut guard, 1);
    assert_eq!(told(&guard), 1);
    let late = guard.mode_confirm().unwrap_err();
    assert!(late.message.contains("monitor mode again"), "{late}");
}

#[test]
fn a_refused_trial_changes_nothing() {
    let (files, mut guard) = monitor();
    for seconds in [0, 9, 86_401] {
        assert_eq!(guard.mode_trial(seconds).unwrap_err().exit_code, 2);
    }
    guard.mode(Some(ModeName::Enforce)).unwrap();
    guard.kernel.broken.insert("mode");
    assert!(guard.mode_trial(60).is_err());
    assert_eq!(in_file(&files), r#"mode = "enforce""#);
    assert_eq!(in_force(&guard), (Mode::Enforce, false));
}
