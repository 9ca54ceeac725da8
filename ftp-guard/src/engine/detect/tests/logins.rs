//! Guessing, and logins that are bad practice.

use super::*;
use crate::engine::{
    bans::{Origin, Term},
    events::Severity,
    monitor::record::{LoginState, SessionRecord},
};

#[test]
fn the_failure_that_is_one_too_many_bans_at_once() {
    let mut world = World::new(Rules::default());
    for n in 1..5 {
        assert!(world.wait(100_000).fail().is_empty(), "failure {n}");
    }
    let found = one(world.wait(100_000).fail());
    assert_eq!(found.time, at(500_000));
    let event = &found.event;
    assert_eq!(
        (event.rule.as_str(), event.severity),
        ("login_failures", Severity::High)
    );
    assert_eq!(event.message, "5 failed logins within 10m");
    assert_eq!((event.count, event.session, event.banned), (5, 17, true));
    assert_eq!(event.user.as_deref(), Some("alice"));
    let ban = found.ban.unwrap();
    assert_eq!(ban.prefix.to_string(), "192.0.2.7/32");
    assert_eq!(
        (ban.term, ban.origin, ban.by.as_str()),
        (Term::Escalating, Origin::Rule, "login_failures")
    );
    assert_eq!(ban.reason.as_deref(), Some("5 failed logins within 10m"));
    assert_eq!(
        (
            world.detector.figures().bans,
            world.seen(Rule::LoginFailures)
        ),
        (1, 1)
    );
}

#[test]
fn failures_are_those_of_a_source_within_the_window() {
    let mut world = World::new(Rules::default());
    // Sessions do not matter, neither does a login that is accepted in between.
    for n in 0..4 {
        assert!(
            world
                .from(&format!("192.0.2.7:{}", 40_000 + n))
                .fail()
                .is_empty()
        );
    }
    world.about.tls = TlsMode::Explicit;
    assert!(world.login(true).is_empty());
    assert!(
        world.from("192.0.2.8:40000").fail().is_empty(),
        "somebody else"
    );
    assert_eq!(
        banned(&world.from("192.0.2.7:50000").fail()),
        ["192.0.2.7/32"]
    );
    // Too slow: the first of the five is out of the window when the fifth comes.
    for _ in 0..20 {
        assert!(
            world
                .wait(150_001)
                .from("192.0.2.9:40000")
                .fail()
                .is_empty()
        );
    }
    // Each further five ask again, but not within a second.
    let mut bans = 0;
    for _ in 0..100 {
        bans += banned(&world.wait(10).from("192.0.2.10:4000").fail()).len();
    }
    assert_eq!(bans, 1);
    for _ in 0..5 {
        bans += banned(&world.wait(300).from("192.0.2.10:4000").fail()).len();
    }
    assert_eq!(bans, 2);
}

#[test]
fn an_ipv6_source_is_its_prefix() {
    let mut world = World::new(Rules {
        ban_time: Some(Duration::from_secs(60)),
        ..Rules::default()
    });
    for n in 1..5 {
        assert!(
            world
                .from(&format!("[2001:db8:0:1::{n}]:40000"))
                .fail()
                .is_empty()
        );
    }
    assert!(world.from("[2001:db8:0:2::1]:40000").fail().is_empty());
    let found = one(world.from("[2001:db8:0:1::ffff]:40000").fail());
    let ban = found.ban.unwrap();
    assert_eq!(ban.prefix.to_string(), "2001:db8:0:1::/64");
    assert_eq!(ban.term, Term::For(Duration::from_secs(60)));
    assert_eq!(
        found.event.source,
        Some("2001:db8:0:1::ffff".parse().unwrap())
    );
    // What IPv4 is, is IPv4.
    for _ in 0..4 {
        world.from("[::ffff:192.0.2.7]:40000").fail();
    }
    assert_eq!(
        banned(&world.from("192.0.2.7:40000").fail()),
        ["192.0.2.7/32"]
    );
}

#[test]
fn what_is_no_guess_does_not_count() {
    let mut world = World::new(Rules::default());
    world.about.tls = TlsMode::Explicit;
    for _ in 0..20 {
        // A name that is refused before there was a password.
        let refused = Seen::Login {
            accepted: false,
            code: 530,
        };
        assert!(world.see(refused).is_empty());
    }
    for code in [421, 450, 534] {
        for _ in 0..20 {
            world.command("PASS");
            assert!(
                world
                    .see(Seen::Login {
                        accepted: false,
                        code
                    })
                    .is_empty(),
                "{code}"
            );
        }
    }
    assert!(world.fail().is_empty());
}

#[test]
fn nobody_is_banned_who_is_exempt_or_when_it_is_not_asked_for() {
    let never = |rules: Rules| {
        let mut world = World::new(rules);
        let found: Vec<_> = (0..5).flat_map(|_| world.fail()).collect();
        assert_eq!(names(&found), ["login_failures"]);
        assert!(!found[0].event.banned && found[0].ban.is_none());
    };
    never(Rules {
        ban: RuleSet::default(),
        ..Rules::default()
    });
    never(Rules {
        never_ban: vec!["192.0.2.0/24".parse().unwrap()],
        ..Rules::default()
    });
    let silent = |rules: Rules| {
        let mut world = World::new(rules);
        assert!((0..50).all(|_| world.fail().is_empty()));
    };
    silent(Rules {
        enabled: false,
        ..Rules::default()
    });
    silent(Rules {
        max_failures: 0,
        ..Rules::default()
    });
    silent(Rules {
        ignore: vec!["192.0.2.7/32".parse().unwrap()],
        ..Rules::default()
    });
    silent(Rules {
        disable: RuleSet::from_iter([Rule::LoginFailures]),
        ..Rules::default()
    });
}

fn spread(world: &mut World, sources: u32) -> Vec<Finding> {
    (0..10)
        .flat_map(|n| {
            let source = format!("203.0.113.{}:40000", n % sources);
            world.wait(1_000).from(&source).fail()
        })
        .collect()
}

#[test]
fn guessing_that_is_spread_is_told_and_banned_when_asked_for() {
    let rules = Rules {
        max_failures: 0,
        max_failures_all: 10,
        ..Rules::default()
    };
    let mut world = World::new(rules.clone());
    let found = spread(&mut world, 5);
    assert_eq!(
        names(&found),
        ["login_failures_spread"; 2],
        "the user and the server"
    );
    assert_eq!(
        found[0].event.message,
        "10 failed logins for user \"alice\" from 5 sources within 10m"
    );
    assert_eq!((found[0].event.source, found[0].event.count), (None, 10));
    assert!(
        found[1]
            .event
            .message
            .contains("for server 198.51.100.1:21")
    );
    assert!(banned(&found).is_empty());

    let mut world = World::new(rules.clone());
    assert!(spread(&mut world, 2).is_empty(), "that is each one's own");
    let mut world = World::new(Rules {
        ban: RuleSet::from_iter([Rule::LoginFailuresSpread]),
        ..rules
    });
    let mut banned = banned(&spread(&mut world, 5));
    banned.sort_unstable();
    assert_eq!(
        banned,
        (0..5)
            .map(|n| format!("203.0.113.{n}/32"))
            .collect::<Vec<_>>()
    );
}

#[test]
fn logins_in_clear_and_for_everybody_are_told() {
    let mut world = World::new(Rules::default());
    let refused = one(world.login(false));
    assert_eq!(
        (refused.event.rule.as_str(), refused.event.severity),
        ("cleartext_login", Severity::Low)
    );
    // One that was accepted is worse, and not kept back for it.
    let accepted = one(world.login(true));
    assert_eq!(accepted.event.severity, Severity::Medium);
    assert_eq!(accepted.event.message, "a login without TLS was accepted");
    assert!(world.login(true).is_empty(), "told already");

    let mut world = World::new(Rules::default());
    world.about.tls = TlsMode::Implicit;
    assert!(world.login(true).is_empty());
    world.about.tls = TlsMode::Clear;
    assert!(
        world
            .see(Seen::Login {
                accepted: false,
                code: 530
            })
            .len()
            == 1
    );
    world.about.anonymous = true;
    assert_eq!(names(&world.login(true)), ["anonymous_login"]);
    assert!(world.login(false).is_empty());
}

fn short_session(world: &mut World, change: impl Fn(&mut SessionRecord)) -> Vec<Finding> {
    let about = &world.about;
    let mut record = SessionRecord::new(about.session, about.client, about.server, at(world.now));
    record.ended = Some(at(world.now + 2_000));
    record.tls.mode = TlsMode::Explicit;
    record.login = LoginState::Hidden;
    change(&mut record);
    world.wait(2_000).see(Seen::Ended(Box::new(record)))
}

#[test]
fn short_sessions_under_tls_look_like_guessing() {
    let mut world = World::new(Rules {
        max_tls_failures: 3,
        ..Rules::default()
    });
    assert!(short_session(&mut world, |_| {}).is_empty());
    for change in [
        (|record| record.tls.mode = TlsMode::Clear) as fn(&mut SessionRecord),
        |record| record.data_connections = 1,
        |record| record.ended = Some(record.began + jiff::SignedDuration::from_secs(11)),
        |record| record.partial = true,
        |record| record.end_reason = Some("killed".into()),
    ] {
        assert!(short_session(&mut world, change).is_empty());
    }
    assert!(short_session(&mut world, |_| {}).is_empty());
    let found = one(short_session(&mut world, |_| {}));
    assert_eq!(
        (found.event.rule.as_str(), found.event.severity),
        ("tls_login_failures", Severity::Low)
    );
    assert_eq!((found.event.count, found.ban), (3, None));
}
