//! From the feed to the history, and back by the requests.

use std::path::Path;

use super::*;
use crate::{
    control::feed::EventSink,
    engine::{
        events::{AttackBegin, BanEvent, EventKind},
        report::Report,
    },
    store::history::SessionState,
};

fn config(folder: &Path, history: &str) -> Config {
    let text = format!(
        "interfaces = [\"lo\"]\n[ftp]\npassive_ports = []\n[history]\nfile = {:?}\n{history}\n\
         [export]\nfile = {:?}\nformat = \"native\"\n",
        folder.join("history.db"),
        folder.join("events.json"),
    );
    Config::parse(Path::new("guard.toml"), &text).unwrap()
}

fn record(id: u64) -> SessionRecord {
    SessionRecord::new(
        id,
        "192.0.2.7:40000".parse().unwrap(),
        "198.51.100.1:21".parse().unwrap(),
        Timestamp::now(),
    )
}

fn past_events(handle: &HistoryHandle) -> Result<Vec<Event>, Failure> {
    let mut found = Vec::new();
    handle.events(PastEventsWanted::default(), &mut |event| {
        found.push(event);
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let limit = std::time::Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(std::time::Instant::now() < limit, "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_is_published_is_kept_exported_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let handle = HistoryHandle::start(&config(folder.path(), ""), tables(false)).unwrap();
    let feed = EventSink::default();
    feed.publish(EventKind::AttackBegin(AttackBegin {
        attacks: 1,
        packets_per_second: 9,
    }));
    let following = tokio::spawn(follow(feed.from_oldest(), handle.clone()));
    feed.publish(EventKind::BanAdded(BanEvent {
        prefix: "192.0.2.0/24".parse().unwrap(),
        until: None,
        reason: None,
        origin: "cli".into(),
        by: "alice".into(),
        count: 1,
    }));
    let mut ended = record(1);
    handle.session(&ended);
    ended.ended = Some(Timestamp::now());
    handle.session(&ended);
    until("all is written", || {
        handle.history().figures().written == 4 && handle.export().figures().written == 3
    })
    .await;
    let names: Vec<_> = past_events(&handle)
        .unwrap()
        .iter()
        .map(|event| event.kind.name())
        .collect();
    assert_eq!(names, ["attack_begin", "ban_added"]);
    let mut sessions = Vec::new();
    let wanted = PastSessionsWanted::default();
    handle
        .sessions(wanted, &mut |session| {
            sessions.push(session);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].state, SessionState::Ended);
    let posture = serde_json::to_value(Posture::default()).unwrap();
    let report = handle.report(ReportWanted::default(), posture).unwrap();
    let report: Report = serde_json::from_value(report).unwrap();
    assert_eq!(
        (report.attacks, report.bans.added, report.sessions.total),
        (1, 1, 1)
    );
    assert_eq!(report.coverage.starts, 1);
    assert!(
        report.coverage.begins.is_some(),
        "it is younger than 72 hours"
    );
    let lines = std::fs::read_to_string(folder.path().join("events.json")).unwrap();
    assert_eq!(
        lines.lines().count(),
        3,
        "a session counts when it has ended"
    );
    following.abort();
    handle.stop();
}

#[tokio::test]
async fn a_reload_switches_it_off_and_the_answer_names_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let handle = HistoryHandle::start(&config(folder.path(), ""), tables(false)).unwrap();
    handle.set(&config(folder.path(), "enabled = false"));
    let failure = past_events(&handle).unwrap_err();
    assert!(
        failure.message.contains("`enabled = true` in [history]"),
        "{failure}"
    );
    handle.set(&config(folder.path(), "enabled = true"));
    until("it is there", || past_events(&handle).is_ok()).await;
    handle.stop();
}

#[tokio::test]
async fn clients_that_would_have_been_dropped_are_found_in_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let handle = HistoryHandle::start(&config(folder.path(), ""), tables(false)).unwrap();
    handle.session(&record(1));
    let mut stranger = record(2);
    stranger.would_drop = Some("not_listed".into());
    stranger.client.set_ip([192, 0, 2, 8].into());
    handle.session(&stranger);
    until("both are written", || {
        handle.history().figures().written == 2
    })
    .await;
    let past = handle.suggest(&SuggestWanted::default()).unwrap();
    let clients: Vec<_> = past
        .sightings
        .clients()
        .map(|(client, evidence)| (client.to_string(), evidence.sessions))
        .collect();
    assert_eq!(clients, [("192.0.2.8".to_owned(), 1)]);
    assert!(past.begins.is_some(), "it is younger than 30 days");
    let wanted = SuggestWanted {
        since: Some(Timestamp::now() + jiff::SignedDuration::from_hours(1)),
        ..SuggestWanted::default()
    };
    let later = handle.suggest(&wanted).unwrap();
    // What lives is of every time.
    assert_eq!(later.sightings.len(), 1);
    handle.stop();
}

#[test]
fn tables_that_were_found_keep_their_name() {
    let (new, found) = (tables(false), tables(true));
    assert_eq!(new.known, None);
    let known = found.known.unwrap();
    assert!(known.len() > 30 && new.name.starts_with(&known), "{known}");
}

#[test]
fn only_what_has_changed_is_written_again() {
    let mut session = record(1);
    let before = Mark::of(&session);
    assert_eq!(before, Mark::of(&session));
    session.commands += 1;
    assert_ne!(before, Mark::of(&session));
}
