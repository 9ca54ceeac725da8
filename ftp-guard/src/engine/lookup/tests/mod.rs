//! Both families together: graces, room, and what the caller is told.

mod readers;

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use super::*;

fn listed(prefix: &str, profile: u16, expires_s: u32) -> (IpNet, AllowValue) {
    let value = AllowValue {
        expires_s,
        profile,
        prefix_len: 0,
        kind: EntryKind::Allow as u8,
    };
    (prefix.parse().unwrap(), value)
}

fn prefixes(table: &[(IpNet, AllowValue)]) -> Vec<IpNet> {
    table.iter().map(|(prefix, _)| *prefix).collect()
}

/// A writer that waits for nobody.
fn lookup(sizes: Sizes) -> Lookup {
    Lookup::new(Regions::of_vectors(sizes), Arc::new(|| {}))
}

/// A reader that is about to end.
#[derive(Default)]
struct Reader {
    has_ended: Mutex<bool>,
    ends: Condvar,
}

impl Reader {
    fn end(&self) {
        *self.has_ended.lock().unwrap() = true;
        self.ends.notify_all();
    }

    fn wait_for_end(&self) {
        let ended = self
            .has_ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        drop(self.ends.wait_while(ended, |ended| !*ended));
    }
}

fn profile(lookup: &Lookup, address: &str) -> Option<u16> {
    let found = lookup.find(address.parse().unwrap(), 10);
    found.map(|found| found.profile)
}

#[test]
fn an_update_waits_for_who_reads_what_the_last_one_replaced() {
    let mut table = vec![listed("192.0.2.0/24", 1, 0), listed("192.0.2.7/32", 2, 0)];
    let reader = Arc::new(Reader::default());
    let awaited = Arc::clone(&reader);
    let regions = Regions::of_vectors(Lookup::sizes(&table));
    let mut lookup = Lookup::new(regions, Arc::new(move || awaited.wait_for_end()));
    // Not for those who read what this one replaces.
    lookup.update(&table, &prefixes(&table)).unwrap();
    assert_eq!(profile(&lookup, "192.0.2.7"), Some(2));
    // Nothing is new.
    lookup.update(&table, &[]).unwrap();
    table.insert(2, listed("192.0.2.8/32", 3, 0));
    let update = thread::spawn({
        let table = table.clone();
        move || {
            lookup.update(&table, &[table[2].0]).unwrap();
            lookup
        }
    });
    thread::sleep(Duration::from_millis(50));
    assert!(!update.is_finished());
    reader.end();
    let lookup = update.join().unwrap();
    assert_eq!(profile(&lookup, "192.0.2.8"), Some(3));
    assert_eq!(profile(&lookup, "192.0.2.9"), Some(1));
    assert_eq!(profile(&lookup, "192.0.3.9"), None);
}

#[test]
fn numbers_of_what_is_gone_are_used_again() {
    let hosts = |from: u32| -> Vec<(IpNet, AllowValue)> {
        let host = |at: u32| format!("10.0.{}.{}/32", at >> 8, at & 255);
        let listed = |at: u32| listed(&host(at), 0, from + at);
        (0..40_000).map(listed).collect()
    };
    let (first, second) = (hosts(100), hosts(100_000));
    let mut sizes = Lookup::sizes(&first);
    sizes.pool_v4 *= 2;
    let mut lookup = lookup(sizes);
    lookup.update(&first, &prefixes(&first)).unwrap();
    let few = &first[..100];
    lookup.update(few, &prefixes(&first[100..])).unwrap();
    lookup.update(&second, &prefixes(&second)).unwrap();
    let found = lookup.find("10.0.1.0".parse().unwrap(), 10).unwrap();
    assert_eq!(found.expires_s, 100_256);
}

#[test]
fn usage_is_that_of_the_arrays() {
    let table = [listed("192.0.2.0/25", 1, 0), listed("192.0.2.129/32", 2, 0)];
    let mut lookup = lookup(Lookup::sizes(&table));
    let before = lookup.usage();
    assert!(before.used < before.bytes);
    lookup.update(&table, &prefixes(&table)).unwrap();
    let after = lookup.usage();
    assert_eq!(after.bytes, before.bytes);
    assert!(after.used > before.used && after.used <= after.bytes);
}

#[test]
fn what_is_full_is_told() {
    let table: Vec<_> = (0..600)
        .map(|at| listed(&format!("10.{}.{}.1/32", at / 200, at % 200), 1, 0))
        .collect();
    let mut sizes = Lookup::sizes(&table);
    sizes.lines_v4 = 64;
    let mut lookup = lookup(sizes);
    let full = lookup.update(&table, &prefixes(&table)).unwrap_err();
    assert_eq!(full.to_string(), "the table of IPv4 entries is full");
    assert_eq!(profile(&lookup, "10.0.3.1"), None);
    lookup
        .update(&table[..10], &prefixes(&table[..10]))
        .unwrap();
    assert_eq!(profile(&lookup, "10.0.3.1"), Some(1));
}
