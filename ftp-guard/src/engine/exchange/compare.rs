//! What an import means beside itself and beside the allowlist.

use std::collections::HashMap;

use ipnet::IpNet;

use super::collect::{Imported, Item, Settings, SettingsTable};

/// A prefix inside another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The prefix of the import.
    pub prefix: IpNet,
    /// Its line; 0: unknown.
    pub line: u32,
    /// The narrowest one around it.
    pub inside: IpNet,
    /// Whether that one is of the allowlist; else of the import.
    pub listed: bool,
}

/// How many overlaps are kept one by one.
pub const MOST_OVERLAPS: usize = 10;

/// Counts, and the first of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Items that stand in the import more than once, with the same settings. They are gone from it.
    pub duplicates: u64,
    /// Lines of items that stand in the import twice with different settings, and of the first one.
    pub conflicts: Vec<(IpNet, u32, u32)>,
    /// Items that the allowlist has, with the same settings.
    pub present: u64,
    /// Items that the allowlist has with other settings.
    pub changed: u64,
    /// Items inside others that say the same.
    pub redundant: u64,
    /// The first of them.
    pub redundant_first: Vec<Overlap>,
    /// Items inside others that say something else.
    pub differing: u64,
    /// The first of them.
    pub differing_first: Vec<Overlap>,
    /// Of those that differ, how many differ from the allowlist.
    pub differing_listed: u64,
    /// Items that cover all addresses of a family.
    pub everything: Vec<IpNet>,
}

/// Sorts the import, takes duplicates out of it, and compares it with itself and with `present`,
/// the sorted allowlist, whose settings are in `listed`.
pub fn compare(
    import: &mut Imported,
    present: &[(IpNet, u32)],
    listed: &SettingsTable,
) -> Comparison {
    let mut found = Comparison::default();
    deduplicate(import, &mut found);
    let numbers: HashMap<IpNet, u32> = present.iter().copied().collect();
    // Those around the place where we are, widest first: (prefix, settings, of the allowlist).
    let mut around: Vec<(IpNet, &Settings, bool)> = Vec::new();
    let mut others = present.iter().peekable();
    for item in &import.items {
        let settings = import.settings.get(item.settings);
        while let Some((prefix, number)) = others.next_if(|(prefix, _)| *prefix <= item.prefix) {
            leave(&mut around, prefix);
            // The import's entry of the same prefix takes its place.
            if *prefix != item.prefix {
                around.push((*prefix, listed.get(*number), true));
            }
        }
        leave(&mut around, &item.prefix);
        if item.prefix.prefix_len() == 0 && !settings.exclude {
            found.everything.push(item.prefix);
        }
        let same_listed = match numbers.get(&item.prefix) {
            Some(number) if listed.get(*number).same(settings) => {
                found.present += 1;
                true
            }
            Some(_) => {
                found.changed += 1;
                false
            }
            None => false,
        };
        // What is listed like this already changes nothing.
        if !same_listed && let Some((inside, other, of_list)) = around.last() {
            let overlap = Overlap {
                prefix: item.prefix,
                line: item.line,
                inside: *inside,
                listed: *of_list,
            };
            let (count, first) = if other.same(settings) {
                (&mut found.redundant, &mut found.redundant_first)
            } else {
                found.differing_listed += u64::from(*of_list);
                (&mut found.differing, &mut found.differing_first)
            };
            *count += 1;
            if first.len() < MOST_OVERLAPS {
                first.push(overlap);
            }
        }
        around.push((item.prefix, settings, false));
    }
    found
}

fn leave(around: &mut Vec<(IpNet, &Settings, bool)>, place: &IpNet) {
    while around
        .last()
        .is_some_and(|(prefix, ..)| !contains(prefix, place))
    {
        around.pop();
    }
}

/// Whether `inner` is `outer` or inside it.
pub(super) fn contains(outer: &IpNet, inner: &IpNet) -> bool {
    match (outer, inner) {
        (IpNet::V4(outer), IpNet::V4(inner)) => outer.contains(inner),
        (IpNet::V6(outer), IpNet::V6(inner)) => outer.contains(inner),
        _ => false,
    }
}

/// Of equal ones the first stays, with the first label that is given.
fn deduplicate(import: &mut Imported, found: &mut Comparison) {
    let Imported {
        items, settings, ..
    } = import;
    items.sort_by_key(|item| item.prefix);
    let mut kept: Vec<Item> = Vec::with_capacity(items.len());
    for item in items.drain(..) {
        match kept.last_mut() {
            Some(first) if first.prefix == item.prefix => {
                let (one, other) = (settings.get(first.settings), settings.get(item.settings));
                if one.same(other) {
                    found.duplicates += 1;
                    if one.label.is_none() {
                        first.settings = item.settings;
                    }
                } else {
                    found.conflicts.push((item.prefix, item.line, first.line));
                }
            }
            _ => kept.push(item),
        }
    }
    *items = kept;
}
