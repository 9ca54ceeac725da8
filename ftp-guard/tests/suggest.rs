//! `allow suggest` and `status` with a daemon that has seen two clients, and writes down what it is asked.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    ops::ControlFlow,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
};

use ftp_guard::{
    control::{
        feed::EventSink,
        past::{Past, PastEventsWanted, PastSessionsWanted, ReportWanted},
        protocol::{Failure, ModeName, Request},
        server::{Answer, Limits, Members, Server, Service},
        socket::ControlSocket,
        suggest_view::{LeftOutView, SuggestPast, SuggestReport, SuggestWanted, SuggestedEntry},
        view::AddReport,
    },
    engine::{events::Event, suggest::Sightings},
    store::history::PastSession,
};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{runtime::Runtime, sync::watch};

/// A daemon that proposes these entries.
#[derive(Clone, Default)]
struct Fake {
    entries: Vec<SuggestedEntry>,
    clients: u64,
    refuses: Option<Failure>,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Service for Fake {
    async fn call(&self, request: Request) -> Result<Answer, Failure> {
        self.asked.lock().unwrap().push(request.clone());
        match request {
            Request::AllowSuggest(wanted) => {
                if let Some(failure) = &self.refuses {
                    return Err(failure.clone());
                }
                let past = wanted.past.unwrap();
                let report = SuggestReport {
                    since: past.since,
                    until: past.until,
                    history_begins: None,
                    mode: ModeName::Monitor,
                    clients: self.clients,
                    sessions: 7,
                    sessions_not_counted: 0,
                    proposed: self.entries.len() as u64,
                    left_out: LeftOutView {
                        failed_logins: 1,
                        ..LeftOutView::default()
                    },
                };
                Ok(Answer {
                    members: Some(Members::Suggested(self.entries.clone())),
                    ..Answer::of(&report)?
                })
            }
            Request::AllowImport { .. } => Answer::of(&AddReport {
                added: 1,
                ..AddReport::default()
            }),
            other => panic!("{other:?}"),
        }
    }
}

/// A history of nobody: what the daemon answers does not depend on it.
#[derive(Debug)]
struct Nobody;

impl Past for Nobody {
    fn events(
        &self,
        _: PastEventsWanted,
        _: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<u64, Failure> {
        Ok(0)
    }

    fn sessions(
        &self,
        _: PastSessionsWanted,
        _: &mut dyn FnMut(PastSession) -> ControlFlow<()>,
    ) -> Result<u64, Failure> {
        Ok(0)
    }

    fn report(&self, _: ReportWanted, posture: Value) -> Result<Value, Failure> {
        Ok(posture)
    }

    fn suggest(&self, wanted: &SuggestWanted) -> Result<SuggestPast, Failure> {
        let until = "2026-11-23T08:00:00Z".parse().unwrap();
        Ok(SuggestPast {
            since: wanted.since(until),
            until,
            begins: None,
            sightings: Sightings::default(),
        })
    }
}

struct Run {
    code: i32,
    out: String,
    err: String,
}

fn entry() -> SuggestedEntry {
    SuggestedEntry {
        prefix: "192.0.2.7/32".parse().unwrap(),
        addresses: 1,
        sessions: 5,
        logins: 5,
        transfers: 12,
        bytes: 3 << 20,
        days: 2,
        first: "2026-11-20T08:00:00Z".parse().unwrap(),
        last: "2026-11-23T09:00:00Z".parse().unwrap(),
        users: vec!["al\x1bice\n203.0.113.1".to_owned()],
        more_users: false,
    }
}

/// Runs a command line against a daemon.
fn run(fake: &Fake, past: Option<Arc<dyn Past>>, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("guard.sock");
    let runtime = Runtime::new().unwrap();
    let mut socket = ControlSocket::bind(&path).unwrap();
    let (stop, stopped) = watch::channel(false);
    let server = {
        let _entered = runtime.enter();
        let listener = socket.listener().unwrap();
        let events = EventSink::default();
        let server = Server::new(fake.clone(), events, socket.group(), Limits::default());
        let server = match past {
            Some(past) => server.with_past(past),
            None => server,
        };
        runtime.spawn(server.run(listener, stopped))
    };
    let output = Command::new(env!("CARGO_BIN_EXE_ftp-guard"))
        .env_remove("RUST_LOG")
        .env("NO_COLOR", "1")
        .arg("--socket")
        .arg(&path)
        .args(["allow", "suggest"])
        .args(arguments)
        .output()
        .unwrap();
    stop.send(true).unwrap();
    runtime.block_on(server).unwrap();
    let run = Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!run.err.contains("panicked"), "{}", run.err);
    run
}

fn with(fake: &Fake, arguments: &[&str]) -> Run {
    run(fake, Some(Arc::new(Nobody)), arguments)
}

fn two() -> Fake {
    Fake {
        entries: vec![entry()],
        clients: 2,
        ..Fake::default()
    }
}

#[test]
fn what_is_printed_is_an_allowlist_and_nothing_changes() {
    let fake = two();
    let run = with(
        &fake,
        &["--since", "2026-11-01T00:00:00Z", "--min-days", "2"],
    );
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(
        run.out,
        "\
# Proposed by ftp-guard allow suggest: 1 entry.
# From 2026-11-01T00:00:00Z to 2026-11-23T08:00:00Z monitor mode saw 7 sessions of 2 clients that enforce mode would have dropped.
# Not proposed: 1 client, only failed logins.
192.0.2.7  # 5 sessions, 2 days (2026-11-20 to 2026-11-23), 12 transfers, 3.00 MiB, user al\\u{1b}ice\\n203.0.113.1
"
    );
    assert!(
        run.err.contains("nothing was changed; --apply"),
        "{}",
        run.err
    );
    let asked = fake.asked.lock().unwrap();
    let [Request::AllowSuggest(wanted)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert_eq!((wanted.min_days, wanted.min_sessions), (Some(2), Some(1)));
}

#[test]
fn only_when_it_is_asked_for_entries_are_added() {
    let fake = two();
    let run = with(&fake, &["--apply"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(
        run.out.starts_with("192.0.2.7  # 5 sessions, "),
        "{}",
        run.out
    );
    assert!(
        run.out.ends_with("\n1 entry added, 0 listed already\n"),
        "{}",
        run.out
    );
    let asked = fake.asked.lock().unwrap().clone();
    let Some(Request::AllowImport { text, .. }) = asked.last() else {
        panic!("{asked:?}");
    };
    assert_eq!(
        text,
        "192.0.2.7 label=\"seen in monitor mode: 5 sessions on 2 days until 2026-11-23\"\n"
    );
    // With nothing to add nothing is asked of the daemon, and that is no failure.
    let nothing = Fake {
        clients: 2,
        ..Fake::default()
    };
    let run = with(&nothing, &["--apply"]);
    assert_eq!(
        (run.code, run.out.as_str()),
        (0, "0 entries added, 0 listed already\n")
    );
    assert_eq!(nothing.asked.lock().unwrap().len(), 1);
}

#[test]
fn json_has_all_of_it() {
    let fake = two();
    let json = |arguments: &[&str]| {
        let run = with(&fake, arguments);
        assert_eq!((run.code, run.err.as_str()), (0, ""));
        serde_json::from_str::<Value>(&run.out).unwrap()
    };
    let value = json(&["--json"]);
    assert_eq!(value["entries"][0]["prefix"], "192.0.2.7/32");
    assert_eq!(value["entries"][0]["users"][0], entry().users[0]);
    assert_eq!(value["left_out"]["failed_logins"], 1);
    assert_eq!(value["applied"], Value::Null);
    assert_eq!(json(&["--json", "--apply"])["applied"]["added"], 1);
}

#[test]
fn when_there_is_nothing_to_propose_from_the_way_out_is_named() {
    let run = with(&Fake::default(), &[]);
    assert_eq!(run.code, 0);
    assert!(run.out.lines().all(|line| line.starts_with('#')));
    assert!(run.err.contains("monitor mode collects"), "{}", run.err);

    let refuses = Fake {
        refuses: Some(Failure::failed("monitor mode collects the evidence")),
        ..Fake::default()
    };
    let run = with(&refuses, &["--apply"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("monitor mode collects"), "{}", run.err);

    let run = self::run(&two(), None, &[]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("keeps no history"), "{}", run.err);
}

#[test]
fn thirty_days_are_looked_at_when_nothing_is_said() {
    let fake = two();
    with(&fake, &[]);
    let asked = fake.asked.lock().unwrap();
    let [Request::AllowSuggest(wanted)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    let ago = Timestamp::now().duration_since(wanted.since.unwrap());
    assert_eq!(ago.as_hours(), 30 * 24);
}
