//! The stores that an update needs, and their order.
//!
//! An address is asked for in four tables one after the other, and each unit of a table changes by one store. So
//! that an address never has a third outcome:
//!
//! - First each table, from the longest prefixes to the shortest, is made to say what it will say, and of addresses
//!   of which it will say nothing what it says now. What decides in the end then stands before anything else
//!   that it hides, and what decided before still stands.
//! - Then each table, from the shortest to the longest, is made to say what it will say. What a longer prefix
//!   uncovers when it goes is there already, and what must not come to light has gone.
//!
//! A program may ask one table before a store and the next one after another store. Therefore a grace passes
//! between stores of the first kind and later ones in tables of shorter prefixes when both concern the same addresses.
//!
//! It holds at every moment at which no entry of the new list has expired.

use ftp_guard_common::lookup::{Outcome, v6::Entry};

use super::{
    super::lines::Spot, arrays::Arrays, filter::Filter, node, prefixes::Level, table::Table,
};

/// What is said of a unit.
pub struct Step {
    pub unit: u64,
    /// Where a unit's entry stands or will stand; nothing for a list of a /16.
    pub spot: Option<Spot>,
    pub old: Entry,
    /// By `new`, and by `old` where that says nothing.
    pub mid: Entry,
    pub new: Entry,
}

/// What is said of a /16.
pub struct RootStep {
    pub root: u32,
    pub says: Outcome,
}

/// An update that has room.
#[derive(Default)]
pub struct Plan6 {
    /// By [`Level`], sorted by unit.
    pub steps: [Vec<Step>; 3],
    /// Sorted.
    pub roots: Vec<RootStep>,
}

/// The roots, as a level.
const ROOTS: usize = 3;

impl Plan6 {
    /// Does it. `watch` is told of each store.
    pub fn run(
        &self,
        arrays: &Arrays,
        tables: &mut [Table; 2],
        filter: &mut Filter,
        grace: &dyn Fn(),
        watch: &mut dyn FnMut(&Arrays),
    ) {
        // Levels that a program may have asked before their first stores.
        let mut asked = [false; ROOTS];
        let mut wait = |level: usize| {
            if (0..level).any(|longer| asked[longer] && self.meet(longer, level)) {
                grace();
                asked = [false; ROOTS];
            }
            if level < ROOTS {
                asked[level] = true;
            }
        };
        for level in Level::ALL {
            wait(level as usize);
            for step in &self.steps[level as usize] {
                if step.mid != step.old {
                    first(arrays, tables, filter, level, step, watch);
                }
            }
        }
        wait(ROOTS);
        for is_last in [false, true] {
            for step in &self.roots {
                if (step.says == Outcome::NONE) == is_last {
                    arrays.set_root(step.root, |root| root.outcome = step.says);
                    watch(arrays);
                }
            }
        }
        for level in Level::ALL.into_iter().rev() {
            for step in &self.steps[level as usize] {
                if step.new != step.mid {
                    last(arrays, tables, filter, level, step, watch);
                }
            }
        }
    }

    /// Whether both levels, of which the first has the longer prefixes, change what they say of some address.
    fn meet(&self, longer: usize, level: usize) -> bool {
        let bits = |level: usize| Level::ALL.get(level).map_or(16, |level| level.bits());
        let shift = bits(longer) - bits(level);
        let mut longer = self.steps[longer]
            .iter()
            .map(|step| step.unit >> shift)
            .peekable();
        let mut meets = |unit: u64| {
            while longer.next_if(|longer| *longer < unit).is_some() {}
            longer.peek() == Some(&unit)
        };
        match self.steps.get(level) {
            Some(steps) => steps.iter().any(|step| meets(step.unit)),
            None => self.roots.iter().any(|step| meets(u64::from(step.root))),
        }
    }
}

fn first(
    arrays: &Arrays,
    tables: &mut [Table; 2],
    filter: &mut Filter,
    level: Level,
    step: &Step,
    watch: &mut dyn FnMut(&Arrays),
) {
    match (step.spot, tables.get_mut(level as usize)) {
        (Some(spot), Some(table)) if step.old == Entry::Gone => {
            table.insert(arrays, filter, step.unit, spot, step.mid, watch);
        }
        (Some(spot), Some(table)) => {
            table.replace(arrays, step.unit, spot, step.mid);
            watch(arrays);
        }
        _ => set_list(arrays, step.unit, step.mid, watch),
    }
}

fn last(
    arrays: &Arrays,
    tables: &mut [Table; 2],
    filter: &mut Filter,
    level: Level,
    step: &Step,
    watch: &mut dyn FnMut(&Arrays),
) {
    match (step.spot, tables.get_mut(level as usize)) {
        (Some(spot), Some(table)) if step.new == Entry::Gone => {
            table.remove(arrays, filter, step.unit, spot, watch);
        }
        (Some(spot), Some(table)) => {
            table.replace(arrays, step.unit, spot, step.new);
            watch(arrays);
        }
        _ => set_list(arrays, step.unit, step.new, watch),
    }
}

fn set_list(arrays: &Arrays, root: u64, list: Entry, watch: &mut dyn FnMut(&Arrays)) {
    let place = if let Entry::List(place) = list {
        place
    } else {
        0
    };
    arrays.set_root(root as u32, |root| root.list = place);
    watch(arrays);
}

impl Step {
    /// Gives back the blocks that are not `kept`.
    pub fn give_back(&self, arrays: &mut Arrays, kept: Entry) {
        let entries = [kept, self.old, self.mid, self.new];
        for (number, entry) in entries.iter().enumerate().skip(1) {
            if !entries[..number].contains(entry)
                && let Some((place, words)) = node::block(&arrays.pool, *entry)
            {
                arrays.pool.give_back(place, words);
            }
        }
    }
}
