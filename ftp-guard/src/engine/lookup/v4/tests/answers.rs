//! Each address gets the answer of the longest prefix that has not expired.

use super::*;

fn check_list(entries: Vec<Listed>) {
    let wanted = Model::of(entries);
    let mut world = World::of(V4::sizes(&wanted.list()));
    world.update(&wanted).unwrap();
    world.check(wanted.edges());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn of_any_list(
        entries in prop::collection::vec(entries(prop_oneof![1 => 6_u8..16, 8 => 16_u8..=32]), 0..200),
        others in prop::collection::vec(addresses(), 50),
    ) {
        let wanted = Model::of(entries);
        let mut world = World::new(1 << 16);
        world.update(&wanted).unwrap();
        world.check(wanted.edges());
        world.check(others);
    }

    #[test]
    fn after_any_changes(
        updates in prop::collection::vec(
            prop::collection::vec(
                (entries(prop_oneof![1 => 10_u8..16, 8 => 16_u8..=32]), any::<bool>(), any::<prop::sample::Index>()),
                1..40,
            ),
            1..8,
        ),
    ) {
        let mut world = World::new(1 << 16);
        for update in updates {
            let mut wanted = world.model.clone();
            for (entry, is_new, which) in update {
                if is_new || wanted.0.is_empty() {
                    wanted.0.insert(entry.0, entry.1);
                } else {
                    let prefix = wanted.prefixes()[which.index(wanted.0.len())];
                    wanted.0.remove(&prefix);
                }
            }
            let mut addresses = world.model.edges();
            addresses.extend(wanted.edges());
            world.update(&wanted).unwrap();
            world.check(addresses.iter().copied());
            let mut anew = World::new(1 << 16);
            anew.update(&wanted).unwrap();
            for address in addresses {
                prop_assert_eq!(anew.find(address, 15), world.find(address, 15));
            }
        }
        world.update(&Model::default()).unwrap();
        world.v4.settle();
        prop_assert_eq!(world.v4.used(), 8, "all was given back");
        prop_assert!((0..1 << 16).all(|root| world.v4.root(root).0.0 == 0));
    }
}

#[test]
fn of_chains_of_all_lengths() {
    for alternate in [1, 2, 3] {
        let chain = (0..=32).map(|bits| {
            let kind = if bits % alternate == 1 {
                EntryKind::Exclude
            } else {
                EntryKind::Allow
            };
            (net(0x0a01_4285, bits), value(kind, bits, 0))
        });
        check_list(chain.collect());
    }
}

#[test]
fn of_chains_that_expire() {
    let up = (0..=32).map(|bits| {
        (
            net(0x0a01_42ff, bits),
            value(EntryKind::Allow, bits, 1 + u32::from(bits)),
        )
    });
    check_list(up.collect());
    let down = (0..=32).map(|bits| {
        (
            net(0x0a01_4200, bits),
            value(EntryKind::Exclude, bits, 40 - u32::from(bits)),
        )
    });
    check_list(down.collect());
}

#[test]
fn of_a_24_full_of_hosts() {
    let hosts = |profile: fn(u32) -> u8| {
        (0..256).map(move |last| (net(0xc000_0200 + last, 32), allow(profile(last))))
    };
    check_list(hosts(|_| 7).collect());
    check_list(hosts(|last| last as u8).collect());
    check_list(hosts(|last| (last % 2) as u8).collect());
    check_list(hosts(|last| (last % 2) as u8).step_by(2).collect());
    check_list(hosts(|_| 7).skip(1).collect());
    check_list(hosts(|_| 7).take(255).collect());
}

#[test]
fn of_the_whole_internet() {
    check_list(vec![entry("0.0.0.0/0", allow(255))]);
    check_list(vec![
        entry("0.0.0.0/0", value(EntryKind::Allow, 3, 20)),
        entry("0.0.0.0/1", value(EntryKind::Exclude, 0, 30)),
        entry("128.0.0.0/1", allow(1)),
        entry("255.255.255.255/32", value(EntryKind::Exclude, 0, 0)),
        entry("0.0.0.0/32", allow(9)),
        entry("127.255.255.255/32", allow(9)),
        entry("128.0.0.0/17", value(EntryKind::Exclude, 4, 10)),
    ]);
}

#[test]
fn of_all_sixteens_eighteens_and_24s_of_one_part() {
    for (bits, count) in [
        (16, 256),
        (17, 512),
        (18, 512),
        (20, 512),
        (24, 1024),
        (25, 1024),
    ] {
        let step = 1_u32 << (32 - bits);
        for profiles in [1, 2, 5, 250] {
            let entries = (0..count).map(|at| {
                (
                    net(0x0a00_0000 + at * step, bits as u8),
                    allow((at % profiles) as u8),
                )
            });
            check_list(entries.collect());
        }
    }
}

#[test]
fn what_repeats_its_surroundings_makes_nothing() {
    let value = value(EntryKind::Allow, 3, 20);
    let wanted = Model::of((8..=32).map(|bits| (net(0x0a01_0203, bits), value)));
    let mut world = World::new(64);
    world.update(&wanted).unwrap();
    world.check(wanted.edges());
    assert_eq!(world.v4.used(), 8);
}

#[test]
fn blocks_of_the_main_outcome_make_no_entries() {
    let mut wanted: Vec<Listed> = (0..8)
        .map(|at| (net(0x0a01_0000 + (at << 13), 20), allow(3)))
        .collect();
    wanted.push(entry("10.1.255.0/24", allow(4)));
    let wanted = Model::of(wanted);
    let mut world = World::new(64);
    world.update(&wanted).unwrap();
    world.check(wanted.edges());
    assert_eq!(world.v4.used(), 16, "word 0, and one for the entry");
}
