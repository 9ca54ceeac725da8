//! What entries of units say.

use super::super::{
    Outcome,
    lines::{GONE, PROBE_BITS, scale},
};

/// What an entry says of its unit. In 64 bits: [`Place::key`](super::super::lines::Place::key) (highest), kind (2), payload
/// (`11 + floor(log2(lines))`). No entry is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Kind 0: nothing is said any more. The payload is [`GONE`].
    Gone,
    /// Kind 1: the same of all of it; the outcome.
    Whole(Outcome),
    /// Kind 2: one prefix, at this place in the pool. Its first word: 16 bits behind the unit (highest), the
    /// prefix's length behind the unit (8, above the outcome), outcome inside (16, lowest). For a length above
    /// 16 the second word: the last 64 bits of the address. Outside nothing is said.
    One(u32),
    /// Kind 3: a list, at this place in the pool. Its first word is the number of its records, at most
    /// [`MOST_RECORDS`](super::MOST_RECORDS); they follow, two words each: first address behind the unit, 16 bits (highest) and 64
    /// (the second word), outcome (16, lowest of the first word). Sorted; the first one starts at 0.
    List(u32),
}

const WHOLE: u64 = 1;
const ONE: u64 = 2;
const LIST: u64 = 3;

impl Entry {
    /// What stands below the key.
    #[must_use]
    pub const fn body(self, lines: u32) -> u64 {
        let (kind, payload) = match self {
            Self::Gone => (0, GONE),
            Self::Whole(outcome) => (WHOLE, outcome.0 as u64),
            Self::One(place) => (ONE, place as u64),
            Self::List(place) => (LIST, place as u64),
        };
        kind << (key_shift(lines) - 2) | payload
    }

    /// Read.
    #[inline(always)]
    #[must_use]
    pub const fn unpack(word: u64, lines: u32) -> Self {
        Self::unpack_by(word, scale(lines))
    }

    /// As [`Entry::unpack`], with the logarithm at hand.
    #[inline(always)]
    pub(super) const fn unpack_by(word: u64, scale: u32) -> Self {
        let shift = (KEY_SHIFT - 2 + scale) & 63;
        let payload = (word & ((1 << shift) - 1)) as u32;
        match word >> shift & 3 {
            WHOLE => Self::Whole(Outcome(payload as u16)),
            ONE => Self::One(payload),
            LIST => Self::List(payload),
            _ => Self::Gone,
        }
    }

    /// The most that a place may be.
    #[must_use]
    pub const fn most_place(lines: u32) -> u64 {
        (1 << (key_shift(lines) - 2)) - 1
    }
}

/// Bits below the key, in a table of one line.
pub(super) const KEY_SHIFT: u32 = 16 - PROBE_BITS;

/// Bits below the key.
#[must_use]
pub const fn key_shift(lines: u32) -> u32 {
    KEY_SHIFT + scale(lines)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::lines::PROBES,
            unit::tests::{SIZES, unit},
        },
        *,
    };

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
                    let word = place.key(probe) << key_shift(lines) | entry.body(lines);
                    assert_eq!(Entry::unpack(word, lines), entry);
                    assert_eq!(word >> key_shift(lines), place.key(probe));
                    assert_ne!(entry.body(lines), 0);
                }
            }
        }
    }
}
