//! The guard over a kernel in memory.

mod edit;
mod fake;
mod state;
mod transition;
