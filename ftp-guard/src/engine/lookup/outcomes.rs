//! Numbers for what entries say.

use std::{
    collections::HashMap,
    sync::atomic::Ordering::{Relaxed, Release},
};

use ftp_guard_common::{
    allow::{AllowValue, EntryKind},
    lookup::{Outcome, Row, outcome::ROWS},
};

use super::{Found, regions::Region64};

/// The rows of outcomes that expire.
pub struct Outcomes {
    rows: Region64,
    numbers: HashMap<Row, u16>,
    /// Numbers that were given out once and are not in use.
    free: Vec<u16>,
    /// The first number that was never given out.
    next: u32,
}

impl Outcomes {
    /// None yet.
    #[must_use]
    pub fn new(rows: Region64) -> Self {
        Self {
            rows,
            numbers: HashMap::new(),
            free: Vec::new(),
            next: u32::from(Outcome::FIRST_ROW),
        }
    }

    /// The outcome of an entry with `next` around it. Nothing: there are too many different ones, and
    /// [`Outcomes::keep`] may help. Its row stands before the number is told.
    pub fn of(&mut self, value: &AllowValue, mut next: Outcome) -> Option<Outcome> {
        let profile = u8::try_from(value.profile).unwrap_or(0);
        if !value.expires() {
            return Some(if value.excludes() {
                Outcome::EXCLUDED
            } else {
                Outcome::allowed(profile)
            });
        }
        let kind = if value.excludes() {
            EntryKind::Exclude
        } else {
            EntryKind::Allow
        };
        // What expires no later is never reached: without it, what repeats its surroundings is the same as they.
        while next.has_row() && self.row(next).expires_s <= value.expires_s {
            next = Outcome(self.row(next).next);
        }
        let row = Row {
            expires_s: value.expires_s,
            next: next.0,
            profile,
            kind: kind as u8,
        };
        if let Some(number) = self.numbers.get(&row) {
            return Some(Outcome(*number));
        }
        let number = match self.free.pop() {
            Some(number) => number,
            None if self.next < ROWS => {
                self.next += 1;
                (self.next - 1) as u16
            }
            None => return None,
        };
        self.rows[usize::from(number)].store(row.to_word(), Release);
        self.numbers.insert(row, number);
        Some(Outcome(number))
    }

    /// The row of an outcome that has one.
    #[must_use]
    pub fn row(&self, outcome: Outcome) -> Row {
        Row::from_word(self.rows[usize::from(outcome.0)].load(Relaxed))
    }

    /// What an outcome means at a time, by its first row that has not expired. Nothing: no prefix says anything.
    #[must_use]
    pub fn found(&self, mut outcome: Outcome, now_s: u64) -> Option<Found> {
        // Rows lead only to ones that expire later.
        while outcome.has_row() {
            let row = self.row(outcome);
            if u64::from(row.expires_s) > now_s {
                return Some(Found {
                    kind: if row.kind == EntryKind::Exclude as u8 {
                        EntryKind::Exclude
                    } else {
                        EntryKind::Allow
                    },
                    profile: u16::from(row.profile),
                    expires_s: row.expires_s,
                });
            }
            outcome = Outcome(row.next);
        }
        match outcome {
            Outcome::NONE => None,
            Outcome::EXCLUDED => Some(Found {
                kind: EntryKind::Exclude,
                profile: 0,
                expires_s: 0,
            }),
            allowed => Some(Found {
                kind: EntryKind::Allow,
                profile: allowed.profile(),
                expires_s: 0,
            }),
        }
    }

    /// Forgets all that are not in use: neither told by `is_used` nor next to one that is. No program may read what
    /// is forgotten.
    pub fn keep(&mut self, is_used: impl Fn(Outcome) -> bool) {
        let mut used = vec![false; ROWS as usize];
        for number in self.numbers.values() {
            let mut at = Outcome(*number);
            if !is_used(at) {
                continue;
            }
            while at.has_row() && !used[usize::from(at.0)] {
                used[usize::from(at.0)] = true;
                at = Outcome(self.row(at).next);
            }
        }
        let free = &mut self.free;
        self.numbers.retain(|_, number| {
            let stays = used[usize::from(*number)];
            if !stays {
                free.push(*number);
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    fn outcomes() -> Outcomes {
        Outcomes::new(Box::new(
            (0..ROWS).map(|_| AtomicU64::new(0)).collect::<Vec<_>>(),
        ))
    }

    fn value(expires_s: u32) -> AllowValue {
        AllowValue {
            expires_s,
            profile: 7,
            prefix_len: 24,
            kind: EntryKind::Allow as u8,
        }
    }

    #[test]
    fn the_same_has_the_same_number() {
        let mut outcomes = outcomes();
        assert_eq!(
            outcomes.of(&value(0), Outcome::NONE),
            Some(Outcome::allowed(7))
        );
        let first = outcomes.of(&value(5), Outcome::NONE).unwrap();
        assert_eq!(outcomes.of(&value(5), Outcome::NONE), Some(first));
        let second = outcomes.of(&value(4), first).unwrap();
        assert_ne!(second, first);
        assert_eq!(outcomes.row(second).next, first.0);
    }

    #[test]
    fn what_has_expired_by_then_is_not_in_the_chain() {
        let mut outcomes = outcomes();
        let outer = outcomes.of(&value(9), Outcome::EXCLUDED).unwrap();
        let middle = outcomes.of(&value(5), outer).unwrap();
        assert_eq!(outcomes.of(&value(5), middle), Some(middle));
        let inner = outcomes.of(&value(7), middle).unwrap();
        assert_eq!(outcomes.row(inner).next, outer.0);
        let last = outcomes.of(&value(9), inner).unwrap();
        assert_eq!(last, outer);
    }

    #[test]
    fn an_outcome_means_its_first_row_that_counts() {
        let mut outcomes = outcomes();
        let outer = outcomes.of(&value(9), Outcome::EXCLUDED).unwrap();
        let inner = outcomes.of(&value(5), outer).unwrap();
        let expiry = |now_s| outcomes.found(inner, now_s).unwrap();
        assert_eq!(expiry(4).expires_s, 5);
        assert_eq!(expiry(5).expires_s, 9);
        assert_eq!((expiry(8).kind, expiry(8).profile), (EntryKind::Allow, 7));
        assert_eq!(
            (expiry(9).kind, expiry(9).expires_s),
            (EntryKind::Exclude, 0)
        );
        assert_eq!(outcomes.found(Outcome::NONE, 0), None);
    }

    #[test]
    fn numbers_end_and_come_back() {
        let mut outcomes = outcomes();
        let mut last = Outcome::NONE;
        let mut count = 0;
        while let Some(outcome) = outcomes.of(&value(1 + count), Outcome::NONE) {
            last = outcome;
            count += 1;
        }
        assert_eq!(count, ROWS - u32::from(Outcome::FIRST_ROW));
        let outer = outcomes.numbers[&Row::from_word(outcomes.row(last).to_word())];
        outcomes.keep(|outcome| outcome.0 == outer);
        let inner = outcomes.of(&value(9), last).unwrap();
        outcomes.keep(|outcome| outcome == inner);
        assert_eq!(
            outcomes.of(&value(count), Outcome::NONE),
            Some(last),
            "it is next to one in use"
        );
    }
}
