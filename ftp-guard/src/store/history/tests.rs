//! What is written is there, whatever happens in between.

mod broken;
mod crash;
mod model;
mod sessions;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::*;
use crate::engine::{
    events::{AttackEnd, Event, EventKind},
    monitor::record::SessionRecord,
};

fn settings(file: &Path) -> HistorySettings {
    HistorySettings {
        enabled: true,
        file: file.to_owned(),
        keep: Duration::from_secs(7 * 24 * 3600),
        max_size: 256 << 20,
    }
}

fn new_tables() -> Tables {
    Tables {
        name: "boot@1".to_owned(),
        known: None,
    }
}

/// The tables that a daemon finds when it starts again.
fn found_tables() -> Tables {
    Tables {
        name: "boot@2".to_owned(),
        known: Some("boot@".to_owned()),
    }
}

fn start(file: &Path) -> History {
    History::start(settings(file), new_tables()).unwrap()
}

fn attack_end(time: Timestamp, seconds: f64) -> Event {
    Event {
        time,
        kind: EventKind::AttackEnd(AttackEnd { seconds }),
    }
}

fn record(id: u64, began: &str) -> SessionRecord {
    SessionRecord::new(
        id,
        "192.0.2.7:40000".parse().unwrap(),
        "198.51.100.1:21".parse().unwrap(),
        began.parse().unwrap(),
    )
}

/// Waits until it is so.
#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn events(file: &Path, query: &EventQuery) -> Vec<Event> {
    let mut found = Vec::new();
    let mut reader = Reader::open(file).unwrap();
    let count = reader.events(query, |event| {
        found.push(event);
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(count.unwrap(), found.len() as u64);
    found
}

fn sessions(file: &Path, query: &SessionQuery) -> Vec<PastSession> {
    let mut found = Vec::new();
    let mut reader = Reader::open(file).unwrap();
    let count = reader.sessions(query, |session| {
        found.push(session);
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(count.unwrap(), found.len() as u64);
    found
}

#[test]
fn what_is_kept_can_be_read_and_is_for_few() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lib/history.db");
    let history = start(&file);
    let event = attack_end(Timestamp::now(), 1.5);
    history.sink().event(&event);
    until("it is written", || history.sink().figures().written == 1);
    assert_eq!(events(&file, &EventQuery::default()), [event]);
    assert_eq!(history.sink().figures().state, WriterState::Working);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&file), 0o640);
    assert_eq!(mode(file.parent().unwrap()) & 0o027, 0);
    assert_eq!(mode(&folder.path().join("lib/history.db-wal")), 0o640);
    history.stop(Duration::from_secs(20));
}

#[test]
fn all_that_is_queued_is_written_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let history = start(&file);
    let now = Timestamp::now();
    for number in 0..3000 {
        history.sink().event(&attack_end(now, f64::from(number)));
    }
    history.stop(Duration::from_secs(20));
    assert_eq!(events(&file, &EventQuery::default()).len(), 3000);
}

#[test]
fn a_full_queue_loses_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    // Without a writer.
    let (sink, queue) = HistorySink::new(settings(&folder.path().join("x")));
    let mut large = record(1, "2026-11-22T08:00:00Z");
    large.transfers = vec![broken::transfer("x"); SessionRecord::MOST_TRANSFERS];
    for _ in 0..1000 {
        sink.session(&large);
    }
    let lost = sink.figures().lost;
    assert!((1..1000).contains(&lost), "{lost}");
    let event = attack_end(Timestamp::now(), 1.0);
    for _ in 0..20_000 {
        sink.event(&event);
    }
    assert!(sink.figures().lost > lost);
    let mut kept = 0;
    while let Ok(queued) = queue.try_recv() {
        drop(sink.taken(queued));
        kept += 1;
    }
    assert_eq!(kept + sink.figures().lost, 21_000);
    let before = sink.figures().lost;
    sink.event(&event);
    assert_eq!(sink.figures().lost, before, "there is room again");
}

#[test]
fn nothing_is_kept_when_nobody_wants_it_and_the_switch_works_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let off = HistorySettings {
        enabled: false,
        ..settings(&file)
    };
    let history = History::start(off.clone(), new_tables()).unwrap();
    let sink = history.sink();
    let event = attack_end(Timestamp::now(), 1.0);
    sink.event(&event);
    std::thread::sleep(Duration::from_millis(300));
    assert!(!file.exists());
    assert_eq!(sink.figures(), HistoryFigures::default());
    sink.set(settings(&file));
    until("it is switched on", || {
        sink.event(&event);
        sink.figures().written > 0
    });
    let other = folder.path().join("other.db");
    sink.set(settings(&other));
    until("another file is begun", || {
        sink.event(&event);
        Reader::open(&other).is_ok() && !events(&other, &EventQuery::default()).is_empty()
    });
    sink.set(off);
    until("it is switched off", || {
        sink.figures().state == WriterState::Off
    });
    history.stop(Duration::from_secs(20));
}
