//! A table is a map, whatever is done to it.

use std::collections::BTreeMap;

use ftp_guard_common::allow::AllowValue;
use ipnet::IpNet;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::AllowTable;
use super::arbitrary::{prefix, table};

fn value() -> impl Strategy<Value = AllowValue> {
    (0..3u16).prop_map(|profile| AllowValue {
        expires_s: 0,
        profile,
        prefix_len: 0,
        kind: 0,
    })
}

proptest! {
    #[test]
    fn it_says_what_a_map_says(
        rows in vec((prefix(), value()), 0..24),
        steps in vec((prefix(), proptest::option::of(value())), 0..24),
    ) {
        let mut map: BTreeMap<IpNet, AllowValue> = rows.iter().copied().collect();
        let mut table: AllowTable = rows.iter().copied().collect();
        let before = table.clone();
        for (prefix, value) in steps {
            let (in_map, in_table) = match value {
                Some(value) => (map.insert(prefix, value), table.insert(prefix, value)),
                None => (map.remove(&prefix), table.remove(&prefix)),
            };
            prop_assert_eq!(in_map, in_table);
            prop_assert_eq!(map.get(&prefix), table.get(&prefix));
            prop_assert_eq!(map.contains_key(&prefix), table.contains_key(&prefix));
            prop_assert_eq!(map.len(), table.len());
        }
        prop_assert!(map.iter().eq(table.iter()));
        prop_assert!(map.keys().eq(table.keys()) && map.values().eq(table.values()));
        // What shared the rows kept them.
        prop_assert_eq!(&before, &rows.into_iter().collect::<AllowTable>());
        prop_assert_eq!(table.clone().into_iter().collect::<AllowTable>(), table);
    }

    #[test]
    fn the_order_is_that_of_walking_down(table in table()) {
        for pair in table.as_slice().windows(2) {
            let (one, next) = (pair[0].0, pair[1].0);
            prop_assert!(one < next);
            prop_assert!(!next.contains(&one), "{} behind {}", next, one);
        }
        for prefix in table.keys() {
            let around = table.keys().filter(|wider| wider.contains(prefix) && *wider != prefix);
            let narrowest = around.max_by_key(|wider| wider.prefix_len());
            prop_assert_eq!(table.around(prefix).map(|(wider, _)| wider), narrowest.copied());
        }
    }
}
