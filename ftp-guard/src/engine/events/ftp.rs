//! What sessions do, as events.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::engine::monitor::record::TransferRecord;

/// Somebody has logged in, or was refused. Of sessions whose control connection can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginEvent {
    /// Number of the session.
    pub session: u64,
    /// The client's end of the control connection.
    pub client: SocketAddr,
    /// The server's end of the control connection.
    pub server: SocketAddr,
    /// The name.
    pub user: Option<String>,
    /// Whether that name is one for everybody.
    pub anonymous: bool,
    /// Whether the server has accepted it.
    pub accepted: bool,
    /// The reply's code.
    pub code: u16,
}

/// A transfer has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferEvent {
    /// Number of the session.
    pub session: u64,
    /// The client's end of the control connection.
    pub client: SocketAddr,
    /// The server's end of the control connection.
    pub server: SocketAddr,
    /// Who was logged in.
    pub user: Option<String>,
    /// What was transferred.
    #[serde(flatten)]
    pub transfer: TransferRecord,
}

/// How much a detection matters.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Bad practice.
    Low,
    /// A weakness, or what may be an attempt.
    Medium,
    /// An attempt, or a serious weakness.
    High,
    /// An attack, or a hole that is used.
    Critical,
}

impl Severity {
    /// All, the least first.
    pub const ALL: [Self; 5] = [
        Self::Info,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// The name in JSON, metrics and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A rule of detection applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectionEvent {
    /// The rule's name; `docs/detections.md` has them all.
    pub rule: String,
    /// How much it matters.
    pub severity: Severity,
    /// The source that it is about; null: the server, or many sources.
    pub source: Option<IpAddr>,
    /// The server's end of the control connection; null: of several.
    pub server: Option<SocketAddr>,
    /// Number of the session; 0: none, or several.
    pub session: u64,
    /// Who was logged in, or tried to.
    pub user: Option<String>,
    /// What was seen, in words.
    pub message: String,
    /// How often it was seen in the rule's window, this time included.
    pub count: u64,
    /// Whether the rule bans the source.
    pub banned: bool,
}
