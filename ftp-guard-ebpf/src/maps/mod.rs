//! The tables. Each map is private to its module, which says what may be asked of it.

pub mod abi;
pub mod allow;
pub mod config;
pub mod flows;
pub mod listeners;
pub mod negotiated;
pub mod ports;
mod reclaim;
pub mod scratch;
pub mod sessions;
pub mod stats;
