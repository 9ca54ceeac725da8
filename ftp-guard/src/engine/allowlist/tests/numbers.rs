//! Numbers of profiles from one state of the kernel to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;

use super::super::{AllowSet, AllowTable, ProfileNumbers, name_tag};

/// The entries of a text, by the numbers that `numbers` has.
fn set(text: &str, numbers: &BTreeMap<&str, u16>) -> AllowSet {
    let number = |name: &str| numbers.get(name).copied();
    AllowSet::parse([(Path::new("a.list"), text)], &number).unwrap()
}

fn table(text: &str, numbers: &BTreeMap<&str, u16>) -> AllowTable {
    set(text, numbers).table(jiff::Timestamp::UNIX_EPOCH)
}

#[test]
fn at_first_names_are_numbered_in_their_order() {
    let numbers = ProfileNumbers::default().assign(["bulk", "default", "slow"]);
    let expected = BTreeMap::from([("default", 0), ("bulk", 1), ("slow", 2)]);
    assert_eq!(numbers, expected);
    let nothing = ProfileNumbers::found(["bulk"], []);
    assert_eq!(nothing.assign(["bulk", "default", "slow"]), expected);
}

#[test]
fn names_keep_their_numbers_and_new_ones_take_none_that_an_entry_has() {
    let before = BTreeMap::from([("default", 0), ("lost", 1), ("slow", 2)]);
    let table = table("192.0.2.1 profile=lost\n", &before);
    let known = ProfileNumbers::in_force(before, &table);
    let after = known.assign(["bulk", "default", "new", "slow"]);
    let expected = BTreeMap::from([("default", 0), ("slow", 2), ("bulk", 3), ("new", 4)]);
    assert_eq!(after, expected);
    // A number that only the kernel knows of.
    let stranger = BTreeMap::from([("default", 0), ("bulk", 1)]);
    let known = ProfileNumbers::in_force(
        [("default", 0)],
        &self::table("::1 profile=bulk\n", &stranger),
    );
    assert_eq!(known.assign(["bulk"]), BTreeMap::from([("bulk", 2)]));
}

/// What a daemon with these numbers leaves in the kernel.
fn left(numbers: &BTreeMap<&str, u16>) -> Vec<(u16, u64)> {
    let row = |(name, number): (&&str, &u16)| (*number, name_tag(name));
    // The table has a row of zeros for each number that no profile has.
    numbers.iter().map(row).chain([(200, 0)]).collect()
}

#[test]
fn a_successor_finds_the_numbers_by_their_tags() {
    let before = BTreeMap::from([("default", 0), ("a", 5), ("b", 9), ("gone", 1)]);
    let names = ["a", "b", "c", "default"];
    let numbers = ProfileNumbers::found(names, left(&before)).assign(names);
    // The predecessor's entries may still refer to number 1.
    let expected = BTreeMap::from([("default", 0), ("a", 5), ("b", 9), ("c", 2)]);
    assert_eq!(numbers, expected);
}

#[test]
fn tags_stay_what_they_are() {
    // A later version must find what this one wrote.
    assert_eq!(name_tag(""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(name_tag("a"), 0xaf63_dc4c_8601_ec8c);
    assert_ne!(name_tag("bulk"), name_tag("slow"));
}

#[test]
fn numbers_that_are_none_of_a_profile_are_not_kept() {
    let before = BTreeMap::from([("default", 0), ("a", 256), ("b", 0)]);
    let names = ["a", "b"];
    let expected = BTreeMap::from([("a", 1), ("b", 2)]);
    let found = ProfileNumbers::found(names, left(&before));
    assert_eq!(found.assign(names), expected);
    let table = table("192.0.2.1 profile=a\n192.0.2.2 profile=b\n", &before);
    let known = ProfileNumbers::in_force(before, &table);
    assert_eq!(known.assign(names), expected);
}

#[test]
fn when_all_numbers_are_taken_those_of_lost_names_are_used_again() {
    let names: Vec<String> = (0..510).map(|n| format!("p{n:03}")).collect();
    let (old, new) = names.split_at(255);
    let old = || old.iter().map(String::as_str);
    let numbers = ProfileNumbers::default().assign(old());
    let known = ProfileNumbers::in_force(numbers, &AllowTable::new());
    let kept = old().take(250);
    let assigned = known.assign(kept.chain(new.iter().take(5).map(String::as_str)));
    let distinct: BTreeSet<u16> = assigned.values().copied().collect();
    assert_eq!((assigned.len(), distinct.len()), (255, 255));
    assert_eq!((distinct.first(), distinct.last()), (Some(&1), Some(&255)));
    assert_eq!(assigned["p249"], 250);
}

fn names() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set("[a-f]", 0..6)
}

proptest! {
    /// Over any number of changes: a name that stays keeps its number, no two names share one, and
    /// what is written for a new name is nothing that an entry of the kernel refers to.
    #[test]
    fn no_entry_ever_refers_to_the_number_of_another_name(
        steps in prop::collection::vec((names(), prop::collection::vec(any::<prop::sample::Index>(), 1..8)), 1..8)
    ) {
        let mut numbers: BTreeMap<String, u16> = BTreeMap::new();
        let mut kernel = AllowTable::new();
        for (names, owners) in steps {
            let in_force = numbers.iter().map(|(name, number)| (name.as_str(), *number));
            let known = ProfileNumbers::in_force(in_force, &kernel);
            let all = || names.iter().map(String::as_str).chain(["default"]);
            let assigned = known.assign(all());
            let distinct: BTreeSet<u16> = assigned.values().copied().collect();
            prop_assert_eq!(distinct.len(), assigned.len());
            for (name, number) in &assigned {
                match numbers.get(*name) {
                    Some(before) => prop_assert_eq!(before, number),
                    None => prop_assert!(
                        *name == "default" || kernel.values().all(|value| value.profile != *number)
                    ),
                }
            }
            let list: Vec<_> = all().collect();
            let text: String = owners
                .iter()
                .zip(1..)
                .map(|(owner, host)| format!("192.0.2.{host} profile={}\n", owner.get(&list)))
                .collect();
            kernel = table(&text, &assigned);
            // A daemon that starts now comes to the same numbers.
            let found = ProfileNumbers::found(all(), left(&assigned)).assign(all());
            prop_assert_eq!(&found, &assigned);
            numbers = assigned.into_iter().map(|(name, number)| (name.to_owned(), number)).collect();
        }
    }
}
