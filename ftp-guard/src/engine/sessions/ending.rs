//! Why connections are ended, and which.

use ftp_guard_common::address::FlowKey;

/// Why the guard ends a connection. The names are part of metrics, events and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndReason {
    /// Nobody has logged in within `login_time`, the wait for the server's greeting included.
    LoginTimeout,
    /// The session, its data connections included, had no packet for `idle_time`.
    IdleTimeout,
    /// The data connection carried nothing for `data_idle_time`.
    DataIdle,
    /// The session has left so many passive ports unused that one was refused to it.
    PortsHeld,
    /// `kill` has ended it.
    Killed,
    /// Its client is no longer on the allowlist.
    Revoked,
    /// Its client is banned.
    Banned,
    /// A policy of its client's profile has refused a command.
    Policy,
}

impl EndReason {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 8] = [
        Self::LoginTimeout,
        Self::IdleTimeout,
        Self::DataIdle,
        Self::PortsHeld,
        Self::Killed,
        Self::Revoked,
        Self::Banned,
        Self::Policy,
    ];

    /// The name in metrics, JSON and the log. It never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoginTimeout => "login_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::DataIdle => "data_idle_timeout",
            Self::PortsHeld => "ports_held",
            Self::Killed => "killed",
            Self::Revoked => "revoked",
            Self::Banned => "banned",
            Self::Policy => "policy",
        }
    }
}

/// What is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A control connection that the server has not greeted.
    Opening,
    /// A session of this number, with its data connections.
    Session(u64),
    /// A data connection alone, of the session of this number; 0: of none that is known.
    Data(u64),
}

impl Part {
    /// The name in events and the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Session(_) => "session",
            Self::Data(_) => "data",
        }
    }

    /// The number of the session; 0: of none.
    #[must_use]
    pub const fn session(self) -> u64 {
        match self {
            Self::Opening => 0,
            Self::Session(id) | Self::Data(id) => id,
        }
    }
}

/// A connection that is to end, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ending {
    /// The connection.
    pub key: FlowKey,
    /// What it is.
    pub part: Part,
    /// Why.
    pub reason: EndReason,
    /// When it began, or the cookie of a socket without an entry: tells it from another one of the
    /// same addresses.
    pub identity: u64,
    /// Number of the client's profile.
    pub profile: u16,
}

/// How many connections were ended, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndCounts([u64; EndReason::ALL.len()]);

impl EndCounts {
    /// Notes so many more.
    pub fn add(&mut self, reason: EndReason, number: u64) {
        self.0[reason as usize] += number;
    }

    /// The number of each reason.
    pub fn iter(&self) -> impl Iterator<Item = (EndReason, u64)> {
        EndReason::ALL.into_iter().zip(self.0)
    }

    /// The number of one reason.
    #[must_use]
    pub fn of(&self, reason: EndReason) -> u64 {
        self.0[reason as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place_and_its_name() {
        let mut counts = EndCounts::default();
        for (number, reason) in (1..).zip(EndReason::ALL) {
            counts.add(reason, number);
        }
        let found: Vec<_> = counts.iter().map(|(r, n)| (r.as_str(), n)).collect();
        assert_eq!(
            found,
            [
                ("login_timeout", 1),
                ("idle_timeout", 2),
                ("data_idle_timeout", 3),
                ("ports_held", 4),
                ("killed", 5),
                ("revoked", 6),
                ("banned", 7),
                ("policy", 8),
            ]
        );
    }
}
