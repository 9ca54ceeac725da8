//! Fewer prefixes that say the same about every address, now and later.

use std::collections::{BTreeMap, HashMap};

use ipnet::IpNet;

use super::collect::{Imported, Item, SettingsTable};
use super::compare::contains;

/// How many of the widest new prefixes are named.
const MOST_NAMED: usize = 5;

/// A prefix that took the place of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The new prefix.
    pub prefix: IpNet,
    /// How many prefixes of the import it took the place of.
    pub parts: u32,
}

/// What an aggregation does.
#[derive(Clone, Debug, Default)]
pub struct Aggregated {
    /// Prefixes before.
    pub before: u64,
    /// Prefixes after.
    pub after: u64,
    /// Prefixes that were left out since one around them says the same.
    pub redundant: u64,
    /// New prefixes.
    pub merged: u64,
    /// The widest of them.
    pub widest: Vec<Merged>,
}

/// Takes out of `import`, which [`compare`](super::compare()) has sorted, what an entry around says
/// already, and joins halves that say the same. An address is decided by the same settings as
/// before, also beside the entries of `present` (sorted; settings in `listed`), which stay.
///
/// Labels count as settings here: what is joined was called the same.
pub fn aggregate(
    import: &mut Imported,
    present: &[(IpNet, u32)],
    listed: &SettingsTable,
) -> Aggregated {
    let mut done = Aggregated {
        before: import.items.len() as u64,
        ..Aggregated::default()
    };
    let others: HashMap<IpNet, u32> = present.iter().copied().collect();
    drop_redundant(import, present, &others, listed, &mut done);
    join(import, &others, listed, &mut done);
    done.after = import.items.len() as u64;
    done
}

fn drop_redundant(
    import: &mut Imported,
    present: &[(IpNet, u32)],
    numbers: &HashMap<IpNet, u32>,
    listed: &SettingsTable,
    done: &mut Aggregated,
) {
    let Imported {
        items, settings, ..
    } = import;
    // Settings of the import's; none: an entry of the allowlist.
    let mut around: Vec<(IpNet, Option<u32>)> = Vec::new();
    let mut others = present.iter().peekable();
    items.retain(|item| {
        let leave = |around: &mut Vec<(IpNet, Option<u32>)>, place: &IpNet| {
            while around
                .last()
                .is_some_and(|(prefix, _)| !contains(prefix, place))
            {
                around.pop();
            }
        };
        while let Some((prefix, number)) = others.next_if(|(prefix, _)| *prefix <= item.prefix) {
            leave(&mut around, prefix);
            // One that says what the import says around it separates nothing.
            let same = around.last().is_some_and(|(_, other)| {
                other.is_some_and(|other| settings.get(other).same(listed.get(*number)))
            });
            if *prefix != item.prefix && !same {
                around.push((*prefix, None));
            }
        }
        leave(&mut around, &item.prefix);
        let mine = settings.get(item.settings);
        // Left out, it would leave a listed one of this prefix with its other settings.
        let needed = numbers
            .get(&item.prefix)
            .is_some_and(|number| !listed.get(*number).same(mine));
        // The import only: what is listed may be taken off the list by itself.
        let said = around.last().is_some_and(|(_, other)| {
            other.is_some_and(|number| {
                let other = settings.get(number);
                other.same(mine) && (mine.label.is_none() || mine.label == other.label)
            })
        });
        if said && !needed {
            done.redundant += 1;
            return false;
        }
        around.push((item.prefix, Some(item.settings)));
        true
    });
}

/// What stands at a prefix: its settings, its line, and how many prefixes it took the place of.
type Place = (u32, u32, u32);

fn join(
    import: &mut Imported,
    others: &HashMap<IpNet, u32>,
    listed: &SettingsTable,
    done: &mut Aggregated,
) {
    let settings = &import.settings;
    // By length, so that each level is looked at after all that it can get from the one below.
    let mut levels: BTreeMap<u8, Vec<IpNet>> = BTreeMap::new();
    let mut places: HashMap<IpNet, Place> = HashMap::with_capacity(import.items.len());
    for item in &import.items {
        levels
            .entry(item.prefix.prefix_len())
            .or_default()
            .push(item.prefix);
        places.insert(item.prefix, (item.settings, item.line, 1));
    }
    import.items = Vec::new();
    let free = |prefix: &IpNet, number: u32| {
        others
            .get(prefix)
            .is_none_or(|listed_number| listed.get(*listed_number).same(settings.get(number)))
    };
    for length in (1..=128).rev() {
        let Some(level) = levels.remove(&length) else {
            continue;
        };
        for half in level {
            let Some((parent, other)) = sibling(half) else {
                continue;
            };
            let (Some(one), Some(two)) = (places.get(&half), places.get(&other)) else {
                continue;
            };
            let (number, line) = (one.0, one.1.min(two.1));
            let parts = one.2.saturating_add(two.2);
            let joins = one.0 == two.0
                && !places.contains_key(&parent)
                && free(&parent, number)
                && free(&half, number)
                && free(&other, number);
            if joins {
                places.remove(&half);
                places.remove(&other);
                places.insert(parent, (number, line, parts));
                levels.entry(length - 1).or_default().push(parent);
            }
        }
    }
    let mut merged: Vec<Merged> = Vec::new();
    for (prefix, (settings, line, parts)) in places {
        import.items.push(Item {
            prefix,
            settings,
            line,
        });
        if parts > 1 {
            merged.push(Merged { prefix, parts });
        }
    }
    import.items.sort_by_key(|item| item.prefix);
    done.merged = merged.len() as u64;
    // Addresses are what counts: a /24 is wider than a /48.
    merged.sort_by_key(|new| {
        let host_bits = new.prefix.max_prefix_len() - new.prefix.prefix_len();
        (std::cmp::Reverse(host_bits), new.prefix)
    });
    merged.truncate(MOST_NAMED);
    done.widest = merged;
}

/// The prefix around and its other half.
fn sibling(half: IpNet) -> Option<(IpNet, IpNet)> {
    let parent = half.supernet()?;
    let other = parent
        .subnets(half.prefix_len())
        .ok()?
        .find(|other| *other != half)?;
    Some((parent, other))
}
