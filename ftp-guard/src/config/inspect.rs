//! The part of the configuration that is about what is read on control connections.

use ftp_guard_common::config::{FLAG_ODD_PORTS, FLAG_TEXT};

use crate::engine::monitor::FileNames;

/// `[inspect]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InspectSettings {
    /// Whether the programs tell what is said on control connections.
    pub enabled: bool,
    /// Whether servers on ports of no class are told of; only while `enabled`.
    pub odd_ports: bool,
    /// What becomes of names of files.
    pub file_names: FileNames,
}

impl InspectSettings {
    /// The flags of [`GuardConfig`](ftp_guard_common::config::GuardConfig) that this comes to.
    #[must_use]
    pub const fn flags(&self) -> u32 {
        match (self.enabled, self.odd_ports) {
            (false, _) => 0,
            (true, false) => FLAG_TEXT,
            (true, true) => FLAG_TEXT | FLAG_ODD_PORTS,
        }
    }
}
