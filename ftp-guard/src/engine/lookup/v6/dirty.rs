//! Which units an update concerns.

use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::prefixes::{Level, last_of};

/// Units, sorted, by [`Level`]; and /16s in ranges.
#[derive(Default)]
pub struct Dirty {
    pub units: [Vec<u64>; 3],
    pub roots: Vec<RangeInclusive<u32>>,
}

impl Dirty {
    /// All that the prefixes of IPv6 among these say something of in their tables.
    pub fn of<'a>(changed: impl Iterator<Item = &'a IpNet>) -> Self {
        let mut dirty = Self::default();
        for prefix in changed {
            let IpNet::V6(prefix) = prefix else { continue };
            let (address, length) = (u128::from(prefix.network()), prefix.prefix_len());
            let Some(level) = Level::of(length) else {
                let last = last_of(address, length);
                dirty
                    .roots
                    .push((address >> 112) as u32..=(last >> 112) as u32);
                continue;
            };
            let shift = 128 - level.bits();
            let last = last_of(address, length);
            // A unit, or as many as a prefix of 28 to 31 bits has.
            dirty.units[level as usize].extend((address >> shift) as u64..=(last >> shift) as u64);
        }
        for units in &mut dirty.units {
            units.sort_unstable();
            units.dedup();
        }
        dirty.roots.sort_unstable_by_key(|roots| *roots.start());
        dirty.roots.dedup_by(|next, last| {
            let together = *next.start() <= last.end() + 1;
            if together {
                *last = *last.start()..=*last.end().max(next.end());
            }
            together
        });
        dirty
    }
}
