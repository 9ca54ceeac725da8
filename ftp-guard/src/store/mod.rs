//! Files: reading the allowlists, editing the one that belongs to the command line, the bans, writing so that
//! a crash leaves either the old file or the new one; the history of events and sessions, and their export.

mod atomic;
mod bans;
mod cli_list;
mod ending;
pub mod export;
pub mod history;
mod names;
mod read;
mod settled;
mod vulnerabilities;

pub use atomic::write_atomically;
pub use bans::{StoredBans, read_bans, write_bans};
pub use cli_list::{Written, add_entries, remove_host, remove_prefix};
pub use names::{read_names, write_names};
pub use read::{StoreError, read_allowlists};
pub use settled::{PATIENCE, is_within};
pub use vulnerabilities::read_vulnerabilities;
