//! The part of the configuration that is about names of hosts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::engine::names::Settings;

/// `[names]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameSettings {
    /// DNS servers; empty: those of the system.
    pub servers: Vec<SocketAddr>,
    /// How long each has for its answer.
    pub timeout: Duration,
    /// How many names there can be.
    pub max_names: u32,
    /// Where the last good answers are kept.
    pub file: PathBuf,
    /// What holds how long.
    pub rules: Settings,
}
