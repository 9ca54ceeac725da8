//! What is told of the names.

use std::net::IpAddr;
use std::time::Duration;

use super::book::{NameBook, Pair};
use super::held::Held;
use super::name::HostName;

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameState {
    /// Its addresses in force, in order.
    pub addresses: Vec<AddressState>,
    /// How old the older of its last good answers is; `None`: there was none.
    pub age: Option<Duration>,
    /// How long the shorter of them holds from its arrival.
    pub ttl: Option<Duration>,
    /// When the next question is due, from now.
    pub next: Duration,
    /// What is wrong.
    pub trouble: Option<Trouble>,
    /// Addresses of the answers that no partner has, or that are private.
    pub refused: u32,
    /// Addresses of the answers beyond the limit.
    pub surplus: u32,
}

/// An address of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressState {
    /// The address.
    pub address: IpAddr,
    /// How long answers have left it out; `None`: the last one has it.
    pub left: Option<Duration>,
}

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Questions fail.
    Failing {
        /// How many in a row.
        failures: u32,
        /// For how long.
        since: Duration,
        /// The last one, in words.
        why: String,
    },
    /// DNS says that there is no such name.
    NoSuchName,
    /// DNS has neither an A nor an AAAA record of it.
    NoAddress,
}

impl NameBook {
    /// The names and what is known of each, in order.
    pub fn states(&self, now: Duration) -> impl Iterator<Item = (&HostName, NameState)> {
        let names = self.names.iter();
        names.map(move |(name, pair)| (name, state(pair, now)))
    }

    /// What is known of a name.
    #[must_use]
    pub fn state(&self, name: &HostName, now: Duration) -> Option<NameState> {
        self.names.get(name).map(|pair| state(pair, now))
    }

    /// How old the oldest last good answer is among the names that have one.
    #[must_use]
    pub fn oldest(&self, now: Duration) -> Option<Duration> {
        self.states(now).filter_map(|(_, state)| state.age).max()
    }
}

fn state(pair: &Pair, now: Duration) -> NameState {
    let halves = pair.halves().map(|(_, held)| held);
    let answered: Vec<&&Held> = halves
        .iter()
        .filter(|held| held.answered.is_some())
        .collect();
    let addresses = halves.iter().flat_map(|held| &held.addresses);
    NameState {
        addresses: addresses
            .map(|(address, left)| AddressState {
                address: *address,
                left: left.map(|left| now.saturating_sub(left)),
            })
            .collect(),
        age: answered
            .iter()
            .filter_map(|held| held.answered)
            .min()
            .map(|at| now.saturating_sub(at)),
        ttl: answered
            .iter()
            .filter(|held| held.fresh)
            .map(|held| held.ttl)
            .min(),
        next: halves
            .iter()
            .map(|held| held.due.saturating_sub(now))
            .min()
            .unwrap_or_default(),
        trouble: trouble(&halves, now),
        refused: halves.iter().map(|held| held.refused).sum(),
        surplus: halves.iter().map(|held| held.surplus).sum(),
    }
}

fn trouble(halves: &[&Held; 2], now: Duration) -> Option<Trouble> {
    let failing = halves.iter().max_by_key(|held| held.failures)?;
    if let (Some(since), Some(why)) = (failing.failing_since, &failing.failure) {
        return Some(Trouble::Failing {
            failures: failing.failures,
            since: now.saturating_sub(since),
            why: why.clone(),
        });
    }
    let nothing = halves.map(|held| held.nothing);
    match nothing {
        [Some(v4), Some(v6)] if v4 || v6 => Some(Trouble::NoSuchName),
        [Some(_), Some(_)] => Some(Trouble::NoAddress),
        _ => None,
    }
}
