//! IPv4: two bits for each /16 that tell of which the list says anything, a default for each /16, a bit for each /24 that differs
//! from it, and for those the entries of 64 /24s in a row.
//!
//! | array | size | holds |
//! |---|---|---|
//! | known | 2,048 x `u64` | two bits for each /16, the lowest first: [`LISTED`], [`HAS_DEFAULT`] |
//! | root | 65,536 x `u32` | by /16: outcome of /24s whose bit is 0, and above it that of /24s whose bit is 1 and that have no entry |
//! | bits | 262,144 x `u64` | by /18: a bit for each /24, the lowest first |
//! | groups | 262,144 x `u32` | by /18: place of its entries in the pool, and above [`PLACE_BITS`] their number less 1; 0: no entries |
//! | pool | `u64`s | entries, sorted by /24, two to a word, the first one in the low half; lists |
//! | pairs | [`PAIRS`] x `u32` | outcome inside a prefix, and above it that outside |
//!
//! An address costs one load from 16 KiB when nothing of its /16 is listed, one or two more that depend on nothing when its /24 has no bit, and two more, one after the
//! other, when it has; a list one or two more.

use super::{last_not_above, outcome::Outcome};

/// /16s.
pub const ROOTS: u32 = 1 << 16;
/// /16s of a word of known bits.
pub const KNOWN_ROOTS: u32 = 32;
/// Words of known bits.
pub const KNOWN_WORDS: u32 = ROOTS / KNOWN_ROOTS;
/// Known bit: something of the /16 is listed. 0: nothing is.
pub const LISTED: u64 = 1;
/// Known bit: the default of the /16 may be an outcome. 0: it is none.
pub const HAS_DEFAULT: u64 = 2;
/// /18s.
pub const GROUPS: u32 = 1 << 18;
/// Pairs of outcomes.
pub const PAIRS: u32 = 1 << 15;
/// Bits of a place in the pool, in words of 8 bytes. Word 0 is never used.
pub const PLACE_BITS: u32 = 26;
/// Bits of the place of a list.
pub const LIST_BITS: u32 = 24;

/// What a program reads. Out of range is 0. Each is one load that the compiler neither moves nor repeats: the
/// writer relies on their order.
pub trait Memory {
    /// The bits of 32 /16s, two of each.
    fn known(&self, index: u32) -> u64;
    /// The word of a /16.
    fn root(&self, index: u32) -> u32;
    /// The bits of a /18.
    fn bits(&self, index: u32) -> u64;
    /// The place of a /18's entries.
    fn group(&self, index: u32) -> u32;
    /// A word of the pool.
    fn pool(&self, index: u32) -> u64;
    /// A pair.
    fn pair(&self, index: u32) -> u32;
}

/// What an entry says of its /24. In 32 bits: number of the /24 in its /18 (6), kind (2), payload (24).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Kind 0: the same of all of it; the outcome.
    Whole(Outcome),
    /// Kind 1: the pair of this number, inside and outside of one prefix. `prefix` has 9 bits: those of the
    /// prefix behind the /24, a 1, zeros. The prefix stands above the 15 bits of the pair.
    Inside {
        /// The prefix.
        prefix: u16,
        /// The pair.
        pair: u16,
    },
    /// Kind 2: the list at this place in the pool. Its first word is the number of its records; they follow, two
    /// to a word: first address (8 bits, highest), outcome (16, lowest). Sorted; the first one starts at 0.
    List(u32),
}

const WHOLE: u32 = 0;
const INSIDE: u32 = 1;

impl Entry {
    /// The entry in 32 bits. `slot`: number of the /24 in its /18.
    #[must_use]
    pub const fn pack(self, slot: u8) -> u32 {
        let (kind, payload) = match self {
            Self::Whole(outcome) => (WHOLE, outcome.0 as u32),
            Self::Inside { prefix, pair } => (INSIDE, (prefix as u32) << 15 | pair as u32),
            Self::List(place) => (2, place),
        };
        (slot as u32) << 26 | kind << 24 | payload
    }

    /// The entry in 32 bits, read.
    #[inline(always)]
    #[must_use]
    pub const fn unpack(word: u32) -> Self {
        let payload = word & ((1 << LIST_BITS) - 1);
        match word >> 24 & 3 {
            WHOLE => Self::Whole(Outcome(payload as u16)),
            INSIDE => Self::Inside {
                prefix: (payload >> 15) as u16,
                pair: (payload & (PAIRS - 1)) as u16,
            },
            _ => Self::List(payload),
        }
    }
}

/// The 9 bits of a prefix of 25 to 32 bits: the address's last byte, and how many of its bits count.
#[must_use]
pub const fn prefix_bits(last: u8, bits: u32) -> u16 {
    let marker = 1_u16 << (8 - bits);
    ((last as u16) << 1 & !(marker * 2 - 1)) | marker
}

/// Whether a last byte is inside a prefix.
#[inline(always)]
const fn is_inside(last: u32, prefix: u32) -> bool {
    let marker = prefix & prefix.wrapping_neg();
    (last << 1 ^ prefix) & !(marker.wrapping_mul(2).wrapping_sub(1)) == 0
}

/// The known bits of a /16 in their word.
#[inline(always)]
const fn known_shift(net: u32) -> u32 {
    (net % KNOWN_ROOTS) * 2
}

/// Whether it is plain at once that the list says nothing of an address, without a search: nothing of its /16 is listed, or
/// the /16 has no default and the /24 no bit. The words are loaded in the order in which [`find`] does, which the writer
/// relies on. What is not known of the default from these words is not asked: that would be one word more for caches.
#[inline(always)]
pub fn says_nothing(memory: &impl Memory, address: u32) -> bool {
    let net = address >> 16;
    let known = memory.known(net / KNOWN_ROOTS) >> known_shift(net);
    if known & LISTED == 0 {
        return true;
    }
    let bit = memory.bits(address >> 14) >> (address >> 8 & 63) & 1;
    known & HAS_DEFAULT == 0 && bit == 0
}

/// What the list says of an address.
#[inline(always)]
pub fn find(memory: &impl Memory, address: u32) -> Outcome {
    let net = address >> 16;
    // The processor's nearest cache has all of these.
    if memory.known(net / KNOWN_ROOTS) >> known_shift(net) & LISTED == 0 {
        return Outcome::NONE;
    }
    let root = memory.root(net);
    let group = address >> 14;
    let slot = address >> 8 & 63;
    if memory.bits(group) >> slot & 1 == 0 {
        return Outcome(root as u16);
    }
    let absent = Outcome((root >> 16) as u16);
    let place = memory.group(group);
    if place == 0 {
        return absent;
    }
    let count = (place >> PLACE_BITS) + 1;
    let first = (place & ((1 << PLACE_BITS) - 1)) << 1;
    let at = last_not_above::<6>(first, count, 1, |at| half(memory, at) >> 26 > slot);
    let entry = half(memory, at);
    if entry >> 26 != slot {
        return absent;
    }
    let last = address & 255;
    match Entry::unpack(entry) {
        Entry::Whole(outcome) => outcome,
        Entry::Inside { prefix, pair } => {
            let pair = memory.pair(u32::from(pair));
            Outcome(if is_inside(last, u32::from(prefix)) {
                pair as u16
            } else {
                (pair >> 16) as u16
            })
        }
        Entry::List(list) => {
            let count = memory.pool(list) as u32;
            let first = list.wrapping_add(1) << 1;
            let at = last_not_above::<8>(first, count, 1, |at| half(memory, at) >> 24 > last);
            Outcome(half(memory, at) as u16)
        }
    }
}

/// 32 bits of the pool, by their number among all of it.
#[inline(always)]
fn half(memory: &impl Memory, number: u32) -> u32 {
    (memory.pool(number >> 1) >> ((number & 1) << 5)) as u32
}
