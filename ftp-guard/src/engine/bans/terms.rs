//! What is configured about bans.

use std::time::Duration;

use ipnet::IpNet;

/// What is configured about bans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Prefixes whose sources are never banned.
    pub never: Vec<IpNet>,
    /// How long the first ban of a prefix lasts when nothing else is said.
    pub default_time: Duration,
    /// By how much each further ban of the same prefix is longer than the one before.
    pub escalation: u32,
    /// How long it lasts at most.
    pub max_time: Duration,
    /// How long after its end a ban no longer makes the next one longer.
    pub forget: Duration,
    /// Entries that fit into the kernel's table of each family, those of [`Terms::never`] included.
    pub max_entries: u32,
}

impl Default for Terms {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3_600);
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            never: Vec::new(),
            default_time: HOUR,
            escalation: 2,
            max_time: DAY.saturating_mul(7),
            forget: DAY.saturating_mul(30),
            max_entries: 65_536,
        }
    }
}

impl Terms {
    /// How long the `count`-th ban of a prefix lasts, from 1.
    #[must_use]
    pub fn time_of(&self, count: u32) -> Duration {
        let factor = self.escalation.saturating_pow(count.saturating_sub(1));
        self.default_time
            .checked_mul(factor)
            .unwrap_or(Duration::MAX)
            .min(self.max_time)
    }
}
