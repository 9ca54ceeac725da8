//! The counter table: packets and bytes by verdict, reason, class and family.

use crate::{
    class::{Family, PortClass},
    reason::{REASON_SLOTS, Reason, Verdict},
};

/// One cell of the per-CPU counter table.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Packets, since the table was made.
    pub packets: u64,
    /// Bytes of those packets as the hook sees them: from the Ethernet header to the end of the
    /// frame, without the frame check sequence. Padding that a driver puts into another buffer than a whole packet of
    /// less than 1,600 bytes is left out.
    pub bytes: u64,
}

/// What a [`Counter`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatsKey {
    /// What was done.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Class of the destination port.
    pub class: PortClass,
    /// IP version.
    pub family: Family,
}

const CLASS_SLOTS: u32 = 4;
const FAMILY_SLOTS: u32 = 4;

/// Entries of the counter table.
pub const STATS_LEN: u32 = Verdict::ALL.len() as u32 * REASON_SLOTS * CLASS_SLOTS * FAMILY_SLOTS;

impl StatsKey {
    /// The index of the counter in the table, below [`STATS_LEN`].
    #[inline(always)]
    #[must_use]
    pub const fn index(self) -> u32 {
        ((self.verdict as u32 * REASON_SLOTS + self.reason as u32) * CLASS_SLOTS
            + self.class as u32)
            * FAMILY_SLOTS
            + self.family as u32
    }

    /// Every key that the programs can count under, in the order of their indices.
    pub fn all() -> impl Iterator<Item = Self> {
        Verdict::ALL.into_iter().flat_map(|verdict| {
            Reason::ALL.iter().copied().flat_map(move |reason| {
                PortClass::ALL.into_iter().flat_map(move |class| {
                    Family::ALL.into_iter().map(move |family| Self {
                        verdict,
                        reason,
                        class,
                        family,
                    })
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_distinct_and_in_the_table() {
        let mut last = None;
        for key in StatsKey::all() {
            assert!(key.index() < STATS_LEN);
            assert!(last < Some(key.index()), "{key:?} is out of order");
            last = Some(key.index());
        }
    }
}
