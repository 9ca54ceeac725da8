//! IPv6: what the longest prefix of three tables says, each for a range of lengths: the unit of 48 bits that an
//! address is in knows the prefixes of 48 bits and more, that of 32 bits those of 28 to 47 (the shorter ones
//! of these are 2 to 16 units), and the root those of up to 27.
//!
//! | array | size | holds |
//! |---|---|---|
//! | root | 65,536 x `u64` | by /16: [`Root`] |
//! | filter | [`FILTER_WORDS`] x `u64` | bits of units: those of 48 bits, those of 32, and those of 32 with either inside |
//! | lines | lines of 8 x `u64` | entries by unit: those of 48 bits, then those of 32 |
//! | pool | `u64`s | nodes |
//!
//! An address is mixed, without loss, into 32 bits that choose bit and line and up to 16 more. What the choice
//! of the line leaves of them is the tag: it fits exactly one unit.

mod entry;
mod unit;

use entry::KEY_SHIFT;
pub use entry::{Entry, key_shift};
pub use unit::Unit;

use super::{
    last_not_above,
    lines::{FEWEST_LINES, LineMemory, Lines, Search, entry_of},
    outcome::Outcome,
};

/// /16s.
pub const ROOTS: u32 = 1 << 16;
/// Bits of units of 48 bits.
pub const FILTER_48: u32 = 1 << 24;
/// Bits of units of 32 bits.
pub const FILTER_32: u32 = 1 << 22;
/// Bits of units of 32 bits that are units themselves or have units of 48 bits inside.
pub const FILTER_AROUND: u32 = 1 << 22;
/// Words of all.
pub const FILTER_WORDS: u32 = (FILTER_48 + FILTER_32 + FILTER_AROUND) / 64;
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
pub trait Memory: LineMemory {
    /// The sizes.
    fn head(&self) -> Head;
    /// The word of a /16.
    fn root(&self, index: u32) -> u64;
    /// A word of the filter.
    fn filter(&self, index: u32) -> u64;
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

/// Records of a list.
pub const MOST_RECORDS: u32 = 1 << 24;
const MOST_RECORDS_BITS: u32 = 24;

/// What a table says of an address in a unit.
#[inline(always)]
fn of_unit(memory: &impl Memory, lines: Lines, unit: Unit, high: u16, low: u64) -> Outcome {
    if lines.count < FEWEST_LINES {
        return Outcome::NONE;
    }
    let place = unit.place_by(lines.count, lines.scale);
    let shift = (KEY_SHIFT + lines.scale) & 63;
    match memory.entry(Search::of(lines, place, shift)) {
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
/// writer puts a grace between what takes the place of something and the end of that. Then comes the smallest part of
/// the filter, which caches hold the longest and which mostly is enough.
#[inline(always)]
pub fn says_nothing(memory: &impl Memory, high: u64) -> bool {
    let word = memory.root((high >> 48) as u32);
    if word == 0 {
        return true;
    }
    let root = Root::unpack(word);
    if root.outcome != Outcome::NONE || root.list != 0 {
        return false;
    }
    let unit = Unit::of_32(high);
    let [one, other] = unit.bits_around();
    let around = memory.filter(one >> 6);
    let is_known = around >> (one & 63) & around >> (other & 63) & 1 != 0
        && (root.has_48 && is_set(memory, Unit::of_48(high).bit_48())
            || root.has_32 && is_set(memory, unit.bit_32()));
    !is_known
}

#[inline(always)]
fn is_set(memory: &impl Memory, bit: u32) -> bool {
    memory.filter(bit >> 6) >> (bit & 63) & 1 != 0
}
