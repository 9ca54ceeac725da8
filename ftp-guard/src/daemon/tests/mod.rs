//! The guard over a kernel in memory.

mod edit;
mod fake;
mod sessions;
mod state;
mod transition;
