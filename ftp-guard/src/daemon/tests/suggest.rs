//! What `allow-suggest` proposes.

use std::{net::SocketAddr, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;

use super::fake::{Fake, Files, prefix};
use crate::{
    control::{
        ban_view::BanTerms,
        protocol::{EntrySettings, Failure, ModeName},
        server::{Answer, Members},
        suggest_view::{SuggestPast, SuggestWanted},
    },
    daemon::guard::Guard,
    engine::{
        monitor::record::{LoginState, SessionRecord},
        suggest::Sightings,
    },
};

pub(super) const SERVER: &str = "192.0.2.100:21";

pub(super) fn monitor() -> (Files, Guard<Fake>) {
    let files = Files::new(r#"["eth0"]"#);
    files.configure(r#"["eth0"]"#, "monitor");
    files.list("a.list", "192.0.2.7\n!192.0.2.8\n");
    let guard = files.guard(Fake::with_interfaces(&["eth0"]));
    (files, guard)
}

pub(super) fn record(client: &str, login: LoginState) -> SessionRecord {
    let client = SocketAddr::new(client.parse().unwrap(), 40_000);
    let mut record = SessionRecord::new(1, client, SERVER.parse().unwrap(), Timestamp::now());
    record.ended = Some(record.began);
    record.would_drop = Some("not_listed".to_owned());
    record.login = login;
    if login == LoginState::Accepted {
        record.user = Some("alice".to_owned());
    }
    record
}

fn past(records: &[SessionRecord]) -> SuggestWanted {
    let mut sightings = Sightings::default();
    for record in records {
        sightings.session(record);
    }
    SuggestWanted {
        past: Some(Arc::new(SuggestPast {
            since: Timestamp::UNIX_EPOCH,
            until: Timestamp::now(),
            begins: None,
            sightings,
        })),
        ..SuggestWanted::default()
    }
}

fn told(answer: Result<Answer, Failure>) -> (Vec<String>, Value) {
    let Answer { members, result } = answer.unwrap();
    let Some(Members::Suggested(entries)) = members else {
        panic!("{members:?}");
    };
    let prefixes = entries.iter().map(|entry| entry.prefix.to_string());
    (prefixes.collect(), result)
}

#[test]
fn what_is_proposed_depends_on_how_things_stand_now() {
    let (_files, mut guard) = monitor();
    guard
        .ban_add(&[prefix("192.0.2.9")], &BanTerms::default())
        .unwrap();
    let wanted = past(&[
        record("192.0.2.7", LoginState::Accepted),
        record("192.0.2.8", LoginState::Accepted),
        record("192.0.2.9", LoginState::Accepted),
        record("192.0.2.10", LoginState::Accepted),
        record("192.0.2.11", LoginState::Failed),
    ]);
    let (prefixes, report) = told(guard.allow_suggest(&wanted));
    assert_eq!(prefixes, ["192.0.2.10/32"]);
    assert_eq!(
        (&report["clients"], &report["proposed"]),
        (&5.into(), &1.into())
    );
    let left_out = &report["left_out"];
    for reason in ["listed", "excluded", "banned", "failed_logins"] {
        assert_eq!(left_out[reason], 1, "{reason}: {left_out}");
    }
    guard
        .allow_add(&[prefix("192.0.2.10")], &EntrySettings::default())
        .unwrap();
    let (prefixes, report) = told(guard.allow_suggest(&wanted));
    assert!(prefixes.is_empty());
    assert_eq!(report["left_out"]["listed"], 2);
}

#[test]
fn an_entry_that_has_expired_is_nobodys_to_renew() {
    let (files, _) = monitor();
    files.list("a.list", "192.0.2.7 expires=2020-01-01T00:00:00Z\n");
    let guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let wanted = past(&[record("192.0.2.7", LoginState::Accepted)]);
    let (prefixes, report) = told(guard.allow_suggest(&wanted));
    assert!(prefixes.is_empty());
    assert_eq!(report["left_out"]["expired"], 1);
}

#[test]
fn an_exclusion_keeps_a_network_from_being_proposed() {
    let (files, guard) = monitor();
    let four = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
    let wanted = past(&four.map(|client| record(client, LoginState::Accepted)));
    assert_eq!(told(guard.allow_suggest(&wanted)).0.len(), 4);
    files.list("a.list", "");
    let guard = files.guard(Fake::with_interfaces(&["eth0"]));
    assert_eq!(told(guard.allow_suggest(&wanted)).0, ["192.0.2.0/24"]);
}

#[test]
fn a_guard_that_enforces_says_what_collects_evidence() {
    let (_files, mut guard) = monitor();
    let (prefixes, report) = told(guard.allow_suggest(&past(&[])));
    assert!(prefixes.is_empty() && report["clients"] == 0, "{report}");
    guard.mode(Some(ModeName::Enforce)).unwrap();
    let failure = guard.allow_suggest(&past(&[])).unwrap_err();
    assert_eq!(failure.exit_code, 1);
    assert!(
        failure.message.contains("ftp-guard mode monitor"),
        "{failure}"
    );
    // What monitor mode saw before is still there.
    let seen = past(&[record("192.0.2.10", LoginState::Accepted)]);
    assert_eq!(told(guard.allow_suggest(&seen)).0, ["192.0.2.10/32"]);
    assert!(guard.allow_suggest(&SuggestWanted::default()).is_err());
}
