//! Asking the set, against the simplest thing that could answer.

use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{AllowSet, Entry};
use super::arbitrary::{NOW_S, address, entry, samples};
use super::{parse, profile_number};

fn at(second: u32) -> Timestamp {
    Timestamp::from_second(i64::from(second)).unwrap()
}

fn naive(entries: &[Entry], source: IpAddr, now: Timestamp) -> Option<&Entry> {
    let over = |time: Timestamp| {
        // Fractions round up: an entry never ends before its time.
        time.as_second() + i64::from(time.subsec_nanosecond() > 0) <= now.as_second()
    };
    entries
        .iter()
        .filter(|entry| entry.prefix.contains(&source) && !entry.expires.is_some_and(over))
        .max_by_key(|entry| entry.prefix.prefix_len())
}

fn set_of(entries: &mut Vec<Entry>) -> AllowSet {
    let mut seen = std::collections::BTreeSet::new();
    entries.retain(|entry| seen.insert(entry.prefix));
    let text: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
    AllowSet::parse([(Path::new("x"), text.as_str())], &profile_number)
        .unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"))
}

proptest! {
    #[test]
    fn lookup_agrees_with_a_scan(
        mut entries in vec(entry(), 0..24),
        more in vec(address(), 8),
        now in NOW_S - 4..NOW_S + 4,
    ) {
        let set = set_of(&mut entries);
        let table = set.table(at(now));
        for source in samples(entries.iter().map(|entry| &entry.prefix), &more) {
            let expected = naive(&entries, source, at(now));
            let found = set.lookup(source, at(now));
            prop_assert_eq!(found.map(|e| e.prefix), expected.map(|e| e.prefix), "{}", source);
            // The kernel, which holds the table, says the same.
            let in_table = table
                .iter()
                .filter(|(prefix, _)| prefix.contains(&source))
                .max_by_key(|(prefix, _)| prefix.prefix_len());
            prop_assert_eq!(in_table.map(|(prefix, _)| *prefix), expected.map(|e| e.prefix));
            if let (Some((_, value)), Some(entry)) = (in_table, expected) {
                let number = profile_number(&entry.profile).unwrap();
                prop_assert_eq!(*value, entry.value(number));
            }
        }
    }

    #[test]
    fn the_next_expiry_is_when_the_table_changes_next(mut entries in vec(entry(), 0..12)) {
        let set = set_of(&mut entries);
        let now = at(NOW_S - 4);
        let mut second = NOW_S - 4;
        let table = set.table(now);
        while second < NOW_S + 4 && set.table(at(second)) == table {
            second += 1;
        }
        match set.next_expiry(now) {
            Some(next) if next < at(NOW_S + 4) => prop_assert_eq!(next, at(second)),
            _ => prop_assert_eq!(second, NOW_S + 4),
        }
    }
}

#[test]
fn the_longest_prefix_decides() {
    let set = parse("10.0.0.0/8\n!10.1.0.0/16\n10.1.2.3\n2001:db8::/32\n").unwrap();
    let decided = |source: &str| {
        let entry = set.lookup(source.parse().unwrap(), at(NOW_S))?;
        Some(entry.to_string())
    };
    assert_eq!(decided("10.9.9.9").as_deref(), Some("10.0.0.0/8"));
    assert_eq!(decided("10.1.9.9").as_deref(), Some("!10.1.0.0/16"));
    assert_eq!(decided("10.1.2.3").as_deref(), Some("10.1.2.3"));
    assert_eq!(decided("2001:db8:1::1").as_deref(), Some("2001:db8::/32"));
    assert_eq!(decided("11.0.0.0"), None);
    assert_eq!(decided("::ffff:10.9.9.9"), None);
    assert_eq!(decided("2001:db9::"), None);
}

#[test]
fn expired_entries_are_stepped_over_to_the_second() {
    let text = "\
10.0.0.0/8
!10.1.0.0/16 expires=2027-01-15T08:00:00Z
10.1.2.3 expires=2027-01-15T08:00:00.5Z
";
    let set = parse(text).unwrap();
    assert_eq!(at(NOW_S).to_string(), "2027-01-15T08:00:00Z");
    let decided = |source: &str, now| set.lookup(source.parse().unwrap(), now).unwrap().prefix;
    let length = |source: &str, now| decided(source, now).prefix_len();
    let just_before = Timestamp::new(i64::from(NOW_S) - 1, 999_999_999).unwrap();
    assert_eq!(length("10.1.0.1", just_before), 16);
    assert_eq!(length("10.1.0.1", at(NOW_S)), 8);
    assert_eq!(length("10.1.2.3", at(NOW_S)), 32);
    assert_eq!(length("10.1.2.3", at(NOW_S + 1)), 8);
    assert_eq!(set.len(), 3);
    assert_eq!(set.table(just_before).len(), 3);
    assert_eq!(set.table(at(NOW_S)).len(), 2);
    assert_eq!(set.table(at(NOW_S + 1)).len(), 1);
    assert_eq!(set.next_expiry(just_before), Some(at(NOW_S)));
    assert_eq!(set.next_expiry(at(NOW_S)), Some(at(NOW_S + 1)));
    assert_eq!(set.next_expiry(at(NOW_S + 1)), None);
    // Expired ones are still known by their prefix.
    assert!(set.get(&"10.1.2.3/32".parse().unwrap()).is_some());
}

#[test]
fn six_expired_entries_inside_each_other_are_all_stepped_over() {
    let mut text = String::from("10.0.0.0/8\n");
    for length in 9..15 {
        text.push_str(&format!("10.0.0.0/{length} expires=2020-01-01T00:00:00Z\n"));
    }
    let set = parse(&text).unwrap();
    let entry = set.lookup("10.0.0.1".parse().unwrap(), at(NOW_S)).unwrap();
    assert_eq!(entry.prefix.prefix_len(), 8);
}
