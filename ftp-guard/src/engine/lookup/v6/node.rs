//! What is said of a unit, as entry and pool hold it.

use ftp_guard_common::lookup::{Outcome, v6::Entry};

use super::{
    super::Pool,
    prefixes::{Records, record},
};

/// Bits of a record's address.
const BITS: u32 = 80;

/// Words of the block of a list. Long ones are rounded up by an eighth at most: blocks of few different lengths are
/// used again more often.
pub const fn list_words(records: usize) -> u32 {
    let words = 1 + 2 * records as u32;
    if words < 16 {
        words
    } else {
        words.next_multiple_of(1 << (words.ilog2() - 3))
    }
}

/// What an entry needs in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// Nothing is said.
    Nothing,
    /// The same of all.
    Whole(Outcome),
    /// One prefix, so many bits behind the unit.
    One {
        start: u128,
        length: u32,
        says: Outcome,
    },
    /// Anything.
    List,
}

impl Node {
    /// The smallest that holds the records.
    pub fn of(records: &Records) -> Self {
        let (start, says, end) = match records[..] {
            [(_, Outcome::NONE)] | [] => return Self::Nothing,
            [(_, says)] => return Self::Whole(says),
            [(_, Outcome::NONE), (start, says)] => (start, says, 1 << BITS),
            [(start, says), (end, Outcome::NONE)] => (start, says, end),
            [(_, Outcome::NONE), (start, says), (end, Outcome::NONE)] => (start, says, end),
            _ => return Self::List,
        };
        let size = end - start;
        if size.is_power_of_two() && start & (size - 1) == 0 {
            Self::One {
                start,
                length: BITS - size.ilog2(),
                says,
            }
        } else {
            Self::List
        }
    }

    /// Words of its block.
    pub const fn words(self, records: usize) -> u32 {
        match self {
            Self::Nothing | Self::Whole(_) => 0,
            Self::One { length, .. } => one_words(length),
            Self::List => list_words(records),
        }
    }
}

const fn one_words(length: u32) -> u32 {
    if length > 16 { 2 } else { 1 }
}

/// Writes the records as an entry; nothing: the pool is full.
pub fn write(pool: &mut Pool, records: &Records, scratch: &mut Vec<u64>) -> Option<Entry> {
    let node = Node::of(records);
    match node {
        Node::Nothing => Some(Entry::Gone),
        Node::Whole(says) => Some(Entry::Whole(says)),
        Node::One {
            start,
            length,
            says,
        } => {
            let first = high(start) | u64::from(length) << 16 | u64::from(says.0);
            let words = one_words(length);
            let place = pool.take(words)?;
            pool.write(place, &[first, start as u64][..words as usize]);
            Some(Entry::One(place))
        }
        Node::List => write_list(pool, records, scratch).map(Entry::List),
    }
}

/// Writes the records as a list; nothing: the pool is full.
pub fn write_list(pool: &mut Pool, records: &Records, scratch: &mut Vec<u64>) -> Option<u32> {
    let place = pool.take(list_words(records.len()))?;
    scratch.clear();
    scratch.push(records.len() as u64);
    for (start, says) in records {
        scratch.extend([high(*start) | u64::from(says.0), *start as u64]);
    }
    pool.write(place, scratch);
    Some(place)
}

/// The highest 16 bits of a record's address, where a word has them.
const fn high(start: u128) -> u64 {
    (start >> 64 << 48) as u64
}

/// The records of an entry.
pub fn read(pool: &Pool, entry: Entry, records: &mut Records) {
    records.clear();
    match entry {
        Entry::Gone => records.push((0, Outcome::NONE)),
        Entry::Whole(says) => records.push((0, says)),
        Entry::One(place) => {
            let word = pool.read(place);
            let length = length_of(word);
            let low = if one_words(length) > 1 {
                pool.read(place + 1)
            } else {
                0
            };
            let start = u128::from(word >> 48) << 64 | u128::from(low);
            let end = start + (1 << (BITS - length));
            record(records, 0, Outcome::NONE);
            record(records, start, Outcome(word as u16));
            if end < 1 << BITS {
                record(records, end, Outcome::NONE);
            }
        }
        Entry::List(place) => {
            let count = pool.read(place) as u32;
            records.extend((0..count).map(|number| {
                let word = pool.read(place + 1 + 2 * number);
                let low = pool.read(place + 2 + 2 * number);
                let start = u128::from(word >> 48) << 64 | u128::from(low);
                (start, Outcome(word as u16))
            }));
        }
    }
}

/// Place and length of an entry's block.
pub fn block(pool: &Pool, entry: Entry) -> Option<(u32, u32)> {
    match entry {
        Entry::Gone | Entry::Whole(_) => None,
        Entry::One(place) => Some((place, one_words(length_of(pool.read(place))))),
        Entry::List(place) => Some((place, list_words(pool.read(place) as usize))),
    }
}

const fn length_of(word: u64) -> u32 {
    (word >> 16 & 0xff) as u32
}

/// What is said by `new` and, where that says nothing, by `old`.
pub fn either(old: &Records, new: &Records, records: &mut Records) {
    records.clear();
    let (mut at_old, mut at_new) = (0, 0);
    let (mut by_old, mut by_new) = (Outcome::NONE, Outcome::NONE);
    loop {
        let next_old = old.get(at_old).map_or(u128::MAX, |next| next.0);
        let next_new = new.get(at_new).map_or(u128::MAX, |next| next.0);
        let start = next_old.min(next_new);
        if start == u128::MAX {
            return;
        }
        if next_old == start {
            by_old = old[at_old].1;
            at_old += 1;
        }
        if next_new == start {
            by_new = new[at_new].1;
            at_new += 1;
        }
        let says = if by_new == Outcome::NONE {
            by_old
        } else {
            by_new
        };
        record(records, start, says);
    }
}
