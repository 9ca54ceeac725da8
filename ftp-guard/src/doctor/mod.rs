//! What `ftp-guard doctor` says: whether this host lets the guard do its work.
//!
//! [`facts`] look at the host, each by itself: one that cannot be seen is known as such, with the reason.
//! `rules` are plain functions from facts to findings, so that hosts that nobody has at hand can be tried.

pub mod catalogue;
pub mod facts;
pub mod finding;
mod page;
mod restrictions;
mod rules;

pub use self::{
    catalogue::Check,
    facts::{Facts, Question},
    finding::{Finding, Report, Severity},
    page::markdown,
};

/// Looks at everything and judges it. Nothing is changed.
#[must_use]
pub fn examine(question: &Question) -> Report {
    judge(&Facts::gather(question))
}

/// Judges facts.
#[must_use]
pub fn judge(facts: &Facts) -> Report {
    Report::of(rules::all(facts))
}
