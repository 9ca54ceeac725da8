//! The guard over a kernel in memory.

mod attack;
mod auto;
mod bans;
mod confirm;
mod connections;
mod detect;
mod edit;
mod fake;
mod limits;
mod names;
mod overdue;
mod service;
mod sessions;
mod state;
mod suggest;
mod transition;
mod witness;
