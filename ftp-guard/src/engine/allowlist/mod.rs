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
//! host:partner.example.net profile=bulk
//! ```

mod difference;
mod entry;
mod expiry;
mod hosts;
mod import;
mod line;
mod numbers;
mod plain;
mod plan;
mod prefix;
mod read;
mod set;
mod table;
mod texts;
mod update;

pub use entry::{DEFAULT_PROFILE, Entry, check_label};
pub use expiry::{expires_s, parse_expiry};
pub(crate) use hosts::written_host_entry;
pub use hosts::{HostEntry, HostRow};
pub use import::import_list;
pub(crate) use line::{trailing_comment, written_entry, written_host, written_prefix};
pub use numbers::{ProfileNumbers, name_tag};
pub use plan::{Change, plan};
pub use prefix::{parse_prefix, written};
pub use read::{MOST_REPORTED, Profiles};
pub use set::AllowSet;
pub use table::{AllowTable, Iter};
pub use texts::ListText;

#[cfg(test)]
mod tests;
