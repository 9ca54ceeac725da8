//! Sessions are kept once, whatever becomes of the daemon meanwhile.

use super::*;
use crate::engine::monitor::record::LoginState;

#[test]
fn a_session_is_one_row_that_the_last_word_fills() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let history = start(&file);
    let mut session = record(7, "2026-11-22T08:00:00Z");
    history.sink().session(&session);
    until("it is written", || history.sink().figures().written == 1);
    let found = sessions(&file, &SessionQuery::default());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].state, SessionState::Live);
    session.commands = 9;
    session.ended = Some("2026-11-22T08:05:00Z".parse().unwrap());
    history.sink().session(&session);
    history.stop(Duration::from_secs(20));
    let found = sessions(&file, &SessionQuery::default());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].state, SessionState::Ended);
    assert_eq!(found[0].record, session);
}

#[test]
fn what_lived_when_the_daemon_died_has_ended_unless_it_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let history = start(&file);
    let mut lives_on = record(1, "2026-11-22T08:00:00Z");
    lives_on.user = Some("alice".into());
    lives_on.login = LoginState::Accepted;
    lives_on.commands = 10;
    lives_on.transfers = vec![broken::transfer("before")];
    lives_on.transfer_count = 1;
    lives_on.bytes_up = 100;
    history.sink().session(&lives_on);
    history.sink().session(&record(2, "2026-11-22T08:01:00Z"));
    history.stop(Duration::from_secs(20));

    // The daemon comes back to the tables that it left.
    let history = History::start(settings(&file), found_tables()).unwrap();
    let sink = history.sink();
    sink.living(&[1]);
    until("it is settled", || sink.figures().written == 1);
    let found = sessions(&file, &SessionQuery::default());
    assert_eq!(found[0].state, SessionState::Live);
    assert_eq!(found[1].state, SessionState::Unknown);
    assert!(found[1].record.ended.is_some(), "when it was last written");

    // This one begins in the middle, and is written more than once.
    let mut rest = record(1, "2026-11-22T08:10:00Z");
    rest.partial = true;
    rest.login = LoginState::Hidden;
    rest.commands = 4;
    rest.transfers = vec![broken::transfer("behind")];
    rest.transfer_count = 1;
    rest.bytes_up = 10;
    sink.session(&rest);
    rest.commands = 5;
    rest.ended = Some("2026-11-22T08:20:00Z".parse().unwrap());
    sink.session(&rest);
    history.stop(Duration::from_secs(20));
    let found = sessions(&file, &SessionQuery::default());
    assert_eq!(found.len(), 2);
    let whole = &found[0].record;
    assert_eq!(found[0].state, SessionState::Ended);
    assert_eq!(whole.began, lives_on.began);
    assert_eq!(whole.ended, rest.ended);
    assert_eq!(whole.user.as_deref(), Some("alice"));
    assert_eq!(whole.login, LoginState::Accepted);
    assert_eq!((whole.commands, whole.bytes_up), (15, 110));
    let paths: Vec<_> = whole
        .transfers
        .iter()
        .filter_map(|it| it.path.as_deref())
        .collect();
    assert_eq!(paths, ["before", "behind"]);
    assert!(!whole.partial, "its beginning was seen");
}

#[test]
fn what_is_opened_again_by_the_same_daemon_counts_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let mut session = record(1, "2026-11-22T08:00:00Z");
    for commands in [10, 20, 30] {
        let mut base = base::Base::open(&file, &new_tables(), Timestamp::now()).unwrap();
        session.commands = commands;
        let entry = base::Entry::Session(Box::new(session.clone()));
        base.write(&[entry], 0, Timestamp::now()).unwrap();
    }
    let found = sessions(&file, &SessionQuery::default());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].record.commands, 30);
    let extent = Reader::open(&file).unwrap().extent(Timestamp::UNIX_EPOCH);
    assert_eq!(extent.unwrap().starts, 1);
}

#[test]
fn with_new_tables_numbers_begin_anew_and_nothing_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let history = start(&file);
    history.sink().session(&record(1, "2026-11-22T08:00:00Z"));
    history.stop(Duration::from_secs(20));
    let other = Tables {
        name: "boot@9".to_owned(),
        known: None,
    };
    let history = History::start(settings(&file), other).unwrap();
    let mut second = record(1, "2026-11-22T09:00:00Z");
    second.commands = 1;
    history.sink().session(&second);
    history.stop(Duration::from_secs(20));
    let found = sessions(&file, &SessionQuery::default());
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].state, SessionState::Unknown);
    assert_eq!(found[1].state, SessionState::Live);
    assert_eq!(found[1].record, second);
}

#[test]
fn a_number_that_another_client_has_is_another_session() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let history = start(&file);
    let mut first = record(1, "2026-11-22T08:00:00Z");
    first.commands = 10;
    history.sink().session(&first);
    history.stop(Duration::from_secs(20));
    let history = History::start(settings(&file), found_tables()).unwrap();
    let mut other = record(1, "2026-11-22T09:00:00Z");
    other.client = "192.0.2.9:1".parse().unwrap();
    other.commands = 1;
    history.sink().session(&other);
    history.stop(Duration::from_secs(20));
    let found = sessions(&file, &SessionQuery::default());
    assert_eq!(found.last().unwrap().record.commands, 1);
}
