//! Numbers for pairs of outcomes.

use std::{collections::HashMap, sync::atomic::Ordering::Release};

use ftp_guard_common::lookup::{Outcome, v4::PAIRS};

use super::super::Region32;

/// The pairs that entries refer to.
pub struct Pairs {
    pub words: Region32,
    numbers: HashMap<u32, u16>,
    free: Vec<u16>,
    /// Asked for in vain since the last [`Pairs::keep`].
    misses: u32,
}

/// A sweep is a look at all entries: it is worth that for so many lists that need not be.
const WORTH_A_SWEEP: u32 = 4096;

impl Pairs {
    pub fn new(words: Region32) -> Self {
        Self {
            words,
            numbers: HashMap::new(),
            free: (0..PAIRS as u16).rev().collect(),
            misses: 0,
        }
    }

    /// The number of a pair, which stands before the number is told; nothing: there are too many.
    pub fn of(&mut self, inside: Outcome, outside: Outcome) -> Option<u16> {
        let pair = u32::from(outside.0) << 16 | u32::from(inside.0);
        if let Some(number) = self.numbers.get(&pair) {
            return Some(*number);
        }
        let Some(number) = self.free.pop() else {
            self.misses = self.misses.saturating_add(1);
            return None;
        };
        self.words[usize::from(number)].store(pair, Release);
        self.numbers.insert(pair, number);
        Some(number)
    }

    /// Whether many were asked for in vain.
    pub const fn is_short(&self) -> bool {
        self.misses >= WORTH_A_SWEEP
    }

    /// Forgets all that are not in use. No program may read what is forgotten.
    pub fn keep(&mut self, is_used: impl Fn(u16) -> bool) {
        self.misses = 0;
        let free = &mut self.free;
        self.numbers.retain(|_, number| {
            let stays = is_used(*number);
            if !stays {
                free.push(*number);
            }
            stays
        });
    }

    /// All outcomes of pairs.
    pub fn outcomes(&self) -> impl Iterator<Item = Outcome> {
        self.numbers
            .keys()
            .flat_map(|pair| [Outcome(*pair as u16), Outcome((*pair >> 16) as u16)])
    }
}
