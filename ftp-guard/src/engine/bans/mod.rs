//! Bans: who is kept out although the allowlist lets them in, until when, and why.
//!
//! [`BanBook`] holds the bans in force and the last ban of each prefix that was banned before. Whoever
//! bans, a person at the command line or a rule, calls [`BanBook::add`] with a [`BanRequest`] and learns
//! by the [`Outcome`] what became of it. What the kernel has to hold then is [`BanBook::table`].

mod ban;
mod book;
mod never;
mod request;
mod table;
mod terms;

pub use ban::{Ban, End, Origin, Past};
pub use book::{BanBook, BanCounts, Removal};
pub use request::{BanRequest, Outcome, Refusal, Term, check_text};
pub use table::{BanChange, BanTable, deciding, keeps_out};
pub use terms::Terms;

#[cfg(test)]
mod tests;
