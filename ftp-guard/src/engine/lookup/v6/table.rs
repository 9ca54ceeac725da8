//! The units of a table, and how the programs come to know of them.

use ftp_guard_common::lookup::{
    Outcome,
    lines::{Lines, Place},
    v6::{Entry, Unit, key_shift},
};

use super::{
    super::lines::{LineTable, Spot, lines_for},
    arrays::Arrays,
    filter::Filter,
    prefixes::Level,
};

/// A table of units.
pub struct Table {
    level: Level,
    lines: LineTable,
    /// By /16, how many units there are.
    units: Vec<u32>,
    /// All of them.
    count: u32,
}

impl Table {
    /// Of no lines.
    pub fn new(level: Level) -> Self {
        Self {
            level,
            lines: LineTable::default(),
            units: vec![0; 1 << 16],
            count: 0,
        }
    }

    /// Gives it its lines.
    pub fn resize(&mut self, lines: Lines) {
        self.lines.resize(lines, key_shift(lines.count));
    }

    /// How many lines it has.
    pub const fn lines(&self) -> u32 {
        self.lines.lines().count
    }

    /// Lanes that have an entry.
    pub fn used(&self) -> u64 {
        self.lines.used()
    }

    /// Tells all outcomes of its entries.
    pub fn mark(&self, arrays: &Arrays, mark: &mut dyn FnMut(Outcome)) {
        for word in self.lines.entries(&arrays.lines) {
            match Entry::unpack(word, self.lines()) {
                Entry::Gone => {}
                Entry::Whole(says) => mark(says),
                Entry::One(place) => mark(Outcome(arrays.pool.read(place) as u16)),
                Entry::List(place) => arrays.mark_list(place, mark),
            }
        }
    }

    /// The entry of a unit.
    pub fn find(&self, arrays: &Arrays, unit: u64) -> Option<(Spot, Entry)> {
        if self.count == 0 {
            return None;
        }
        let (spot, word) = self.lines.find(&arrays.lines, self.place(unit))?;
        Some((spot, Entry::unpack(word, self.lines())))
    }

    /// As [`LineTable::promise`].
    pub fn promise(&mut self, arrays: &Arrays, unit: u64) -> Option<Spot> {
        let place = self.place(unit);
        self.lines.promise(&arrays.lines, place)
    }

    /// Takes a promise back.
    pub fn release(&mut self, spot: Spot) {
        self.lines.release(spot);
    }

    /// Writes an entry over the one that the unit has.
    pub fn replace(&self, arrays: &Arrays, unit: u64, spot: Spot, entry: Entry) {
        let body = entry.body(self.lines());
        self.lines
            .replace(&arrays.lines, self.place(unit), spot, body);
    }

    /// Writes an entry to a lane that was promised, and lets the programs find it. `watch` is told of each store.
    pub fn insert(
        &mut self,
        arrays: &Arrays,
        filter: &mut Filter,
        unit: u64,
        spot: Spot,
        entry: Entry,
        watch: &mut dyn FnMut(&Arrays),
    ) {
        for bit in self.bits_around(unit) {
            filter.set(arrays, bit, watch);
        }
        let (place, body) = (self.place(unit), entry.body(self.lines()));
        self.lines.insert(&arrays.lines, place, spot, body);
        watch(arrays);
        filter.set(arrays, self.bit(unit), watch);
        let root = self.root(unit);
        self.count += 1;
        self.units[root as usize] += 1;
        if self.units[root as usize] == 1 {
            self.set_flag(arrays, root, true);
            watch(arrays);
        }
    }

    /// Removes an entry.
    pub fn remove(
        &mut self,
        arrays: &Arrays,
        filter: &mut Filter,
        unit: u64,
        spot: Spot,
        watch: &mut dyn FnMut(&Arrays),
    ) {
        let root = self.root(unit);
        self.count -= 1;
        self.units[root as usize] -= 1;
        if self.units[root as usize] == 0 {
            self.set_flag(arrays, root, false);
            watch(arrays);
        }
        filter.clear(arrays, self.bit(unit), watch);
        for bit in self.bits_around(unit) {
            filter.clear(arrays, bit, watch);
        }
        let place = self.place(unit);
        let watch = &mut || watch(arrays);
        self.lines.remove(&arrays.lines, place, spot, watch);
    }

    fn set_flag(&self, arrays: &Arrays, root: u32, is_set: bool) {
        arrays.set_root(root, |root| match self.level {
            Level::Units48 => root.has_48 = is_set,
            _ => root.has_32 = is_set,
        });
    }

    const fn root(&self, unit: u64) -> u32 {
        (unit >> (self.level.bits() - 16)) as u32
    }

    const fn bit(&self, unit: u64) -> u32 {
        match self.level {
            Level::Units48 => mixed(self.level, unit).bit_48(),
            _ => mixed(self.level, unit).bit_32(),
        }
    }

    const fn bits_around(&self, unit: u64) -> [u32; 2] {
        Unit::of_32(unit << (64 - self.level.bits())).bits_around()
    }

    const fn place(&self, unit: u64) -> Place {
        mixed(self.level, unit).place(self.lines())
    }
}

const fn mixed(level: Level, unit: u64) -> Unit {
    let address_high = unit << (64 - level.bits());
    match level {
        Level::Units48 => Unit::of_48(address_high),
        _ => Unit::of_32(address_high),
    }
}

/// Lines for so many units, at least `fewest`.
pub fn lines_for_units(level: Level, units: &[u64], fewest: u32) -> u32 {
    let place = |unit, lines| mixed(level, unit).place(lines);
    lines_for(units, place, fewest)
}
