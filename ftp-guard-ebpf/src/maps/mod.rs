//! The tables. Each map is private to its module, which says what may be asked of it.

pub mod abi;
pub mod allow;
pub mod atomic;
pub mod attack;
pub mod bans;
pub mod buckets;
pub mod commands;
pub mod config;
pub mod events;
pub mod flows;
pub mod front;
pub mod listeners;
pub mod negotiated;
pub mod opening;
pub mod ports;
pub mod primed;
pub mod profiles;
mod reclaim;
pub mod scratch;
pub mod sessions;
pub mod sources;
pub mod stats;
pub mod text;
