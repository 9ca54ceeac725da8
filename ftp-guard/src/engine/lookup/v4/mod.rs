//! The part for IPv4.

mod dirty;
mod flat;
mod node;
mod pairs;
mod plan;
mod prepare;
mod sizes;
#[cfg(test)]
mod tests;
mod walk;
mod want;

use std::{
    net::Ipv4Addr,
    sync::atomic::Ordering::{Acquire, Release},
};

use ftp_guard_common::lookup::{
    Outcome,
    v4::{Entry, GROUPS, KNOWN_WORDS, Memory, PAIRS, PLACE_BITS, ROOTS, find},
};
use pairs::Pairs;
pub(super) use plan::Plan4;
use plan::Step;

use super::{Pool, Region32, Region64};

/// Whether stores become visible in their order, and loads happen in theirs. Where not, a grace between the
/// phases of an update has the same effect.
const IS_ORDERED: bool = cfg!(any(target_arch = "x86", target_arch = "x86_64"));

/// The arrays for IPv4 and who writes them.
pub(super) struct V4 {
    known: Region64,
    roots: Region32,
    bits: Region64,
    groups: Region32,
    pool: Pool,
    pairs: Pairs,
}

impl V4 {
    pub(super) fn new(
        known: Region64,
        roots: Region32,
        bits: Region64,
        groups: Region32,
        pool: Region64,
        pairs: Region32,
    ) -> Self {
        debug_assert_eq!(known.len(), KNOWN_WORDS as usize);
        debug_assert_eq!(roots.len(), ROOTS as usize);
        debug_assert_eq!(bits.len(), GROUPS as usize);
        debug_assert_eq!(groups.len(), GROUPS as usize);
        debug_assert_eq!(pairs.len(), PAIRS as usize);
        debug_assert!(pool.len() <= 1 << PLACE_BITS);
        Self {
            known,
            roots,
            bits,
            groups,
            pool: Pool::new(pool),
            pairs: Pairs::new(pairs),
        }
    }

    /// Gives back what a plan took that will not be published.
    pub(super) fn discard(&mut self, plan: Plan4) {
        for (place, words) in plan.taken {
            self.pool.undo(place, words);
        }
    }

    /// Does what was planned. No reader began before the last update ended.
    pub(super) fn publish(&mut self, plan: Plan4, grace: &dyn Fn()) {
        for step in plan.steps() {
            self.step(step, grace);
        }
        self.finish(plan);
    }

    fn step(&self, step: Step, grace: &dyn Fn()) {
        match step {
            Step::Known(at, word) => self.known[at as usize].store(word, Release),
            Step::Root(at, word) => self.roots[at as usize].store(word, Release),
            Step::Bits(at, word) => self.bits[at as usize].store(word, Release),
            Step::Group(at, word) => self.groups[at as usize].store(word, Release),
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
        if self.pairs.is_short() {
            self.sweep();
        }
    }

    /// Forgets pairs that nothing refers to.
    pub(super) fn sweep(&mut self) {
        let mut used = vec![false; PAIRS as usize];
        for entry in self.entries() {
            if let Entry::Inside { pair, .. } = entry {
                used[usize::from(pair)] = true;
            }
        }
        self.pairs.keep(|pair| used[usize::from(pair)]);
    }

    /// Tells all outcomes that the arrays hold, some more than once.
    pub(super) fn mark(&self, mark: &mut dyn FnMut(Outcome)) {
        for root in 0..ROOTS {
            let (default, main) = self.root(root);
            mark(default);
            mark(main);
        }
        self.pairs.outcomes().for_each(&mut *mark);
        for entry in self.entries() {
            match entry {
                Entry::Whole(outcome) => mark(outcome),
                // All pairs were told.
                Entry::Inside { .. } => {}
                Entry::List(place) => {
                    let count = node::list_count(&self.pool, place);
                    node::read(&self.pool, place + 1, count)
                        .for_each(|record| mark(Outcome(record as u16)));
                }
            }
        }
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        (0..GROUPS)
            .filter_map(|group| node::unpack(Memory::group(self, group)))
            .flat_map(|(place, count)| node::read(&self.pool, place, count))
            .map(Entry::unpack)
    }

    /// Outcome of /24s without a bit, and of those with one and without an entry.
    fn root(&self, index: u32) -> (Outcome, Outcome) {
        let word = Memory::root(self, index);
        (Outcome(word as u16), Outcome((word >> 16) as u16))
    }

    /// Whether /24s of a group have the main outcome.
    fn uses_main(&self, group: u32) -> bool {
        let entries = node::unpack(self.group(group)).map_or(0, |(_, count)| count);
        self.bits(group).count_ones() > entries
    }

    /// As the programs find it.
    pub(super) fn find(&self, address: Ipv4Addr) -> Outcome {
        find(self, u32::from(address))
    }

    /// Bytes of the pool that are in use.
    pub(super) fn used(&self) -> u64 {
        self.pool.used() * 8
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

    fn group(&self, index: u32) -> u32 {
        load(&self.groups, index)
    }

    fn pool(&self, index: u32) -> u64 {
        self.pool.read(index)
    }

    fn pair(&self, index: u32) -> u32 {
        load(&self.pairs.words, index)
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
