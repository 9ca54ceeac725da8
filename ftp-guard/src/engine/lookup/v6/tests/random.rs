//! Small lists of prefixes that nest, and sequences of them.

use ftp_guard_common::allow::{AllowValue, EntryKind};
use ipnet::IpNet;
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::select,
};

use super::lab::{Lab, List, edges, prefix};

fn group() -> impl Strategy<Value = u16> {
    select(vec![0x2001, 0x2002, 0x2003, 0, 1, 0x1000, 0x8000, 0xffff])
}

/// No shorter than `shortest` bits.
fn a_prefix(shortest: u8) -> impl Strategy<Value = IpNet> {
    let length = prop_oneof![
        shortest..=128,
        select(vec![
            0, 1, 15, 16, 17, 20, 27, 28, 29, 30, 31, 32, 33, 40, 47, 48, 49, 56, 63, 64, 65, 96,
            127, 128
        ]),
    ];
    // Most addresses share their beginning, so that prefixes nest.
    let address = (vec(group(), 8), 0..8_usize).prop_map(|(groups, same)| {
        groups
            .iter()
            .enumerate()
            .fold(0_u128, |address, (number, group)| {
                let group = if number < same { 0x2001 } else { *group };
                address << 16 | u128::from(group)
            })
    });
    (address, length).prop_map(move |(address, length)| prefix(address, length.max(shortest)))
}

fn a_value() -> impl Strategy<Value = AllowValue> {
    (
        select(vec![0, 0, 0, 100, 200, 300]),
        0..3_u16,
        proptest::bool::weighted(0.25),
    )
        .prop_map(|(expires_s, profile, excludes)| AllowValue {
            expires_s,
            profile,
            prefix_len: 0,
            kind: if excludes {
                EntryKind::Exclude
            } else {
                EntryKind::Allow
            } as u8,
        })
}

fn a_list(shortest: u8, most: usize) -> impl Strategy<Value = List> {
    btree_map(a_prefix(shortest), a_value(), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_list_is_said_as_it_stands(list in a_list(0, 60)) {
        let samples = edges(&list);
        Lab::of(list).check(samples);
    }

    #[test]
    fn an_address_has_its_old_outcome_or_its_new_one_after_each_store(
        first in a_list(13, 25),
        changes in vec((vec(any::<prop::sample::Index>(), 0..6), a_list(13, 12)), 1..4),
    ) {
        let mut lab = Lab::of(first);
        for (gone, come) in changes {
            let mut list = lab.list.clone();
            for index in gone {
                let prefixes: Vec<_> = list.keys().copied().collect();
                if !prefixes.is_empty() {
                    list.remove(index.get(&prefixes));
                }
            }
            list.extend(come);
            let mut samples = edges(&list);
            samples.extend(edges(&lab.list));
            if lab.update_watched(list.clone(), &samples, 50).is_err() {
                lab.check(samples.iter().copied());
                lab = Lab::of(list);
            }
            lab.check(samples);
        }
    }

    #[test]
    fn what_was_changed_is_as_if_written_anew(lists in vec(a_list(0, 30), 2..6)) {
        let mut lab = Lab::of(lists.iter().max_by_key(|list| list.len()).cloned().unwrap_or_default());
        for list in lists {
            if lab.update(list.clone()).is_err() {
                lab = Lab::of(list);
            }
        }
        let samples = edges(&lab.list);
        lab.check(samples);
        lab.update(List::new()).unwrap();
        let arrays = &lab.v6.arrays;
        for words in [&arrays.root, &arrays.filter, &arrays.lines] {
            let words = words.iter().map(|word| word.load(std::sync::atomic::Ordering::Relaxed));
            prop_assert_eq!(words.filter(|word| *word != 0).count(), 0);
        }
        prop_assert_eq!(arrays.pool.used(), 1);
    }
}
