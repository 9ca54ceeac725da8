//! What becomes of the history when the file or the disk is not as it should be, and how much is kept.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::engine::monitor::record::{Direction, TransferRecord};

pub(super) fn transfer(path: &str) -> TransferRecord {
    TransferRecord {
        began: "2026-11-22T08:40:00Z".parse().unwrap(),
        direction: Direction::Upload,
        command: Some("STOR".into()),
        path: Some(path.into()),
        file_type: Some("csv".into()),
        bytes: Some(1234),
        seconds: 0.5,
        code: Some(226),
        mode: Some("passive".into()),
        data_client: Some("192.0.2.7:40001".parse().unwrap()),
        data_server: Some("198.51.100.1:50000".parse().unwrap()),
        encrypted: Some(false),
        complete: true,
    }
}

#[test]
fn a_damaged_file_is_set_aside() {
    for (damage, text) in [
        ("no database", vec![b'x'; 40_000]),
        (
            "a cut header",
            b"SQLite format 3\0\x10\0\x02\x02\0".to_vec(),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history.db");
        std::fs::write(&file, &text).unwrap();
        let history = start(&file);
        let event = attack_end(Timestamp::now(), 1.0);
        history.sink().event(&event);
        until(damage, || {
            history.sink().figures().written > 0 || {
                history.sink().event(&event);
                false
            }
        });
        history.stop(Duration::from_secs(20));
        assert!(!events(&file, &EventQuery::default()).is_empty());
        let aside = std::fs::read_dir(folder.path())
            .unwrap()
            .flatten()
            .find(|entry| {
                let name = entry.file_name();
                name.to_string_lossy().starts_with("history.db.corrupt-")
            });
        assert_eq!(std::fs::read(aside.expect(damage).path()).unwrap(), text);
    }
}

#[test]
fn damage_in_the_middle_of_the_file_is_found_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let history = start(&file);
    for number in 0..2000 {
        history
            .sink()
            .event(&attack_end(Timestamp::now(), f64::from(number)));
    }
    history.stop(Duration::from_secs(20));
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let history = start(&file);
    until("it is found", || history.sink().figures().set_aside == 1);
    let event = attack_end(Timestamp::now(), 1.0);
    until("a new one is begun", || {
        history.sink().event(&event);
        history.sink().figures().state == WriterState::Working
    });
    history.stop(Duration::from_secs(20));
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    start(&file).stop(Duration::from_secs(20));
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection
        .pragma_update(None, "user_version", 1000)
        .unwrap();
    drop(connection);
    let history = start(&file);
    until("it fails", || history.sink().figures().failures > 0);
    assert_eq!(history.sink().figures().state, WriterState::Failing);
    assert_eq!(history.sink().figures().set_aside, 0);
    history.stop(Duration::from_secs(20));
    let refused = Reader::open(&file).unwrap_err().to_string();
    assert!(refused.contains("later version"), "{refused}");
}

#[test]
fn a_file_that_cannot_be_written_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    // Where the folder should be there is a file, for root as well.
    let place = folder.path().join("lib");
    std::fs::write(&place, "").unwrap();
    let file = place.join("history.db");
    let history = start(&file);
    let sink = history.sink();
    let event = attack_end(Timestamp::now(), 1.0);
    sink.event(&event);
    until("it fails", || {
        let figures = sink.figures();
        figures.state == WriterState::Failing && figures.lost == 1
    });
    std::fs::remove_file(&place).unwrap();
    until("it is written again", || {
        sink.event(&event);
        sink.figures().state == WriterState::Working
    });
    history.stop(Duration::from_secs(20));
    let reader = Reader::open(&file).unwrap();
    let extent = reader.extent(Timestamp::UNIX_EPOCH).unwrap();
    assert!(extent.lost >= 1, "what was lost is noted: {extent:?}");
    assert!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o007 == 0);
}

#[test]
fn what_is_too_old_goes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let history = History::start(
        HistorySettings {
            keep: Duration::from_secs(3600),
            ..settings(&file)
        },
        new_tables(),
    )
    .unwrap();
    let now = Timestamp::now();
    let old = now.checked_sub(Duration::from_secs(4000)).unwrap();
    for number in 0..1200 {
        let time = if number % 2 == 0 { now } else { old };
        history.sink().event(&attack_end(time, f64::from(number)));
    }
    let mut session = record(1, "2020-11-22T08:00:00Z");
    session.ended = Some(old);
    history.sink().session(&session);
    history.sink().session(&record(2, "2020-11-22T08:00:00Z"));
    until("the old are gone", || {
        history.sink().figures().written == 1202
            && events(&file, &EventQuery::default()).len() == 600
    });
    let left = sessions(&file, &SessionQuery::default());
    assert_eq!(left.len(), 1, "what lives is not old");
    assert_eq!(left[0].record.id, 2);
    history.stop(Duration::from_secs(20));
}

#[test]
fn the_file_does_not_grow_beyond_its_bound() {
    const MOST: u64 = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let history = History::start(
        HistorySettings {
            max_size: MOST,
            ..settings(&file)
        },
        new_tables(),
    )
    .unwrap();
    let sink = history.sink();
    let mut written = 0;
    let mut session = record(0, "2026-11-22T08:00:00Z");
    session.transfers = vec![transfer("x"); 16];
    session.ended = Some(Timestamp::now());
    while sink.figures().written < 12_000 {
        for _ in 0..400 {
            written += 1;
            sink.event(&attack_end(Timestamp::now(), f64::from(written)));
        }
        session.id += 1;
        session.ended = Some(Timestamp::now());
        sink.session(&session);
        let before = sink.figures().written;
        until("it is written", || sink.figures().written > before);
    }
    until("the bound is held", || {
        (1..=MOST).contains(&sink.figures().bytes)
    });
    assert_eq!(sink.figures().lost, 0);
    history.stop(Duration::from_secs(20));
    let size = std::fs::metadata(&file).unwrap().len();
    assert!(size <= MOST * 3 / 2, "{size}");
    let left = events(&file, &EventQuery::default());
    assert!(left.len() > 500, "{}", left.len());
    let EventKind::AttackEnd(last) = &left.last().unwrap().kind else {
        panic!("{left:?}");
    };
    assert_eq!(last.seconds, f64::from(written), "the newest is there");
}

#[test]
fn the_folder_of_damaged_files_does_not_fill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    for second in 0..5 {
        std::fs::write(&file, "x").unwrap();
        let time = Timestamp::from_second(1_000_000 + second).unwrap();
        base::set_aside(&file, time).unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
