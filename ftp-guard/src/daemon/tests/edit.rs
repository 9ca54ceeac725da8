//! Changes of the allowlist by command.

use std::path::PathBuf;

use super::fake::{Fake, Files, listed, prefix};
use crate::control::protocol::EntrySettings;

#[test]
fn an_added_entry_is_on_disk_and_in_the_kernel() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "# ours\n192.0.2.1 label=\"one\"\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let settings = EntrySettings::default();
    let report = guard
        .allow_add(&[prefix("192.0.2.1"), prefix("192.0.2.9")], &settings)
        .unwrap();
    assert_eq!((report.added, report.present), (1, 1));
    assert_eq!(report.entries[0].line, 2, "where it stands already");
    assert_eq!(files.read("allow.d/cli.list"), "192.0.2.9\n");
    assert_eq!(listed(&guard), ["192.0.2.1/32", "192.0.2.9/32"]);
    let again = guard.allow_add(&[prefix("192.0.2.9")], &settings).unwrap();
    assert_eq!((again.added, again.present), (0, 1));
}

#[test]
fn an_entry_that_another_file_contradicts_is_refused_with_its_place() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "# ours\n192.0.2.1\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let exclude = EntrySettings {
        exclude: true,
        ..EntrySettings::default()
    };
    let both = [prefix("192.0.2.9"), prefix("192.0.2.1")];
    let failure = guard.allow_add(&both, &exclude).unwrap_err();
    assert_eq!(failure.exit_code, 1);
    assert_eq!(failure.diagnostics.len(), 1);
    assert!(
        failure.diagnostics[0]
            .to_string()
            .contains("a.list:2:1: 192.0.2.1/32")
    );
    assert!(
        !files.path("allow.d/cli.list").exists(),
        "none of them is added"
    );
}

#[test]
fn an_entry_of_the_command_line_is_changed_by_adding_it_again() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard
        .allow_add(&[prefix("192.0.2.0/24")], &EntrySettings::default())
        .unwrap();
    let exclude = EntrySettings {
        exclude: true,
        label: Some("no \"more\"".into()),
        ..EntrySettings::default()
    };
    let report = guard
        .allow_add(&[prefix("192.0.2.0/24")], &exclude)
        .unwrap();
    assert_eq!((report.added, report.changed), (0, 1));
    assert_eq!(
        files.read("allow.d/cli.list"),
        "!192.0.2.0/24 label=\"no \\\"more\\\"\"\n"
    );
    assert!(
        guard
            .kernel
            .table
            .get(&prefix("192.0.2.0/24").0)
            .unwrap()
            .excludes()
    );
}

#[test]
fn an_entry_that_the_kernel_refuses_does_not_stay_on_disk() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard.kernel.broken.insert("apply");
    let settings = EntrySettings::default();
    assert!(guard.allow_add(&[prefix("192.0.2.1")], &settings).is_err());
    assert!(!files.path("allow.d/cli.list").exists());
    files.list("cli.list", "# mine\n");
    assert!(guard.allow_add(&[prefix("192.0.2.1")], &settings).is_err());
    assert_eq!(files.read("allow.d/cli.list"), "# mine\n");
}

#[test]
fn removing_is_for_the_command_lines_own_entries() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "192.0.2.1\n");
    files.list("cli.list", "# mine\n192.0.2.2\n192.0.2.3\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let failure = guard
        .allow_remove(&[prefix("192.0.2.2"), prefix("192.0.2.1")])
        .unwrap_err();
    assert_eq!(failure.exit_code, 1);
    assert!(
        failure.diagnostics[0]
            .to_string()
            .contains("a.list:1:1: 192.0.2.1/32")
    );
    assert_eq!(listed(&guard).len(), 3, "all or nothing");

    let report = guard
        .allow_remove(&[prefix("192.0.2.2"), prefix("192.0.2.77")])
        .unwrap();
    assert_eq!(report.removed, [prefix("192.0.2.2").0]);
    assert_eq!(report.absent, [prefix("192.0.2.77").0]);
    assert_eq!(files.read("allow.d/cli.list"), "# mine\n192.0.2.3\n");
    assert_eq!(listed(&guard), ["192.0.2.1/32", "192.0.2.3/32"]);
}

#[test]
fn an_import_is_whole_or_nothing() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let name = PathBuf::from("partners.txt");
    let failure = guard
        .allow_import(&name, "192.0.2.1\n192.0.2.2 profile=none\n")
        .unwrap_err();
    assert_eq!(failure.exit_code, 78);
    assert!(
        failure.diagnostics[0]
            .to_string()
            .starts_with("partners.txt:2:")
    );
    assert!(listed(&guard).is_empty());
    let report = guard
        .allow_import(&name, "# all\n192.0.2.0/24\n!192.0.2.2\n2001:db8::/32\n")
        .unwrap();
    assert_eq!(report.added, 3);
    assert_eq!(
        listed(&guard),
        ["192.0.2.0/24", "192.0.2.2/32", "2001:db8::/32"]
    );
}
