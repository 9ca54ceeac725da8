//! A writer, the list that it has written, and readers that look at it between any two stores.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU32, AtomicU64},
};

use ftp_guard_common::{
    allow::{AllowValue, EntryKind},
    lookup::{
        Outcome,
        lines::LANES,
        outcome::ROWS,
        v6::{self, FILTER_WORDS, HEAD_WORDS, Table},
    },
};
use ipnet::{IpNet, Ipv6Net};

use super::super::{
    super::{Found, Full, Outcomes, Region32, Region64},
    V6,
    arrays::Arrays,
};

pub type List = BTreeMap<IpNet, AllowValue>;

const TABLES: [Table; 4] = [Table::Units48, Table::Units32, Table::List, Table::Root];

pub struct Lab {
    pub v6: V6,
    pub outcomes: Outcomes,
    pub list: List,
}

pub fn words(count: usize) -> Region64 {
    Box::new((0..count).map(|_| AtomicU64::new(0)).collect::<Vec<_>>())
}

pub fn writer(lines: u32, pool: u32) -> V6 {
    let head: Region32 = Box::new(
        (0..HEAD_WORDS)
            .map(|_| AtomicU32::new(0))
            .collect::<Vec<_>>(),
    );
    V6::new(
        words(v6::ROOTS as usize),
        words(FILTER_WORDS as usize),
        words(lines as usize * LANES),
        words(pool as usize),
        head,
    )
}

pub fn sorted(list: &List) -> Vec<(IpNet, AllowValue)> {
    list.iter()
        .map(|(prefix, value)| (*prefix, *value))
        .collect()
}

impl Lab {
    /// Arrays of the size that the list needs, and the list in them.
    pub fn of(list: List) -> Self {
        let (lines, pool) = V6::sizes(&sorted(&list));
        let mut lab = Self {
            v6: writer(lines, pool),
            outcomes: Outcomes::new(words(ROWS as usize)),
            list: List::new(),
        };
        lab.update(list).unwrap();
        lab
    }

    /// Writes another list.
    pub fn update(&mut self, list: List) -> Result<(), Full> {
        self.update_watched(list, &[], 0)
    }

    /// Writes another list, while readers ask for `samples`.
    pub fn update_watched(&mut self, list: List, samples: &[u128], now_s: u64) -> Result<(), Full> {
        let changed: BTreeSet<IpNet> = (self.list.keys())
            .chain(list.keys())
            .filter(|prefix| self.list.get(*prefix) != list.get(*prefix))
            .copied()
            .collect();
        let changed: Vec<_> = changed.into_iter().collect();
        let wanted = sorted(&list);
        let look = |arrays: &Arrays, outcomes: &Outcomes| -> Vec<[Option<Found>; 4]> {
            let by_table = |address: &u128| {
                let (high, low) = ((address >> 64) as u64, *address as u64);
                let says = TABLES.map(|table| v6::find_in(arrays, table, high, low));
                if v6::says_nothing(arrays, high) {
                    assert_eq!(says, [Outcome::NONE; 4], "{address:x}");
                }
                says.map(|says| outcomes.found(says, now_s))
            };
            samples.iter().map(by_table).collect()
        };
        let plan = self.v6.prepare(&wanted, &changed, &mut self.outcomes)?;
        let graces = Cell::new(0);
        let mut seen = vec![(0, look(&self.v6.arrays, &self.outcomes))];
        let outcomes = &self.outcomes;
        self.v6
            .publish_watched(plan, &|| graces.set(graces.get() + 1), &mut |arrays| {
                if !samples.is_empty() {
                    seen.push((graces.get(), look(arrays, outcomes)));
                }
            });
        for (number, address) in samples.iter().enumerate() {
            let before = model(&self.list, *address, now_s);
            let after = model(&list, *address, now_s);
            // A reader that began before a grace has ended when it has passed: the state at the grace belongs to both.
            for first in 0..seen.len() {
                if first > 0 && seen[first].0 == seen[first - 1].0 {
                    continue;
                }
                let grace = seen[first].0;
                let start = first.saturating_sub(1);
                let length = seen[first..].iter().take_while(|at| at.0 == grace).count();
                let states: Vec<_> = seen[start..first + length]
                    .iter()
                    .map(|state| state.1[number])
                    .collect();
                for found in answers(&states) {
                    assert!(
                        found == before || found == after,
                        "{:?}: {found:?} is neither {before:?} nor {after:?}",
                        std::net::Ipv6Addr::from(*address)
                    );
                }
            }
        }
        self.list = list;
        self.v6.settle();
        Ok(())
    }

    /// Whether all is said as the list says it, at all times that matter.
    pub fn check(&self, samples: impl IntoIterator<Item = u128>) {
        for address in samples {
            for now_s in [50, 100, 150, 200, 300, 500] {
                assert_eq!(
                    self.v6.find(address.into(), now_s, &self.outcomes),
                    model(&self.list, address, now_s),
                    "{:?} at {now_s}",
                    std::net::Ipv6Addr::from(address)
                );
            }
        }
    }
}

/// What a reader may find that asks the tables one after the other while they are in these states.
fn answers(states: &[[Option<Found>; 4]]) -> BTreeSet<Answer> {
    let mut found = BTreeSet::new();
    let mut from = 0;
    for table in 0..4 {
        let says = states[from..].iter().filter_map(|state| state[table]);
        found.extend(says.map(Some).map(Answer));
        match states[from..]
            .iter()
            .position(|state| state[table].is_none())
        {
            Some(first) => from += first,
            None => return found,
        }
    }
    found.insert(Answer(None));
    found
}

/// Sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer(Option<Found>);

impl PartialEq<Option<Found>> for Answer {
    fn eq(&self, other: &Option<Found>) -> bool {
        self.0 == *other
    }
}

impl Answer {
    fn key(self) -> Option<(u8, u16, u32)> {
        self.0
            .map(|found| (found.kind as u8, found.profile, found.expires_s))
    }
}

impl Ord for Answer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Answer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What the longest prefix that counts says.
pub fn model(list: &List, address: u128, now_s: u64) -> Option<Found> {
    (0..=128).rev().find_map(|length| {
        let value = list.get(&prefix(address, length))?;
        if value.expired(now_s) {
            return None;
        }
        Some(Found {
            kind: if value.excludes() {
                EntryKind::Exclude
            } else {
                EntryKind::Allow
            },
            profile: if value.excludes() && !value.expires() {
                0
            } else {
                value.profile
            },
            expires_s: value.expires_s,
        })
    })
}

pub fn prefix(address: u128, length: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(address.into(), length).trunc())
}

pub fn allow(profile: u16) -> AllowValue {
    AllowValue {
        expires_s: 0,
        profile,
        prefix_len: 0,
        kind: EntryKind::Allow as u8,
    }
}

pub fn exclude() -> AllowValue {
    AllowValue {
        kind: EntryKind::Exclude as u8,
        ..allow(0)
    }
}

pub fn until(expires_s: u32, profile: u16) -> AllowValue {
    AllowValue {
        expires_s,
        ..allow(profile)
    }
}

/// The addresses at the edges of the list's prefixes, and their neighbours.
pub fn edges(list: &List) -> Vec<u128> {
    let mut edges = BTreeSet::new();
    for prefix in list.keys() {
        let IpNet::V6(prefix) = prefix else { continue };
        let (first, last) = (u128::from(prefix.network()), u128::from(prefix.broadcast()));
        edges.extend([first, last, first.wrapping_sub(1), last.wrapping_add(1)]);
        edges.insert(first + (last - first) / 3);
    }
    edges.into_iter().collect()
}
