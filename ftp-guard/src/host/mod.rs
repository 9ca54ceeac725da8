//! What this host is, looked at from outside the guard: its interfaces, and who listens on them.
//!
//! `init` proposes a configuration from it, `doctor` compares it with the one that there is. Each look is of
//! the network namespace of the calling thread, changes nothing and may fail by itself.

pub mod driver;
pub mod interfaces;
pub mod listeners;
pub mod offloads;
