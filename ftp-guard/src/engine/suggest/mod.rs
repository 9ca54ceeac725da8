//! Entries for the allowlist, proposed from what monitor mode saw: sessions of clients that enforce mode would
//! have kept out.
//!
//! [`Sightings`] sums the sessions of each client up, [`propose()`] turns that into entries and says of everybody
//! else why there is none. Nobody gets an entry without a login that succeeded, and no entry is wider than what was
//! seen of a network bears out.

mod evidence;
mod outcome;
mod propose;

pub use self::{
    evidence::{Evidence, Sightings},
    outcome::Outcome,
    propose::{LeftOut, Present, Proposal, Standing, Suggestion, Terms, propose},
};

#[cfg(test)]
mod tests;
