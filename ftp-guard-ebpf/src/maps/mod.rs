//! The tables. Each map is private to its module, which says what may be asked of it.

pub mod abi;
pub mod allow;
pub mod config;
pub mod ports;
pub mod sessions;
pub mod stats;
