//! When the passive ports will be used up, if they go on as in the last minute.

use std::{collections::VecDeque, time::Duration};

/// How far back the trend looks.
const WINDOW_NS: u64 = 60_000_000_000;

/// A trend over less than this says nothing.
const SHORTEST_NS: u64 = 5_000_000_000;

/// How many passive ports were taken, at most once a second.
#[derive(Debug, Default)]
pub struct Outlook {
    seen: VecDeque<(u64, u32)>,
}

impl Outlook {
    /// Notes how many ports listen or carry a data connection at `now_ns` (CLOCK_MONOTONIC).
    pub fn note(&mut self, now_ns: u64, taken: u32) {
        while self
            .seen
            .front()
            .is_some_and(|(then, _)| now_ns.saturating_sub(*then) > WINDOW_NS)
        {
            self.seen.pop_front();
        }
        self.seen.push_back((now_ns, taken));
    }

    /// The time until all of `configured` ports are taken; nothing when their number does not grow, or
    /// has not been watched for five seconds.
    #[must_use]
    pub fn exhausted_in(&self, configured: u32) -> Option<Duration> {
        let (first, before) = *self.seen.front()?;
        let (last, taken) = *self.seen.back()?;
        let over = last.saturating_sub(first);
        if over < SHORTEST_NS || taken <= before {
            return None;
        }
        let growth = u64::from(taken - before);
        let left = u64::from(configured.saturating_sub(taken));
        Some(Duration::from_nanos(left.saturating_mul(over) / growth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn outlook(taken: impl IntoIterator<Item = u32>) -> Outlook {
        let mut outlook = Outlook::default();
        for (second, taken) in (0..).zip(taken) {
            outlook.note(second * SECOND, taken);
        }
        outlook
    }

    #[test]
    fn growth_goes_on() {
        // Two ports a second: 80 are left.
        let outlook = outlook((0..=10).map(|second| second * 2));
        assert_eq!(outlook.exhausted_in(100), Some(Duration::from_secs(40)));
        assert_eq!(outlook.exhausted_in(20), Some(Duration::ZERO));
        assert_eq!(outlook.exhausted_in(10), Some(Duration::ZERO));
    }

    #[test]
    fn no_growth_is_no_end() {
        assert_eq!(outlook([5; 30]).exhausted_in(100), None);
        assert_eq!(outlook((0..30).rev()).exhausted_in(100), None);
        assert_eq!(outlook([]).exhausted_in(100), None);
        assert_eq!(outlook([0, 50]).exhausted_in(100), None, "too short");
    }

    #[test]
    fn what_was_a_minute_ago_does_not_count() {
        // Fifty at once, and nothing since.
        let outlook = outlook([0].into_iter().chain([50; 90]));
        assert_eq!(outlook.exhausted_in(100), None);
        assert!(outlook.seen.len() <= 61);
    }
}
