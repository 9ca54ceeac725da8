//! Names of hosts in the allowlist: when DNS is asked for which, and which addresses hold.
//!
//! A `host:` entry lets in the addresses that DNS gives for its name. The [`NameBook`] decides;
//! it is told which names are wanted, what became of the questions that it wants asked, and the time.
//!
//! - An answer holds for its TTL, held between two bounds; then the question is asked again.
//! - An address that a newer answer leaves out stays for a while (`linger`): servers that take turns
//!   answer with a part of their addresses. "There is no such name" is such an answer, without any address.
//! - No answer changes nothing: the last good one stays in force, for `keep` at most, and the question is asked
//!   again at growing distances.
//! - Addresses that no partner has are never taken, and no more than a set number of one name and family.

mod answer;
mod book;
mod held;
mod name;
mod stored;
mod view;

pub use answer::{Outcome, Question, Refusal, judge};
pub use book::{Changed, NameBook, Settings};
pub use name::{HostName, MARK};
pub use stored::{StoredAddress, StoredName};
pub use view::{AddressState, NameState, Trouble};

#[cfg(test)]
mod tests;
