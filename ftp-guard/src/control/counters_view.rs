//! Result of `counters`. Fields are only ever added.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    flood_view::FloodView,
    mode_view::DeadlineView,
    protocol::ModeName,
    session_view::{PassiveView, SessionCounts, TableView},
    view::{CounterView, InterfaceView},
};

/// What changes from one second to the next: the part of [`Status`](super::view::Status) that costs little
/// to read, however long the allowlist is. Rates are the differences of two of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountersView {
    /// When it was read.
    pub time: Timestamp,
    /// The daemon's version.
    pub version: String,
    /// When the daemon started: another one than before means that it is another daemon.
    pub started: Timestamp,
    /// Seconds since then.
    pub uptime_seconds: u64,
    /// The kernel's mode.
    pub mode: ModeName,
    /// When enforce mode ends unless it is confirmed.
    #[serde(default)]
    pub deadline: Option<DeadlineView>,
    /// `host` or `router`.
    pub role: String,
    /// Interfaces with the guard's program.
    pub interfaces: Vec<InterfaceView>,
    /// Configured interfaces without it.
    pub missing_interfaces: Vec<String>,
    /// Live sessions and data connections.
    pub sessions: SessionCounts,
    /// Sessions that the monitor keeps a record of.
    #[serde(default)]
    pub watched_sessions: u64,
    /// The passive ports.
    pub passive_ports: PassiveView,
    /// How full the tables are.
    pub tables: Vec<TableView>,
    /// Floods and what is done about them.
    pub flood: FloodView,
    /// Counters of the XDP program that are not zero.
    pub counters: Vec<CounterView>,
    /// Those of the classifier on egress; the class is that of the source port.
    pub egress_counters: Vec<CounterView>,
    /// Those of the classifier on ingress, which reads control connections.
    pub control_counters: Vec<CounterView>,
}
