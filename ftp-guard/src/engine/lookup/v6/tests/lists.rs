//! Lists of some size and of some shape.

use std::sync::atomic::Ordering::Relaxed;

use super::lab::{Lab, List, allow, edges, exclude, model, prefix, sorted, until, writer};
use crate::engine::lookup::{Full, v6::V6};

/// Numbers that look random, the same each time.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

const BASE: u128 = 0x2001_0db8 << 96;

fn random(count: usize, dice: &mut Dice) -> List {
    (0..count)
        .map(|_| {
            let address =
                u128::from(0x2000 | dice.next() >> 51) << 112 | u128::from(dice.next() >> 16) << 64;
            let length = if dice.below(2) == 0 {
                48
            } else {
                32 + dice.below(33) as u8
            };
            (prefix(address, length), allow(dice.below(3) as u16))
        })
        .collect()
}

/// Prefixes of all lengths in few /32s.
fn clustered(count: usize, units: u64, dice: &mut Dice) -> List {
    (0..count)
        .map(|_| {
            let unit = 0x2a00_0000 + dice.below(units);
            let address = u128::from(unit) << 96 | u128::from(dice.below(1 << 20)) << 76;
            (prefix(address, 24 + dice.below(41) as u8), allow(1))
        })
        .collect()
}

fn some_edges(list: &List, step: usize) -> Vec<u128> {
    edges(list).into_iter().step_by(step).collect()
}

#[test]
fn random_and_clustered_lists_are_said_as_they_stand() {
    let mut dice = Dice(1);
    for list in [
        random(20_000, &mut dice),
        clustered(20_000, 5_000, &mut dice),
        clustered(3_000, 3, &mut dice),
    ] {
        let samples = some_edges(&list, 17);
        let lab = Lab::of(list);
        lab.check(samples);
        lab.check(
            (0..2_000)
                .map(|_| u128::from(dice.next() >> 3 | 1 << 61) << 64 | u128::from(dice.next())),
        );
    }
}

#[test]
fn hosts_of_one_network_by_the_thousand() {
    let mut dice = Dice(2);
    let mut list: List = (0..5_000)
        .map(|_| {
            let host = u128::from(dice.below(1 << 14)) << 30 | u128::from(dice.below(4));
            (prefix(BASE | host, 128), allow(dice.below(2) as u16))
        })
        .collect();
    list.extend((0..3_000).map(|_| {
        let network = u128::from(dice.below(1 << 16)) << 64;
        (prefix(BASE | 1 << 80 | network, 64), until(100, 1))
    }));
    let samples = some_edges(&list, 7);
    let mut lab = Lab::of(list.clone());
    lab.check(samples.iter().copied());
    list.remove(&prefix(samples[50], 128));
    list.insert(prefix(BASE | 77, 128), exclude());
    lab.update_watched(list, &samples[..100], 50).unwrap();
    lab.check(samples);
}

#[test]
fn a_short_prefix_with_holes() {
    let mut list = List::new();
    for length in 26..=32 {
        list.insert(prefix(BASE, length), until(u32::from(length) * 10, 2));
    }
    list.insert(prefix(BASE + (1 << 97), 31), exclude());
    list.insert(prefix(BASE + (5 << 96), 33), exclude());
    list.insert(prefix(BASE + (6 << 96), 48), exclude());
    list.insert(prefix(BASE + (7 << 96), 128), exclude());
    let samples = edges(&list);
    let mut lab = Lab::of(list.clone());
    lab.check(samples.iter().copied());
    for length in [28, 26, 30, 32, 31, 27, 29] {
        list.remove(&prefix(BASE, length));
        lab.update_watched(list.clone(), &samples, 50).unwrap();
        lab.check(samples.iter().copied());
    }
}

#[test]
fn a_chain_through_all_tables_moves_at_once() {
    let chain = |step: usize, profile| -> List {
        (12..=128)
            .step_by(step)
            .map(|length| {
                (
                    prefix(BASE | 0x5555 << 80 | 0x5555 << 30, length),
                    allow(profile),
                )
            })
            .collect()
    };
    let lists = [
        chain(3, 1),
        chain(5, 2),
        List::new(),
        chain(7, 1),
        [(prefix(BASE, 32), allow(1))].into(),
        [(prefix(BASE | 0x5555 << 80, 48), allow(2))].into(),
        [(prefix(BASE, 20), allow(1))].into(),
        [(prefix(BASE, 14), allow(1))].into(),
    ];
    for first in &lists {
        for second in &lists {
            let mut samples = edges(first);
            samples.extend(edges(second));
            let some: Vec<_> = samples
                .iter()
                .copied()
                .step_by(1 + samples.len() / 6)
                .collect();
            let mut lab = Lab::of(first.clone());
            if lab.update_watched(second.clone(), &some, 50).is_ok() {
                lab.check(samples);
            }
        }
    }
}

#[test]
fn a_thousand_updates_leave_nothing_behind() {
    let mut dice = Dice(3);
    let list = clustered(600, 80, &mut dice);
    let mut lab = Lab::of(list);
    let used = lab.v6.used();
    let kept = lab.list.clone();
    for number in 0..1_000 {
        let mut list = kept.clone();
        let prefixes: Vec<_> = kept.keys().copied().collect();
        for _ in 0..dice.below(20) {
            list.remove(&prefixes[dice.below(prefixes.len() as u64) as usize]);
        }
        list.extend(clustered(dice.below(20) as usize, 80, &mut dice));
        assert_eq!(lab.update(list), Ok(()), "update {number}");
    }
    lab.check(some_edges(&lab.list, 29));
    lab.update(kept).unwrap();
    assert_eq!(lab.v6.used(), used);
}

#[test]
fn a_table_that_is_full_says_so_and_stays() {
    let mut dice = Dice(4);
    let list = random(100, &mut dice);
    let (lines, pool) = V6::sizes(&sorted(&list));
    let mut lab = Lab::of(list.clone());
    let samples = edges(&list);
    let used = lab.v6.used();
    let larger = random(5_000, &mut dice);
    let full = lab.update(larger.clone()).unwrap_err();
    assert!(!full.what.is_empty());
    lab.v6.settle();
    assert_eq!(lab.v6.used(), used);
    lab.check(samples);
    assert!(writer_takes(lines, pool, &list).is_ok());
    assert!(writer_takes(lines, 20, &list).is_err());
    assert!(writer_takes(100, pool, &list).is_err());
}

fn writer_takes(lines: u32, pool: u32, list: &List) -> Result<(), Full> {
    let mut outcomes = crate::engine::lookup::Outcomes::new(super::lab::words(1 << 16));
    let changed: Vec<_> = list.keys().copied().collect();
    let mut v6 = writer(lines, pool);
    let plan = v6.prepare(&sorted(list), &changed, &mut outcomes)?;
    v6.publish(plan, &|| {});
    Ok(())
}

#[test]
fn arrays_of_the_size_asked_for_take_the_list() {
    let mut dice = Dice(5);
    for count in [0, 1, 250, 307, 308, 1_000, 60_000] {
        let list = random(count, &mut dice);
        let lab = Lab::of(list);
        let (lines, _) = V6::sizes(&sorted(&lab.list));
        assert!(u64::from(lines) * 64 <= 128 * 64 + count as u64 * 16);
    }
}

#[test]
fn outcomes_in_use_are_told() {
    let mut list = List::new();
    for length in [8, 20, 30, 36, 48, 56, 64, 128] {
        list.insert(prefix(BASE, length), until(1_000 - u32::from(length), 1));
        list.insert(prefix(BASE | 1 << 79 | 1 << 96, length), exclude());
    }
    let mut lab = Lab::of(list);
    let mut used = std::collections::HashSet::new();
    lab.v6.mark(&mut |says| {
        used.insert(says);
    });
    lab.outcomes.keep(|says| used.contains(&says));
    // What is not in use is given out again, and says something else from then on.
    for number in 0..1_000 {
        lab.outcomes
            .of(
                &until(5_000 + number, 2),
                ftp_guard_common::lookup::Outcome::NONE,
            )
            .unwrap();
    }
    let samples = edges(&lab.list);
    for address in &samples {
        assert_eq!(
            lab.v6.find((*address).into(), 0, &lab.outcomes),
            model(&lab.list, *address, 0)
        );
    }
}

#[test]
fn bits_that_units_share_go_with_the_last_of_them() {
    // The first two are units of one /32, which is one itself and has two bits for that.
    let all = ["2001:db8:1::/48", "2001:db8:2::/48", "2001:db8::/32"];
    let list = |prefixes: &[&str]| -> List {
        let prefixes = prefixes.iter().map(|prefix| prefix.parse().unwrap());
        prefixes.map(|prefix| (prefix, allow(1))).collect()
    };
    let mut lab = Lab::of(list(&all));
    let bits = |lab: &Lab| -> u32 {
        let words = lab.v6.arrays.filter.iter();
        words.map(|word| word.load(Relaxed).count_ones()).sum()
    };
    for (left, wanted) in [(3, 5), (2, 4), (1, 3), (0, 0)] {
        lab.update(list(&all[..left])).unwrap();
        assert_eq!(bits(&lab), wanted, "{left}");
    }
}
