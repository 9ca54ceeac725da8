//! Enforce mode that ends unless somebody confirms it.

use ftp_guard_common::config::{Mode, ModeSetting};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::protocol::ModeName;

/// Shortest time, in seconds, within which enforce mode can be asked to be confirmed.
pub const CONFIRM_LEAST_S: u64 = 10;
/// The longest: a day.
pub const CONFIRM_MOST_S: u64 = 24 * 3600;

/// Whether enforce mode may be asked to be confirmed within this time.
///
/// # Errors
///
/// The bounds, in words.
pub fn check_confirm_within(seconds: u64) -> Result<(), String> {
    match seconds {
        ..CONFIRM_LEAST_S => Err("that is too short to look around: at least 10s".to_owned()),
        CONFIRM_LEAST_S..=CONFIRM_MOST_S => Ok(()),
        _ => Err("that is too long to go unnoticed: at most 24h".to_owned()),
    }
}

/// When enforce mode ends unless it is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadlineView {
    /// The moment, to the second.
    pub at: Timestamp,
    /// How many seconds are left until then, rounded up.
    pub seconds_left: u64,
}

/// Result of `mode`, `mode-trial` and `mode-confirm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeReport {
    /// The mode in force now.
    pub mode: ModeName,
    /// Whether this request changed it, or its deadline.
    pub changed: bool,
    /// When enforce mode ends, if it has to be confirmed.
    #[serde(default)]
    pub deadline: Option<DeadlineView>,
    /// When enforce mode ended since nobody confirmed it, if that is why the guard is in monitor mode.
    #[serde(default)]
    pub fell_back: Option<Timestamp>,
}

/// What a setting of the kernel comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeNow {
    /// The mode in force.
    pub mode: Mode,
    /// When it ends.
    pub deadline: Option<DeadlineView>,
    /// When it ended.
    pub fell_back: Option<Timestamp>,
}

impl ModeNow {
    /// A setting at `now`, which is `now_ns` by CLOCK_MONOTONIC.
    #[must_use]
    pub fn of(setting: ModeSetting, now_ns: u64, now: Timestamp) -> Self {
        let mode = setting.in_force(|| now_ns);
        let deadline = setting.deadline_ns();
        let at = deadline.map(|deadline_ns| moment(deadline_ns, now_ns, now));
        let left_ns = deadline.unwrap_or(0).saturating_sub(now_ns);
        let pending = mode == Mode::Enforce;
        Self {
            mode,
            deadline: at.filter(|_| pending).map(|at| DeadlineView {
                at,
                seconds_left: left_ns.div_ceil(1_000_000_000),
            }),
            fell_back: at.filter(|_| !pending),
        }
    }
}

/// Unix time of a moment by CLOCK_MONOTONIC. To the second: asked twice, the answer is mostly the same.
fn moment(then_ns: u64, now_ns: u64, now: Timestamp) -> Timestamp {
    let nanoseconds = |ns: u64| SignedDuration::from_nanos(i64::try_from(ns).unwrap_or(i64::MAX));
    let half = SignedDuration::from_millis(500);
    let difference = nanoseconds(then_ns) - nanoseconds(now_ns) + half;
    let moment = now.checked_add(difference).unwrap_or(now);
    Timestamp::from_second(moment.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn what_a_setting_comes_to() {
        let now: Timestamp = "2026-11-23T01:00:00.2Z".parse().unwrap();
        let pending = ModeSetting {
            mode: Mode::Enforce,
            confirm_until_ns: 100 * SECOND,
        };
        let ahead = ModeNow::of(pending, 90 * SECOND + 1, now);
        let deadline = DeadlineView {
            at: "2026-11-23T01:00:10Z".parse().unwrap(),
            seconds_left: 10,
        };
        assert_eq!(ahead.mode, Mode::Enforce);
        assert_eq!((ahead.deadline, ahead.fell_back), (Some(deadline), None));

        let over = ModeNow::of(pending, 160 * SECOND, now);
        let at = "2026-11-23T00:59:00Z".parse().unwrap();
        assert_eq!(over.mode, Mode::Monitor);
        assert_eq!((over.deadline, over.fell_back), (None, Some(at)));

        for mode in [Mode::Enforce, Mode::Monitor] {
            let lasting = ModeNow::of(ModeSetting::lasting(mode), SECOND, now);
            assert_eq!(lasting.mode, mode);
            assert_eq!((lasting.deadline, lasting.fell_back), (None, None));
        }
    }

    #[test]
    fn the_time_has_bounds() {
        for seconds in [10, 600, 86_400] {
            assert_eq!(check_confirm_within(seconds), Ok(()));
        }
        for (seconds, bound) in [(0, "10s"), (9, "10s"), (86_401, "24h"), (u64::MAX, "24h")] {
            let error = check_confirm_within(seconds).unwrap_err();
            assert!(error.contains(bound), "{error}");
        }
    }
}
