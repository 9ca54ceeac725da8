//! `passive_ports = "auto"`: found at the start, followed when the servers' files change.

use super::fake::{Fake, Files};
use crate::daemon::guard::Guard;

/// A guard whose passive ports come from a file of vsftpd and one of ProFTPD that includes another.
fn files() -> Files {
    let files = Files::new(r#"["eth0"]"#);
    let servers = [files.path("vsftpd.conf"), files.path("proftpd.conf")];
    let text = files.read("guard.toml").replace(
        "passive_ports = []",
        &format!("passive_ports = \"auto\"\nserver_configs = {servers:?}"),
    );
    write(&files, "guard.toml", &text);
    write(
        &files,
        "vsftpd.conf",
        "pasv_min_port=50000\npasv_max_port=50010\n",
    );
    let included = files.path("conf.d");
    write(
        &files,
        "proftpd.conf",
        &format!("Include {}/\n", included.display()),
    );
    std::fs::create_dir(&included).unwrap();
    write(&files, "conf.d/ftp.conf", "PassivePorts 51000 51010\n");
    files
}

fn write(files: &Files, name: &str, text: &str) {
    std::fs::write(files.path(name), text).unwrap();
}

fn ranges(guard: &Guard<Fake>) -> String {
    let ranges: Vec<_> = guard.passive.iter().map(ToString::to_string).collect();
    ranges.join(" ")
}

#[test]
fn a_change_in_an_included_file_is_followed() {
    let files = files();
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    assert_eq!(ranges(&guard), "50000-50010 51000-51010");
    let status = guard.status().unwrap().passive_ports.unwrap();
    assert_eq!(status.ranges, ["50000-50010", "51000-51010"]);
    assert_eq!(status.configured, 22);
    assert!(status.found[0].contains("(vsftpd, "), "{:?}", status.found);
    assert!(
        status.found[1].contains("conf.d/ftp.conf:1)"),
        "{:?}",
        status.found
    );

    write(&files, "conf.d/ftp.conf", "PassivePorts 52000 52010\n");
    assert!(guard.files_changed(true));
    assert_eq!(ranges(&guard), "50000-50010 52000-52010");
    assert_eq!(guard.reloads.applied, 1);
    write(&files, "conf.d/more.conf", "PassivePorts 53000 53010\n");
    assert!(guard.files_changed(true));
    assert_eq!(ranges(&guard), "50000-50010 52000-52010 53000-53010");
    assert!(
        guard
            .kernel
            .log
            .iter()
            .filter(|step| *step == "ports")
            .count()
            >= 3
    );
    assert!(guard.files_changed(true));
    assert_eq!(guard.reloads.applied, 2, "nothing has changed since");
}

#[test]
fn a_mistake_keeps_the_ports_and_is_told() {
    let files = files();
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    write(&files, "vsftpd.conf", "pasv_min_port=50000\n");
    assert!(guard.files_changed(true));
    assert_eq!(ranges(&guard), "50000-50010 51000-51010");
    assert_eq!(guard.reloads.refused, 1);
    let warnings = guard.status().unwrap().warnings;
    let told = |warning: &String| {
        warning.starts_with("the last reload was refused") && warning.contains("vsftpd.conf:1:1: ")
    };
    assert!(warnings.iter().any(told), "{warnings:#?}");
    assert!(guard.files_changed(true));
    assert_eq!(guard.reloads.refused, 1, "the same mistake is told once");

    write(
        &files,
        "vsftpd.conf",
        "pasv_min_port=50000\npasv_max_port=50020\n",
    );
    assert!(guard.files_changed(true));
    assert_eq!(ranges(&guard), "50000-50020 51000-51010");
}

#[test]
fn a_file_that_was_missing_is_watched() {
    let files = files();
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let before = guard.watched();
    std::fs::remove_file(files.path("vsftpd.conf")).unwrap();
    assert!(guard.files_changed(true));
    assert_eq!(guard.reloads.refused, 1);
    assert_eq!(guard.watched(), before);
    write(
        &files,
        "conf.d/ftp.conf",
        "Include /etc/no/such/file\nPassivePorts 51000 51010\n",
    );
    assert!(guard.files_changed(true));
    assert_ne!(guard.watched(), before, "what it includes is watched");
}

#[test]
fn a_server_without_a_range_stops_the_start() {
    let files = files();
    write(&files, "conf.d/ftp.conf", "# PassivePorts 51000 51010\n");
    let failure = files
        .try_guard(Fake::with_interfaces(&["eth0"]), false)
        .unwrap_err();
    assert_eq!(failure.exit_code, 78);
    let told = failure.diagnostics[0].to_string();
    assert!(
        told.contains("proftpd.conf: no PassivePorts for the main"),
        "{told}"
    );
}
