//! Room: it is enough, it is used again, and when it is not enough nothing changes.

use super::*;

/// Numbers that look random.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (((self.0 >> 32) * u64::from(limit)) >> 32) as u32
    }

    fn entry(&mut self) -> Listed {
        let bits = [16, 20, 22, 24, 24, 26, 28, 32, 32, 32][self.below(10) as usize];
        let address = 0x0a00_0000 + self.below(1 << 18);
        let expires_s = [0, 0, 0, 20][self.below(4) as usize];
        let value = value(EntryKind::Allow, self.below(4) as u8, expires_s);
        (net(address, bits), value)
    }
}

#[test]
fn many_updates_need_no_more_and_more() {
    let mut dice = Dice(6);
    let mut wanted = Model::of((0..2000).map(|_| dice.entry()));
    let mut world = World::of(V4::sizes(&wanted.list()));
    world.update(&wanted).unwrap();
    for at in 0..1000 {
        for _ in 0..1 + dice.below(20) {
            let prefixes = wanted.prefixes();
            wanted
                .0
                .remove(&prefixes[dice.below(prefixes.len() as u32) as usize]);
        }
        while wanted.0.len() < 2000 {
            let (prefix, value) = dice.entry();
            wanted.0.insert(prefix, value);
        }
        world.update(&wanted).unwrap();
        if at % 100 == 99 {
            world.check(wanted.edges());
        }
    }
    world.v4.settle();
    let mut anew = World::of(V4::sizes(&wanted.list()));
    anew.update(&wanted).unwrap();
    assert!(world.v4.used() <= anew.v4.used() * 5 / 4);
    world.update(&Model::default()).unwrap();
    world.v4.settle();
    assert_eq!(world.v4.used(), 8);
}

#[test]
fn when_it_is_full_nothing_changes() {
    let before = Model::of([
        entry("10.1.0.0/16", allow(1)),
        entry("10.1.2.3/32", allow(2)),
        entry("10.1.2.9/32", allow(3)),
    ]);
    // A list for each /24 and no room for so many, or more /24s than lanes.
    for (count, step, sizes, what) in [
        (200, 0x31, (64, 40), "the pool for IPv4 is full"),
        (600, 0x101, (64, 4096), "the table of IPv4 entries is full"),
    ] {
        let mut world = World::of(sizes);
        world.update(&before).unwrap();
        let used = world.v4.used();
        let mut wanted = before.clone();
        let hosts = (0..count).map(|at| (net(0x0a02_0000 + at * step, 32), allow(3)));
        wanted.0.extend(hosts);
        wanted.0.remove(&net(0x0a01_0203, 32));
        let full = world.update(&wanted).unwrap_err();
        assert_eq!(full.to_string(), what);
        assert_eq!(world.v4.used(), used);
        world.check(wanted.edges());
        let mut larger = World::of(V4::sizes(&wanted.list()));
        larger.update(&wanted).unwrap();
        larger.check(wanted.edges());
        // What was promised to the entries that did not come can be had.
        let mut few = before.clone();
        few.0.extend(wanted.0.into_iter().skip(20).take(10));
        world.update(&few).unwrap();
        world.check(few.edges());
    }
}

#[test]
fn too_many_expiry_times_change_nothing() {
    let hosts = |from: u32| {
        Model::of((0..60_000).map(|at| {
            (
                net(0x0a00_0000 + at, 32),
                value(EntryKind::Allow, 0, from + at),
            )
        }))
    };
    let (first, second) = (hosts(100), hosts(100_000));
    let mut world = World::of(V4::sizes(&first.list()));
    world.update(&first).unwrap();
    let full = world.update(&second).unwrap_err();
    assert_eq!(full, super::super::prepare::FULL_ROWS);
    world.check((0..60_000).step_by(997).map(|at| 0x0a00_0000 + at));
}

#[test]
fn sizes_are_enough_for_the_list() {
    let mut dice = Dice(9);
    for (count, spread) in [(0, 0), (10, 32), (3000, 32), (3000, 18), (3000, 12)] {
        let wanted = Model::of((0..count).map(|_| {
            let address = dice.below(1 << (spread - 1));
            let value = value(EntryKind::Allow, dice.below(200) as u8, dice.below(3) * 10);
            (
                net(address << (32 - spread), 8 + dice.below(25) as u8),
                value,
            )
        }));
        let mut world = World::of(V4::sizes(&wanted.list()));
        world.update(&wanted).unwrap();
        let need = world.v4.used() / 8;
        let (lines, pool) = V4::sizes(&wanted.list());
        let size = u64::from(lines) * 8 + u64::from(pool);
        assert!(size >= need + need / 2, "{size} {need}");
        assert!(size <= need * 2 + (16 << 10), "{size} {need}");
    }
}
