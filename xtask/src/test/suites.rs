//! The suites of package `ftp-guard-tests`: one program each, found by asking cargo.

use std::{
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::{
    shell,
    test::{Counts, Options, Row, stream},
    workspace::Workspace,
};

const PACKAGE: &str = "ftp-guard-tests";
/// The rings of the ladder that come first; the others follow by name.
const FIRST: &[&str] = &["ftp_guard_tests", "object", "datapath", "differential"];
/// Suites that wait most of the time, for clients, servers and time limits, and look at nothing outside their own
/// namespaces: they run two at a time. Whatever floods, or looks at what others leave on the machine, runs alone.
const PATIENT: &[&str] = &[
    "lab_sessions",
    "lab_leak",
    "lab_matrix",
    "lab_bans",
    "lab_bypass",
    "lab_charts",
    "lab_commands",
    "lab_confirm",
    "lab_exchange",
    "lab_expiry",
    "lab_guessing",
    "lab_history",
    "lab_init",
    "lab_metrics",
    "lab_monitor",
    "lab_names",
    "lab_policy",
    "lab_profiles",
    "lab_refusals",
    "lab_router",
    "lab_shown",
    "lab_suggest",
    "lab_takeover_transfers",
    "lab_text",
    "lab_transfer",
];
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

/// Runs a suite and counts; its lines are printed as they come.
///
/// # Errors
///
/// When it does not start.
pub(crate) fn run(name: &str, command: &mut Command, options: &Options) -> Result<Row> {
    shell::say(shell::line(command));
    run_quietly(name, command, options, |line| println!("{line}"))
}

/// Runs suites, two of them at a time, those that take longest first. What one prints is printed when it has ended.
///
/// # Errors
///
/// When one does not start.
pub(crate) fn run_pairs<'a>(
    suites: impl Iterator<Item = (&'a str, Command)>,
    options: &Options,
) -> Result<Vec<Row>> {
    let mut waiting: Vec<_> = suites.collect();
    waiting.sort_by_key(|(name, _)| PATIENT.iter().position(|patient| patient == name));
    let waiting = Mutex::new(waiting.into_iter());
    let printing = Mutex::new(());
    let lane = || -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        loop {
            let next = lock(&waiting).next();
            let Some((name, mut command)) = next else {
                return Ok(rows);
            };
            shell::say(format!("suite {name}, beside another"));
            let mut lines = Vec::new();
            let row = run_quietly(name, &mut command, options, |line| {
                lines.push(line.to_owned());
            });
            let _turn = lock(&printing);
            shell::say(shell::line(&command));
            for line in lines {
                println!("{line}");
            }
            rows.push(row?);
        }
    };
    let mut rows: Vec<Row> = thread::scope(|scope| {
        let other = scope.spawn(lane);
        let mut rows = lane()?;
        let others = other.join().map_err(|_| anyhow!("a lane has died"))?;
        rows.extend(others?);
        anyhow::Ok(rows)
    })?;
    rows.sort_by(|one, other| one.suite.cmp(&other.suite));
    Ok(rows)
}

/// Whether a suite may run beside another one.
pub(crate) fn is_patient(suite: &Suite) -> bool {
    PATIENT.contains(&suite.name.as_str())
}

/// A lane that died has left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run_quietly(
    name: &str,
    command: &mut Command,
    options: &Options,
    mut print: impl FnMut(&str),
) -> Result<Row> {
    let start = Instant::now();
    let mut counts = Counts::default();
    let ended = stream(command, LIMIT, |line| {
        print(line);
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
    fn each_suite_of_two_lanes_has_its_row() {
        let command = |line: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", line]);
            command
        };
        let good = "echo 'test a ... ok'; echo 'test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out'";
        let bad = "echo 'test a ... FAILED'; echo 'test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out'; exit 101";
        let suites = [
            ("c", good),
            ("lab_matrix", bad),
            ("a", good),
            ("b", "exit 3"),
        ];
        let suites = suites.into_iter().map(|(name, line)| (name, command(line)));
        let rows = run_pairs(suites, &Options::default()).unwrap();
        let seen: Vec<_> = rows
            .iter()
            .map(|row| {
                let counts = (row.counts.passed, row.counts.failed);
                (row.suite.as_str(), counts, row.trouble.is_some())
            })
            .collect();
        let wanted = [
            ("a", (1, 0), false),
            ("b", (0, 0), true),
            ("c", (1, 0), false),
            ("lab_matrix", (0, 1), false),
        ];
        assert_eq!(seen, wanted);
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
