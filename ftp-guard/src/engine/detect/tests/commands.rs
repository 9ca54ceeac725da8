//! What commands give away.

use super::*;
use crate::engine::events::Severity;

#[test]
fn dangerous_commands_are_told_one_kind_at_a_time() {
    let mut world = World::new(Rules::default());
    let smile = one(world.command("USER root:)"));
    assert_eq!(
        (smile.event.rule.as_str(), smile.event.severity),
        ("dangerous_command", Severity::Critical)
    );
    assert!(world.command("USER other:)").is_empty(), "the same again");
    let site = one(world.command("SITE EXEC id"));
    assert_eq!(site.event.message, "SITE EXEC");
    assert_eq!(site.ban, None);
    let mut world = World::banning(&[Rule::DangerousCommand]);
    assert_eq!(
        banned(&world.command("SITE CPFR /etc/passwd")),
        ["192.0.2.7/32"]
    );
}

#[test]
fn a_path_is_shown_only_where_names_are() {
    let mut world = World::new(Rules::default());
    let found = one(world.command("RETR ../../../../etc/shadow"));
    assert_eq!(
        found.event.message,
        "RETR with a path that goes up four levels or more: \"../../../../etc/shadow\""
    );
    let mut world = World::new(Rules {
        file_names: false,
        ..Rules::default()
    });
    let found = one(world.command("RETR ../../../../etc/shadow"));
    assert_eq!(
        found.event.message,
        "RETR with a path that goes up four levels or more"
    );
    assert_eq!(found.event.rule, "path_traversal");
}

#[test]
fn port_names_the_client_or_is_told() {
    let told = |line: &str, client: &str, fxp: bool| {
        let mut world = World::new(Rules {
            fxp,
            ..Rules::default()
        });
        world.about.client = client.parse().unwrap();
        let found = world.command(line);
        found.first().map(|finding| finding.event.severity)
    };
    let client = "192.0.2.7:40000";
    assert_eq!(told("PORT 192,0,2,7,156,64", client, false), None);
    assert_eq!(
        told(
            "EPRT |1|192.0.2.7|40000|",
            "[::ffff:192.0.2.7]:40000",
            false
        ),
        None
    );
    assert_eq!(
        told("PORT 203,0,113,9,156,64", client, false),
        Some(Severity::High)
    );
    assert_eq!(told("PORT 203,0,113,9,156,64", client, true), None);
    assert_eq!(
        told("PORT 203,0,113,9,0,25", client, true),
        Some(Severity::High)
    );
    assert_eq!(
        told("PORT 192,0,2,7,0,25", client, false),
        Some(Severity::High)
    );
    assert_eq!(
        told("PORT 10,0,0,5,156,64", client, false),
        Some(Severity::Medium)
    );
    assert_eq!(
        told("PORT 10,0,0,5,156,64", "10.0.0.6:40000", false),
        Some(Severity::High)
    );
    assert_eq!(
        told("EPRT |2|2001:db8::1|40000|", "[2001:db8::2]:40000", false),
        Some(Severity::High)
    );
}

#[test]
fn many_deletions_and_renamings_are_told() {
    let mut world = World::new(Rules {
        max_deletes: 10,
        max_renames: 4,
        ..Rules::default()
    });
    for n in 0..9 {
        let verb = ["DELE", "RMD", "XRMD"][n % 3];
        assert!(world.reply(verb, 250).is_empty());
        assert!(world.reply(verb, 550).is_empty(), "it was refused");
    }
    let found = one(world.wait(60_000).reply("DELE", 250));
    assert_eq!(
        (found.event.rule.as_str(), found.event.count),
        ("mass_delete", 10)
    );
    assert_eq!(
        found.event.message,
        "10 files or folders deleted within 10m"
    );
    for _ in 0..3 {
        assert!(world.reply("RNTO", 250).is_empty());
        assert!(world.reply("RNFR", 350).is_empty());
    }
    assert_eq!(names(&world.reply("RNTO", 250)), ["mass_rename"]);
    for _ in 0..100 {
        assert!(world.wait(201_000).reply("RNTO", 250).is_empty(), "slowly");
    }
}

#[test]
fn a_flood_of_commands_is_one_that_lasts() {
    let mut world = World::new(Rules {
        max_commands: 5,
        ..Rules::default()
    });
    for _ in 0..500 {
        assert!(world.wait(250).command("NOOP").is_empty(), "four a second");
    }
    world.wait(20_000);
    let found: Vec<_> = (0..200)
        .flat_map(|_| world.wait(50).command("NOOP"))
        .collect();
    assert_eq!(names(&found), ["command_flood"]);
    assert_eq!(found[0].event.count, 51);
    // What came meanwhile is told when it is time, once.
    let later = one(world.wait(300_000).tick());
    assert_eq!((later.event.count, later.ban), (102, None));
    assert!(
        later
            .event
            .message
            .ends_with("; 2 times since it was last told"),
        "{}",
        later.event.message
    );
    assert!(world.wait(300_000).tick().is_empty());
}
