//! The entries of /24s, and how many each /18 has.

use std::sync::atomic::AtomicU64;

use ftp_guard_common::lookup::{
    lines::{Lines, Place},
    v4::{self, Entry, GROUPS, KEY_SHIFT},
};

use super::super::lines::{LineTable, Spot};

/// The table of lines of IPv4. A /24 is named by the first 24 bits of its addresses.
pub struct Entries {
    table: LineTable,
    /// By /18.
    counts: Vec<u8>,
}

impl Entries {
    /// Of no lines.
    pub fn new() -> Self {
        Self {
            table: LineTable::default(),
            counts: vec![0; GROUPS as usize],
        }
    }

    /// Gives it its lines.
    pub fn resize(&mut self, lines: Lines) {
        self.table.resize(lines, KEY_SHIFT);
    }

    /// How many lines it has.
    pub const fn lines(&self) -> u32 {
        self.table.lines().count
    }

    /// How many there are in a /18.
    pub fn count(&self, group: u32) -> u32 {
        u32::from(self.counts[group as usize])
    }

    /// Lanes that have an entry.
    pub fn used(&self) -> u64 {
        self.table.used()
    }

    /// All.
    pub fn all<'a>(&'a self, words: &'a [AtomicU64]) -> impl Iterator<Item = Entry> + 'a {
        self.table.entries(words).map(Entry::unpack)
    }

    /// That of a /24.
    pub fn find(&self, words: &[AtomicU64], net: u32) -> Option<(Spot, Entry)> {
        let (spot, word) = self.table.find(words, self.place(net))?;
        Some((spot, Entry::unpack(word)))
    }

    /// As [`LineTable::promise`].
    pub fn promise(&mut self, words: &[AtomicU64], net: u32) -> Option<Spot> {
        let place = self.place(net);
        self.table.promise(words, place)
    }

    /// Takes a promise back.
    pub fn release(&mut self, spot: Spot) {
        self.table.release(spot);
    }

    /// Writes an entry over the one that the /24 has.
    pub fn replace(&self, words: &[AtomicU64], net: u32, spot: Spot, entry: Entry) {
        self.table
            .replace(words, self.place(net), spot, entry.body());
    }

    /// Writes an entry to a lane that was promised.
    pub fn insert(&mut self, words: &[AtomicU64], net: u32, spot: Spot, entry: Entry) {
        self.counts[(net >> 6) as usize] += 1;
        let place = self.place(net);
        self.table.insert(words, place, spot, entry.body());
    }

    /// Removes an entry.
    pub fn remove(&mut self, words: &[AtomicU64], net: u32, spot: Spot) {
        self.counts[(net >> 6) as usize] -= 1;
        let place = self.place(net);
        self.table.remove(words, place, spot, &mut || {});
    }

    const fn place(&self, net: u32) -> Place {
        v4::place(net, self.table.lines())
    }
}
