//! The command line without a kernel: arguments, files, exit codes and messages.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A folder with a configuration whose daemon does not exist.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(site.path("allow.d")).unwrap();
        site.configure("mode = \"enforce\"\ninterfaces = [\"lo\"]\n");
        site.list("192.0.2.1 label=\"one\"\n!192.0.2.2\n2001:db8::/32\n");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, top: &str) {
        let text = format!(
            "{top}[ftp]\npassive_ports = [\"2000-2010\"]\n[allow]\nfiles = [{:?}]\n[bans]\nfile = {:?}\n\
             [control]\nsocket = {:?}\n[bpf]\npin_path = {:?}\n",
            self.path("allow.d/*.list"),
            self.path("bans.json"),
            self.path("guard.sock"),
            self.path("pins"),
        );
        std::fs::write(self.path("guard.toml"), text).unwrap();
    }

    fn list(&self, text: &str) {
        std::fs::write(self.path("allow.d/a.list"), text).unwrap();
    }

    fn guard(&self, arguments: &[&str]) -> Run {
        run(&self.path("guard.toml"), arguments)
    }
}

struct Run {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let run = Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!run.err.contains("panicked"), "{}", run.err);
        run
    }
}

fn run(config: &Path, arguments: &[&str]) -> Run {
    command()
        .arg("--config")
        .arg(config)
        .args(arguments)
        .output()
        .unwrap()
        .into()
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftp-guard"));
    command.env_remove("RUST_LOG").env("NO_COLOR", "1");
    command
}

fn plain(arguments: &[&str]) -> Run {
    command().args(arguments).output().unwrap().into()
}

#[test]
fn usage_errors_end_with_2_and_name_the_argument() {
    for (arguments, named) in [
        (&["dance"][..], "dance"),
        (&["allow", "add"], "PREFIX"),
        (&["allow", "add", "partner.example"], "partner.example"),
        (&["allow", "add", "192.0.2.1/24"], "192.0.2.0/24"),
        (
            &["allow", "add", "192.0.2.1", "--expires", "soon"],
            "duration such as",
        ),
        (
            &[
                "allow",
                "add",
                "192.0.2.1",
                "--expires",
                "2001-01-01T00:00:00Z",
            ],
            "is over",
        ),
        (&["allow", "test", "192.0.2.0/24"], "192.0.2.0/24"),
        (&["allow", "suggest", "--since", "soon"], "how long ago"),
        (&["allow", "suggest", "--min-days", "0"], "0"),
        (&["mode", "off"], "off"),
        (
            &["mode", "enforce", "--confirm-within", "9s"],
            "at least 10s",
        ),
        (
            &["mode", "enforce", "--confirm-within", "2d"],
            "at most 24h",
        ),
        (
            &["mode", "enforce", "--confirm-within", "soon"],
            "duration such as",
        ),
        (
            &["mode", "confirm", "--confirm-within", "10m"],
            "mode enforce",
        ),
        (&["mode", "--confirm-within", "10m"], "mode enforce"),
        (&["explain"], "SOURCE"),
        (&["explain", "192.0.2.1", "--flags", "sin"], "sin"),
        (&["explain", "192.0.2.1", "--port", "70000"], "70000"),
        (&["explain", "192.0.2.1", "--vlan", "5000"], "5000"),
        (&["sessions", "--client", "partner"], "partner"),
        (
            &["events", "--reason", "listed"],
            "no event has this reason",
        ),
        (&["events", "--source", "partner"], "partner"),
        (&["events", "--limit", "few"], "few"),
        (&["events", "--since", "yesterday"], "yesterday"),
        (&["events", "--kind", "eclipse"], "eclipse"),
        (&["events", "--follow", "--past"], "--past"),
        (&["sessions", "--user", "alice"], "--past"),
        (&["report", "--format", "pdf"], "pdf"),
        (&["kill"], "CLIENT|PREFIX|ID"),
        (&["kill", "0"], "no number of a session"),
        (&["kill", "17", "partner.example"], "partner.example"),
        (&["ban"], "Usage"),
        (&["ban", "add"], "PREFIX"),
        (&["ban", "add", "client.example"], "client.example"),
        (&["ban", "add", "192.0.2.7/24"], "192.0.2.0/24"),
        (&["ban", "add", "::ffff:192.0.2.7"], "write 192.0.2.7"),
        (
            &["ban", "add", "192.0.2.7", "--for", "soon"],
            "number of seconds",
        ),
        (&["ban", "add", "192.0.2.7", "--for", "0"], "no time"),
        (
            &["ban", "add", "192.0.2.7", "--until", "2001-01-01T00:00:00Z"],
            "is over",
        ),
        (
            &["ban", "add", "192.0.2.7", "--for", "1h", "--forever"],
            "--forever",
        ),
        (&["ban", "remove"], "PREFIX"),
        (&["ban", "remove", "192.0.2.7/24"], "192.0.2.0/24"),
        (&["completions", "cmd"], "cmd"),
        (&["status", "--colour"], "--colour"),
        (&["init", "--output", "/x", "--config", "/y"], "not both"),
        (&[], "Usage"),
    ] {
        let run = plain(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.err);
        assert!(run.err.contains(named), "{arguments:?}: {}", run.err);
        assert!(run.out.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_on_standard_output() {
    let help = plain(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    for verb in [
        "run",
        "check",
        "status",
        "allow",
        "ban",
        "mode",
        "reload",
        "detach",
        "explain",
        "init",
        "doctor",
        "sessions",
        "events",
        "report",
        "kill",
        "completions",
        "man",
    ] {
        assert!(
            help.out.contains(&format!("\n  {verb} ")),
            "{verb}: {}",
            help.out
        );
        assert_eq!(plain(&[verb, "--help"]).code, 0, "{verb}");
    }
    assert!(!help.out.contains("codegen"), "{}", help.out);
    assert!(
        help.out.contains("77 not permitted, 78 bad"),
        "{}",
        help.out
    );
    let version = plain(&["--version"]);
    assert_eq!(
        version.out,
        format!("ftp-guard {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn good_files_pass_the_check() {
    let site = Site::new();
    let run = site.guard(&["check"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let lines: Vec<&str> = run.out.lines().collect();
    assert!(
        lines[0].ends_with("guard.toml: valid; 3 allowlist entries"),
        "{}",
        run.out
    );
    assert!(
        lines[1].starts_with("profile default: connections 100/s (burst 500), 256 sessions, "),
        "{}",
        run.out
    );
    assert!(lines[2].starts_with("limits: "), "{}", run.out);
    assert_eq!(lines.len(), 3);
    let json: serde_json::Value =
        serde_json::from_str(&site.guard(&["check", "--json"]).out).unwrap();
    assert_eq!(json["valid"], true);
    assert_eq!(json["entries"], 3);
    assert_eq!(json["profiles"][0]["name"], "default");
    assert_eq!(json["profiles"][0]["idle_seconds"], 1800);
    assert_eq!(json["limits"]["syn_cookies"], "auto");
}

/// What [`Site::configure`] writes, with the passive ports of a server's file.
fn auto(site: &Site) {
    let text = std::fs::read_to_string(site.path("guard.toml")).unwrap();
    let text = text.replace(
        "passive_ports = [\"2000-2010\"]",
        &format!(
            "passive_ports = \"auto\"\nserver_configs = [{:?}]",
            site.path("vsftpd.conf")
        ),
    );
    std::fs::write(site.path("guard.toml"), text).unwrap();
}

#[test]
fn the_check_tells_which_passive_ports_auto_finds() {
    let site = Site::new();
    auto(&site);
    std::fs::write(
        site.path("vsftpd.conf"),
        "pasv_min_port=2000\npasv_max_port=2010\n",
    )
    .unwrap();
    let run = site.guard(&["check"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let file = site.path("vsftpd.conf");
    let line = format!("passive ports: 2000-2010 (vsftpd, {}:1)\n", file.display());
    assert!(run.out.contains(&line), "{}", run.out);
    let json: serde_json::Value =
        serde_json::from_str(&site.guard(&["check", "--json"]).out).unwrap();
    assert_eq!(json["passive_ports"][0], "2000-2010");
    assert!(line.contains(json["passive_ports_found"][0].as_str().unwrap()));
}

#[test]
fn the_check_names_the_place_where_a_server_has_no_range() {
    let site = Site::new();
    auto(&site);
    std::fs::write(
        site.path("vsftpd.conf"),
        "listen=YES\npasv_min_port = 2000\n",
    )
    .unwrap();
    let run = site.guard(&["check"]);
    assert_eq!((run.code, run.out.as_str()), (78, ""));
    let place = format!("{}:2:1: ", site.path("vsftpd.conf").display());
    assert!(run.err.starts_with(&place), "{}", run.err);
    assert!(run.err.contains("no spaces around ="), "{}", run.err);
    std::fs::remove_file(site.path("vsftpd.conf")).unwrap();
    let run = site.guard(&["check"]);
    assert_eq!(run.code, 78);
    assert!(run.err.contains("vsftpd.conf: cannot read"), "{}", run.err);
}

#[test]
fn every_mistake_in_the_configuration_is_one_line_with_its_place() {
    let site = Site::new();
    site.configure("mode = \"strict\"\ninterfaces = [\"lo\"]\ncolour = 1\n");
    let run = site.guard(&["check"]);
    assert_eq!(run.code, 78);
    let lines: Vec<&str> = run.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", run.err);
    let file = site.path("guard.toml");
    for (line, place) in lines.iter().zip(["1:8", "3:1"]) {
        let begins = format!("{}:{place}: ", file.display());
        assert!(line.starts_with(&begins), "{line}\n{begins}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&site.guard(&["check", "--json"]).out).unwrap();
    assert_eq!(json["valid"], false);
    assert_eq!(json["diagnostics"][1]["line"], 3);
    assert_eq!(json["diagnostics"][1]["column"], 1);
}

#[test]
fn every_mistake_in_an_allowlist_is_one_line_with_its_place() {
    let site = Site::new();
    site.list("192.0.2.1\n192.0.2.300\n10.0.0.0/8 profile=none\n");
    let run = site.guard(&["check"]);
    assert_eq!(run.code, 78);
    let file = site.path("allow.d/a.list");
    let begins =
        [(2, 1), (3, 20)].map(|(line, column)| format!("{}:{line}:{column}:", file.display()));
    let lines: Vec<&str> = run.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", run.err);
    assert!(
        lines
            .iter()
            .zip(&begins)
            .all(|(line, begins)| line.starts_with(begins)),
        "{}",
        run.err
    );
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let site = Site::new();
    std::fs::remove_file(site.path("guard.toml")).unwrap();
    let run = site.guard(&["check"]);
    assert_eq!(run.code, 78);
    assert!(run.err.contains("guard.toml: cannot read"), "{}", run.err);

    let site = Site::new();
    std::fs::create_dir(site.path("allow.d/folder.list")).unwrap();
    let run = site.guard(&["check"]);
    assert_eq!(run.code, 78);
    assert!(run.err.contains("folder.list"), "{}", run.err);
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);

    let site = Site::new();
    std::fs::write(site.path("allow.d/b.list"), b"\xff\n").unwrap();
    let run = site.guard(&["check"]);
    assert_eq!(run.code, 78);
    assert!(run.err.contains("b.list:1:1: not UTF-8"), "{}", run.err);
}

#[test]
fn what_is_valid_but_doubtful_is_a_warning() {
    let site = Site::new();
    site.configure("interfaces = [\"lo\", \"no-such-iface\"]\n");
    site.list("192.0.2.1 expires=2001-01-01T00:00:00Z\n");
    let run = site.guard(&["check"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(
        run.err
            .contains("warning: no interface `no-such-iface` (there are: "),
        "{}",
        run.err
    );
    assert!(
        run.err.contains("warning: the allowlist is empty"),
        "{}",
        run.err
    );
    assert!(
        run.out.contains("1 allowlist entry, 1 of them expired\n"),
        "{}",
        run.out
    );
}

#[test]
fn run_refuses_bad_files_before_it_touches_anything() {
    let site = Site::new();
    site.list("nobody\n");
    let run = site.guard(&["run"]);
    assert_eq!(run.code, 78, "{}", run.err);
    assert!(run.err.contains("a.list:1:1: "), "{}", run.err);
    assert!(!site.path("pins").exists() && !site.path("guard.sock").exists());
}

#[test]
fn without_a_daemon_a_client_says_where_it_looked() {
    let site = Site::new();
    for arguments in [
        &["allow", "list"][..],
        &["allow", "add", "192.0.2.9"],
        &["allow", "remove", "192.0.2.9"],
        &["allow", "export"],
        &["allow", "test", "192.0.2.9"],
        &["allow", "suggest", "--since", "7d", "--min-days", "2"],
        &["mode"],
        &["mode", "enforce", "--confirm-within", "10m"],
        &["mode", "confirm"],
        &["reload"],
        &["explain", "192.0.2.9"],
        &["sessions", "--client", "192.0.2.0/24"],
        &["sessions", "--sources"],
        &["events", "--follow", "--json"],
        &["events", "--since", "2h"],
        &["sessions", "--past", "--user", "alice"],
        &["report"],
        &["kill", "17", "192.0.2.9"],
        &["ban", "add", "192.0.2.9", "--for", "-1"],
        &["ban", "remove", "192.0.2.9"],
    ] {
        let run = site.guard(arguments);
        assert_eq!(run.code, 1, "{arguments:?}: {}", run.err);
        let socket = site.path("guard.sock");
        assert!(
            run.err.contains(&*socket.to_string_lossy()),
            "{arguments:?}: {}",
            run.err
        );
        assert_eq!(run.err.lines().count(), 1, "{arguments:?}: {}", run.err);
    }
    let elsewhere = site.guard(&["--socket", "/nowhere/x.sock", "mode"]);
    assert!(
        elsewhere.err.contains("/nowhere/x.sock"),
        "{}",
        elsewhere.err
    );
}

#[test]
fn without_a_daemon_bans_are_listed_from_their_file() {
    let site = Site::new();
    let none = site.guard(&["ban", "list"]);
    assert_eq!((none.code, none.out.as_str()), (0, "0 bans\n"));
    assert!(none.err.contains("no daemon runs"), "{}", none.err);
    let ban = |prefix: &str, until: &str, more: &str| {
        format!(
            "{{\"prefix\":\"{prefix}\",\"since\":\"2026-03-01T12:00:00Z\",{until}\"origin\":\"cli\",\
             \"by\":\"cli\",\"count\":1{more}}}"
        )
    };
    let text = format!(
        "{{\"version\":1,\"bans\":[{},{}],\"history\":[]}}",
        ban("192.0.2.7", "", ""),
        ban("192.0.2.8", "\"until\":\"2026-03-01T13:00:00Z\",", ""),
    );
    std::fs::write(site.path("bans.json"), &text).unwrap();
    let list = site.guard(&["ban", "list"]);
    assert_eq!(list.code, 0, "{}", list.err);
    assert!(
        list.out.contains("192.0.2.7") && list.out.ends_with("1 ban\n"),
        "{}",
        list.out
    );
    let json: serde_json::Value =
        serde_json::from_str(&site.guard(&["ban", "list", "--json"]).out).unwrap();
    assert_eq!(json["running"], false);
    assert_eq!(json["bans"][0]["prefix"], "192.0.2.7/32");
    assert_eq!(json["bans"][0]["active"], serde_json::Value::Null);
    for history in ["--history", "--expired"] {
        let run = site.guard(&["ban", "list", history, "--json"]);
        let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(json["bans"].as_array().map(Vec::len), Some(0), "forgotten");
    }
    assert_eq!(
        std::fs::read_to_string(site.path("bans.json")).unwrap(),
        text
    );
}

#[test]
fn a_damaged_file_of_bans_is_named_and_refuses_the_daemon() {
    let site = Site::new();
    std::fs::write(site.path("bans.json"), "{\"version\": 1,\n \"bans\": [\n").unwrap();
    let place = format!("{}:", site.path("bans.json").display());
    for arguments in [&["ban", "list"][..], &["run"]] {
        let run = site.guard(arguments);
        assert_eq!(run.code, 78, "{arguments:?}: {}", run.err);
        assert!(
            run.err.starts_with(&place) && run.err.contains("damaged"),
            "{arguments:?}: {}",
            run.err
        );
    }
    assert!(!site.path("pins").exists() && !site.path("guard.sock").exists());
    assert!(
        std::fs::read_to_string(site.path("bans.json"))
            .unwrap()
            .ends_with("[\n")
    );
}

#[test]
fn without_a_daemon_a_bad_configuration_is_told_as_well() {
    let site = Site::new();
    std::fs::write(site.path("guard.toml"), "mode = \n").unwrap();
    let run = site.guard(&["reload"]);
    assert_eq!(run.code, 78, "{}", run.err);
    assert!(run.err.contains("guard.toml:1:"), "{}", run.err);
    let run = site.guard(&["detach"]);
    assert_eq!(run.code, 78, "{}", run.err);
}

#[test]
fn status_without_daemon_and_pins_says_that_nothing_is_enforced() {
    let site = Site::new();
    let run = site.guard(&["status"]);
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(
        run.out
            .starts_with("daemon:      not running, and nothing is enforced\n"),
        "{}",
        run.out
    );
    let json: serde_json::Value =
        serde_json::from_str(&site.guard(&["status", "--json"]).out).unwrap();
    assert_eq!(json["running"], false);
    assert_eq!(json["mode"], serde_json::Value::Null);
    assert_eq!(json["missing_interfaces"][0], "lo");
}

#[test]
fn detach_with_nothing_attached_is_no_error() {
    let site = Site::new();
    let run = site.guard(&["detach"]);
    assert_eq!(
        (run.code, run.out.as_str()),
        (0, "nothing was attached\n"),
        "{}",
        run.err
    );
}

#[test]
fn an_import_that_cannot_be_read_is_named() {
    let site = Site::new();
    let run = site.guard(&["allow", "import", "/no/such.list"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("/no/such.list"), "{}", run.err);
}

#[test]
fn completions_and_manual_pages_are_made() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = plain(&["completions", shell]);
        assert_eq!(run.code, 0, "{shell}");
        assert!(run.out.contains("explain"), "{shell}");
    }
    let page = plain(&["man"]);
    assert_eq!(page.code, 0);
    assert!(page.out.contains(".TH ftp-guard 1"), "{}", page.out);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(plain(&["man", "--output", path]).code, 0);
    for page in [
        "ftp-guard.1",
        "ftp-guard-allow-add.1",
        "ftp-guard-allow-suggest.1",
        "ftp-guard-ban-add.1",
        "ftp-guard-explain.1",
    ] {
        assert!(folder.path().join(page).exists(), "{page}");
    }
}

#[test]
fn a_reader_that_stops_early_is_no_failure() {
    let mut child = command()
        .args(["completions", "zsh"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}
