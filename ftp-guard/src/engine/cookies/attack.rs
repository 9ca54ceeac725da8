//! Whether there is an attack, from what the programs remember of it.

use ftp_guard_common::limits::{ATTACK_WINDOW_NS, Attack};

const WINDOWS_A_SECOND: u64 = 1_000_000_000 / ATTACK_WINDOW_NS;

/// What has changed since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// An attack has begun.
    Begins {
        /// Packets a second, of those that attacks are made of.
        rate: u64,
    },
    /// It is over.
    Ends {
        /// How long it went on, in nanoseconds.
        lasted_ns: u64,
    },
}

/// What is remembered from one look to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttackWatch {
    since_ns: Option<u64>,
}

impl AttackWatch {
    /// Since when an attack is under way (CLOCK_MONOTONIC, nanoseconds).
    #[must_use]
    pub fn since_ns(&self) -> Option<u64> {
        self.since_ns
    }

    /// Looks at what the programs remember. `hold_ns` is how long it must have been quiet.
    ///
    /// The programs see the end of an attack with the next packet only: an attack that has gone quiet
    /// ends here.
    pub fn look(&mut self, attack: &Attack, hold_ns: u64, now_ns: u64) -> Option<Change> {
        let quiet_ns = now_ns.saturating_sub(attack.over_ns);
        let under = attack.since_ns != 0 && quiet_ns < hold_ns.max(ATTACK_WINDOW_NS);
        match (self.since_ns, under) {
            (None, true) => {
                self.since_ns = Some(attack.since_ns);
                Some(Change::Begins {
                    rate: attack.count.max(attack.last_count) * WINDOWS_A_SECOND,
                })
            }
            (Some(since_ns), false) => {
                self.since_ns = None;
                Some(Change::Ends {
                    lasted_ns: attack.over_ns.saturating_sub(since_ns),
                })
            }
            _ => None,
        }
    }
}

/// Packets a second in the last whole window, of those that attacks are made of.
#[must_use]
pub fn rate(attack: &Attack, now_ns: u64) -> u64 {
    let age_ns = now_ns.saturating_sub(attack.window_ns);
    let count = match age_ns {
        _ if attack.window_ns == 0 => 0,
        ..ATTACK_WINDOW_NS => attack.last_count,
        // No packet has opened the next window yet.
        ATTACK_WINDOW_NS..1_000_000_000 => attack.count,
        _ => 0,
    };
    count * WINDOWS_A_SECOND
}
