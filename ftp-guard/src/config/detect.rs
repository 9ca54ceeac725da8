//! The part of the configuration that is about detections.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::engine::detect::rule::RuleSet;

/// `[detect]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectSettings {
    /// Whether anything is detected.
    pub enabled: bool,
    /// Rules whose source is banned.
    pub ban: RuleSet,
    /// How long; `None`: as `[bans]` has it for bans without a time.
    pub ban_time: Option<Duration>,
    /// Rules that end the session.
    pub end_sessions: RuleSet,
    /// Rules that are left out; none of the two lists above has one of them.
    pub disable: RuleSet,
    /// Sources that are not looked at; host bits zero, none twice.
    pub ignore: Vec<IpNet>,
    /// The window of the next five.
    pub window: Duration,
    /// Refused passwords of a source; 0: any number.
    pub max_failures: u32,
    /// Refused passwords of all sources for a user or at a server; 0: any number.
    pub max_failures_all: u32,
    /// Short sessions of a source under TLS; 0: any number.
    pub max_tls_failures: u32,
    /// Deletions of a source; 0: any number.
    pub max_deletes: u32,
    /// Renamings of a source; 0: any number.
    pub max_renames: u32,
    /// Commands of a source each second; 0: any number.
    pub max_commands: u32,
    /// For how long the same of the same source is counted instead of told again.
    pub repeat: Duration,
    /// A table of vulnerabilities other than the built-in one.
    pub cve_file: Option<PathBuf>,
}
