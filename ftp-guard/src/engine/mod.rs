//! Decisions that need no kernel, sans-IO: events and the time come in as arguments, commands go
//! out as values. Nothing here opens a file, reads a clock or knows of aya or tokio.

pub mod allowlist;
pub mod bans;
pub mod cookies;
pub mod detect;
pub mod events;
pub mod exchange;
pub mod lookup;
pub mod monitor;
pub mod names;
pub mod report;
pub mod sessions;
pub mod suggest;
pub mod witness;
