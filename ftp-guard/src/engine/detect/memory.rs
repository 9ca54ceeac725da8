//! What is remembered, and for how long: tables of fixed size, and counts within a window.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
    time::Duration,
};

use jiff::Timestamp;

/// Milliseconds of a clock that never goes back.
pub(super) type Ms = i64;

/// A duration in these; beyond all time if it does not fit.
pub(super) fn ms(time: Duration) -> Ms {
    Ms::try_from(time.as_millis()).unwrap_or(Ms::MAX)
}

/// Makes a clock that never goes back of one that may be set.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    latest: Option<Ms>,
    /// By how much it is ahead of what it is told.
    ahead: Ms,
}

impl Clock {
    /// By how much things may come out of order: several processors tell them.
    const DISORDER: Ms = 5_000;

    /// The time of what was seen at `time`, no earlier than any before it. When the clock was set back, time
    /// goes on from where it was.
    pub(super) fn at(&mut self, time: Timestamp) -> Ms {
        let told = time.as_millisecond();
        let latest = self.latest.unwrap_or(told);
        if latest.saturating_sub(told.saturating_add(self.ahead)) > Self::DISORDER {
            self.ahead = latest.saturating_sub(told);
        }
        let now = told.saturating_add(self.ahead).max(latest);
        self.latest = Some(now);
        now
    }
}

/// A table of fixed size that forgets what it was not asked about for the longest time.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    room: usize,
    entries: HashMap<K, (u64, V)>,
    /// The keys, by when they were asked for.
    order: BTreeMap<u64, K>,
    next: u64,
    forgotten: u64,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(room: usize) -> Self {
        Self {
            room,
            entries: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
            forgotten: 0,
        }
    }

    /// The value of a key, made if there is none.
    pub(super) fn of(&mut self, key: &K, make: impl FnOnce() -> V) -> &mut V {
        self.next += 1;
        let stamp = self.next;
        match self.entries.get(key).map(|(stamp, _)| *stamp) {
            Some(before) => {
                self.order.remove(&before);
            }
            None if self.entries.len() >= self.room => {
                if let Some((_, oldest)) = self.order.pop_first() {
                    self.entries.remove(&oldest);
                    self.forgotten += 1;
                }
            }
            None => {}
        }
        self.order.insert(stamp, key.clone());
        let entry = self.entries.entry(key.clone());
        let entry = entry.or_insert_with(|| (stamp, make()));
        entry.0 = stamp;
        &mut entry.1
    }

    /// The value of a key, if there is one; that counts as no question about it.
    pub(super) fn peek(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some((stamp, _)) = self.entries.remove(key) {
            self.order.remove(&stamp);
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.entries
            .iter_mut()
            .map(|(key, (_, value))| (key, value))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

/// The last times of something, as many as matter: exact.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(VecDeque<Ms>);

impl Times {
    /// Notes one; true if it is at least the `most`-th within `window`, and the count begins anew.
    pub(super) fn reach(&mut self, now: Ms, most: u32, window: Ms) -> bool {
        let most = most.max(1) as usize;
        self.0.push_back(now);
        while self.0.len() > most {
            self.0.pop_front();
        }
        let reached = self.0.len() == most
            && self
                .0
                .front()
                .is_some_and(|first| now.saturating_sub(*first) <= window);
        if reached {
            self.0.clear();
        }
        reached
    }
}

/// How many of something there were within a window, to a sixteenth of it: as much memory however many.
/// Never counts what is older.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slots {
    counts: [u32; Self::COUNT],
    /// The number of the newest slot.
    newest: i64,
}

impl Slots {
    const COUNT: usize = 16;

    /// Notes one; the count if it is at least `most`, which begins anew then.
    pub(super) fn reach(&mut self, now: Ms, most: u64, window: Ms) -> Option<u64> {
        let count = Self::COUNT as i64;
        let slot = now / (window / count).max(1);
        let passed = slot.saturating_sub(self.newest);
        if passed >= count || passed < 0 {
            self.counts = [0; Self::COUNT];
        } else {
            for empty in self.newest + 1..=slot {
                self.counts[Self::place(empty)] = 0;
            }
        }
        self.newest = slot;
        let current = &mut self.counts[Self::place(slot)];
        *current = current.saturating_add(1);
        let sum: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        if sum < most {
            return None;
        }
        self.counts = [0; Self::COUNT];
        Some(sum)
    }

    fn place(slot: i64) -> usize {
        usize::try_from(slot.rem_euclid(Self::COUNT as i64)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn time_never_goes_back() {
        let mut clock = Clock::default();
        assert_eq!(clock.at(at(100_000)), 100_000);
        assert_eq!(clock.at(at(99_000)), 100_000, "out of order");
        assert_eq!(clock.at(at(101_000)), 101_000);
        // Set back by a thousand seconds, and on from there.
        assert_eq!(clock.at(at(-899_000)), 101_000);
        assert_eq!(clock.at(at(-898_000)), 102_000);
        // Set right again: a leap.
        assert_eq!(clock.at(at(103_000)), 1_103_000);
    }

    #[test]
    fn the_least_recent_is_forgotten_first() {
        let mut table = Recent::new(2);
        *table.of(&'a', || 0) += 1;
        *table.of(&'b', || 0) += 1;
        *table.of(&'a', || 0) += 1;
        *table.of(&'c', || 0) += 1;
        assert_eq!(
            (table.peek(&'a'), table.peek(&'b'), table.peek(&'c')),
            (Some(&2), None, Some(&1))
        );
        assert_eq!((table.len(), table.forgotten()), (2, 1));
        table.remove(&'a');
        table.remove(&'a');
        table.of(&'d', || 0);
        assert_eq!(
            (table.len(), table.forgotten(), table.order.len()),
            (2, 1, 2)
        );
    }

    #[test]
    fn a_window_counts_what_lies_in_it() {
        let mut times = Times::default();
        let reached = [0, 10, 100, 105, 110, 111, 112].map(|now| times.reach(now, 3, 20));
        assert_eq!(reached, [false, false, false, false, true, false, false]);
        let mut slots = Slots::default();
        let reached = [0, 900, 1_700, 1_800, 1_900].map(|now| slots.reach(now, 3, 1_600));
        assert_eq!(reached, [None, None, None, Some(3), None]);
    }

    proptest! {
        /// Against counting by hand: a slot count never has too many, and never misses what is well inside.
        #[test]
        fn slots_count_no_more_than_there_are(steps in prop::collection::vec(0..400_i64, 1..200)) {
            let (window, most) = (1_600, 12);
            let (mut slots, mut seen, mut now) = (Slots::default(), Vec::new(), 0_i64);
            for step in steps {
                now += step;
                seen.push(now);
                let within = |window: i64| seen.iter().filter(|time| now - **time <= window).count() as u64;
                match slots.reach(now, most, window) {
                    Some(count) => {
                        prop_assert!(count >= most && count <= within(window));
                        seen.clear();
                    }
                    None => prop_assert!(within(window - 100) < most),
                }
            }
        }

        #[test]
        fn a_table_never_holds_more_than_it_may(keys in prop::collection::vec(0..30_u8, 0..300)) {
            let mut table = Recent::new(8);
            for key in &keys {
                *table.of(key, || 0_u32) += 1;
                prop_assert!(table.len() <= 8);
                prop_assert_eq!(table.len(), table.order.len());
            }
        }
    }
}
