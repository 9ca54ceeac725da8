//! However much comes: one event and a count, and bounded memory.

use proptest::prelude::*;

use super::*;
use crate::engine::detect::{MOST_SOURCES, MOST_TARGETS};

#[test]
fn a_flood_is_one_event_and_then_a_count_now_and_then() {
    let mut world = World::new(Rules {
        max_commands: 0,
        ..Rules::default()
    });
    let mut found = Vec::new();
    for _ in 0..10_000 {
        found.extend(world.command("RETR /../x"));
    }
    assert_eq!(found.len(), 1);
    assert!(world.wait(299_999).tick().is_empty());
    let later = one(world.wait(1).tick());
    assert_eq!(later.event.count, 9_999);
    assert!(
        later
            .event
            .message
            .ends_with("; 9999 times since it was last told")
    );
    assert_eq!(world.seen(Rule::PathTraversal), 10_000);
    assert_eq!(world.wait(1_000_000).command("RETR /../x").len(), 1);
}

#[test]
fn every_session_is_ended_that_is_to_be() {
    let mut world = World::new(Rules {
        end: RuleSet::from_iter([Rule::PathTraversal]),
        ..Rules::default()
    });
    let ends = |found: Vec<Finding>| -> Vec<u64> {
        found
            .iter()
            .filter_map(|finding| finding.end_session)
            .collect()
    };
    assert_eq!(ends(world.command("RETR /../x")), [17]);
    assert!(ends(world.command("RETR /../x")).is_empty(), "under way");
    let again = world.from("192.0.2.7:40001").command("RETR /../x");
    assert_eq!(ends(again), [18]);
    world.about.session = 0;
    assert!(ends(world.wait(1_000_000).command("RETR /../x")).is_empty());
}

#[test]
fn sources_beyond_what_can_be_remembered_are_forgotten_and_counted() {
    let mut world = World::new(Rules::default());
    let rooms = MOST_SOURCES + 100;
    for n in 0..rooms {
        let source = format!("10.{}.{}.1:4000", n >> 8, n & 255);
        world.about.user = Some(Arc::from(format!("user{n}")));
        world.from(&source).fail();
    }
    let figures = world.detector.figures();
    assert_eq!(figures.sources, MOST_SOURCES as u64);
    assert!(figures.forgotten >= 300, "{}", figures.forgotten);
    assert_eq!(world.detector.targets.len(), MOST_TARGETS);
    // Who was seen last is still known.
    let last = rooms - 1;
    let source = format!("10.{}.{}.1:4001", last >> 8, last & 255);
    let found: Vec<_> = (0..4).flat_map(|_| world.from(&source).fail()).collect();
    assert_eq!(banned(&found).len(), 1);
}

#[test]
fn a_clock_that_is_set_back_forgets_nothing() {
    let mut world = World::new(Rules::default());
    (0..3).for_each(|_| drop(world.wait(1_000).fail()));
    world.wait(-86_400_000).fail();
    assert_eq!(banned(&world.wait(1_000).fail()), ["192.0.2.7/32"]);
    assert!(world.wait(-86_400_000).tick().is_empty());
}

#[test]
fn rules_can_change_while_it_runs() {
    let mut world = World::new(Rules::default());
    (0..4).for_each(|_| drop(world.fail()));
    world.detector.set(Rules {
        max_failures: 3,
        ..Rules::default()
    });
    assert_eq!(banned(&world.fail()), ["192.0.2.7/32"]);
}

proptest! {
    /// Whatever is sent, however the clock goes: messages are single short lines and nothing panics.
    #[test]
    fn anything_may_come(
        lines in prop::collection::vec(("(USER|SITE|RETR|PORT|EPRT|DELE|STAT|HELP|MDTM|x)", ".{0,80}", -10_000_000..10_000_000_i64), 0..60),
    ) {
        let mut world = World::new(Rules { max_commands: 1, ..Rules::default() });
        for (verb, argument, step) in lines {
            let mut found = world.wait(step).command(&format!("{verb} {argument}"));
            world.about.user = Some(Arc::from(argument.as_str()));
            found.extend(world.login(false));
            found.extend(world.tick());
            for finding in found {
                let event = finding.event;
                prop_assert!(!event.message.chars().any(char::is_control));
                prop_assert!(event.message.chars().count() < 1_000);
                prop_assert!(event.count > 0);
                if let Some(ban) = finding.ban {
                    prop_assert!(crate::engine::bans::check_text("reason", ban.reason.as_deref().unwrap()).is_ok());
                }
            }
        }
    }
}
