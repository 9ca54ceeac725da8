//! The suites of package `ftp-guard-tests`: one program each, found by asking cargo.

use std::{
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    shell,
    test::{Counts, Options, Row, stream},
    workspace::Workspace,
};

const PACKAGE: &str = "ftp-guard-tests";
/// The rings of the ladder that come first; the others follow by name.
const FIRST: &[&str] = &["ftp_guard_tests", "object", "datapath", "differential"];
/// A suite that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// A test program.
pub(crate) struct Suite {
    /// The file in `tests/tests`, without its extension.
    pub(crate) name: String,
    pub(crate) executable: PathBuf,
}

impl Suite {
    /// The program, in the folder that cargo would start it in.
    pub(crate) fn command(&self, workspace: &Workspace) -> Command {
        let mut command = Command::new(&self.executable);
        command
            .current_dir(workspace.root.join("tests"))
            .env("CARGO_MANIFEST_DIR", workspace.root.join("tests"));
        command
    }
}

/// Builds the suites and returns them in the order of the ladder.
///
/// # Errors
///
/// When they do not build.
pub(crate) fn discover(workspace: &Workspace) -> Result<Vec<Suite>> {
    let mut build = workspace.cargo();
    build.args([
        "test",
        "--locked",
        "--no-run",
        "--package",
        PACKAGE,
        "--lib",
        "--tests",
    ]);
    let output = build
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "the suites do not build");
    let text = String::from_utf8(output.stdout).context("cargo printed what is not UTF-8")?;
    let mut suites = executables(&text)?;
    ensure!(!suites.is_empty(), "package {PACKAGE} has no suites");
    suites.sort_by_key(|suite| {
        let place = FIRST.iter().position(|first| *first == suite.name);
        (place.unwrap_or(FIRST.len()), suite.name.clone())
    });
    Ok(suites)
}

/// The test programs that cargo's messages name.
fn executables(messages: &str) -> Result<Vec<Suite>> {
    let mut suites = Vec::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line).context("cargo printed no JSON")?;
        if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
            continue;
        }
        let (Some(name), Some(executable)) = (
            message["target"]["name"].as_str(),
            message["executable"].as_str(),
        ) else {
            continue;
        };
        suites.push(Suite {
            name: name.to_owned(),
            executable: executable.into(),
        });
    }
    Ok(suites)
}

/// Runs a suite and counts.
///
/// # Errors
///
/// When it does not start.
pub(crate) fn run(name: &str, command: &mut Command, options: &Options) -> Result<Row> {
    shell::say(shell::line(command));
    let start = Instant::now();
    let mut counts = Counts::default();
    let ended = stream(command, LIMIT, |line| {
        println!("{line}");
        counts.add_line(line);
    })?;
    Ok(Row {
        suite: name.to_owned(),
        counts,
        time: start.elapsed(),
        trouble: trouble(ended, counts, options),
    })
}

fn trouble(ended: Option<ExitStatus>, counts: Counts, options: &Options) -> Option<String> {
    match ended {
        None => Some(format!("ended after {} s: it hangs", LIMIT.as_secs())),
        Some(status) if !status.success() && counts.failed == 0 => {
            Some(format!("broke off: {status}"))
        }
        // Names of tests may well match none in one suite or another.
        Some(_) if counts.executed() == 0 && options.arguments.is_empty() => {
            Some("ran no test".into())
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_found_in_cargos_messages() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"name":"serde"},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","target":{"name":"object"},"profile":{"test":true},"executable":"/t/object-1"}
{"reason":"compiler-artifact","target":{"name":"demo"},"profile":{"test":false},"executable":"/t/demo"}
{"reason":"build-finished","success":true}
"#;
        let suites = executables(messages).unwrap();
        assert_eq!(suites.len(), 1);
        assert_eq!(suites[0].name, "object");
        assert_eq!(suites[0].executable, PathBuf::from("/t/object-1"));
    }

    #[test]
    fn a_suite_without_tests_is_trouble() {
        let success = Some(ExitStatus::default());
        let mut options = Options::default();
        assert!(trouble(success, Counts::default(), &options).is_some());
        options.arguments.push("some_test".into());
        assert!(trouble(success, Counts::default(), &options).is_none());
        assert!(trouble(None, Counts::default(), &options).is_some());
    }
}
