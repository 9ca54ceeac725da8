//! What a list says of each address of a /18.

use ftp_guard_common::{
    allow::AllowValue,
    lookup::{Outcome, v4::prefix_bits},
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
        let mixed = match as_one_prefix(records) {
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
