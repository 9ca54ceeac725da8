//! IPv4: two bits for each /16 that tell of which the list says anything, a default for each /16, a bit for each /24 that differs
//! from it, and for those lines of entries.
//!
//! | array | size | holds |
//! |---|---|---|
//! | known | 2,048 x `u64` | two bits for each /16, the lowest first: [`LISTED`], [`HAS_DEFAULT`] |
//! | root | 65,536 x `u32` | by /16: outcome of /24s whose bit is 0, and above it that of /24s whose bit is 1 and that have no entry |
//! | bits | 262,144 x `u64` | by /18: a bit for each /24, the lowest first |
//! | lines | lines of 8 x `u64` | entries by /24 |
//! | pool | `u64`s | lists |
//! | head | [`Lines`] | how many lines there are |
//!
//! An address costs one load from 16 KiB when nothing of its /16 is listed, one or two more that depend on nothing when its /24 has no bit,
//! and one more from the lines when it has; a list three or four more.

use super::{
    last_not_above,
    lines::{FEWEST_LINES, GONE, LineMemory, Lines, PROBE_BITS, Place, Search, entry_of},
    outcome::Outcome,
};

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
/// Bits of the place of a list in the pool, in words of 8 bytes. Word 0 is never used.
pub const PLACE_BITS: u32 = 26;
/// Bits of an entry below its key.
pub const KEY_SHIFT: u32 = PAYLOAD_BITS + 2;
const PAYLOAD_BITS: u32 = 41;
/// Bits of the number of a /24.
const NET_BITS: u32 = 24;
const _: () = assert!(NET_BITS - FEWEST_LINES.ilog2() + PROBE_BITS + KEY_SHIFT <= 64);

/// What a program reads. Out of range is 0. Each is one load that the compiler neither moves nor repeats: the
/// writer relies on their order.
pub trait Memory: LineMemory {
    /// The bits of 32 /16s, two of each.
    fn known(&self, index: u32) -> u64;
    /// The word of a /16.
    fn root(&self, index: u32) -> u32;
    /// The bits of a /18.
    fn bits(&self, index: u32) -> u64;
    /// How many lines there are; all are one table.
    fn head(&self) -> Lines;
    /// A word of the pool.
    fn pool(&self, index: u32) -> u64;
}

/// What an entry says of its /24. In 64 bits: [`Place::key`] (21, highest), kind (2), payload (41). No entry is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Kind 0: there is none any more. The payload is [`GONE`].
    Gone,
    /// Kind 0: the same of all of it; the outcome, and the highest bit of the payload.
    Whole(Outcome),
    /// Kind 1: some prefixes with the same outcome. Unused ones repeat another one. The outcome outside stands highest (7
    /// bits), then that inside (7), then the prefixes (9 each), the last one highest.
    Few {
        /// The prefixes, as [`Entry::Inside`] has one.
        prefixes: [u16; FEW],
        /// Outcome inside of any, below [`FEW_OUTCOMES`].
        inside: Outcome,
        /// Outcome outside of all, below [`FEW_OUTCOMES`].
        outside: Outcome,
    },
    /// Kind 2: one prefix. `prefix` has 9 bits: those of the prefix behind the /24, a 1, zeros. It stands above the
    /// outcome outside (16), and that above the one inside (16).
    Inside {
        /// The prefix.
        prefix: u16,
        /// Outcome inside.
        inside: Outcome,
        /// Outcome outside.
        outside: Outcome,
    },
    /// Kind 3: the list at this place in the pool. Its first word is the number of its records; they follow, two
    /// to a word: first address (8 bits, highest), outcome (16, lowest). Sorted; the first one starts at 0.
    List(u32),
}

/// Prefixes of an [`Entry::Few`].
pub const FEW: usize = 3;
/// The first outcome that an [`Entry::Few`] has no room for.
pub const FEW_OUTCOMES: u16 = 1 << FEW_OUTCOME_BITS;
const FEW_OUTCOME_BITS: u32 = 7;
const PREFIX_BITS: u32 = 9;
const _: () = assert!(FEW as u32 * PREFIX_BITS + 2 * FEW_OUTCOME_BITS == PAYLOAD_BITS);

const KIND_FEW: u64 = 1;
const KIND_INSIDE: u64 = 2;
const KIND_LIST: u64 = 3;
const IS_WHOLE: u64 = 1 << (PAYLOAD_BITS - 1);

impl Entry {
    /// What stands below the key.
    #[must_use]
    pub const fn body(self) -> u64 {
        let (kind, payload) = match self {
            Self::Gone => (0, GONE),
            Self::Whole(outcome) => (0, IS_WHOLE | outcome.0 as u64),
            Self::Few {
                prefixes: [a, b, c],
                inside,
                outside,
            } => {
                let outcomes = (outside.0 as u64) << FEW_OUTCOME_BITS | inside.0 as u64;
                let prefixes = (c as u64) << PREFIX_BITS | b as u64;
                let prefixes = prefixes << PREFIX_BITS | a as u64;
                (KIND_FEW, outcomes << (3 * PREFIX_BITS) | prefixes)
            }
            Self::Inside {
                prefix,
                inside,
                outside,
            } => {
                let outcomes = (outside.0 as u64) << 16 | inside.0 as u64;
                (KIND_INSIDE, (prefix as u64) << 32 | outcomes)
            }
            Self::List(place) => (KIND_LIST, place as u64),
        };
        kind << PAYLOAD_BITS | payload
    }

    /// Read.
    #[inline(always)]
    #[must_use]
    pub fn unpack(word: u64) -> Self {
        match word >> PAYLOAD_BITS & 3 {
            KIND_FEW => {
                let outcome = |shift: u32| Outcome((word >> shift) as u16 & (FEW_OUTCOMES - 1));
                Self::Few {
                    prefixes: [
                        prefix_at(word, 0),
                        prefix_at(word, PREFIX_BITS),
                        prefix_at(word, 2 * PREFIX_BITS),
                    ],
                    inside: outcome(3 * PREFIX_BITS),
                    outside: outcome(3 * PREFIX_BITS + FEW_OUTCOME_BITS),
                }
            }
            KIND_INSIDE => Self::Inside {
                prefix: prefix_at(word, 32),
                inside: Outcome(word as u16),
                outside: Outcome((word >> 16) as u16),
            },
            KIND_LIST => Self::List(word as u32),
            _ if word & IS_WHOLE != 0 => Self::Whole(Outcome(word as u16)),
            _ => Self::Gone,
        }
    }
}

#[inline(always)]
const fn prefix_at(word: u64, shift: u32) -> u16 {
    (word >> shift) as u16 & ((1 << PREFIX_BITS) - 1)
}

/// Where the entry of a /24 may be in a table of so many lines; `net`: the first 24 bits of its addresses.
#[inline(always)]
#[must_use]
pub const fn place(net: u32, lines: Lines) -> Place {
    let product = mix(net) as u64 * lines.count as u64;
    // Two of the same line differ by at least `lines` in the lower part, and by at least 1 behind the shift.
    let tag = (product as u32 & NET_MASK) >> (lines.scale & 31);
    Place::new((product >> NET_BITS) as u32, tag as u64, lines.count)
}

const NET_MASK: u32 = (1 << NET_BITS) - 1;

/// A permutation of 24 bits: /24s beside each other come to stand far from each other.
#[inline(always)]
const fn mix(mut net: u32) -> u32 {
    net ^= net >> 12;
    net = net.wrapping_mul(0x00eb_ca6b) & NET_MASK;
    net ^= net >> 11;
    net = net.wrapping_mul(0x00b2_ae35) & NET_MASK;
    net ^ net >> 12
}

/// The 9 bits of a prefix of 25 to 32 bits: the address's last byte, and how many of its bits count.
#[must_use]
pub const fn prefix_bits(last: u8, bits: u32) -> u16 {
    let marker = 1_u16 << (8 - bits);
    ((last as u16) << 1 & !(marker * 2 - 1)) | marker
}

/// Whether a last byte is inside a prefix of 9 bits, as [`Entry::Inside`] has it.
#[inline(always)]
#[must_use]
pub const fn is_inside(last: u32, prefix: u32) -> bool {
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
    let lines = memory.head();
    if lines.count < FEWEST_LINES {
        return absent;
    }
    let search = Search::of(lines, place(address >> 8, lines), KEY_SHIFT);
    let entry = entry_of(memory, search);
    let last = address & 255;
    match Entry::unpack(entry) {
        Entry::Gone => absent,
        Entry::Whole(outcome) => outcome,
        Entry::Few {
            prefixes: [a, b, c],
            inside,
            outside,
        } => {
            let is_in = |prefix: u16| is_inside(last, u32::from(prefix));
            if is_in(a) | is_in(b) | is_in(c) {
                inside
            } else {
                outside
            }
        }
        Entry::Inside {
            prefix,
            inside,
            outside,
        } => {
            if is_inside(last, u32::from(prefix)) {
                inside
            } else {
                outside
            }
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

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::HashSet;

    use super::{
        super::lines::{LANES, MOST_LINES, PROBES},
        *,
    };

    const SIZES: [u32; 6] = [64, 65, 127, 1_000, 65_537, MOST_LINES];

    #[test]
    fn nets_are_mixed_without_loss() {
        let mut seen = std::vec![false; 1 << NET_BITS];
        for net in 0..1 << NET_BITS {
            let mixed = mix(net) as usize;
            assert!(!seen[mixed]);
            seen[mixed] = true;
        }
    }

    #[test]
    fn a_key_and_its_line_tell_the_net() {
        for count in SIZES {
            let lines = Lines::new(0, count);
            let mut keys = HashSet::new();
            for net in (0..1 << NET_BITS).step_by(211) {
                let place = place(net, lines);
                for probe in 0..PROBES {
                    let line = place.line(probe, count);
                    assert!(line < count);
                    assert!(place.key(probe) >> (64 - KEY_SHIFT) == 0);
                    assert!(keys.insert((line, place.key(probe))), "{count} {net}");
                }
            }
        }
    }

    #[test]
    fn neighbours_do_not_fill_lines() {
        for (first, step) in [
            (0x0a_0000, 1),
            (0x0a_0000, 4),
            (0xc0_a800, 256),
            (7, 65_536),
        ] {
            let lines = Lines::new(0, 64);
            let mut used = [0; 64];
            for at in 0..256_u32 {
                let net = (first + at * step) & NET_MASK;
                used[place(net, lines).home as usize] += 1;
            }
            let most = used.iter().max().unwrap();
            assert!(*most <= 2 * LANES, "{first:x} {step}: {most}");
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let key = u64::MAX << KEY_SHIFT;
        let most = Outcome(u16::MAX);
        for entry in [
            Entry::Gone,
            Entry::Whole(Outcome::NONE),
            Entry::Whole(most),
            Entry::Inside {
                prefix: 0x1ff,
                inside: most,
                outside: Outcome::NONE,
            },
            Entry::Inside {
                prefix: 1,
                inside: Outcome::NONE,
                outside: most,
            },
            Entry::Few {
                prefixes: [0x1ff, 1, 0x80],
                inside: Outcome(FEW_OUTCOMES - 1),
                outside: Outcome::NONE,
            },
            Entry::Few {
                prefixes: [1, 0x1fe, 0x1ff],
                inside: Outcome::NONE,
                outside: Outcome(FEW_OUTCOMES - 1),
            },
            Entry::List(u32::MAX),
        ] {
            assert_eq!(Entry::unpack(key | entry.body()), entry);
            assert_eq!(Entry::unpack(entry.body()), entry);
            assert_eq!(entry.body() & key, 0);
            assert_ne!(entry.body(), 0);
        }
        assert_eq!(Entry::unpack(0), Entry::Gone);
    }
}
