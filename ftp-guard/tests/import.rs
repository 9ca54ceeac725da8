//! `allow import` and `allow export` without a daemon: what is shown, refused and asked.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

/// A folder with a configuration whose daemon does not exist.
struct Site(tempfile::TempDir);

struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        let text = format!(
            "interfaces = [\"lo\"]\n[ftp]\npassive_ports = []\n[control]\nsocket = {:?}\n",
            site.path("guard.sock")
        );
        std::fs::write(site.path("guard.toml"), text).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn import(&self, text: &str, options: &[&str]) -> Run {
        std::fs::write(self.path("file"), text).unwrap();
        let file = self.path("file").display().to_string();
        self.run(&[&["allow", "import", &file], options].concat(), "")
    }

    fn run(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ftp-guard"))
            .env_remove("RUST_LOG")
            .env("NO_COLOR", "1")
            .arg("--config")
            .arg(self.path("guard.toml"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that complains before it reads closes its end.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let run = Run {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!run.err.contains("panicked"), "{}", run.err);
        run
    }
}

#[test]
fn a_dry_run_needs_no_daemon_and_shows_everything() {
    let site = Site::new();
    let text = "192.0.2.0/25 ; one\n192.0.2.128/25\n192.0.2.128/25\n192.0.2.7\n203.0.113.9\n";
    let run = site.import(text, &["--dry-run", "--aggregate"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.out);
    for said in [
        "looks like cidr: 5 entries read",
        "1 twice in the file",
        "1 inside others that say the same",
        "192.0.2.7/32 inside 192.0.2.0/25",
        "4 prefixes become 2, 1 redundant, 1 joined anew",
        "192.0.2.0/24 from 2 parts",
        "not compared with the allowlist",
        "nothing was changed (--dry-run)",
    ] {
        assert!(run.out.contains(said), "{said}: {}", run.out);
    }
    let run = site.import(text, &["--dry-run", "--aggregate", "--json"]);
    let json: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(json["format"], "cidr");
    assert_eq!(json["applied"], false);
    assert_eq!(json["added"], 0);
    assert_eq!(json["aggregation"]["after"], 2);
    assert_eq!(json["aggregation"]["widest"][0]["prefix"], "192.0.2.0/24");
}

#[test]
fn lines_that_are_not_understood_refuse_the_file_or_are_counted() {
    let site = Site::new();
    let text = "192.0.2.1 ; one\nnonsense\n";
    let run = site.import(text, &["--dry-run"]);
    assert_eq!((run.code, run.out.as_str()), (78, ""), "{}", run.err);
    assert!(
        run.err.contains("file:2:1: expected an IPv4"),
        "{}",
        run.err
    );
    assert!(run.err.contains("--skip-unknown"), "{}", run.err);
    let run = site.import(text, &["--dry-run", "--skip-unknown"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("1 not understood, skipped"), "{}", run.out);
    assert!(run.out.contains("file:2: expected"), "{}", run.out);
    let run = site.import("192.0.2.1\n192.0.2.2 colour=red\n", &["--dry-run"]);
    assert_eq!(run.code, 78);
    assert!(run.err.contains("file:2:11: "), "{}", run.err);
    let run = site.import("x", &["--dry-run", "--format", "nft-json"]);
    assert_eq!(run.code, 78);
    let run = site.import(
        "add x 10.0.0.1\nadd x 10.0.0.1 timeout 99\n",
        &["--dry-run"],
    );
    assert_eq!(run.code, 78);
    assert!(
        run.err.contains("file:2:1: 10.0.0.1/32 stands in line 1"),
        "{}",
        run.err
    );
}

#[test]
fn formats_are_forced_and_read_from_standard_input() {
    let site = Site::new();
    let rir = "ripencc|DE|ipv4|193.0.0.0|768|19930901|allocated\nripencc|FR|ipv4|2.0.0.0|256|1|allocated\n";
    let arguments = [
        "allow",
        "import",
        "-",
        "--country",
        "de",
        "--dry-run",
        "--json",
    ];
    let run = site.run(&arguments, rir);
    let json: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(json["format"], "rir");
    assert_eq!(
        (&json["prefixes"], &json["left_out"]),
        (&2.into(), &1.into())
    );
    let run = site.run(&[&arguments[..], &["--format", "cidr"]].concat(), rir);
    assert_eq!(run.code, 78);
    assert!(
        run.err.contains("--country is for the formats"),
        "{}",
        run.err
    );
    let run = site.run(
        &["allow", "import", "-", "--country", "XX", "--dry-run"],
        rir,
    );
    assert_eq!(run.code, 1);
    assert!(
        run.err.contains("nothing in it is to be imported"),
        "{}",
        run.err
    );
}

#[test]
fn usage_errors_end_with_2() {
    let site = Site::new();
    for (arguments, named) in [
        (&["allow", "import"][..], "FILE"),
        (&["allow", "import", "x", "--format", "pdf"], "hosts-allow"),
        (
            &["allow", "import", "x", "--country", "Germany"],
            "two letters",
        ),
        (&["allow", "import", "x", "--filter", "S3"], "FIELD=VALUE"),
        (
            &["allow", "import", "x", "--expires", "soon"],
            "duration such as",
        ),
        (
            &["allow", "import", "x", "--label", "a\nb"],
            "control character",
        ),
        (&["allow", "export", "--format", "pdf"], "pdf"),
        (&["allow", "export", "--family", "5"], "5"),
        (&["allow", "export", "--name", "a b"], "letters, digits"),
    ] {
        let run = site.run(arguments, "");
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.err);
        assert!(run.err.contains(named), "{arguments:?}: {}", run.err);
    }
    assert_eq!(site.run(&["allow", "import", "/nonexistent"], "").code, 1);
    let run = site.import("192.0.2.1\n", &[]);
    assert_eq!(run.code, 1, "no daemon: {}", run.err);
    for verb in ["import", "export"] {
        let help = site.run(&["allow", verb, "--help"], "");
        assert!(
            help.code == 0 && help.out.contains("Examples:"),
            "{}",
            help.out
        );
    }
}
