//! From what a session does to a ban, over a kernel in memory.

use std::time::{Duration, Instant};

use ftp_guard_common::{address::FlowKey, session::Session};
use ipnet::IpNet;
use jiff::Timestamp;

use super::fake::{Fake, Files};
use crate::{
    control::{
        protocol::Request,
        server::{Members, Service as _},
    },
    daemon::{
        detect::Consequences,
        guard::Guard,
        owner::{Ended, Owner},
        reload::Cause,
    },
    engine::{
        bans::BanRequest,
        detect::{Detector, Finding, rule::Rule},
        events::EventKind,
        monitor::{
            observation::{About, Command, Observation, Seen},
            record::TlsMode,
            verb::Verb,
        },
    },
};

fn files(detect: &str) -> Files {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "192.0.2.0/24\n");
    configure(&files, detect);
    files
}

fn configure(files: &Files, detect: &str) {
    files.configure(r#"["eth0"]"#, "enforce");
    let text = files.read("guard.toml");
    std::fs::write(
        files.path("guard.toml"),
        format!("{text}[detect]\n{detect}\n"),
    )
    .unwrap();
}

/// A guard with session 1 of 192.0.2.7 and session 2 of 192.0.2.8.
fn guard(files: &Files) -> Guard<Fake> {
    let mut kernel = Fake::with_interfaces(&["eth0"]);
    for (client, id) in [("192.0.2.7:40000", 1), ("192.0.2.8:40000", 2)] {
        let key = FlowKey::new(client.parse().unwrap(), "198.51.100.9:21".parse().unwrap());
        let session = Session {
            id,
            ..Session::default()
        };
        kernel.sessions.insert(key, session);
    }
    files.guard(kernel)
}

fn sessions(guard: &Guard<Fake>) -> Vec<u64> {
    let live = guard
        .kernel
        .sessions
        .values()
        .filter(|session| session.traffic.killed == 0);
    live.map(|session| session.id).collect()
}

fn of_rule(prefix: &str) -> BanRequest {
    BanRequest::of_rule(
        "login_failures",
        prefix.parse::<IpNet>().unwrap(),
        "5 failed logins",
    )
}

/// Passwords of 192.0.2.7 that are refused.
fn guesses(detector: &mut Detector, count: usize) -> Vec<Finding> {
    let about = About {
        session: 1,
        client: "192.0.2.7:40000".parse().unwrap(),
        server: "198.51.100.9:21".parse().unwrap(),
        user: Some("alice".into()),
        logged_in: false,
        anonymous: false,
        tls: TlsMode::Clear,
    };
    let password = Seen::Command(Command {
        verb: Verb::of(b"PASS"),
        argument: String::new(),
        length: 12,
    });
    let refused = Seen::Login {
        accepted: false,
        code: 530,
    };
    let mut found = Vec::new();
    for _ in 0..count {
        for seen in [password.clone(), refused.clone()] {
            let (time, about) = (Timestamp::now(), about.clone());
            detector.take(&Observation { time, about, seen }, &mut found);
        }
    }
    found
}

#[test]
fn rules_follow_the_configuration_and_its_reloads() {
    let files = files("max_failures = 3\nban_time = \"1m\"");
    let mut guard = guard(&files);
    let first = guard.monitor().rules();
    assert_eq!(
        (first.max_failures, first.ban_time),
        (3, Some(Duration::from_secs(60)))
    );
    assert!(first.ban.has(Rule::LoginFailures) && first.vulnerabilities.rows().count() > 40);

    let table = files.path("cves.csv");
    configure(&files, &format!("max_failures = 4\ncve_file = {table:?}"));
    let failure = guard.reload(Cause::Command).unwrap_err();
    assert!(
        failure.diagnostics[0].to_string().contains("cves.csv"),
        "{failure:?}"
    );
    assert_eq!(guard.monitor().rules().max_failures, 3);
    std::fs::write(
        &table,
        "cve,product,affected,cvss,cvss_version,severity,title,source\n",
    )
    .unwrap();
    assert!(guard.reload(Cause::Command).unwrap().limits_changed);
    let second = guard.monitor().rules();
    assert_eq!(
        (second.max_failures, second.vulnerabilities.rows().count()),
        (4, 0)
    );
}

#[test]
fn a_ban_by_rule_ends_the_sessions_of_its_source_alone() {
    let files = files("");
    let mut guard = guard(&files);
    guard.ban_by_rule(&[of_rule("127.0.0.1/32"), of_rule("192.0.2.7/32")]);
    let banned: Vec<String> = guard.kernel.bans.keys().map(ToString::to_string).collect();
    assert_eq!(
        banned,
        ["192.0.2.7/32"],
        "this host is refused, and no obstacle for others"
    );
    assert_eq!(sessions(&guard), [2]);
    guard.end_by_rule(&[2, 99]);
    assert!(sessions(&guard).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_guesses_is_banned_within_a_second() {
    let files = files("");
    let guard = guard(&files);
    let mut detector = Detector::new(guard.monitor().rules());
    let feed = guard.events().clone();
    let mut events = feed.from_next();
    let (owner, reports) = Owner::spawn(guard).unwrap();
    let mut consequences = Consequences::new(owner.clone(), feed);

    consequences.draw(guesses(&mut detector, 4));
    let began = Instant::now();
    consequences.draw(guesses(&mut detector, 1));
    // Behind it in the same queue.
    let answer = owner
        .call(Request::BanList { history: false })
        .await
        .unwrap();
    let took = began.elapsed();
    let Some(Members::Bans(bans)) = answer.members else {
        panic!("no bans");
    };
    assert_eq!(
        (bans.len(), bans[0].prefix.to_string()),
        (1, "192.0.2.7/32".to_owned())
    );
    assert_eq!(
        (bans[0].origin.as_str(), bans[0].by.as_str()),
        ("rule", "login_failures")
    );
    assert!(took < Duration::from_secs(1), "{took:?}");
    let kinds: Vec<EventKind> = events
        .take(100)
        .iter()
        .map(|event| event.kind.clone())
        .collect();
    let banned = |kind: &EventKind| matches!(kind, EventKind::Detection(found) if found.banned && found.rule == "login_failures");
    assert!(kinds.iter().any(banned), "{kinds:#?}");
    assert!(
        kinds.iter().any(|kind| kind.name() == "ban_added"),
        "{kinds:#?}"
    );
    assert_eq!(consequences.lost(), 0);

    // With the owner gone nothing waits for it.
    owner.call(Request::Detach).await.unwrap();
    let mut ended = reports.ended;
    assert_eq!(
        *ended.wait_for(Option::is_some).await.unwrap(),
        Some(Ended::Detached)
    );
    consequences.draw(guesses(&mut detector, 5));
    consequences.flush();
}
