//! Start and reload.

use std::collections::BTreeSet;

use ftp_guard_common::config::Mode;

use super::fake::{Fake, Files, listed};
use crate::{
    config::XdpChoice,
    control::protocol::ModeName,
    daemon::{kernel::Kernel, reload::Cause},
};

#[test]
fn the_tables_are_filled_before_anything_is_attached() {
    let files = Files::new(r#"["eth0", "eth1"]"#);
    files.configure(r#"["eth0", "eth1"]"#, "monitor");
    files.list("a.list", "192.0.2.1\n");
    let guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
    assert_eq!(
        guard.kernel.log,
        [
            "profiles [0]",
            "apply 1",
            "limits",
            "session config",
            "ports",
            "mode monitor",
            "attach sockets",
            "adopt",
            "attach eth0",
            "attach eth1"
        ]
    );
}

#[test]
fn a_successor_writes_the_difference_and_leaves_interfaces_that_are_no_longer_wanted() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "192.0.2.1\n192.0.2.2\n");
    let mut kernel = files.guard(Fake::with_interfaces(&["eth0", "eth9"])).kernel;
    kernel.attach("eth9", XdpChoice::Auto).unwrap();
    kernel.log.clear();
    files.list("a.list", "192.0.2.2\n192.0.2.3\n");
    let guard = files.try_guard(kernel, true).unwrap();
    assert_eq!(
        guard.kernel.log,
        [
            "apply 2",
            "limits",
            "session config",
            "ports",
            "attach sockets",
            "attach eth0",
            "detach eth9",
            "allow generation"
        ]
    );
}

#[test]
fn a_missing_interface_stops_the_start_and_names_the_others() {
    let files = Files::new(r#"["eth0", "eth5"]"#);
    let failure = files
        .try_guard(Fake::with_interfaces(&["eth0", "lo"]), false)
        .unwrap_err();
    assert_eq!(failure.exit_code, 1);
    assert!(
        failure
            .message
            .contains("no interface `eth5` (there are: eth0, lo)"),
        "{failure}"
    );
}

#[test]
fn a_reload_applies_the_difference_and_tells_it() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "192.0.2.1\n192.0.2.2\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
    guard.kernel.log.clear();
    files.list("a.list", "192.0.2.2\n192.0.2.3\n192.0.2.4\n");
    files.configure(r#"["eth1"]"#, "monitor");
    let report = guard.reload(Cause::Command).unwrap();
    assert_eq!((report.inserted, report.removed, report.entries), (2, 1, 3));
    assert_eq!(report.mode, Some(ModeName::Monitor));
    assert_eq!(
        (report.attached, report.detached),
        (vec!["eth1".into()], vec!["eth0".into()])
    );
    assert_eq!(
        guard.kernel.log,
        [
            "apply 3",
            "mode monitor",
            "attach eth1",
            "detach eth0",
            "allow generation"
        ]
    );
    assert!(!guard.reload(Cause::Command).unwrap().changed());
}

#[test]
fn a_mistake_refuses_the_reload_whole() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "192.0.2.1\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard.kernel.log.clear();
    files.list("a.list", "192.0.2.1\n192.0.2.300\n");
    files.list("b.list", "192.0.2.9 colour=red\n");
    files.configure(r#"["eth0"]"#, "monitor");
    let failure = guard.reload(Cause::Command).unwrap_err();
    assert_eq!(failure.exit_code, 78);
    let places: Vec<_> = failure
        .diagnostics
        .iter()
        .map(|d| (d.line, d.column))
        .collect();
    assert_eq!(places, [(2, 1), (1, 11)]);
    assert_eq!(guard.kernel.log, Vec::<String>::new());
    assert!(!guard.status().unwrap().daemon.unwrap().last_reload.success);
    files.list("a.list", "192.0.2.1\n");
    files.list("b.list", "");
    assert!(guard.reload(Cause::Command).is_ok());
}

#[test]
fn what_the_kernel_refuses_halfway_is_undone() {
    for broken in ["mode", "attach"] {
        let files = Files::new(r#"["eth0"]"#);
        files.list("a.list", "192.0.2.1\n");
        let mut guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
        files.list("a.list", "192.0.2.2\n");
        files.configure(r#"["eth0", "eth1"]"#, "monitor");
        guard.kernel.broken.insert(broken);
        let failure = guard.reload(Cause::Command).unwrap_err();
        assert_eq!(failure.exit_code, 1, "{broken}: {failure}");
        assert_eq!(listed(&guard), ["192.0.2.1/32"], "{broken}");
        assert_eq!(guard.kernel.mode, Mode::Enforce, "{broken}");
        assert_eq!(
            guard.kernel.pinned,
            BTreeSet::from(["eth0".to_owned()]),
            "{broken}"
        );
        guard.kernel.broken.clear();
        let report = guard.reload(Cause::Command).unwrap();
        assert_eq!((report.inserted, report.removed), (1, 1), "{broken}");
    }
}

#[test]
fn keys_that_only_a_start_reads_are_named() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let mut text = files.read("guard.toml");
    text.push_str("max_entries = 7\n[metrics]\nlisten = \"off\"\n");
    std::fs::write(files.path("guard.toml"), text).unwrap();
    let report = guard.reload(Cause::Command).unwrap();
    assert_eq!(
        report.restart_needed,
        ["metrics.listen", "allow.max_entries"]
    );
}
