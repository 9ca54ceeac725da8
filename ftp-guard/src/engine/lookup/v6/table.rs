//! Where the entries of a table of units stand.

use std::sync::atomic::Ordering::Release;

use ftp_guard_common::lookup::{
    Outcome,
    v6::{Entry, FEWEST_LINES, LANES, Lines, MOST_LINES, Memory, PROBES, Place, Unit},
};

use super::{arrays::Arrays, filter::Filter, prefixes::Level};

/// A lane, and the number of its line among those of its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    lane: u32,
    probe: u32,
}

/// A table of units. An entry never moves.
pub struct Table {
    level: Level,
    lines: Lines,
    /// By line, a bit for each lane that has an entry or is promised to one.
    occupied: Vec<u8>,
    /// By line, how many entries have their place in a later one of their lines: as long as there is one no lane may
    /// be empty.
    passed: Vec<u32>,
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
            lines: Lines::default(),
            occupied: Vec::new(),
            passed: Vec::new(),
            units: vec![0; 1 << 16],
            count: 0,
        }
    }

    /// Gives it its lines.
    pub fn resize(&mut self, lines: Lines) {
        self.lines = lines;
        self.occupied = vec![0; lines.count as usize];
        self.passed = vec![0; lines.count as usize];
    }

    /// How many lines it has.
    pub const fn lines(&self) -> u32 {
        self.lines.count
    }

    /// Lanes that have an entry.
    pub fn used(&self) -> u64 {
        let count = |lanes: &u8| u64::from(lanes.count_ones());
        self.occupied.iter().map(count).sum()
    }

    /// Tells all outcomes of its entries.
    pub fn mark(&self, arrays: &Arrays, mark: &mut dyn FnMut(Outcome)) {
        for line in 0..self.lines.count {
            let Some(words) = arrays.line(self.lines.first + line) else {
                return;
            };
            for lane in 0..LANES {
                match Entry::unpack(Arrays::lane(words, lane), self.lines.count) {
                    Entry::Gone => {}
                    Entry::Whole(says) => mark(says),
                    Entry::One(place) => mark(Outcome(arrays.pool(place) as u16)),
                    Entry::List(place) => arrays.mark_list(place, mark),
                }
            }
        }
    }

    /// The entry of a unit.
    pub fn find(&self, arrays: &Arrays, unit: u64) -> Option<(Spot, Entry)> {
        if self.count == 0 {
            return None;
        }
        let place = self.place(unit);
        for probe in 0..PROBES {
            let line = place.line(probe, self.lines.count);
            if let Some((lane, entry)) = self.named(arrays, line, place.key(probe)) {
                return (entry != Entry::Gone).then_some((Spot { lane, probe }, entry));
            }
            if self.passed[line as usize] == 0 {
                break;
            }
        }
        None
    }

    /// The lane of a line with this key.
    fn named(&self, arrays: &Arrays, line: u32, key: u64) -> Option<(u32, Entry)> {
        let words = arrays.line(self.lines.first + line)?;
        (0..LANES).find_map(|lane| {
            let word = Arrays::lane(words, lane);
            (word != 0 && Entry::key(word, self.lines.count) == key).then(|| {
                let entry = Entry::unpack(word, self.lines.count);
                (line * LANES as u32 + lane as u32, entry)
            })
        })
    }

    /// Promises a lane to a unit that has none. Promises of one plan have to be kept in the order in which they were
    /// given: where an entry of the unit has been before, another one may come to stand.
    pub fn promise(&mut self, arrays: &Arrays, unit: u64) -> Option<Spot> {
        let place = self.place(unit);
        (0..PROBES).find_map(|probe| {
            let line = place.line(probe, self.lines.count);
            let occupied = self.occupied[line as usize];
            if occupied == u8::MAX {
                return None;
            }
            // A key must not be in a line twice. Where nothing was passed on there are no marks with keys.
            let is_marked = self.passed[line as usize] != 0;
            let lane = is_marked
                .then(|| self.named(arrays, line, place.key(probe)))
                .flatten()
                .map(|(lane, _)| lane)
                .filter(|lane| occupied >> (lane % LANES as u32) & 1 == 0)
                .unwrap_or_else(|| line * LANES as u32 + occupied.trailing_ones());
            self.occupied[line as usize] |= 1 << (lane % LANES as u32);
            Some(Spot { lane, probe })
        })
    }

    /// Takes a promise back.
    pub fn release(&mut self, spot: Spot) {
        self.occupied[spot.lane as usize / LANES] &= !(1 << (spot.lane as usize % LANES));
    }

    /// Writes an entry over the one that the unit has.
    pub fn replace(&self, arrays: &Arrays, unit: u64, spot: Spot, entry: Entry) {
        let key = self.place(unit).key(spot.probe);
        self.store(arrays, spot.lane, entry.pack(key, self.lines.count));
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
        let place = self.place(unit);
        for probe in 0..spot.probe {
            self.passed[place.line(probe, self.lines.count) as usize] += 1;
        }
        filter.set(arrays, self.bit_around(unit), watch);
        self.replace(arrays, unit, spot, entry);
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
        filter.clear(arrays, self.bit_around(unit), watch);
        let line = spot.lane as usize / LANES;
        self.release(spot);
        if self.passed[line] == 0 {
            self.store(arrays, spot.lane, 0);
        } else {
            self.replace(arrays, unit, spot, Entry::Gone);
        }
        watch(arrays);
        let place = self.place(unit);
        for probe in 0..spot.probe {
            let line = place.line(probe, self.lines.count) as usize;
            self.passed[line] -= 1;
            if self.passed[line] == 0 {
                self.clear(arrays, line, watch);
            }
        }
    }

    /// Empties the lanes of a line that have no entry.
    fn clear(&self, arrays: &Arrays, line: usize, watch: &mut dyn FnMut(&Arrays)) {
        for lane in 0..LANES {
            if self.occupied[line] >> lane & 1 == 0 {
                self.store(arrays, (line * LANES + lane) as u32, 0);
                watch(arrays);
            }
        }
    }

    fn store(&self, arrays: &Arrays, lane: u32, word: u64) {
        let at = self.lines.first as usize * LANES + lane as usize;
        arrays.lines[at].store(word, Release);
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

    const fn bit_around(&self, unit: u64) -> u32 {
        Unit::of_32(unit << (64 - self.level.bits())).bit_around()
    }

    const fn place(&self, unit: u64) -> Place {
        mixed(self.level, unit).place(self.lines.count)
    }
}

const fn mixed(level: Level, unit: u64) -> Unit {
    let address_high = unit << (64 - level.bits());
    match level {
        Level::Units48 => Unit::of_48(address_high),
        _ => Unit::of_32(address_high),
    }
}

/// The fewest lines, at least so many, in which all units have a lane and three of five are in use at most.
/// They are placed as [`Table::promise`] places them in an empty table, in this order.
pub fn lines_for(level: Level, units: &[u64], fewest: u32) -> u32 {
    let wanted = units.len() as u64 * 5 / (3 * LANES as u64) + 1;
    let mut lines = u32::try_from(wanted)
        .unwrap_or(MOST_LINES)
        .max(fewest)
        .clamp(FEWEST_LINES, MOST_LINES);
    while lines < MOST_LINES && !fits(level, units, lines) {
        lines = (lines + lines / 8).min(MOST_LINES);
    }
    lines
}

fn fits(level: Level, units: &[u64], lines: u32) -> bool {
    let mut used = vec![0_u8; lines as usize];
    units.iter().all(|unit| {
        let place = mixed(level, *unit).place(lines);
        let free = (0..PROBES)
            .map(|probe| place.line(probe, lines) as usize)
            .find(|line| usize::from(used[*line]) < LANES);
        if let Some(line) = free {
            used[line] += 1;
        }
        free.is_some()
    })
}
