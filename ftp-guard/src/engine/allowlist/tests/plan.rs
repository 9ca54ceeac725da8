//! Every step of a plan is looked at.

use std::net::IpAddr;

use ftp_guard_common::allow::AllowValue;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{AllowTable, Change, plan};
use super::arbitrary::{NOW_S, address, samples, table};

/// The value that decides about `source`, as the kernel finds it.
fn decides(table: &AllowTable, source: IpAddr) -> Option<AllowValue> {
    table
        .iter()
        .filter(|(prefix, value)| prefix.contains(&source) && !value.expired(u64::from(NOW_S)))
        .max_by_key(|(prefix, _)| prefix.prefix_len())
        .map(|(_, value)| *value)
}

fn allowed(value: Option<AllowValue>) -> bool {
    value.is_some_and(|value| !value.excludes())
}

fn apply(table: &mut AllowTable, change: Change) {
    match change {
        Change::Insert(prefix, value) => {
            table.insert(prefix, value);
        }
        Change::Remove(prefix) => {
            assert!(table.remove(&prefix).is_some(), "{prefix} is not there");
        }
    }
}

fn live(table: AllowTable) -> AllowTable {
    let live = |value: &AllowValue| !value.expired(u64::from(NOW_S));
    table.into_iter().filter(|(_, value)| live(value)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_step_decides_otherwise_than_before_or_after(
        current in table(),
        wanted in table().prop_map(live),
        more in vec(address(), 8),
    ) {
        let steps = plan(&current, &wanted);
        let decided: Vec<_> = samples(current.keys().chain(wanted.keys()), &more)
            .into_iter()
            .map(|source| (source, decides(&current, source), decides(&wanted, source)))
            .collect();
        let mut table = current.clone();
        for step in steps {
            apply(&mut table, step);
            for (source, before, after) in decided.iter().copied() {
                let now = decides(&table, source);
                prop_assert!(
                    now == before || now == after,
                    "{source} at {step:?}: {now:?} is neither {before:?} nor {after:?}"
                );
                if allowed(before) == allowed(after) {
                    prop_assert_eq!(allowed(now), allowed(before), "{} at {:?}", source, step);
                }
            }
        }
        prop_assert_eq!(table, wanted);
    }

    #[test]
    fn what_stays_is_not_touched(current in table(), wanted in table()) {
        for step in plan(&current, &wanted) {
            match step {
                Change::Insert(prefix, value) => {
                    prop_assert_eq!(wanted.get(&prefix), Some(&value));
                    prop_assert_ne!(current.get(&prefix), Some(&value));
                }
                Change::Remove(prefix) => prop_assert!(!wanted.contains_key(&prefix)),
            }
        }
        prop_assert_eq!(plan(&current, &current), []);
    }
}

#[test]
fn the_order_is_longest_inserted_first_and_shortest_removed_first() {
    let value = |prefix_len| AllowValue {
        expires_s: 0,
        profile: 0,
        prefix_len,
        kind: 0,
    };
    let table = |prefixes: &[&str]| -> AllowTable {
        let net = |text: &&str| text.parse::<ipnet::IpNet>().unwrap();
        let entry = |net: ipnet::IpNet| (net, value(net.prefix_len()));
        prefixes.iter().map(net).map(entry).collect()
    };
    let current = table(&["10.1.0.0/16", "10.0.0.0/8", "192.0.2.0/24"]);
    let wanted = table(&["172.16.0.0/12", "172.16.0.9/32", "192.0.2.0/24"]);
    let net = |text: &str| text.parse().unwrap();
    assert_eq!(
        plan(&current, &wanted),
        [
            Change::Insert(net("172.16.0.9/32"), value(32)),
            Change::Insert(net("172.16.0.0/12"), value(12)),
            Change::Remove(net("10.0.0.0/8")),
            Change::Remove(net("10.1.0.0/16")),
        ]
    );
}
