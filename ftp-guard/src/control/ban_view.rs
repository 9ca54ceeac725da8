//! `ban-add`, `ban-remove` and `ban-list`: what is asked for, and what `--json` prints. Fields are only
//! ever added.

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::bans::{Ban, Past};

/// What `ban-add` says of all prefixes that it names. Without an end the configured time counts, longer
/// with each ban of the same prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BanTerms {
    /// How long, in seconds from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Until when; instead of `seconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Until somebody removes it; instead of both.
    #[serde(default)]
    pub forever: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who bans; `cli` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Even a very wide prefix, or this host itself.
    #[serde(default)]
    pub force: bool,
}

/// A ban in force, or one that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanView {
    /// The prefix.
    pub prefix: IpNet,
    /// When it began.
    pub since: Timestamp,
    /// Its end; absent: none, until it is removed.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// `cli` or `rule`.
    pub origin: String,
    /// Who banned: a name given at the command line (`cli` if none was), or that of the rule.
    pub by: String,
    /// The how many-th ban of this prefix it is, from 1.
    pub count: u32,
    /// Whether the kernel holds it right now; absent without a daemon.
    #[serde(default)]
    pub active: Option<bool>,
    /// The entry of `bans.never_ban` that covers all of its prefix; the ban then waits.
    #[serde(default)]
    pub exempt_by: Option<IpNet>,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<Timestamp>,
    /// How it ended: `expired` or `removed`.
    #[serde(default)]
    pub end: Option<String>,
}

impl From<&Ban> for BanView {
    fn from(ban: &Ban) -> Self {
        Self {
            prefix: ban.prefix,
            since: ban.since,
            until: ban.until,
            reason: ban.reason.clone(),
            origin: ban.origin.as_str().to_owned(),
            by: ban.by.clone(),
            count: ban.count,
            active: None,
            exempt_by: None,
            ended: None,
            end: None,
        }
    }
}

impl From<&Past> for BanView {
    fn from(past: &Past) -> Self {
        Self {
            ended: Some(past.ended),
            end: Some(past.end.as_str().to_owned()),
            ..Self::from(&past.ban)
        }
    }
}

/// What became of one prefix of `ban-add`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanAddedView {
    /// `banned`, `prolonged` or `present`.
    pub outcome: String,
    /// The ban that is in force now.
    #[serde(flatten)]
    pub ban: BanView,
    /// Entries of `bans.never_ban` inside the prefix, which stay exempt.
    #[serde(default)]
    pub exempt: Vec<IpNet>,
}

/// Result of `ban-add`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanAddReport {
    /// Bans that are new.
    pub banned: u64,
    /// Bans that were there and end later now.
    pub prolonged: u64,
    /// Bans that were there and end no earlier.
    pub present: u64,
    /// One by one.
    pub bans: Vec<BanAddedView>,
}

/// A prefix of `ban-remove` that was not banned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanAbsentView {
    /// The prefix.
    pub prefix: IpNet,
    /// A wider ban that keeps its sources out.
    #[serde(default)]
    pub banned_by: Option<IpNet>,
}

/// Result of `ban-remove`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanRemoveReport {
    /// Prefixes whose ban was ended.
    pub removed: Vec<IpNet>,
    /// Prefixes that were not banned themselves.
    pub absent: Vec<BanAbsentView>,
    /// How many bans were forgotten.
    #[serde(default)]
    pub forgotten: u64,
}

/// Result of `ban-list`, behind its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanListReport {
    /// How many bans the parts held.
    pub bans: u64,
}
