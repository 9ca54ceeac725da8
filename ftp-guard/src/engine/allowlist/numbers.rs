//! The numbers by which the kernel's entries know profiles.
//!
//! Files have names, entries of the kernel have numbers, and the limits of a number stand in a table of
//! their own: the two tables cannot be changed in one step. So that no packet is judged by the limits of
//! a stranger meanwhile, a name keeps its number as long as entries may have it, and a new name gets one
//! that no entry has; its limits are written before the first entry refers to it. A daemon that is
//! started again finds the numbers beside the limits, where each profile has a tag of its name.

use std::collections::{BTreeMap, BTreeSet};

use ftp_guard_common::limits::PROFILES;

use super::entry::DEFAULT_PROFILE;
use super::table::AllowTable;

/// What is known of numbers before a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileNumbers {
    names: BTreeMap<String, u16>,
    /// Numbers that entries of the kernel may have.
    taken: BTreeSet<u16>,
}

impl ProfileNumbers {
    /// Those of a daemon that goes on: `names` are in force, `table` is the kernel's.
    pub fn in_force<'n>(
        names: impl IntoIterator<Item = (&'n str, u16)>,
        table: &AllowTable,
    ) -> Self {
        let names: BTreeMap<_, _> = names
            .into_iter()
            .filter(|(name, number)| is_free_to(name, *number))
            .map(|(name, number)| (name.to_owned(), number))
            .collect();
        let taken = names.values().copied().chain(numbers(table)).collect();
        Self { names, taken }
    }

    /// Those of a predecessor, from the numbers and the tags ([`name_tag`]) of the profiles that it left in
    /// the kernel. `names` are the profiles that there are now. What has a tag of no name that there is
    /// may still be referred to.
    #[must_use]
    pub fn found<'n>(
        names: impl IntoIterator<Item = &'n str>,
        left: impl IntoIterator<Item = (u16, u64)>,
    ) -> Self {
        let left: Vec<(u16, u64)> = left.into_iter().filter(|(_, tag)| *tag != 0).collect();
        let names = names.into_iter().filter_map(|name| {
            let tag = name_tag(name);
            let (number, _) = left
                .iter()
                .find(|(number, left)| *left == tag && is_free_to(name, *number))?;
            Some((name.to_owned(), *number))
        });
        Self {
            names: names.collect(),
            taken: left.iter().map(|(number, _)| *number).collect(),
        }
    }

    /// A number for each of at most 255 names beside the default one, no two the same. Only when the
    /// names and what the kernel's entries still have exceed what numbers there are, a new name gets
    /// one that entries of a profile have which is no more; they meet the new limits until they are
    /// changed, moments later.
    #[must_use]
    pub fn assign<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> BTreeMap<&'n str, u16> {
        let mut assigned = BTreeMap::new();
        let mut new = Vec::new();
        for name in names {
            match self.names.get(name) {
                _ if name == DEFAULT_PROFILE => drop(assigned.insert(name, 0)),
                Some(number) => drop(assigned.insert(name, *number)),
                None => new.push(name),
            }
        }
        let kept: BTreeSet<u16> = assigned.values().copied().collect();
        let every = || (1..).take_while(|number| u32::from(*number) < PROFILES);
        let unused =
            every().filter(|number| !kept.contains(number) && !self.taken.contains(number));
        let left = every().filter(|number| !kept.contains(number) && self.taken.contains(number));
        assigned.extend(new.into_iter().zip(unused.chain(left)));
        assigned
    }
}

/// What stands for a profile's name in the kernel: FNV-1a of 64 bits, the same in every version of this
/// program; never 0.
#[must_use]
pub fn name_tag(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.max(1)
}

/// The default profile has the number 0 and no other has it.
fn is_free_to(name: &str, number: u16) -> bool {
    name != DEFAULT_PROFILE && number != 0 && u32::from(number) < PROFILES
}

fn numbers(table: &AllowTable) -> impl Iterator<Item = u16> {
    table.values().map(|value| value.profile)
}
