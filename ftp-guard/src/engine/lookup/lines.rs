//! Where the entries of a table of lines stand, whatever they say.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, Release},
};

use ftp_guard_common::lookup::lines::{
    FEWEST_LINES, GONE, LANES, Lines, MOST_LINES, PROBES, Place,
};

/// A lane, and the number of its line among those of its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    lane: u32,
    probe: u32,
}

/// A table of lines and who writes it. An entry never moves. `words` are all lines of a region, in which the table has
/// its own.
#[derive(Default)]
pub struct LineTable {
    lines: Lines,
    /// Bits of an entry below its key.
    shift: u32,
    /// By line, a bit for each lane that has an entry or is promised to one.
    occupied: Vec<u8>,
    /// By line, how many entries have their place in a later one of their lines: as long as there is one no lane may
    /// be empty.
    passed: Vec<u32>,
}

impl LineTable {
    /// Gives an empty table its lines.
    pub fn resize(&mut self, lines: Lines, shift: u32) {
        self.lines = lines;
        self.shift = shift;
        self.occupied = vec![0; lines.count as usize];
        self.passed = vec![0; lines.count as usize];
    }

    /// Its lines.
    pub const fn lines(&self) -> Lines {
        self.lines
    }

    /// Lanes that have an entry.
    pub fn used(&self) -> u64 {
        let count = |lanes: &u8| u64::from(lanes.count_ones());
        self.occupied.iter().map(count).sum()
    }

    /// All entries, and what has gone.
    pub fn entries<'a>(&'a self, words: &'a [AtomicU64]) -> impl Iterator<Item = u64> + 'a {
        let first = self.lines.first as usize * LANES;
        let all = words.get(first..first + self.lines.count as usize * LANES);
        let entries = all.unwrap_or_default().iter();
        entries
            .map(|word| word.load(Relaxed))
            .filter(|word| *word != 0)
    }

    /// The entry of a place.
    pub fn find(&self, words: &[AtomicU64], place: Place) -> Option<(Spot, u64)> {
        for probe in 0..PROBES {
            let line = place.line(probe, self.lines.count);
            if let Some((lane, word)) = self.named(words, line, place.key(probe)) {
                return (!self.is_gone(word)).then_some((Spot { lane, probe }, word));
            }
            if *self.passed.get(line as usize)? == 0 {
                break;
            }
        }
        None
    }

    const fn is_gone(&self, word: u64) -> bool {
        word & !(u64::MAX << self.shift) == GONE
    }

    /// The lane of a line with this key.
    fn named(&self, words: &[AtomicU64], line: u32, key: u64) -> Option<(u32, u64)> {
        let first = (self.lines.first + line) as usize * LANES;
        let lanes = words.get(first..first + LANES)?;
        (0..).zip(lanes).find_map(|(lane, word)| {
            let word = word.load(Relaxed);
            let is_it = word != 0 && word >> self.shift == key;
            is_it.then_some((line * LANES as u32 + lane, word))
        })
    }

    /// Promises a lane to who has none. Promises of one plan have to be kept in the order in which they were
    /// given, before anything is removed: where an entry of the same name has been before, another one may come to
    /// stand.
    pub fn promise(&mut self, words: &[AtomicU64], place: Place) -> Option<Spot> {
        (0..PROBES).find_map(|probe| {
            let line = place.line(probe, self.lines.count);
            let occupied = *self.occupied.get(line as usize)?;
            if occupied == u8::MAX {
                return None;
            }
            // A key must not be in a line twice. Where nothing was passed on there are no marks with keys.
            let is_marked = self.passed[line as usize] != 0;
            let lane = is_marked
                .then(|| self.named(words, line, place.key(probe)))
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

    /// Writes an entry over the one that is there. `body`: what stands below the key.
    pub fn replace(&self, words: &[AtomicU64], place: Place, spot: Spot, body: u64) {
        let word = place.key(spot.probe) << self.shift | body;
        self.store(words, spot.lane as usize, word);
    }

    /// Writes an entry to a lane that was promised.
    pub fn insert(&mut self, words: &[AtomicU64], place: Place, spot: Spot, body: u64) {
        for probe in 0..spot.probe {
            self.passed[place.line(probe, self.lines.count) as usize] += 1;
        }
        self.replace(words, place, spot, body);
    }

    /// Removes an entry. `watch` is told of each store.
    pub fn remove(
        &mut self,
        words: &[AtomicU64],
        place: Place,
        spot: Spot,
        watch: &mut dyn FnMut(),
    ) {
        let line = spot.lane as usize / LANES;
        self.release(spot);
        if self.passed[line] == 0 {
            self.store(words, spot.lane as usize, 0);
        } else {
            self.replace(words, place, spot, GONE);
        }
        watch();
        for probe in 0..spot.probe {
            let line = place.line(probe, self.lines.count) as usize;
            self.passed[line] -= 1;
            if self.passed[line] == 0 {
                self.clear(words, line, watch);
            }
        }
    }

    /// Empties the lanes of a line that have no entry.
    fn clear(&self, words: &[AtomicU64], line: usize, watch: &mut dyn FnMut()) {
        for lane in 0..LANES {
            if self.occupied[line] >> lane & 1 == 0 {
                self.store(words, line * LANES + lane, 0);
                watch();
            }
        }
    }

    fn store(&self, words: &[AtomicU64], lane: usize, word: u64) {
        words[self.lines.first as usize * LANES + lane].store(word, Release);
    }
}

/// The fewest lines, at least so many, in which all entries have a lane and three of five are in use at most. They
/// are placed as [`LineTable::promise`] places them in an empty table, in this order. `place`: the place of each in a
/// table of so many lines.
pub fn lines_for<T: Copy>(entries: &[T], place: impl Fn(T, u32) -> Place, fewest: u32) -> u32 {
    let wanted = entries.len() as u64 * 5 / (3 * LANES as u64) + 1;
    let mut lines = u32::try_from(wanted)
        .unwrap_or(MOST_LINES)
        .max(fewest)
        .clamp(FEWEST_LINES, MOST_LINES);
    while lines < MOST_LINES && !fits(entries, &place, lines) {
        lines = (lines + lines / 8).min(MOST_LINES);
    }
    lines
}

fn fits<T: Copy>(entries: &[T], place: impl Fn(T, u32) -> Place, lines: u32) -> bool {
    let mut used = vec![0_u8; lines as usize];
    entries.iter().all(|entry| {
        let place = place(*entry, lines);
        let free = (0..PROBES)
            .map(|probe| place.line(probe, lines) as usize)
            .find(|line| usize::from(used[*line]) < LANES);
        if let Some(line) = free {
            used[line] += 1;
        }
        free.is_some()
    })
}
