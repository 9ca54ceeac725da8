//! Names of hosts: from answers to the kernel's table, files and reports.

use std::time::Duration;

use ftp_guard_common::class::Family;
use jiff::Timestamp;

use super::fake::{Fake, Files, listed, prefix};
use crate::{
    control::protocol::{EntrySettings, Host},
    daemon::{guard::Guard, names::Asking, reload::Cause},
    engine::{
        events::EventKind,
        names::{HostName, Outcome, Question},
    },
};

const TTL: Duration = Duration::from_secs(3600);

fn host(text: &str) -> Host {
    Host(HostName::parse(text).unwrap())
}

fn asked(asking: &mut Asking) -> Vec<String> {
    let mut asked = Vec::new();
    while let Ok(question) = asking.questions.try_recv() {
        asked.push(format!("{} {:?}", question.name, question.family));
    }
    asked.sort();
    asked
}

fn answers(guard: &mut Guard<Fake>, name: &str, addresses: &[&str]) {
    tell(
        guard,
        name,
        Outcome::Addresses {
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            ttl: TTL,
        },
    );
}

fn tell(guard: &mut Guard<Fake>, name: &str, outcome: Outcome) {
    let question = Question {
        name: HostName::parse(name).unwrap(),
        family: Family::Ipv4,
    };
    guard.names_answered(vec![(question, outcome)]);
}

fn failed() -> Outcome {
    Outcome::Failed("no server answers".to_owned())
}

#[test]
fn names_are_asked_for_and_their_addresses_let_in() {
    let files = Files::new(r#"["eth0"]"#);
    files.list(
        "a.list",
        "192.0.2.1\nhost:a.example.net label=\"partner\"\n",
    );
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    assert_eq!(
        listed(&guard),
        ["192.0.2.1/32"],
        "the start waits for no answer"
    );
    let mut asking = guard.asking().unwrap();
    let mut events = guard.events().from_next();
    guard.tick(Timestamp::now());
    assert_eq!(
        asked(&mut asking),
        ["a.example.net Ipv4", "a.example.net Ipv6"]
    );
    answers(&mut guard, "a.example.net", &["192.0.2.9", "127.0.0.1"]);
    assert_eq!(listed(&guard), ["192.0.2.1/32", "192.0.2.9/32"]);
    let changed = events.take(100).iter().find_map(|event| match &event.kind {
        EventKind::NameChanged(changed) => Some(changed.clone()),
        _ => None,
    });
    assert_eq!(
        changed.unwrap().added,
        ["192.0.2.9".parse::<std::net::IpAddr>().unwrap()]
    );

    let report = guard.allow_test("192.0.2.9".parse().unwrap()).unwrap();
    let entry = report.entry.unwrap();
    assert!(report.allowed && entry.active);
    assert_eq!(entry.host.as_deref(), Some("a.example.net"));
    assert_eq!(entry.text, "host:a.example.net label=\"partner\"");
    assert_eq!(entry.line, 2);

    let views = guard.host_views();
    assert_eq!(views.len(), 1);
    assert_eq!(views[0].addresses[0].state, "in_force");
    assert_eq!((views[0].refused, views[0].ttl_seconds), (1, Some(3600)));
    let status = guard.status().unwrap();
    assert_eq!(status.allowlist.names.unwrap().addresses, 1);
}

#[test]
fn a_start_without_dns_enforces_what_was_known() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "host:a.example.net\nhost:b.example.net\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    answers(&mut guard, "a.example.net", &["192.0.2.9"]);
    guard.tick(Timestamp::now());
    drop(guard);
    let kept = files.read("lib/names.json");
    assert!(kept.contains("192.0.2.9"), "{kept}");

    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    assert_eq!(listed(&guard), ["192.0.2.9/32"]);
    tell(&mut guard, "a.example.net", failed());
    assert_eq!(
        listed(&guard),
        ["192.0.2.9/32"],
        "no answer takes nothing away"
    );
    let warnings = guard.status().unwrap().warnings;
    assert!(
        warnings
            .iter()
            .any(|told| told.contains("host:a.example.net: DNS gives no answer")),
        "{warnings:?}"
    );
    drop(guard);

    std::fs::write(files.path("lib/names.json"), "{").unwrap();
    let guard = files.guard(Fake::with_interfaces(&["eth0"]));
    assert!(listed(&guard).is_empty(), "a broken file stops no start");
}

#[test]
fn a_reload_keeps_what_is_known_of_names_that_stay() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "host:a.example.net\nhost:b.example.net\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    answers(&mut guard, "a.example.net", &["192.0.2.9", "10.0.0.1"]);
    answers(&mut guard, "b.example.net", &["192.0.2.10"]);
    files.list("a.list", "!192.0.2.9\n# moved\nhost:a.example.net\n");
    let report = guard.reload(Cause::Files).unwrap();
    assert_eq!((report.inserted, report.removed), (1, 1));
    assert_eq!(listed(&guard), ["10.0.0.1/32", "192.0.2.9/32"]);
    let report = guard.allow_test("192.0.2.9".parse().unwrap()).unwrap();
    assert!(!report.allowed, "an exclusion goes before a name");

    // A mistake changes nothing, not even which names are wanted.
    files.list("a.list", "host:c.example.net\nhost:d\n");
    guard.reload(Cause::Files).unwrap_err();
    assert_eq!(listed(&guard), ["10.0.0.1/32", "192.0.2.9/32"]);
    assert_eq!(guard.host_views()[0].host, "a.example.net");

    files.list("a.list", "host:a.example.net\n");
    let text = files.read("guard.toml");
    let shut = text.replace("[names]\n", "[names]\nprivate = false\n");
    std::fs::write(files.path("guard.toml"), shut).unwrap();
    guard.reload(Cause::Files).unwrap();
    assert_eq!(
        listed(&guard),
        ["192.0.2.9/32"],
        "private addresses went with the key"
    );

    let few = text.replace("[names]\n", "[names]\nmax_names = 1\n");
    std::fs::write(files.path("guard.toml"), few).unwrap();
    files.list("a.list", "host:a.example.net\n\nhost:b.example.net\n");
    let failure = guard.reload(Cause::Files).unwrap_err();
    assert!(
        failure.diagnostics[0]
            .to_string()
            .contains("a.list:3:1: 2 names"),
        "{failure}"
    );
}

#[test]
fn names_are_added_and_removed_by_command() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "host:there.example.net profile=default\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let mut asking = guard.asking().unwrap();
    let settings = EntrySettings {
        label: Some("x".into()),
        ..EntrySettings::default()
    };
    let both = [host("a.example.net"), host("there.example.net")];
    let plain = EntrySettings::default();
    let report = guard
        .allow_add_all(&[prefix("192.0.2.1")], &both, &plain)
        .unwrap();
    assert_eq!((report.added, report.present), (2, 1));
    assert_eq!(report.names[0].outcome, "added");
    assert_eq!(
        files.read("allow.d/cli.list"),
        "192.0.2.1\nhost:a.example.net\n"
    );
    guard.tick(Timestamp::now());
    assert!(asked(&mut asking).contains(&"a.example.net Ipv4".to_owned()));
    answers(&mut guard, "a.example.net", &["192.0.2.9"]);
    let report = guard.allow_add_all(&[], &both[..1], &settings).unwrap();
    assert_eq!(report.changed, 1);
    assert_eq!(
        listed(&guard),
        ["192.0.2.1/32", "192.0.2.9/32"],
        "what is known stays"
    );

    let other = EntrySettings {
        expires: Some("2100-01-01T00:00:00Z".parse().unwrap()),
        ..plain.clone()
    };
    let failure = guard.allow_add_all(&[], &both, &other).unwrap_err();
    assert!(
        failure
            .message
            .contains("host:there.example.net stands in another file"),
        "{failure}"
    );
    let exclude = EntrySettings {
        exclude: true,
        ..plain
    };
    assert_eq!(
        guard
            .allow_add_all(&[], &both, &exclude)
            .unwrap_err()
            .exit_code,
        2
    );

    let gone = [host("a.example.net"), host("never.example.net")];
    let report = guard.allow_remove_all(&[], &gone).unwrap();
    assert_eq!(report.removed_names, ["a.example.net"]);
    assert_eq!(report.absent_names, ["never.example.net"]);
    assert_eq!(listed(&guard), ["192.0.2.1/32"]);
    let failure = guard.allow_remove_all(&[], &both[1..]).unwrap_err();
    assert!(
        failure.diagnostics[0]
            .to_string()
            .contains("a.list:1:1: host:there"),
        "{failure}"
    );

    let text = "host:i.example.net\n198.51.100.1\n";
    let report = guard.allow_import("x.list".as_ref(), text).unwrap();
    assert_eq!(report.added, 2);
    assert_eq!(
        files.read("allow.d/cli.list"),
        "192.0.2.1\n198.51.100.1\nhost:i.example.net\n"
    );
}

#[test]
fn a_kernel_that_refuses_addresses_is_asked_again() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "host:a.example.net\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard.kernel.broken.insert("apply");
    answers(&mut guard, "a.example.net", &["192.0.2.9"]);
    assert!(listed(&guard).is_empty());
    guard.kernel.broken.clear();
    guard.tick(Timestamp::now());
    assert_eq!(listed(&guard), ["192.0.2.9/32"]);
}
