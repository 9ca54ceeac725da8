//! The part for IPv6.
//!
//! The arrays themselves tell what stands where, so that there is next to nothing beside them: an update looks up
//! the units that it concerns, says anew what the list says of them, and writes where that differs.

mod arrays;
mod dirty;
mod filter;
mod needs;
mod node;
mod plan;
mod prefixes;
mod table;
#[cfg(test)]
mod tests;

use std::net::Ipv6Addr;

use ftp_guard_common::{
    allow::AllowValue,
    lookup::{
        Outcome,
        lines::{FEWEST_LINES, LANES, Lines},
        v6::{Entry, Head, MOST_RECORDS, ROOTS},
    },
};
use ipnet::IpNet;

use super::{Found, Full, Outcomes, Pool, Region32, Region64};
use arrays::Arrays;
use dirty::Dirty;
use filter::Filter;
use needs::Needs;
use node::Node;
pub(super) use plan::Plan6;
use plan::{RootStep, Step};
use prefixes::{Level, Prefixes, Records, Span};
use table::Table;

const NO_NUMBERS: Full = Full {
    what: "the table of outcomes",
};
const NO_LINES: Full = Full {
    what: "a table of IPv6 units",
};
const NO_POOL: Full = Full {
    what: "the pool for IPv6",
};

/// The writer of the arrays for IPv6.
pub(super) struct V6 {
    arrays: Arrays,
    /// Units of 48 bits and of 32.
    tables: [Table; 2],
    filter: Filter,
}

/// Room that is used again and again.
#[derive(Default)]
struct Scratch {
    said: Records,
    old: Records,
    mid: Records,
    new: Records,
    words: Vec<u64>,
}

impl V6 {
    /// Of arrays of zeros.
    pub(super) fn new(
        root: Region64,
        filter: Region64,
        lines: Region64,
        pool: Region64,
        head: Region32,
    ) -> Self {
        Self {
            arrays: Arrays {
                root,
                filter,
                lines,
                pool: Pool::new(pool),
                head,
            },
            tables: [Table::new(Level::Units48), Table::new(Level::Units32)],
            filter: Filter::default(),
        }
    }

    /// Lines and words of the pool for a list, with room for changes. `table` has prefixes of IPv6 only.
    pub(super) fn sizes(table: &[(IpNet, AllowValue)]) -> (u32, u32) {
        let needs = Needs::of(table);
        (needs.lines[0].saturating_add(needs.lines[1]), needs.pool)
    }

    /// `wanted` has prefixes of IPv6 only, `changed` both. Changes nothing that programs read, and after an
    /// error has given back what it took. What was given back before is free: a grace has passed since the
    /// last [`V6::publish`].
    pub(super) fn prepare(
        &mut self,
        wanted: &[(IpNet, AllowValue)],
        changed: &[IpNet],
        outcomes: &mut Outcomes,
    ) -> Result<Plan6, Full> {
        if self.tables[0].lines() == 0 {
            self.divide(&Needs::of(wanted))?;
        }
        let dirty = Dirty::of(changed.iter());
        let mut plan = Plan6::default();
        match self.fill(&mut plan, &dirty, wanted, outcomes) {
            Ok(()) => Ok(plan),
            Err(full) => {
                self.discard(plan);
                Err(full)
            }
        }
    }

    fn fill(
        &mut self,
        plan: &mut Plan6,
        dirty: &Dirty,
        wanted: &[(IpNet, AllowValue)],
        outcomes: &mut Outcomes,
    ) -> Result<(), Full> {
        let mut prefixes = Prefixes::new(wanted);
        let mut scratch = Scratch::default();
        for level in Level::ALL {
            prefixes.rewind();
            for unit in &dirty.units[level as usize] {
                prefixes
                    .flatten(&level.span(*unit), &mut scratch.said, |value, next| {
                        outcomes.of(value, next)
                    })
                    .ok_or(NO_NUMBERS)?;
                behind(level, &scratch.said, &mut scratch.new);
                if let Some(step) = self.step(level, *unit, &mut scratch)? {
                    plan.steps[level as usize].push(step);
                }
            }
        }
        prefixes.rewind();
        for roots in &dirty.roots {
            let span = span_of_roots(*roots.start(), *roots.end());
            prefixes
                .flatten(&span, &mut scratch.said, |value, next| {
                    outcomes.of(value, next)
                })
                .ok_or(NO_NUMBERS)?;
            let ends = scratch
                .said
                .iter()
                .skip(1)
                .map(|next| (next.0 >> 112) as u32);
            for ((start, says), end) in scratch.said.iter().zip(ends.chain([roots.end() + 1])) {
                for root in (start >> 112) as u32..end {
                    if self.arrays.root(root).outcome != *says {
                        plan.roots.push(RootStep { root, says: *says });
                    }
                }
            }
        }
        Ok(())
    }

    /// What has to be done so that `scratch.new` is said of a unit; nothing: it is said.
    fn step(
        &mut self,
        level: Level,
        unit: u64,
        scratch: &mut Scratch,
    ) -> Result<Option<Step>, Full> {
        let (spot, old) = match self.tables.get(level as usize) {
            Some(table) => match table.find(&self.arrays, unit) {
                Some((spot, entry)) => (Some(spot), entry),
                None => (None, Entry::Gone),
            },
            None => match self.arrays.root(unit as u32).list {
                0 => (None, Entry::Gone),
                place => (None, Entry::List(place)),
            },
        };
        node::read(&self.arrays.pool, old, &mut scratch.old);
        if scratch.new == scratch.old {
            return Ok(None);
        }
        node::either(&scratch.old, &scratch.new, &mut scratch.mid);
        let mut step = Step {
            unit,
            spot,
            old,
            mid: old,
            new: old,
        };
        let room = self.write(level, &mut step, scratch).and_then(|()| {
            match self.tables.get_mut(level as usize) {
                Some(table) if spot.is_none() => {
                    step.spot = table.promise(&self.arrays, unit);
                    step.spot.map(|_| ()).ok_or(NO_LINES)
                }
                _ => Ok(()),
            }
        });
        match room {
            Ok(()) => Ok(Some(step)),
            Err(full) => {
                step.give_back(&mut self.arrays, old);
                Err(full)
            }
        }
    }

    /// Writes the blocks of a step.
    fn write(&mut self, level: Level, step: &mut Step, scratch: &mut Scratch) -> Result<(), Full> {
        let words = &mut scratch.words;
        step.new = write(&mut self.arrays.pool, level, &scratch.new, words)?;
        if scratch.mid == scratch.new {
            step.mid = step.new;
        } else if scratch.mid != scratch.old {
            step.mid = write(&mut self.arrays.pool, level, &scratch.mid, words)?;
        }
        let most = self
            .tables
            .get(level as usize)
            .map_or(u64::MAX, |table| Entry::most_place(table.lines()));
        let fits = |entry| match entry {
            Entry::One(place) | Entry::List(place) => u64::from(place) <= most,
            _ => true,
        };
        if fits(step.new) && fits(step.mid) {
            Ok(())
        } else {
            Err(NO_POOL)
        }
    }

    /// Gives back what a plan took that is not carried out.
    fn discard(&mut self, plan: Plan6) {
        for level in Level::ALL {
            for step in &plan.steps[level as usize] {
                step.give_back(&mut self.arrays, step.old);
                if let (Entry::Gone, Some(spot), Some(table)) =
                    (step.old, step.spot, self.tables.get_mut(level as usize))
                {
                    table.release(spot);
                }
            }
        }
    }

    /// Lets the programs find what was prepared.
    pub(super) fn publish(&mut self, plan: Plan6, grace: &dyn Fn()) {
        self.publish_watched(plan, grace, &mut |_| {});
    }

    fn publish_watched(&mut self, plan: Plan6, grace: &dyn Fn(), watch: &mut dyn FnMut(&Arrays)) {
        let (tables, filter) = (&mut self.tables, &mut self.filter);
        plan.run(&self.arrays, tables, filter, grace, watch);
        for step in plan.steps.iter().flatten() {
            step.give_back(&mut self.arrays, step.new);
        }
    }

    /// No program reads any more what was replaced before.
    pub(super) fn settle(&mut self) {
        self.arrays.pool.settle();
    }

    /// Tells all outcomes that the arrays hold; one may be told twice.
    pub(super) fn mark(&self, mark: &mut dyn FnMut(Outcome)) {
        for index in 0..ROOTS {
            let root = self.arrays.root(index);
            mark(root.outcome);
            if root.list != 0 {
                self.arrays.mark_list(root.list, mark);
            }
        }
        for table in &self.tables {
            table.mark(&self.arrays, mark);
        }
    }

    /// What the programs find for an address.
    pub(super) fn find(&self, address: Ipv6Addr, now_s: u64, outcomes: &Outcomes) -> Option<Found> {
        self.arrays.find(u128::from(address), now_s, outcomes)
    }

    /// Bytes in use of lines and pool.
    pub(super) fn used(&self) -> u64 {
        let lanes: u64 = self.tables.iter().map(Table::used).sum();
        (lanes + self.arrays.pool.used()) * 8
    }

    /// Shares the lines out, in the proportion in which they are needed.
    fn divide(&mut self, needs: &Needs) -> Result<(), Full> {
        let all = (self.arrays.lines.len() / LANES) as u64;
        let [need_48, need_32] = needs.lines.map(u64::from);
        let lines_48 = all * need_48 / (need_48 + need_32);
        let lines_48 = lines_48.max(u64::from(FEWEST_LINES)) as u32;
        let lines_32 = (all as u32).saturating_sub(lines_48);
        if lines_32 < FEWEST_LINES {
            return Err(NO_LINES);
        }
        let head = Head {
            lines_48: Lines::new(0, lines_48),
            lines_32: Lines::new(lines_48, lines_32),
        };
        self.arrays.set_head(head);
        self.tables[0].resize(head.lines_48);
        self.tables[1].resize(head.lines_32);
        Ok(())
    }
}

/// The records of a level's unit, by what is behind the unit.
fn behind(level: Level, said: &Records, records: &mut Records) {
    records.clear();
    records.extend(
        said.iter()
            .map(|(start, says)| (level.offset(*start), *says)),
    );
}

/// The entry of records; the lists of the /16s have no other kinds.
fn write(
    pool: &mut Pool,
    level: Level,
    records: &Records,
    words: &mut Vec<u64>,
) -> Result<Entry, Full> {
    if records.len() > MOST_RECORDS as usize {
        return Err(NO_POOL);
    }
    match Node::of(records) {
        Node::Nothing => Some(Entry::Gone),
        _ if level == Level::Lists => node::write_list(pool, records, words).map(Entry::List),
        _ => node::write(pool, records, words),
    }
    .ok_or(NO_POOL)
}

/// The prefixes of up to 16 bits for some /16s.
fn span_of_roots(first: u32, last: u32) -> Span {
    Span {
        start: u128::from(first) << 112,
        end: u128::from(last) << 112 | u128::MAX >> 16,
        covers: 0..17,
        longest: 16,
    }
}
