//! The arrays, as their writer reads them.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, Release},
};

use ftp_guard_common::lookup::{
    Outcome,
    lines::{LANES, LineMemory, Lines},
    v6::{self, Head, Memory, Root, Table},
};

use super::super::{Found, Outcomes, Pool, Region32, Region64};

/// What the programs read.
pub struct Arrays {
    pub root: Region64,
    pub filter: Region64,
    pub lines: Region64,
    pub pool: Pool,
    pub head: Region32,
}

impl Arrays {
    /// What is found, by the tables from the longest prefixes to the shortest.
    pub fn find(&self, address: u128, now_s: u64, outcomes: &Outcomes) -> Option<Found> {
        [Table::Units48, Table::Units32, Table::List, Table::Root]
            .into_iter()
            .find_map(|table| {
                let says = v6::find_in(self, table, (address >> 64) as u64, address as u64);
                outcomes.found(says, now_s)
            })
    }

    /// The word of a /16.
    pub fn root(&self, index: u32) -> Root {
        Root::unpack(Memory::root(self, index))
    }

    /// Writes the word of a /16.
    pub fn set_root(&self, index: u32, change: impl FnOnce(&mut Root)) {
        let mut root = self.root(index);
        change(&mut root);
        self.root[index as usize].store(root.pack(), Release);
    }

    /// Writes a bit of the filter.
    pub fn set_bit(&self, bit: u32, is_set: bool) {
        let word = &self.filter[bit as usize / 64];
        let (mask, old) = (1 << (bit % 64), word.load(Relaxed));
        let new = if is_set { old | mask } else { old & !mask };
        word.store(new, Release);
    }

    /// Tells the programs where the lines are.
    pub fn set_head(&self, head: Head) {
        let words = [
            head.lines_48.first,
            head.lines_48.count,
            head.lines_48.scale,
            head.lines_32.first,
            head.lines_32.count,
            head.lines_32.scale,
        ];
        for (at, word) in self.head.iter().zip(words) {
            at.store(word, Release);
        }
    }

    /// Tells all outcomes of a list.
    pub fn mark_list(&self, place: u32, mark: &mut dyn FnMut(Outcome)) {
        for number in 0..self.pool.read(place) as u32 {
            mark(Outcome(self.pool.read(place + 1 + 2 * number) as u16));
        }
    }
}

impl LineMemory for Arrays {
    type Line = [AtomicU64; LANES];

    fn line(&self, index: u32) -> Option<&Self::Line> {
        let first = index as usize * LANES;
        self.lines.get(first..first + LANES)?.try_into().ok()
    }

    fn lane(line: &Self::Line, lane: usize) -> u64 {
        line[lane].load(Relaxed)
    }
}

impl Memory for Arrays {
    fn head(&self) -> Head {
        let word = |at: usize| self.head.get(at).map_or(0, |word| word.load(Relaxed));
        Head {
            lines_48: Lines::new(word(0), word(1)),
            lines_32: Lines::new(word(3), word(4)),
        }
    }

    fn root(&self, index: u32) -> u64 {
        load(&self.root, index)
    }

    fn filter(&self, index: u32) -> u64 {
        load(&self.filter, index)
    }

    fn pool(&self, index: u32) -> u64 {
        self.pool.read(index)
    }
}

fn load(words: &[AtomicU64], index: u32) -> u64 {
    words
        .get(index as usize)
        .map_or(0, |word| word.load(Relaxed))
}
