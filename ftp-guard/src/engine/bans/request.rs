//! What may be asked for, and what becomes of it.

use std::{fmt, time::Duration};

use ipnet::IpNet;
use jiff::Timestamp;

use super::ban::{Ban, Origin};
use crate::engine::allowlist::written;

/// How long somebody is to be banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// As configured: longer each time.
    Escalating,
    /// So long from now on.
    For(Duration),
    /// Until then.
    Until(Timestamp),
    /// Until somebody removes the ban.
    Forever,
}

/// Who is to be banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRequest {
    /// The sources.
    pub prefix: IpNet,
    /// How long.
    pub term: Term,
    /// Why, in words.
    pub reason: Option<String>,
    /// What kind of hand.
    pub origin: Origin,
    /// Whose.
    pub by: String,
    /// Even where it is most likely a mistake: a very wide prefix, this host itself.
    pub force: bool,
}

impl BanRequest {
    /// What a rule of that name asks for: the configured time.
    #[must_use]
    pub fn of_rule(name: &str, prefix: IpNet, reason: impl Into<String>) -> Self {
        Self {
            prefix: prefix.trunc(),
            term: Term::Escalating,
            reason: Some(reason.into()),
            origin: Origin::Rule,
            by: name.to_owned(),
            force: false,
        }
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The ban is new.
    Banned(Ban),
    /// There was one, which now ends later.
    Prolonged(Ban),
    /// There is one that ends no earlier; nothing has changed.
    Present(Ban),
    /// Nothing has changed, for this reason.
    Refused(Refusal),
}

impl Outcome {
    /// The ban that is in force now.
    #[must_use]
    pub fn ban(&self) -> Option<&Ban> {
        match self {
            Self::Banned(ban) | Self::Prolonged(ban) | Self::Present(ban) => Some(ban),
            Self::Refused(_) => None,
        }
    }

    /// Whether something has changed.
    #[must_use]
    pub fn changed(&self) -> bool {
        matches!(self, Self::Banned(_) | Self::Prolonged(_))
    }

    /// The name in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Banned(_) => "banned",
            Self::Prolonged(_) => "prolonged",
            Self::Present(_) => "present",
            Self::Refused(_) => "refused",
        }
    }
}

/// Why somebody is not banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The whole prefix lies in one that is never banned.
    Never {
        /// The prefix.
        prefix: IpNet,
        /// The entry of the configuration.
        entry: IpNet,
    },
    /// So wide that it is most likely a mistake.
    Wide(IpNet),
    /// Addresses by which this host talks to itself.
    Loopback(IpNet),
    /// The end is over.
    Over(Timestamp),
    /// The end is later than the kernel's tables can say.
    TooFar,
    /// The kernel's table has no room.
    Full {
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// Entries that fit.
        room: u32,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never { prefix, entry } if prefix == entry => write!(
                f,
                "{} is in bans.never_ban of the configuration",
                written(prefix)
            ),
            Self::Never { prefix, entry } => write!(
                f,
                "{} lies in {}, which is in bans.never_ban of the configuration",
                written(prefix),
                written(entry)
            ),
            Self::Wide(prefix) => write!(
                f,
                "{prefix} is so wide that it is most likely a mistake: add --force if it is none"
            ),
            Self::Loopback(prefix) => write!(
                f,
                "{} is this host itself (loopback): add --force to ban it all the same",
                written(prefix)
            ),
            Self::Over(until) => write!(f, "a ban until {until} would be over already"),
            Self::TooFar => write!(
                f,
                "a ban can last until 2106-02-07T06:28:15Z: for one without an end use --forever"
            ),
            Self::Full { family, room } => write!(
                f,
                "the table of {family} bans is full (bans.max_entries = {room}, never_ban included): \
                 ban wider prefixes, remove bans, or raise it and restart"
            ),
        }
    }
}

/// Most characters of a reason or a name.
const LONGEST_TEXT: usize = 200;

/// Checks that a reason or a name is one line of reasonable length, so that it can be shown anywhere.
///
/// # Errors
/// What is wrong, as a sentence.
pub fn check_text(what: &str, text: &str) -> Result<(), String> {
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(format!(
            "the {what} contains the control character {c:?}: leave it out"
        ));
    }
    match text.chars().count() {
        0 => Err(format!("the {what} is empty")),
        1..=LONGEST_TEXT => Ok(()),
        count => Err(format!(
            "the {what} has {count} characters; it can have {LONGEST_TEXT}"
        )),
    }
}
