//! Entries stand where readers find them, however full the lines are.

use ftp_guard_common::lookup::lines::{FEWEST_LINES, LANES};

use super::{room::Dice, *};

#[test]
fn what_stays_is_found_between_any_two_stores() {
    const WANTED: usize = FEWEST_LINES as usize * LANES * 3 / 4;
    let mut dice = Dice(5);
    let mut host = || (net(0x0a00_0001 + (dice.below(3000) << 8), 32), allow(1));
    let mut world = World::of((FEWEST_LINES, 64));
    let mut updates = 0;
    for turn in 0..60 {
        let mut wanted = world.model.clone();
        let gone: Vec<IpNet> = wanted
            .prefixes()
            .into_iter()
            .skip(turn % 7)
            .step_by(9)
            .collect();
        wanted.0.retain(|prefix, _| !gone.contains(prefix));
        while wanted.0.len() < WANTED {
            let (prefix, value) = host();
            wanted.0.insert(prefix, value);
        }
        // A place may be full in all its lines: then nothing has changed.
        let Ok(plan) = world.prepare(&wanted) else {
            world.check(wanted.edges());
            continue;
        };
        let stay: Vec<u32> = wanted
            .prefixes()
            .into_iter()
            .filter(|prefix| world.model.0.contains_key(prefix))
            .filter_map(|prefix| match prefix {
                IpNet::V4(prefix) => Some(u32::from(prefix.network())),
                IpNet::V6(_) => None,
            })
            .collect();
        for step in plan.steps() {
            world.v4.step(step, &|| {});
            for address in &stay {
                assert!(world.find(*address, 5).is_some());
            }
        }
        world.v4.finish(plan);
        world.model = wanted;
        updates += 1;
    }
    assert!(updates > 40, "{updates}");
    world.check(world.model.edges());
}
