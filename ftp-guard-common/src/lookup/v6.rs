//! IPv6: what the longest prefix of three tables says, each for a range of lengths: the unit of 48 bits that an
//! address is in knows the prefixes of 48 bits and more, that of 32 bits those of 28 to 47 (the shorter ones
//! of these are 2 to 16 units), and the root those of up to 27.
//!
//! | array | size | holds |
//! |---|---|---|
//! | root | 65,536 x `u64` | by /16: [`Root`] |
//! | filter | [`FILTER_WORDS`] x `u64` | bits of units: those of 48 bits, then those of 32 |
//! | lines | lines of 8 x `u64` | entries by unit: those of 48 bits, then those of 32 |
//! | pool | `u64`s | nodes |
//!
//! An address is mixed, without loss, into 32 bits that choose bit and line and up to 16 more. What the choice
//! of the line leaves of them is the tag: it fits exactly one unit.

use super::{last_not_above, outcome::Outcome};

/// /16s.
pub const ROOTS: u32 = 1 << 16;
/// Bits of units of 48 bits.
pub const FILTER_48: u32 = 1 << 24;
/// Bits of units of 32 bits.
pub const FILTER_32: u32 = 1 << 22;
/// Words of both.
pub const FILTER_WORDS: u32 = (FILTER_48 + FILTER_32) / 64;
/// Entries of a line.
pub const LANES: usize = 8;
/// How many lines are looked into at most. They are far apart: neighbours fill up together, and with two thirds of
/// all lanes in use four neighbours are full for every two hundredth unit, but eight others for one in millions.
pub const PROBES: u32 = 1 << PROBE_BITS;
const PROBE_BITS: u32 = 3;
/// Fewest lines of a table.
pub const FEWEST_LINES: u32 = 64;
/// Most lines of a table.
pub const MOST_LINES: u32 = 1 << 22;

/// The size of a table of lines.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Its first line.
    pub first: u32,
    /// How many lines it has, [`FEWEST_LINES`] to [`MOST_LINES`]; 0: there is none.
    pub count: u32,
    /// The binary logarithm of `count`, rounded down: the verifier follows each way to reckon it by itself.
    pub scale: u32,
}

impl Lines {
    /// So many lines, from `first` on.
    #[must_use]
    pub const fn new(first: u32, count: u32) -> Self {
        Self {
            first,
            count,
            scale: scale(count),
        }
    }
}

/// What the programs are told of the arrays: an array of one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Lines of units of 48 bits.
    pub lines_48: Lines,
    /// Lines of units of 32 bits.
    pub lines_32: Lines,
}

/// Words of 32 bits of a [`Head`].
pub const HEAD_WORDS: u32 = size_of::<Head>() as u32 / 4;

/// What a program reads. Out of range is 0.
pub trait Memory {
    /// Eight entries, on a cache line of their own.
    type Line;

    /// The sizes.
    fn head(&self) -> Head;
    /// The word of a /16.
    fn root(&self, index: u32) -> u64;
    /// A word of the filter.
    fn filter(&self, index: u32) -> u64;
    /// A line.
    fn line(&self, index: u32) -> Option<&Self::Line>;
    /// One of the [`LANES`] entries of a line.
    fn lane(line: &Self::Line, lane: usize) -> u64;
    /// A word of the pool.
    fn pool(&self, index: u32) -> u64;

    /// [`entry_of`], of which the programs make a subprogram.
    #[inline(always)]
    fn entry(&self, search: Search) -> u64
    where
        Self: Sized,
    {
        entry_of(self, search)
    }

    /// [`of_list`], of which the programs make a subprogram.
    #[inline(always)]
    fn list(&self, place: u32, high: u16, low: u64) -> Outcome
    where
        Self: Sized,
    {
        of_list(self, place, high, low)
    }
}

/// The word of a /16: outcome of its shorter prefixes (16 bits, lowest), place of the list of those of 17 to 27
/// bits (32), 0: there is none; 1 bit: there are units of 32 bits, 1 bit: of 48.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// By prefixes of up to 16 bits.
    pub outcome: Outcome,
    /// Place of the list.
    pub list: u32,
    /// Whether the filter and the lines know units of 32 bits here.
    pub has_32: bool,
    /// Of 48 bits.
    pub has_48: bool,
}

impl Root {
    /// In 64 bits.
    #[must_use]
    pub const fn pack(self) -> u64 {
        self.outcome.0 as u64
            | (self.list as u64) << 16
            | (self.has_32 as u64) << 48
            | (self.has_48 as u64) << 49
    }

    /// Read.
    #[inline(always)]
    #[must_use]
    pub const fn unpack(word: u64) -> Self {
        Self {
            outcome: Outcome(word as u16),
            list: (word >> 16) as u32,
            has_32: word >> 48 & 1 != 0,
            has_48: word >> 49 & 1 != 0,
        }
    }
}

/// A unit, mixed: different units of a table differ in `high` or in `low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unit {
    /// Chooses filter bit and line.
    pub high: u32,
    /// The rest.
    pub low: u16,
}

impl Unit {
    /// Of 48 bits: the first 64 of an address.
    #[inline(always)]
    #[must_use]
    pub const fn of_48(address_high: u64) -> Self {
        let low = (address_high >> 16) as u16;
        let high = (address_high >> 32) as u32;
        Self {
            high: mix(high.wrapping_add((low as u32).wrapping_mul(0x9e37_79b1))),
            low,
        }
    }

    /// Of 32 bits.
    #[inline(always)]
    #[must_use]
    pub const fn of_32(address_high: u64) -> Self {
        Self {
            high: mix((address_high >> 32) as u32),
            low: 0,
        }
    }

    /// Number of the filter bit of a unit of 48 bits.
    #[inline(always)]
    #[must_use]
    pub const fn bit_48(self) -> u32 {
        self.high >> 8
    }

    /// Number of the filter bit of a unit of 32 bits.
    #[inline(always)]
    #[must_use]
    pub const fn bit_32(self) -> u32 {
        FILTER_48 + (self.high >> 10)
    }

    /// Where its entry may be in a table of so many lines.
    #[inline(always)]
    #[must_use]
    pub const fn place(self, lines: u32) -> Place {
        self.place_by(lines, scale(lines))
    }

    /// As [`Unit::place`], with the logarithm at hand.
    #[inline(always)]
    const fn place_by(self, lines: u32, scale: u32) -> Place {
        let product = self.high as u64 * lines as u64;
        // Two of the same line differ by at least `lines` in the lower half, and by at least 1 behind the shift.
        let rest = (product as u32 >> (scale & 31)) as u64;
        let tag = rest << 16 | self.low as u64;
        let spread = tag.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        Place {
            home: (product >> 32) as u32,
            // The last line is less than once around the table away from the first.
            stride: 1 + ((spread * (lines / PROBES) as u64) >> 16) as u32,
            tag,
        }
    }
}

/// Where the entry of a unit may be. Line and number of the line tell the tag's unit: the stride follows from the
/// tag, and the home from the stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The first line.
    pub home: u32,
    /// How far it is from each line to the next.
    pub stride: u32,
    /// What is left of the unit.
    pub tag: u64,
}

impl Place {
    /// The line of a number below [`PROBES`], counted from the table's first.
    #[inline(always)]
    #[must_use]
    pub const fn line(self, probe: u32, lines: u32) -> u32 {
        let at = self.home.wrapping_add(self.stride.wrapping_mul(probe));
        if at < lines {
            at
        } else {
            at.wrapping_sub(lines)
        }
    }

    /// What an entry has above its kind in the line of that number: the tag, of `48 - floor(log2(lines))` bits, and
    /// the number.
    #[inline(always)]
    #[must_use]
    pub const fn key(self, probe: u32) -> u64 {
        self.tag << PROBE_BITS | probe as u64
    }
}

/// The binary logarithm of a number of lines, rounded down; 0 of none.
const fn scale(lines: u32) -> u32 {
    match lines {
        0 => 0,
        _ => lines.ilog2(),
    }
}

/// A permutation of 32 bits in which each bit depends on all (the finalizer of MurmurHash3).
#[inline(always)]
const fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x85eb_ca6b);
    x ^= x >> 13;
    x = x.wrapping_mul(0xc2b2_ae35);
    x ^ x >> 16
}

/// What an entry says of its unit. In 64 bits: [`Place::key`] (highest), kind (2), payload
/// (`11 + floor(log2(lines))`). No entry is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Kind 0: nothing is said any more. It stands where an entry has gone from a line that was full, so that the
    /// search still goes on to the next one; the payload is 1. A unit is in no line after one that has its name.
    Gone,
    /// Kind 1: the same of all of it; the outcome.
    Whole(Outcome),
    /// Kind 2: one prefix, at this place in the pool. Its first word: 16 bits behind the unit (highest), the
    /// prefix's length behind the unit (8, above the outcome), outcome inside (16, lowest). For a length above
    /// 16 the second word: the last 64 bits of the address. Outside nothing is said.
    One(u32),
    /// Kind 3: a list, at this place in the pool. Its first word is the number of its records, at most
    /// [`MOST_RECORDS`]; they follow, two words each: first address behind the unit, 16 bits (highest) and 64
    /// (the second word), outcome (16, lowest of the first word). Sorted; the first one starts at 0.
    List(u32),
}

/// Records of a list.
pub const MOST_RECORDS: u32 = 1 << 24;
const MOST_RECORDS_BITS: u32 = 24;

const WHOLE: u64 = 1;
const ONE: u64 = 2;
const LIST: u64 = 3;

impl Entry {
    /// In 64 bits. `key`: [`Place::key`].
    #[must_use]
    pub const fn pack(self, key: u64, lines: u32) -> u64 {
        let (kind, payload) = match self {
            Self::Gone => (0, 1),
            Self::Whole(outcome) => (WHOLE, outcome.0 as u64),
            Self::One(place) => (ONE, place as u64),
            Self::List(place) => (LIST, place as u64),
        };
        key << key_shift(lines) | kind << (key_shift(lines) - 2) | payload
    }

    /// Read.
    #[inline(always)]
    #[must_use]
    pub const fn unpack(word: u64, lines: u32) -> Self {
        Self::unpack_by(word, scale(lines))
    }

    /// As [`Entry::unpack`], with the logarithm at hand.
    #[inline(always)]
    const fn unpack_by(word: u64, scale: u32) -> Self {
        let shift = (KEY_SHIFT - 2 + scale) & 63;
        let payload = (word & ((1 << shift) - 1)) as u32;
        match word >> shift & 3 {
            WHOLE => Self::Whole(Outcome(payload as u16)),
            ONE => Self::One(payload),
            LIST => Self::List(payload),
            _ => Self::Gone,
        }
    }

    /// The key of an entry.
    #[must_use]
    pub const fn key(word: u64, lines: u32) -> u64 {
        word >> key_shift(lines)
    }

    /// The most that a place may be.
    #[must_use]
    pub const fn most_place(lines: u32) -> u64 {
        (1 << (key_shift(lines) - 2)) - 1
    }
}

/// Bits below the key, in a table of one line.
const KEY_SHIFT: u32 = 16 - PROBE_BITS;

/// Bits below the key.
const fn key_shift(lines: u32) -> u32 {
    KEY_SHIFT + scale(lines)
}

/// What is sought in the lines.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The line to look into first.
    pub at: u32,
    /// How far it is from each line to the next.
    pub stride: u32,
    /// The first line behind the table.
    pub end: u32,
    /// Lines of the table.
    pub count: u32,
    /// The key in the first line, where an entry has it.
    pub name: u64,
    /// The bits of the key.
    pub mask: u64,
}

impl Search {
    #[inline(always)]
    const fn of(lines: Lines, unit: Unit) -> Self {
        let place = unit.place_by(lines.count, lines.scale);
        let shift = (KEY_SHIFT + lines.scale) & 63;
        Self {
            at: lines.first.wrapping_add(place.home),
            stride: place.stride,
            end: lines.first.wrapping_add(lines.count),
            count: lines.count,
            name: place.key(0) << shift,
            mask: u64::MAX << shift,
        }
    }
}

/// The entry of a unit in a table, packed; 0: there is none. Lines are looked into until the last lane of one is
/// empty.
#[inline(always)]
pub fn entry_of<M: Memory>(memory: &M, search: Search) -> u64 {
    let Search {
        mut at,
        mut name,
        mask,
        ..
    } = search;
    let mut probe = 0;
    while probe < PROBES {
        let Some(line) = memory.line(at) else {
            return 0;
        };
        let mut lane = 0;
        while lane < LANES {
            let word = M::lane(line, lane);
            if word & mask == name && word != 0 {
                return word;
            }
            // Lanes are filled in their order. Where one before the last is empty, going on finds nothing either.
            if lane == LANES - 1 && word == 0 {
                return 0;
            }
            lane += 1;
        }
        // The lowest bit of the key.
        name = name.wrapping_add(mask.wrapping_neg());
        at = at.wrapping_add(search.stride);
        if at >= search.end {
            at = at.wrapping_sub(search.count);
        }
        probe += 1;
    }
    0
}

/// What a table says of an address in a unit.
#[inline(always)]
fn of_unit(memory: &impl Memory, lines: Lines, unit: Unit, high: u16, low: u64) -> Outcome {
    if lines.count < FEWEST_LINES {
        return Outcome::NONE;
    }
    match memory.entry(Search::of(lines, unit)) {
        0 => Outcome::NONE,
        entry => says(memory, Entry::unpack_by(entry, lines.scale), high, low),
    }
}

/// What an entry says of the address, of which `high` are the 16 bits behind the unit and `low` the last 64.
#[inline(always)]
fn says(memory: &impl Memory, entry: Entry, high: u16, low: u64) -> Outcome {
    match entry {
        Entry::Gone => Outcome::NONE,
        Entry::Whole(outcome) => outcome,
        Entry::One(place) => {
            let word = memory.pool(place);
            let length = (word >> 16 & 0xff) as u32;
            let is_inside = if length <= 16 {
                (u64::from(high) << 48 ^ word) >> (64_u32.wrapping_sub(length) & 63) == 0
            } else {
                let differ = memory.pool(place.wrapping_add(1)) ^ low;
                (word >> 48) as u16 == high && differ >> (80_u32.wrapping_sub(length) & 63) == 0
            };
            if is_inside {
                Outcome(word as u16)
            } else {
                Outcome::NONE
            }
        }
        Entry::List(place) => memory.list(place, high, low),
    }
}

/// What a list says of an address.
#[inline(always)]
pub fn of_list(memory: &impl Memory, place: u32, high: u16, low: u64) -> Outcome {
    let count = memory.pool(place) as u32;
    let first = place.wrapping_add(1);
    let at = last_not_above::<MOST_RECORDS_BITS>(first, count, 2, |at| {
        let start = (memory.pool(at) >> 48) as u16;
        start > high || start == high && memory.pool(at.wrapping_add(1)) > low
    });
    Outcome(memory.pool(at) as u16)
}

/// Where an address may be known: tables from the longest prefixes to the shortest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Units of 48 bits.
    Units48,
    /// Units of 32 bits.
    Units32,
    /// Prefixes of 17 to 27 bits.
    List,
    /// Prefixes of up to 16 bits.
    Root,
}

/// What one table says of an address in network byte order, read as two numbers of 64 bits.
#[inline(always)]
pub fn find_in(memory: &impl Memory, table: Table, high: u64, low: u64) -> Outcome {
    let root = Root::unpack(memory.root((high >> 48) as u32));
    match table {
        Table::Units48 if root.has_48 => {
            let unit = Unit::of_48(high);
            if !is_set(memory, unit.bit_48()) {
                return Outcome::NONE;
            }
            of_unit(memory, memory.head().lines_48, unit, high as u16, low)
        }
        Table::Units32 if root.has_32 => {
            let unit = Unit::of_32(high);
            if !is_set(memory, unit.bit_32()) {
                return Outcome::NONE;
            }
            of_unit(memory, memory.head().lines_32, unit, (high >> 16) as u16, 0)
        }
        Table::List if root.list != 0 => memory.list(root.list, (high >> 32) as u16, 0),
        Table::Root => root.outcome,
        _ => Outcome::NONE,
    }
}

/// Whether it is plain at once that the list says nothing of an address, of which `high` are the first 64 bits: its /16 has
/// no prefix but longer ones, and the filter knows none of its units. The root is loaded first, as in [`find_in`]: the
/// writer puts a grace between what takes the place of something and the end of that.
#[inline(always)]
pub fn says_nothing(memory: &impl Memory, high: u64) -> bool {
    let word = memory.root((high >> 48) as u32);
    if word == 0 {
        return true;
    }
    let root = Root::unpack(word);
    root.outcome == Outcome::NONE
        && root.list == 0
        && !(root.has_48 && is_set(memory, Unit::of_48(high).bit_48()))
        && !(root.has_32 && is_set(memory, Unit::of_32(high).bit_32()))
}

#[inline(always)]
fn is_set(memory: &impl Memory, bit: u32) -> bool {
    memory.filter(bit >> 6) >> (bit & 63) & 1 != 0
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::HashSet;

    use super::*;

    const SIZES: [u32; 7] = [64, 65, 127, 1_000, 65_536, 200_003, MOST_LINES];

    /// A unit of 32 bits whose mixed form is this.
    fn unit(high: u32) -> Unit {
        Unit { high, low: 0 }
    }

    #[test]
    fn a_key_and_its_line_tell_the_unit() {
        for lines in SIZES {
            // All that share a home: neighbours in the mixed form.
            let width = (u64::from(u32::MAX) / u64::from(lines)).min(1_000) as u32;
            for first in [0, 0x7fff_0000, u32::MAX - 2 * width] {
                let mut keys = HashSet::new();
                for high in first..first + 2 * width {
                    let place = unit(high).place(lines);
                    for probe in 0..PROBES {
                        let line = place.line(probe, lines);
                        assert!(line < lines);
                        assert!(place.key(probe) >> (64 - key_shift(lines)) == 0);
                        assert!(keys.insert((line, place.key(probe))), "{lines} {high}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_lines_of_a_unit_differ() {
        for lines in SIZES {
            for high in (0..u32::MAX).step_by(1_000_003) {
                let place = unit(high).place(lines);
                let all: HashSet<_> = (0..PROBES).map(|probe| place.line(probe, lines)).collect();
                assert_eq!(all.len(), PROBES as usize);
            }
        }
    }

    #[test]
    fn units_are_mixed_without_loss() {
        let unmix = |mut x: u32| {
            x ^= x >> 16;
            x = x.wrapping_mul(0x7ed1_b41d);
            x ^= x >> 13 ^ x >> 26;
            x = x.wrapping_mul(0xa5cb_9243);
            x ^ x >> 16
        };
        for number in 0..100_000_u64 {
            let address = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let Unit { high, low } = Unit::of_48(address);
            let first = unmix(high).wrapping_sub(u32::from(low).wrapping_mul(0x9e37_79b1));
            assert_eq!(
                u64::from(first) << 32 | u64::from(low) << 16,
                address >> 16 << 16
            );
            assert_eq!(u64::from(unmix(Unit::of_32(address).high)), address >> 32);
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        for lines in SIZES {
            let most = Entry::most_place(lines) as u32;
            let place = unit(u32::MAX).place(lines);
            for entry in [
                Entry::Gone,
                Entry::Whole(Outcome(u16::MAX)),
                Entry::One(most),
                Entry::List(most),
            ] {
                for probe in 0..PROBES {
                    let word = entry.pack(place.key(probe), lines);
                    assert_eq!(Entry::unpack(word, lines), entry);
                    assert_eq!(Entry::key(word, lines), place.key(probe));
                    assert_ne!(entry.pack(0, lines), 0);
                }
            }
        }
    }
}
