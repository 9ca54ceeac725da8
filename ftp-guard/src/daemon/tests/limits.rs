//! Profiles and limits in the daemon.

use ftp_guard_common::limits::{Profile, Rate};

use super::fake::{Fake, Files};
use crate::{
    daemon::{guard::Guard, reload::Cause},
    datapath::kernel_profile,
};

/// A folder whose configuration ends with `lines`.
fn files(lines: &str) -> Files {
    let files = Files::new(r#"["eth0"]"#);
    configure(&files, lines);
    files
}

fn configure(files: &Files, lines: &str) {
    files.configure(r#"["eth0"]"#, "enforce");
    let text = files.read("guard.toml") + lines;
    std::fs::write(files.path("guard.toml"), text).unwrap();
}

fn guard(files: &Files) -> Guard<Fake> {
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard.kernel.log.clear();
    guard
}

/// The profile that the kernel judges a source by.
fn judged_by(guard: &Guard<Fake>, source: &str) -> Profile {
    let prefix = format!("{source}/32").parse().unwrap();
    guard.kernel.profiles[&guard.kernel.table.get(&prefix).unwrap().profile]
}

fn sessions(guard: &Guard<Fake>, source: &str) -> u32 {
    judged_by(guard, source).sessions
}

#[test]
fn a_start_writes_all_profiles_and_limits() {
    let files = files("[profile.bulk]\nmax_sessions = 7\n[limits]\nattack_rate = 50\n");
    files.list("a.list", "192.0.2.1 profile=bulk\n192.0.2.2\n");
    let guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let bulk = judged_by(&guard, "192.0.2.1");
    assert_eq!(bulk, kernel_profile("bulk", &guard.config.profiles["bulk"]));
    assert_eq!((bulk.sessions, bulk.data), (7, 16));
    assert_eq!(bulk.connections, Rate::per_second(100, 500));
    assert_eq!(bulk.packets, Rate::per_second(500, 2000));
    assert_eq!(sessions(&guard, "192.0.2.2"), 256);
    assert_eq!(guard.kernel.limits.attack_count, 5);
    let position = |step: &str| {
        guard
            .kernel
            .log
            .iter()
            .position(|line| line == step)
            .unwrap()
    };
    assert!(position("profiles [0, 1]") < position("apply 2"));
    assert!(position("limits") < position("attach eth0"));
}

#[test]
fn a_reload_changes_limits_and_tells_it() {
    let files = files("[profile.bulk]\n");
    files.list("a.list", "192.0.2.1 profile=bulk\n");
    let mut guard = guard(&files);
    configure(
        &files,
        "[profile.bulk]\nmax_sessions = 3\n[limits]\nattack_rate = 10\n",
    );
    let report = guard.reload(Cause::Command).unwrap();
    assert!(report.limits_changed && report.changed());
    assert_eq!(guard.kernel.log, ["profiles [1]", "limits"]);
    assert_eq!(sessions(&guard, "192.0.2.1"), 3);
    guard.kernel.log.clear();
    // The times are the daemon's: nothing is to be written, and yet the limits are others.
    configure(
        &files,
        "[profile.bulk]\nmax_sessions = 3\nidle_time = \"1h\"\n[limits]\nattack_rate = 10\n",
    );
    assert!(guard.reload(Cause::Command).unwrap().limits_changed);
    assert!(guard.kernel.log.is_empty());
    assert!(!guard.reload(Cause::Command).unwrap().changed());
    let text = files.read("guard.toml") + "[events]\njournal = false\n";
    std::fs::write(files.path("guard.toml"), text).unwrap();
    assert!(guard.reload(Cause::Command).unwrap().limits_changed);
}

#[test]
fn what_another_program_did_to_limits_ends_with_a_reload() {
    let files = files("");
    let mut guard = guard(&files);
    guard.kernel.limits.attack_count = 0;
    guard.kernel.profiles.insert(0, Profile::default());
    assert!(guard.reload(Cause::Command).unwrap().limits_changed);
    assert_eq!(guard.kernel.limits.attack_count, 100);
    assert_eq!(guard.kernel.profiles[&0].sessions, 256);
}

#[test]
fn a_reload_keeps_the_numbers_of_names() {
    let files = files("[profile.slow]\nmax_sessions = 1\n");
    files.list("a.list", "192.0.2.1 profile=slow\n");
    let mut guard = guard(&files);
    // It would be the first by its name.
    configure(
        &files,
        "[profile.bulk]\nmax_sessions = 9\n[profile.slow]\nmax_sessions = 1\n",
    );
    files.list("a.list", "192.0.2.1 profile=slow\n192.0.2.2 profile=bulk\n");
    guard.reload(Cause::Command).unwrap();
    assert_eq!(guard.kernel.log, ["profiles [2]", "apply 1"]);
    assert_eq!(
        (sessions(&guard, "192.0.2.1"), sessions(&guard, "192.0.2.2")),
        (1, 9)
    );
    assert!(guard.allow_list().unwrap().iter().all(|entry| entry.active));
    guard.kernel.log.clear();
    // The first number is free, but entries of the kernel still have it.
    configure(
        &files,
        "[profile.bulk]\nmax_sessions = 9\n[profile.other]\nmax_sessions = 4\n",
    );
    files.list(
        "a.list",
        "192.0.2.1 profile=other\n192.0.2.2 profile=bulk\n",
    );
    guard.reload(Cause::Command).unwrap();
    assert_eq!(guard.kernel.log[..2], ["profiles [3]", "apply 1"]);
    assert_eq!(
        (sessions(&guard, "192.0.2.1"), sessions(&guard, "192.0.2.2")),
        (4, 9)
    );
}

#[test]
fn a_successor_keeps_the_numbers_of_names() {
    let files = files("[profile.slow]\nmax_sessions = 1\n");
    files.list("a.list", "192.0.2.1 profile=slow\n");
    let mut kernel = guard(&files).kernel;
    configure(
        &files,
        "[profile.bulk]\nmax_sessions = 9\n[profile.slow]\nmax_sessions = 2\n",
    );
    files.list("a.list", "192.0.2.1 profile=slow\n192.0.2.2 profile=bulk\n");
    kernel.log.clear();
    let mut guard = files.try_guard(kernel, true).unwrap();
    assert_eq!(guard.kernel.log[..2], ["profiles [1, 2]", "apply 1"]);
    assert_eq!(
        (sessions(&guard, "192.0.2.1"), sessions(&guard, "192.0.2.2")),
        (2, 9)
    );
    assert!(guard.allow_list().unwrap().iter().all(|entry| entry.active));
    assert!(!guard.reload(Cause::Command).unwrap().changed());
    guard
        .allow_import("x".as_ref(), "192.0.2.3 profile=slow\n")
        .unwrap();
    assert_eq!(sessions(&guard, "192.0.2.3"), 2);
}

#[test]
fn a_profile_that_entries_still_name_cannot_go() {
    let files = files("[profile.slow]\nmax_sessions = 1\n");
    files.list("a.list", "# who\n192.0.2.1 profile=slow\n");
    let mut guard = guard(&files);
    configure(&files, "[profile.default]\nmax_sessions = 5\n");
    let failure = guard.reload(Cause::Command).unwrap_err();
    assert_eq!(failure.exit_code, 78);
    let mistake = &failure.diagnostics[0];
    assert_eq!((mistake.line, mistake.column), (2, 19));
    assert!(mistake.message.contains("unknown profile \"slow\""));
    assert!(guard.kernel.log.is_empty());
    assert_eq!(sessions(&guard, "192.0.2.1"), 1);
}

#[test]
fn what_the_kernel_refuses_is_undone_with_the_limits() {
    for broken in ["limits", "apply", "mode"] {
        let files = files("[profile.slow]\nmax_sessions = 1\n[limits]\nattack_rate = 10\n");
        files.list("a.list", "192.0.2.1 profile=slow\n");
        let mut guard = guard(&files);
        let before = (guard.kernel.table.clone(), guard.kernel.limits);
        configure(
            &files,
            "[profile.default]\nmax_sessions = 8\n[profile.slow]\nmax_sessions = 2\n[limits]\nattack_rate = 90\n",
        );
        let text = files.read("guard.toml").replace("enforce", "monitor");
        std::fs::write(files.path("guard.toml"), text).unwrap();
        files.list("a.list", "192.0.2.1\n192.0.2.2 profile=slow\n");
        guard.kernel.broken.insert(broken);
        guard.reload(Cause::Command).unwrap_err();
        let after = (guard.kernel.table.clone(), guard.kernel.limits);
        assert_eq!(after, before, "{broken}");
        assert_eq!(sessions(&guard, "192.0.2.1"), 1, "{broken}");
        assert_eq!(guard.kernel.profiles[&0].sessions, 256, "{broken}");
        assert_eq!(guard.config.profiles["slow"].max_sessions, 1, "{broken}");
        guard.kernel.broken.clear();
        guard.reload(Cause::Command).unwrap();
        assert_eq!(
            (sessions(&guard, "192.0.2.1"), sessions(&guard, "192.0.2.2")),
            (8, 2)
        );
    }
}
