//! A writer that is killed loses nothing that was committed.

use std::process::{Command, Stdio};

use super::*;

const CHILD: &str = "FTP_GUARD_TEST_HISTORY";

/// Run by [`what_was_committed_survives_a_kill`] in a process of its own: writes until it is killed, and
/// tells after each event how many are committed.
#[test]
fn child_that_writes() {
    let Some(file) = std::env::var_os(CHILD) else {
        return;
    };
    let history = start(Path::new(&file));
    let sink = history.sink();
    for number in 0..u32::MAX {
        sink.event(&attack_end(Timestamp::now(), f64::from(number)));
        if number % 50 == 0 {
            let mut session = record(u64::from(number), "2026-11-22T08:00:00Z");
            session.commands = u64::from(number);
            sink.session(&session);
        }
        let figures = sink.figures();
        std::fs::write(
            Path::new(&file).with_extension("count"),
            figures.written.to_string(),
        )
        .unwrap();
    }
}

#[test]
fn what_was_committed_survives_a_kill() {
    for round in 0..3_u64 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history.db");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::history::tests::crash::child_that_writes"])
            .env(CHILD, &file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let count = || {
            let text = std::fs::read_to_string(file.with_extension("count"));
            text.ok().and_then(|text| text.parse::<u64>().ok())
        };
        until("something is written", || {
            count().is_some_and(|count| count > 500 * (round + 1))
        });
        child.kill().unwrap();
        child.wait().unwrap();
        // The number may have been cut when it was written; it was told before that.
        let committed = count().unwrap_or(500 * (round + 1));
        let found = events(&file, &EventQuery::default());
        let numbers: Vec<f64> = found
            .iter()
            .map(|event| match &event.kind {
                EventKind::AttackEnd(end) => end.seconds,
                other => panic!("{other:?}"),
            })
            .collect();
        let expected: Vec<f64> = (0..found.len() as u32).map(f64::from).collect();
        assert_eq!(numbers, expected, "none is missing, none comes twice");
        let kept = sessions(&file, &SessionQuery::default()).len();
        assert!(found.len() as u64 + kept as u64 >= committed);
        // The next start goes on with it.
        let history = History::start(settings(&file), found_tables()).unwrap();
        history.sink().event(&attack_end(Timestamp::now(), 1.0));
        history.stop(Duration::from_secs(20));
        assert_eq!(events(&file, &EventQuery::default()).len(), found.len() + 1);
    }
}
