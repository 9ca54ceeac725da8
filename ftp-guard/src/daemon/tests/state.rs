//! Mode, time, interfaces and questions.

use std::{
    fs::File,
    time::{Duration, SystemTime},
};

use ftp_guard_common::config::Mode;
use jiff::{SignedDuration, Timestamp};

use super::fake::{Fake, Files, listed, prefix};
use crate::{
    control::protocol::{EntrySettings, ModeName, Question},
    daemon::reload::Cause,
};

#[test]
fn the_mode_is_written_to_the_file_and_the_kernel() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    assert!(guard.mode(Some(ModeName::Monitor)).unwrap().changed);
    assert!(
        files
            .read("guard.toml")
            .starts_with("# kept\nmode = \"monitor\"\n")
    );
    assert_eq!(guard.kernel.mode, Mode::Monitor);
    assert!(!guard.mode(Some(ModeName::Monitor)).unwrap().changed);
    guard.kernel.broken.insert("mode");
    assert!(guard.mode(Some(ModeName::Enforce)).is_err());
    assert!(files.read("guard.toml").contains("mode = \"monitor\""));
}

#[test]
fn ones_own_writing_is_no_reason_to_reload() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard
        .allow_add(&[prefix("192.0.2.1")], &EntrySettings::default())
        .unwrap();
    guard.mode(Some(ModeName::Monitor)).unwrap();
    assert!(guard.files_changed(true));
    assert_eq!(guard.reloads.applied, 0);
    files.list("cli.list", "192.0.2.2\n");
    assert!(guard.files_changed(true));
    assert_eq!(guard.reloads.applied, 1);
    assert_eq!(listed(&guard), ["192.0.2.2/32"]);
}

#[test]
fn a_list_that_somebody_writes_is_read_when_it_is_left_alone() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("cli.list", "192.0.2.1\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    files.list("cli.list", "");
    let list = files.path("allow.d").join("cli.list");
    let written = |before: Duration| {
        let file = File::options().append(true).open(&list).unwrap();
        file.set_modified(SystemTime::now() - before).unwrap();
    };
    written(Duration::ZERO);
    assert!(!guard.files_changed(false));
    assert_eq!(listed(&guard), ["192.0.2.1/32"]);
    files.list("cli.list", "192.0.2.2\n");
    written(Duration::from_secs(1));
    assert!(guard.files_changed(false));
    assert_eq!(listed(&guard), ["192.0.2.2/32"]);
    // One that is never left alone is read all the same.
    files.list("cli.list", "192.0.2.3\n");
    written(Duration::ZERO);
    assert!(guard.files_changed(true));
    assert_eq!(listed(&guard), ["192.0.2.3/32"]);
}

#[test]
fn a_foreign_edit_beside_a_change_of_mode_is_still_read() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
    files.configure(r#"["eth0", "eth1"]"#, "enforce");
    guard.mode(Some(ModeName::Monitor)).unwrap();
    assert!(guard.files_changed(true));
    assert!(guard.kernel.attached.contains_key("eth1"));
    assert_eq!(guard.kernel.mode, Mode::Monitor);
}

#[test]
fn expired_entries_are_swept_and_come_back_with_the_clock() {
    let files = Files::new(r#"["eth0"]"#);
    let now = Timestamp::now();
    let later = now + SignedDuration::from_secs(30);
    files.list("a.list", &format!("192.0.2.1 expires={later}\n192.0.2.2\n"));
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard.tick(now + SignedDuration::from_secs(10));
    assert_eq!(listed(&guard).len(), 2);
    guard.tick(now + SignedDuration::from_secs(40));
    assert_eq!(listed(&guard), ["192.0.2.2/32"]);
    guard.tick(now + SignedDuration::from_secs(5));
    assert_eq!(listed(&guard).len(), 2, "the clock was set back");
}

#[test]
fn a_sweep_that_failed_is_tried_again() {
    let files = Files::new(r#"["eth0"]"#);
    let now = Timestamp::now();
    let later = now + SignedDuration::from_secs(30);
    files.list("a.list", &format!("192.0.2.1 expires={later}\n"));
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard.kernel.broken.insert("apply");
    guard.tick(now + SignedDuration::from_secs(40));
    assert_eq!(listed(&guard).len(), 1);
    guard.kernel.broken.clear();
    guard.tick(now + SignedDuration::from_secs(41));
    assert!(listed(&guard).is_empty());
}

#[test]
fn an_interface_that_comes_back_is_attached_again() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard.kernel.host.clear();
    guard.kernel.attached.clear();
    guard.follow_interfaces();
    assert_eq!(guard.status().unwrap().missing_interfaces, ["eth0"]);
    guard.kernel.host.insert("eth0".into(), 9);
    guard.kernel.broken.insert("attach");
    guard.follow_interfaces();
    assert!(guard.kernel.attached.is_empty());
    guard.kernel.broken.clear();
    guard.follow_interfaces();
    assert!(guard.kernel.attached.contains_key("eth0"));
    guard.kernel.log.clear();
    guard.follow_interfaces();
    assert!(guard.kernel.log.is_empty(), "once is enough");
}

#[test]
fn a_program_that_somebody_took_off_is_put_back() {
    let files = Files::new(r#"["eth0", "eth1"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
    guard.kernel.attached.remove("eth1");
    let warnings = guard.status().unwrap().warnings.join("\n");
    assert!(
        warnings.contains("eth1 is configured and NOT GUARDED"),
        "{warnings}"
    );
    guard.kernel.broken.insert("attach");
    guard.tick(Timestamp::now());
    guard.kernel.broken.clear();
    guard.kernel.log.clear();
    guard.tick(Timestamp::now());
    assert_eq!(guard.kernel.log, ["attach eth1"]);
    assert!(guard.status().unwrap().missing_interfaces.is_empty());
}

#[test]
fn a_reload_goes_through_while_an_interface_is_away() {
    let files = Files::new(r#"["eth0", "eth1"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
    guard.kernel.host.remove("eth1");
    guard.kernel.attached.remove("eth1");
    files.list("a.list", "192.0.2.1\n");
    assert_eq!(guard.reload(Cause::Command).unwrap().inserted, 1);
    files.configure(r#"["eth0", "eth1", "eth2"]"#, "enforce");
    let failure = guard.reload(Cause::Command).unwrap_err();
    assert!(failure.message.contains("`eth2`"), "{failure}");
}

#[test]
fn a_test_names_the_entry_and_tells_expired_from_unlisted() {
    let files = Files::new(r#"["eth0"]"#);
    files.list(
        "a.list",
        "192.0.2.0/24\n!192.0.2.7\n198.51.100.0/24 expires=2020-01-01T00:00:00Z\n",
    );
    let guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let test = |address: &str| guard.allow_test(address.parse().unwrap()).unwrap();
    let reasons = ["192.0.2.1", "192.0.2.7", "198.51.100.1", "203.0.113.1"].map(|address| {
        (
            test(address).reason,
            test(address).entry.map(|entry| entry.line),
        )
    });
    assert_eq!(
        reasons,
        [
            ("listed".into(), Some(1)),
            ("excluded".into(), Some(2)),
            ("expired".into(), Some(3)),
            ("not_listed".into(), None)
        ]
    );
    let active: Vec<_> = guard
        .allow_list()
        .unwrap()
        .iter()
        .map(|e| e.active)
        .collect();
    assert_eq!(active, [true, true, false]);
}

#[test]
fn an_explanation_says_whether_the_interface_is_covered() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
    let mut question = Question {
        source: "192.0.2.1".parse().unwrap(),
        destination: None,
        port: 21,
        flags: 2,
        vlans: vec![],
        interface: Some("eth1".into()),
    };
    assert!(!guard.explain(&question).unwrap().covered);
    question.interface = Some("eth0".into());
    assert!(guard.explain(&question).unwrap().covered);
    question.interface = Some("eth7".into());
    assert_eq!(guard.explain(&question).unwrap_err().exit_code, 1);
    question.interface = None;
    question.destination = Some("2001:db8::1".parse().unwrap());
    assert_eq!(guard.explain(&question).unwrap_err().exit_code, 2);
}
