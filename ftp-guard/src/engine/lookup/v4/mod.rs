//! The part for IPv4.

mod dirty;
mod entries;
mod flat;
mod list;
mod plan;
mod prepare;
mod sizes;
#[cfg(test)]
mod tests;
mod walk;
mod want;

use std::{
    net::Ipv4Addr,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
};

use ftp_guard_common::lookup::{
    Outcome,
    lines::{FEWEST_LINES, LANES, LINES_WORDS, LineMemory, Lines, MOST_LINES},
    v4::{Entry, GROUPS, KNOWN_WORDS, Memory, PLACE_BITS, ROOTS, find},
};

use super::{Pool, Region32, Region64};
use entries::Entries;
pub(super) use plan::Plan4;
use plan::Step;

/// Whether stores become visible in their order, and loads happen in theirs. Where not, a grace between the
/// phases of an update has the same effect.
const IS_ORDERED: bool = cfg!(any(target_arch = "x86", target_arch = "x86_64"));

/// The arrays for IPv4 and who writes them.
pub(super) struct V4 {
    known: Region64,
    roots: Region32,
    bits: Region64,
    lines: Region64,
    pool: Pool,
    head: Region32,
    entries: Entries,
}

impl V4 {
    pub(super) fn new(
        known: Region64,
        roots: Region32,
        bits: Region64,
        lines: Region64,
        pool: Region64,
        head: Region32,
    ) -> Self {
        debug_assert_eq!(known.len(), KNOWN_WORDS as usize);
        debug_assert_eq!(roots.len(), ROOTS as usize);
        debug_assert_eq!(bits.len(), GROUPS as usize);
        debug_assert_eq!(head.len(), LINES_WORDS as usize);
        debug_assert!(pool.len() <= 1 << PLACE_BITS);
        Self {
            known,
            roots,
            bits,
            lines,
            pool: Pool::new(pool),
            head,
            entries: Entries::new(),
        }
    }

    /// Takes all lines, and tells the programs how many they are.
    fn take_lines(&mut self) {
        let count = (self.lines.len() / LANES) as u32;
        let all = Lines::new(0, count.min(MOST_LINES));
        // Fewer take no entry, and programs do not look for any.
        if all.count >= FEWEST_LINES {
            self.entries.resize(all);
            for (at, word) in self.head.iter().zip([all.first, all.count, all.scale]) {
                at.store(word, Release);
            }
        }
    }

    /// Gives back what a plan took that will not be published.
    pub(super) fn discard(&mut self, plan: Plan4) {
        for (place, words) in plan.taken {
            self.pool.undo(place, words);
        }
        for put in plan.entries.iter().filter(|put| put.is_new) {
            self.entries.release(put.spot);
        }
    }

    /// Does what was planned. No reader began before the last update ended.
    pub(super) fn publish(&mut self, plan: Plan4, grace: &dyn Fn()) {
        for step in plan.steps() {
            self.step(step, grace);
        }
        self.finish(plan);
    }

    fn step(&mut self, step: Step, grace: &dyn Fn()) {
        match step {
            Step::Known(at, word) => self.known[at as usize].store(word, Release),
            Step::Root(at, word) => self.roots[at as usize].store(word, Release),
            Step::Bits(at, word) => self.bits[at as usize].store(word, Release),
            Step::Entry(put) if put.is_new => {
                self.entries
                    .insert(&self.lines, put.net, put.spot, put.entry);
            }
            Step::Entry(put) => {
                self.entries
                    .replace(&self.lines, put.net, put.spot, put.entry);
            }
            Step::Remove(net, spot) => self.entries.remove(&self.lines, net, spot),
            Step::Order if IS_ORDERED => {}
            Step::Order | Step::Grace => grace(),
        }
    }

    fn finish(&mut self, plan: Plan4) {
        for (place, words) in plan.back {
            self.pool.give_back(place, words);
        }
    }

    /// No program reads any more what was replaced before.
    pub(super) fn settle(&mut self) {
        self.pool.settle();
    }

    /// Tells all outcomes that the arrays hold, some more than once.
    pub(super) fn mark(&self, mark: &mut dyn FnMut(Outcome)) {
        for root in 0..ROOTS {
            let (default, main) = self.root(root);
            mark(default);
            mark(main);
        }
        for entry in self.entries.all(&self.lines) {
            match entry {
                Entry::Gone => {}
                Entry::Whole(outcome) => mark(outcome),
                Entry::Inside {
                    inside, outside, ..
                }
                | Entry::Few {
                    inside, outside, ..
                } => {
                    mark(inside);
                    mark(outside);
                }
                Entry::List(place) => {
                    list::read(&self.pool, place).for_each(|record| mark(Outcome(record as u16)));
                }
            }
        }
    }

    /// Outcome of /24s without a bit, and of those with one and without an entry.
    fn root(&self, index: u32) -> (Outcome, Outcome) {
        let word = Memory::root(self, index);
        (Outcome(word as u16), Outcome((word >> 16) as u16))
    }

    /// Whether /24s of a group have the main outcome.
    fn uses_main(&self, group: u32) -> bool {
        self.bits(group).count_ones() > self.entries.count(group)
    }

    /// As the programs find it.
    pub(super) fn find(&self, address: Ipv4Addr) -> Outcome {
        find(self, u32::from(address))
    }

    /// Bytes in use of lines and pool.
    pub(super) fn used(&self) -> u64 {
        (self.entries.used() + self.pool.used()) * 8
    }
}

impl LineMemory for V4 {
    type Line = [AtomicU64; LANES];

    fn line(&self, index: u32) -> Option<&Self::Line> {
        let first = index as usize * LANES;
        self.lines.get(first..first + LANES)?.try_into().ok()
    }

    fn lane(line: &Self::Line, lane: usize) -> u64 {
        line[lane].load(Acquire)
    }
}

impl Memory for V4 {
    fn known(&self, index: u32) -> u64 {
        load_64(&self.known, index)
    }

    fn root(&self, index: u32) -> u32 {
        load(&self.roots, index)
    }

    fn bits(&self, index: u32) -> u64 {
        load_64(&self.bits, index)
    }

    fn head(&self) -> Lines {
        Lines {
            first: load(&self.head, 0),
            count: load(&self.head, 1),
            scale: load(&self.head, 2),
        }
    }

    fn pool(&self, index: u32) -> u64 {
        self.pool.read(index)
    }
}

fn load(words: &Region32, index: u32) -> u32 {
    let word = words.get(index as usize);
    word.map_or(0, |word| word.load(Acquire))
}

fn load_64(words: &Region64, index: u32) -> u64 {
    let word = words.get(index as usize);
    word.map_or(0, |word| word.load(Acquire))
}
