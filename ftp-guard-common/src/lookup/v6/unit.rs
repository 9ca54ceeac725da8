//! Units of addresses, mixed, and the places where their entries may be.

use super::{
    super::lines::{Place, scale},
    FILTER_32, FILTER_48,
};

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

    /// Numbers of the filter bits of a unit of 32 bits that is one itself or has units of 48 bits inside. Both are in one
    /// word: the second one costs no load and turns away every third unit that the first one lets pass.
    #[inline(always)]
    #[must_use]
    pub const fn bits_around(self) -> [u32; 2] {
        let word = FILTER_48 + FILTER_32 + (self.high >> 16 << 6);
        [word + (self.high >> 10 & 63), word + (self.high >> 4 & 63)]
    }

    /// Where its entry may be in a table of so many lines. Its tag has `48 - floor(log2(lines))` bits.
    #[inline(always)]
    #[must_use]
    pub const fn place(self, lines: u32) -> Place {
        self.place_by(lines, scale(lines))
    }

    /// As [`Unit::place`], with the logarithm at hand.
    #[inline(always)]
    pub(super) const fn place_by(self, lines: u32, scale: u32) -> Place {
        let product = self.high as u64 * lines as u64;
        // Two of the same line differ by at least `lines` in the lower half, and by at least 1 behind the shift.
        let rest = (product as u32 >> (scale & 31)) as u64;
        let tag = rest << 16 | self.low as u64;
        Place::new((product >> 32) as u32, tag, lines)
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

#[cfg(test)]
pub(super) mod tests {
    extern crate std;

    use std::collections::HashSet;

    use super::{
        super::{
            super::lines::{MOST_LINES, PROBES},
            entry::key_shift,
        },
        *,
    };

    pub const SIZES: [u32; 7] = [64, 65, 127, 1_000, 65_536, 200_003, MOST_LINES];

    /// A unit of 32 bits whose mixed form is this.
    pub fn unit(high: u32) -> Unit {
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
}
