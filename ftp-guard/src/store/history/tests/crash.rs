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

const FULL: &str = "FTP_GUARD_TEST_FULL";

/// Run by [`a_disk_without_room_stops_only_the_history`] in a process of its own, whose files may not grow
/// beyond a limit at first.
#[test]
fn child_without_room() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    let Some(file) = std::env::var_os(FULL) else {
        return;
    };
    let file = Path::new(&file);
    // SAFETY: no handler runs: the signal is ignored, so that writing fails instead.
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.unwrap();
    longest_file(300_000);
    let history = start(file);
    let sink = history.sink();
    let mut number = 0;
    let mut send = || {
        number += 1;
        sink.event(&attack_end(Timestamp::now(), f64::from(number)));
    };
    until("there is no room", || {
        for _ in 0..100 {
            send();
        }
        sink.figures().failures > 0
    });
    let before = sink.figures();
    assert!(before.written > 0 && before.lost > 0, "{before:?}");
    assert_eq!(before.set_aside, 0, "the file is not damaged: {before:?}");
    longest_file(libc::RLIM_INFINITY);
    until("there is room again", || {
        send();
        sink.figures().written > before.written
    });
    history.stop(Duration::from_secs(20));
    let kept = events(file, &EventQuery::default()).len() as u64;
    assert!(kept > before.written, "{kept} {before:?}");
    let extent = Reader::open(file).unwrap().extent(Timestamp::UNIX_EPOCH);
    assert!(extent.unwrap().lost >= before.lost);
    std::fs::write(file.with_extension("done"), "").unwrap();
}

/// How long files of this process may become.
fn longest_file(bytes: libc::rlim_t) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the structure lives as long as the call.
    let done = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) };
    assert_eq!(done, 0);
}

#[test]
fn a_disk_without_room_stops_only_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::history::tests::crash::child_without_room",
        ])
        .env(FULL, &file)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(file.with_extension("done").exists(), "{told}");
}
