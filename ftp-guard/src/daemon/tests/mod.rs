//! The guard over a kernel in memory.

mod auto;
mod connections;
mod edit;
mod fake;
mod overdue;
mod sessions;
mod state;
mod transition;
