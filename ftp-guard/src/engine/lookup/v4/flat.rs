//! What a list says of each address of a /18.

use ftp_guard_common::{
    allow::AllowValue,
    lookup::{
        Outcome,
        v4::{FEW, FEW_OUTCOMES, prefix_bits},
    },
};

use super::walk::{Listed, key};

/// The /24s of a /18.
pub const SLOTS: usize = 64;

/// What is said of a /24 of which not all is said the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mixed {
    /// One prefix; its 9 bits are those of [`prefix_bits`].
    Inside {
        prefix: u16,
        inside: Outcome,
        outside: Outcome,
    },
    /// Some prefixes with the same outcome, as [`Entry::Few`](ftp_guard_common::lookup::v4::Entry::Few) has them.
    Few {
        prefixes: [u16; FEW],
        inside: Outcome,
        outside: Outcome,
    },
    /// Records, by their positions in [`Flat::records`].
    List { first: usize, end: usize },
}

/// The positions of the ones of a number, the lowest first.
pub fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = bits.trailing_zeros() as usize;
        bits &= bits.checked_sub(1)?;
        Some(lowest)
    })
}

/// A /18.
pub struct Flat {
    /// What is said of each /24 that is not mixed.
    pub whole: [Outcome; SLOTS],
    /// The mixed ones, the lowest first.
    pub mixed: Vec<(usize, Mixed)>,
    /// A bit for each mixed one.
    pub mixed_bits: u64,
    /// First address and outcome, as in a list of the pool.
    pub records: Vec<u32>,
}

impl Flat {
    pub fn new() -> Self {
        Self {
            whole: [Outcome::NONE; SLOTS],
            mixed: Vec::new(),
            mixed_bits: 0,
            records: Vec::new(),
        }
    }

    /// A bit for each /24 that is not mixed and of which something else is said.
    pub fn differs(&self, from: Outcome) -> u64 {
        let mut bits = 0;
        for (slot, outcome) in self.whole.iter().enumerate() {
            bits |= u64::from(*outcome != from) << slot;
        }
        bits & !self.mixed_bits
    }

    /// Reads the entries inside the /18, of 18 bits and more. `base` counts around them. `of` gives an entry's
    /// outcome by that around it; nothing: it gave none.
    pub fn fill(
        &mut self,
        entries: &[Listed],
        base: Outcome,
        mut of: impl FnMut(&AllowValue, Outcome) -> Option<Outcome>,
    ) -> Option<()> {
        self.whole = [base; SLOTS];
        self.mixed.clear();
        self.mixed_bits = 0;
        self.records.clear();
        let mut at = 0;
        while let Some(entry) = entries.get(at) {
            let (slot, _, bits) = place(entry);
            if bits <= 24 {
                // The entries before it that reach here are those around it.
                let outcome = of(&entry.1, self.whole[slot])?;
                let end = SLOTS.min(slot + (1_usize << (24 - bits)));
                self.whole[slot..end].fill(outcome);
                at += 1;
                continue;
            }
            let mut end = at + 1;
            while entries.get(end).is_some_and(|entry| place(entry).0 == slot) {
                end += 1;
            }
            self.mix(slot, &entries[at..end], &mut of)?;
            at = end;
        }
        Some(())
    }

    fn mix(
        &mut self,
        slot: usize,
        entries: &[Listed],
        of: &mut impl FnMut(&AllowValue, Outcome) -> Option<Outcome>,
    ) -> Option<()> {
        let outside = self.whole[slot];
        if let [entry] = entries {
            let (_, last, bits) = place(entry);
            let inside = of(&entry.1, outside)?;
            if inside != outside {
                let prefix = prefix_bits(last, u32::from(bits) - 24);
                let mixed = Mixed::Inside {
                    prefix,
                    inside,
                    outside,
                };
                self.push(slot, mixed);
            }
            return Some(());
        }
        let mut painted = [outside; 256];
        for entry in entries {
            let (_, last, bits) = place(entry);
            let last = usize::from(last);
            let outcome = of(&entry.1, painted[last])?;
            let end = 256.min(last + (1_usize << (32 - bits)));
            painted[last..end].fill(outcome);
        }
        let first = self.records.len();
        let mut before = None;
        for (start, outcome) in painted.iter().enumerate() {
            if before != Some(*outcome) {
                self.records
                    .push((start as u32) << 24 | u32::from(outcome.0));
                before = Some(*outcome);
            }
        }
        let records = &self.records[first..];
        if let [_] = records {
            self.whole[slot] = painted[0];
            self.records.truncate(first);
            return Some(());
        }
        let mixed = match as_one_prefix(records).or_else(|| as_few(records)) {
            Some(mixed) => {
                self.records.truncate(first);
                mixed
            }
            None => Mixed::List {
                first,
                end: self.records.len(),
            },
        };
        self.push(slot, mixed);
        Some(())
    }

    fn push(&mut self, slot: usize, mixed: Mixed) {
        self.mixed.push((slot, mixed));
        self.mixed_bits |= 1 << slot;
    }
}

/// Number of the /24 in its /18, last byte, length.
fn place(entry: &Listed) -> (usize, u8, u8) {
    let (address, bits) = key(entry);
    ((address >> 8 & 63) as usize, address as u8, bits)
}

/// The records of one prefix; nothing: they are not such.
pub fn as_one_prefix(records: &[u32]) -> Option<Mixed> {
    let start = |at: usize| records.get(at).map_or(256, |record| record >> 24);
    let outcome = |at: usize| records.get(at).map(|record| Outcome(*record as u16));
    let inside = |at: usize, outside: usize| {
        let (first, length) = (start(at), start(at + 1) - start(at));
        let is_prefix = length.is_power_of_two() && first % length == 0;
        let (inside, outside) = (outcome(at)?, outcome(outside)?);
        is_prefix.then(|| Mixed::Inside {
            prefix: prefix_bits(first as u8, 8 - length.ilog2()),
            inside,
            outside,
        })
    };
    match records.len() {
        2 => inside(0, 1).or_else(|| inside(1, 0)),
        3 if outcome(0) == outcome(2) => inside(1, 0),
        _ => None,
    }
}

/// The records of some prefixes with the same outcome; nothing: they are not such, or have not the room.
fn as_few(records: &[u32]) -> Option<Mixed> {
    let outcome = |record: &u32| Outcome(*record as u16);
    let [one, other, ..] = records else {
        return None;
    };
    let (one, other) = (outcome(one), outcome(other));
    let is_either = |record: &u32| outcome(record) == one || outcome(record) == other;
    // Neighbours differ: with more there are more than fit.
    if records.len() > 2 * FEW + 1
        || one.0.max(other.0) >= FEW_OUTCOMES
        || !records.iter().all(is_either)
    {
        return None;
    }
    [(other, one), (one, other)]
        .into_iter()
        .find_map(|(inside, outside)| {
            Some(Mixed::Few {
                prefixes: prefixes_of(records, inside)?,
                inside,
                outside,
            })
        })
}

/// The prefixes that have an outcome. Nothing: there are too many.
fn prefixes_of(records: &[u32], inside: Outcome) -> Option<[u16; FEW]> {
    let mut prefixes = [0; FEW];
    let mut count = 0;
    let ends = records.iter().skip(1).map(|record| record >> 24);
    for (record, end) in records.iter().zip(ends.chain([256])) {
        let mut start = record >> 24;
        if Outcome(*record as u16) != inside {
            continue;
        }
        while start < end {
            // The largest that begins here and does not go beyond.
            let aligned = if start == 0 {
                128
            } else {
                start & start.wrapping_neg()
            };
            let length = aligned.min(1 << (end - start).ilog2());
            *prefixes.get_mut(count)? = prefix_bits(start as u8, 8 - length.ilog2());
            count += 1;
            start += length;
        }
    }
    let first = prefixes[0];
    prefixes[count..].fill(first);
    Some(prefixes)
}

#[cfg(test)]
mod tests {
    use ftp_guard_common::lookup::v4::is_inside;
    use proptest::prelude::*;

    use super::*;

    fn records_of(painted: &[u16; 256]) -> Vec<u32> {
        let differs = |at: usize| at == 0 || painted[at] != painted[at - 1];
        let starts = (0..256).filter(|at| differs(*at));
        starts
            .map(|at| (at as u32) << 24 | u32::from(painted[at]))
            .collect()
    }

    /// What is said of each address.
    fn said(mixed: &Mixed) -> Option<[u16; 256]> {
        let (prefixes, inside, outside) = match mixed {
            Mixed::Inside {
                prefix,
                inside,
                outside,
            } => (vec![*prefix], inside, outside),
            Mixed::Few {
                prefixes,
                inside,
                outside,
            } => (prefixes.to_vec(), inside, outside),
            Mixed::List { .. } => return None,
        };
        Some(std::array::from_fn(|last| {
            let is_in = |prefix: &u16| is_inside(last as u32, u32::from(*prefix));
            let says = if prefixes.iter().any(is_in) {
                inside
            } else {
                outside
            };
            says.0
        }))
    }

    #[test]
    fn one_prefix_and_its_records_say_the_same() {
        for bits in 1..=8 {
            let length = 1 << (8 - bits);
            for first in (0..256).step_by(length) {
                let mut painted = [9; 256];
                painted[first..first + length].fill(5);
                let mixed = as_one_prefix(&records_of(&painted)).unwrap();
                assert_eq!(said(&mixed), Some(painted));
            }
        }
    }

    proptest! {
        #[test]
        fn few_prefixes_and_their_records_say_the_same(
            prefixes in prop::collection::vec((any::<u8>(), 0_u32..8), 1..5),
            swap in any::<bool>(),
            high in prop_oneof![3 => Just(5_u16), 1 => 120_u16..140],
        ) {
            let (inside, outside) = if swap { (1, high) } else { (high, 1) };
            let mut painted = [outside; 256];
            let count = prefixes.len();
            for (last, bits) in prefixes {
                let length = 1_usize << bits;
                let first = usize::from(last) / length * length;
                painted[first..first + length].fill(inside);
            }
            let records = records_of(&painted);
            let few = as_few(&records);
            if let Some(mixed) = &few {
                prop_assert_eq!(said(mixed), Some(painted));
            }
            // As many as there is room for always have it.
            let fits = count <= FEW && records.len() > 1 && high < FEW_OUTCOMES;
            prop_assert!(few.is_some() || !fits, "{records:x?}");
        }
    }

    #[test]
    fn three_outcomes_are_a_list() {
        let mut painted = [1; 256];
        painted[..4].fill(2);
        painted[8..12].fill(3);
        assert_eq!(as_few(&records_of(&painted)), None);
    }
}
