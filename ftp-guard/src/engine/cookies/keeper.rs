//! The order of things.

use ftp_guard_common::{config::Cookies, limits::Sysctls};

/// How long a cookie that was sent can come back: the stack takes one for two minutes at most
/// (TCP_SYNCOOKIE_VALID, include/net/tcp.h), and an answer may be under way for a while.
pub const LINGER_NS: u64 = 150_000_000_000;

/// After this time what failed is tried again.
pub const RETRY_NS: u64 = 10_000_000_000;

/// What to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Remember the sysctls, unless they are remembered already, and set them.
    Set,
    /// Tell the programs since when the stack takes cookies (CLOCK_MONOTONIC, nanoseconds).
    Announce(u64),
    /// Tell the programs to send none.
    Withdraw,
    /// Put the sysctls back.
    Restore,
}

/// Where things stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The sysctls are not the guard's business.
    #[default]
    Out,
    /// They are set, and cookies are sent where they have to be.
    Engaged {
        /// Since when (CLOCK_MONOTONIC, nanoseconds).
        since_ns: u64,
    },
    /// They are set for cookies that may still come back; no more are sent.
    Leaving {
        /// Until when.
        until_ns: u64,
    },
}

/// What a step depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scene {
    /// CLOCK_MONOTONIC.
    pub now_ns: u64,
    /// The setting.
    pub setting: Cookies,
    /// Whether an attack is under way.
    pub attack: bool,
    /// Whether cookies can be sent and taken here at all.
    pub able: bool,
}

impl Scene {
    fn wanted(&self) -> bool {
        self.able
            && match self.setting {
                Cookies::Off => false,
                Cookies::Auto => self.attack,
                Cookies::Always => true,
            }
    }
}

/// Keeps cookies and sysctls together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keeper {
    phase: Phase,
    /// Nothing is tried before this time, after a failure.
    not_before_ns: u64,
}

impl Keeper {
    /// Goes on where a predecessor stopped, by what is in the kernel.
    #[must_use]
    pub fn resume(saved: &Sysctls, cookies_since_ns: u64, now_ns: u64) -> Self {
        let phase = match (saved.changed, cookies_since_ns) {
            (0, _) => Phase::Out,
            // When the last cookie was sent nobody knows.
            (_, 0) => Phase::Leaving {
                until_ns: now_ns + LINGER_NS,
            },
            (_, since_ns) => Phase::Engaged { since_ns },
        };
        Self {
            phase,
            not_before_ns: 0,
        }
    }

    /// Where things stand.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What is due. The new state holds once the commands are carried out; for one that fails call
    /// [`Keeper::failed`].
    pub fn step(&mut self, scene: &Scene) -> Vec<Command> {
        let Scene { now_ns, .. } = *scene;
        let engaged = Phase::Engaged { since_ns: now_ns };
        match (self.phase, scene.wanted()) {
            (Phase::Out | Phase::Leaving { .. }, true) if now_ns >= self.not_before_ns => {
                self.phase = engaged;
                vec![Command::Set, Command::Announce(now_ns)]
            }
            (Phase::Engaged { .. }, false) => {
                self.phase = Phase::Leaving {
                    until_ns: now_ns + LINGER_NS,
                };
                vec![Command::Withdraw]
            }
            (Phase::Leaving { until_ns }, false) if now_ns >= until_ns => {
                self.phase = Phase::Out;
                vec![Command::Restore]
            }
            _ => Vec::new(),
        }
    }

    /// A command was not carried out, nor those behind it, or the sysctls were changed by somebody else.
    /// Returns what is to be done about it.
    pub fn failed(&mut self, command: Option<&Command>, now_ns: u64) -> Vec<Command> {
        self.not_before_ns = now_ns + RETRY_NS;
        let leave = |until_ns| Phase::Leaving { until_ns };
        match command {
            // Half of them may be set, and cookies of an earlier attack may be under way.
            Some(Command::Set | Command::Announce(_)) | None => {
                self.phase = leave(now_ns + LINGER_NS);
                vec![Command::Withdraw]
            }
            Some(Command::Withdraw) => {
                self.phase = Phase::Engaged { since_ns: now_ns };
                Vec::new()
            }
            Some(Command::Restore) => {
                self.phase = leave(self.not_before_ns);
                Vec::new()
            }
        }
    }
}
