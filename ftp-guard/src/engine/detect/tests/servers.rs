//! Servers, lines that are no FTP, and what the guard has dropped.

use super::*;
use crate::engine::{
    events::Severity,
    monitor::{observation::Protocol, record::Software, told::Side},
};

fn software(product: &str, version: Option<&str>) -> Seen {
    Seen::Software {
        software: Software {
            product: product.to_owned(),
            version: version.map(str::to_owned),
        },
        text: String::new(),
    }
}

#[test]
fn a_server_with_holes_is_told_once_a_day_and_version() {
    let mut world = World::new(Rules::default());
    let found = one(world.see(software("vsftpd", Some("2.3.4"))));
    assert_eq!(
        (found.event.severity, found.event.source),
        (Severity::Critical, None)
    );
    assert_eq!(found.event.server, Some(SERVER.parse().unwrap()));
    assert_eq!(
        found.event.message,
        "vsftpd 2.3.4 has known vulnerabilities: CVE-2011-2523 (critical 9.8), CVE-2015-1419 (medium 5.0)"
    );
    assert!(
        world
            .wait(3_600_000)
            .from("192.0.2.9:1")
            .see(software("vsftpd", Some("2.3.4")))
            .is_empty()
    );
    assert!(world.tick().is_empty());
    assert_eq!(world.see(software("vsftpd", Some("3.0.2"))).len(), 1);
    // It is told when it is seen again, not by the clock: somebody may have updated it.
    assert!(world.wait(86_400_000).tick().is_empty());
    assert_eq!(world.see(software("vsftpd", Some("2.3.4"))).len(), 1);
    for (product, version) in [
        ("vsftpd", Some("3.0.5")),
        ("vsftpd", None),
        ("vsftpd", Some("?")),
        ("x", Some("1")),
    ] {
        assert!(
            world.see(software(product, version)).is_empty(),
            "{product} {version:?}"
        );
    }
}

#[test]
fn ftp_elsewhere_is_told_once_a_day() {
    let mut world = World::new(Rules::default());
    world.about.server = "198.51.100.1:2121".parse().unwrap();
    let greeting = || Seen::OddPort {
        text: "220 \u{1b}hello".into(),
    };
    let found = one(world.see(greeting()));
    assert_eq!(
        found.event.message,
        "a server on port 2121, which is not in ftp.control_ports, speaks FTP: \"220 hello\""
    );
    assert!(world.see(greeting()).is_empty());
    world.about.server = "198.51.100.1:2122".parse().unwrap();
    assert_eq!(names(&world.see(greeting())), ["odd_port"]);
}

#[test]
fn what_the_server_says_is_not_the_clients_fault() {
    let mut world = World::banning(&[Rule::ForeignProtocol, Rule::OverlongLine, Rule::BinaryJunk]);
    for (side, expected) in [(Side::Client, true), (Side::Server, false)] {
        let protocol = Protocol::Ssh;
        for seen in [
            Seen::Foreign { side, protocol },
            Seen::Overlong(side),
            Seen::Binary(side),
        ] {
            let found = one(world.see(seen));
            assert_eq!(
                (found.event.source.is_some(), found.ban.is_some()),
                (expected, expected)
            );
        }
    }
    let mut world = World::new(Rules::default());
    let tls = Seen::Foreign {
        side: Side::Client,
        protocol: Protocol::Tls,
    };
    assert_eq!(one(world.see(tls)).event.severity, Severity::Low);
    let http = Seen::Foreign {
        side: Side::Client,
        protocol: Protocol::Http,
    };
    assert_eq!(one(world.see(http)).event.message, "a client speaks http");
}

fn drop(hook: &str, reason: &str) -> EventKind {
    EventKind::Drop(match hook {
        "egress" => packet(hook, reason, "198.51.100.1:20", "203.0.113.9:6000"),
        _ => packet(hook, reason, "192.0.2.7:40000", "198.51.100.1:50000"),
    })
}

fn ended(reason: &str) -> EventKind {
    EventKind::SessionEnded(SessionEnded {
        id: 17,
        part: "session".into(),
        client: "192.0.2.7:40000".parse().unwrap(),
        server: SERVER.parse().unwrap(),
        profile: "default".into(),
        reason: reason.into(),
    })
}

#[test]
fn drops_and_ends_are_told_by_their_reasons() {
    let source = Some("192.0.2.7".parse().unwrap());
    for (kind, rule, source) in [
        (drop("egress", "bounce"), "bounce_attempt", None),
        (drop("egress", "active_low_port"), "bounce_attempt", None),
        (drop("xdp", "pasv_theft"), "pasv_theft", source),
        (drop("xdp", "data_limit"), "port_exhaustion", source),
        (drop("xdp", "tls_required"), "policy_refusal", source),
        (
            drop("control", "anonymous_refused"),
            "policy_refusal",
            source,
        ),
        (drop("xdp", "read_only"), "policy_refusal", source),
        (ended("command_denied"), "policy_refusal", source),
        (ended("ports_held"), "port_exhaustion", source),
    ] {
        let found = one(World::new(Rules::default()).event(kind));
        assert_eq!(
            (found.event.rule.as_str(), found.event.source),
            (rule, source)
        );
    }
    let full = EventKind::TableFull(TableFull {
        table: "flows".into(),
        packet: packet("xdp", "flow_table_full", "192.0.2.7:40000", SERVER),
    });
    let found = one(World::new(Rules::default()).event(full));
    assert_eq!(
        (found.event.severity, found.event.source),
        (Severity::High, None)
    );
    for other in [
        drop("xdp", "not_listed"),
        drop("xdp", "bounce"),
        ended("killed"),
    ] {
        assert!(World::new(Rules::default()).event(other).is_empty());
    }
}

#[test]
fn a_source_that_may_be_forged_is_never_banned() {
    let mut world = World::banning(Rule::ALL);
    for kind in [
        drop("xdp", "pasv_theft"),
        drop("xdp", "data_limit"),
        drop("egress", "bounce"),
    ] {
        assert!(banned(&world.event(kind)).is_empty());
    }
    assert_eq!(banned(&world.event(ended("ports_held"))), ["192.0.2.7/32"]);
    assert_eq!(
        banned(&world.event(drop("xdp", "read_only"))),
        ["192.0.2.7/32"]
    );
}
