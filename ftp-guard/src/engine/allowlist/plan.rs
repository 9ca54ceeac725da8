//! The steps from one table to another while packets are being judged.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ftp_guard_common::allow::AllowValue;
use ipnet::IpNet;

/// What the kernel's tables hold: IPv4 and IPv6 together.
pub type AllowTable = BTreeMap<IpNet, AllowValue>;

/// One step in a table by prefix. Each is atomic in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<V = AllowValue> {
    /// The prefix has this value from now on, whether it was there or not.
    Insert(IpNet, V),
    /// The prefix is no longer there.
    Remove(IpNet),
}

/// The steps that turn `current` into `wanted`; none for what is in both.
///
/// First the inserts, longest prefix first, then the removals, shortest prefix first. After every
/// single step each address is decided either by the entry that decided before or by the one that
/// decides in the end, never by a third:
///
/// - While inserting, all wanted entries down to some length are there. Of the entries that contain
///   an address the longest is therefore either such a wanted one, and then the longest wanted one,
///   or an old one, and then the longest old one.
/// - While removing, an old entry goes only when all old ones around it that have to go are gone,
///   so that below it nothing but wanted ones come to light.
///
/// It holds at every moment at which no entry of `wanted` has expired; those of `current` may have.
#[must_use]
pub fn plan<V: Copy + PartialEq>(
    current: &BTreeMap<IpNet, V>,
    wanted: &BTreeMap<IpNet, V>,
) -> Vec<Change<V>> {
    let mut inserts: Vec<_> = wanted
        .iter()
        .filter(|(prefix, value)| current.get(*prefix) != Some(*value))
        .collect();
    inserts.sort_by_key(|(prefix, _)| Reverse(prefix.prefix_len()));
    let mut removals: Vec<_> = current
        .keys()
        .filter(|prefix| !wanted.contains_key(*prefix))
        .collect();
    removals.sort_by_key(|prefix| prefix.prefix_len());
    inserts
        .into_iter()
        .map(|(prefix, value)| Change::Insert(*prefix, *value))
        .chain(removals.into_iter().map(|prefix| Change::Remove(*prefix)))
        .collect()
}
