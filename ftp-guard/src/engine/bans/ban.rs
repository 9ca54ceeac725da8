//! A ban, and what is remembered of it when it is over.

use std::time::Duration;

use ftp_guard_common::ban::{BanKind, BanValue};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use crate::engine::allowlist::expires_s;

/// What kind of hand banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A person or a program, by command.
    Cli,
    /// A rule of the guard's own.
    Rule,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Cli, Self::Rule];

    /// The name in the file, JSON, metrics and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Rule => "rule",
        }
    }

    /// The origin of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == name)
    }
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// The sources that it keeps out; no host bits are set.
    pub prefix: IpNet,
    /// When it began.
    pub since: Timestamp,
    /// From when on it is over, in whole seconds; `None`: never.
    pub until: Option<Timestamp>,
    /// Why, in words.
    pub reason: Option<String>,
    /// What kind of hand gave it its present end.
    pub origin: Origin,
    /// Whose hand: a name given at the command line (`cli` if none was), or that of the rule.
    pub by: String,
    /// The how many-th ban of this prefix it is, from 1, since they were last forgotten.
    pub count: u32,
}

impl Ban {
    /// Whether it is over at `now`.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// What the kernel's tables hold for it. A time that does not fit is one that is over.
    #[must_use]
    pub fn value(&self) -> BanValue {
        BanValue {
            expires_s: self.until.map_or(0, |until| expires_s(until).unwrap_or(1)),
            prefix_len: self.prefix.prefix_len(),
            kind: BanKind::Ban as u8,
            reserved: [0; 2],
        }
    }

    /// Whether an end at `until` would be later than its own.
    #[must_use]
    pub fn ends_before(&self, until: Option<Timestamp>) -> bool {
        match (self.until, until) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(own), Some(other)) => own < other,
        }
    }
}

/// How a ban ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its time was over.
    Expired,
    /// Somebody removed it.
    Removed,
}

impl End {
    /// The name in the file, JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Removed => "removed",
        }
    }

    /// The end of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Expired, Self::Removed]
            .into_iter()
            .find(|end| end.as_str() == name)
    }
}

/// The last ban of a prefix, over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The ban.
    pub ban: Ban,
    /// When it ended.
    pub ended: Timestamp,
    /// How.
    pub end: End,
}

impl Past {
    /// When it is forgotten; `None`: beyond the end of time.
    #[must_use]
    pub fn forgotten_at(&self, forget: Duration) -> Option<Timestamp> {
        later(self.ended, forget)
    }
}

/// The time so much later; `None`: there is no such time.
pub(super) fn later(time: Timestamp, by: Duration) -> Option<Timestamp> {
    let by = SignedDuration::try_from(by).ok()?;
    time.checked_add(by).ok()
}
