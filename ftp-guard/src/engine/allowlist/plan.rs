//! The steps from one table to another while packets are being judged.

use std::{cmp::Ordering, collections::BTreeMap};

use ftp_guard_common::allow::AllowValue;
use ipnet::IpNet;

use super::table::order;

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
///
/// Both come in the order of [`AllowTable`](super::AllowTable), each prefix once. The cost is one pass
/// over the two.
#[must_use]
pub fn plan<'t, V: Copy + PartialEq + 't>(
    current: impl IntoIterator<Item = (&'t IpNet, &'t V)>,
    wanted: impl IntoIterator<Item = (&'t IpNet, &'t V)>,
) -> Vec<Change<V>> {
    let (mut current, mut wanted) = (current.into_iter(), wanted.into_iter());
    let (mut old, mut new) = (current.next(), wanted.next());
    let (mut inserts, mut removals) = (ByLength::default(), ByLength::default());
    loop {
        let order = match (old, new) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((prefix, _)), Some((other, _))) => order(prefix, other),
        };
        if let Some((prefix, _)) = old
            && order.is_lt()
        {
            removals.push(prefix, Change::Remove(*prefix));
        }
        if let Some((prefix, value)) = new
            && order.is_ge()
        {
            let stays = order.is_eq() && old.is_some_and(|(_, before)| before == value);
            if !stays {
                inserts.push(prefix, Change::Insert(*prefix, *value));
            }
        }
        if order.is_le() {
            old = current.next();
        }
        if order.is_ge() {
            new = wanted.next();
        }
    }
    let longest_first = inserts.0.into_values().rev();
    longest_first
        .chain(removals.0.into_values())
        .flatten()
        .collect()
}

/// Steps by the length of their prefixes: there are few lengths, and a sort would cost more than all
/// the rest.
struct ByLength<V>(BTreeMap<u8, Vec<Change<V>>>);

impl<V> Default for ByLength<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V> ByLength<V> {
    fn push(&mut self, prefix: &IpNet, step: Change<V>) {
        self.0.entry(prefix.prefix_len()).or_default().push(step);
    }
}
