//! The allowlist: reading its files, asking it, and the steps from one table to the next.
//!
//! A file has one entry a line, `PREFIX [key=value ...] [# comment]`:
//!
//! ```text
//! # partner X
//! 192.0.2.7 label="scanner, hall 3"
//! 198.51.100.0/24 profile=bulk expires=2026-12-31T23:59:59Z
//! !198.51.100.66
//! 2001:db8:7::/48
//! ```

mod entry;
mod expiry;
mod import;
mod line;
mod numbers;
mod plan;
mod prefix;
mod set;

pub use entry::{DEFAULT_PROFILE, Entry, check_label};
pub use expiry::{expires_s, parse_expiry};
pub use import::import_list;
pub(crate) use line::{trailing_comment, written_entry, written_prefix};
pub use numbers::ProfileNumbers;
pub use plan::{AllowTable, Change, plan};
pub use prefix::{parse_prefix, written};
pub use set::{AllowSet, MOST_REPORTED, Profiles};

#[cfg(test)]
mod tests;
