//! Counting by name, in bounded memory.

use std::{collections::HashMap, hash::Hash};

use serde::{Deserialize, Serialize};

/// Names that are counted one by one. What comes behind them counts as others.
const MOST_NAMES: usize = 20_000;

/// How often something was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// How much somebody has moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Who, or what.
    pub name: String,
    /// Transfers.
    pub transfers: u64,
    /// Bytes to the server.
    pub bytes_up: u64,
    /// Bytes from the server.
    pub bytes_down: u64,
}

impl Volume {
    fn bytes(&self) -> u64 {
        self.bytes_up.saturating_add(self.bytes_down)
    }
}

/// A sum for each name.
#[derive(Clone, Debug)]
pub(super) struct Tally<K, V> {
    sums: HashMap<K, V>,
    others: bool,
}

impl<K, V> Default for Tally<K, V> {
    fn default() -> Self {
        Self {
            sums: HashMap::new(),
            others: false,
        }
    }
}

impl<K: Eq + Hash, V: Default> Tally<K, V> {
    /// The sum of a name; none when there are too many names.
    pub(super) fn at(&mut self, name: K) -> Option<&mut V> {
        if self.sums.len() >= MOST_NAMES && !self.sums.contains_key(&name) {
            self.others = true;
            return None;
        }
        Some(self.sums.entry(name).or_default())
    }

    /// How many names there are; at least so many when some were not counted.
    pub(super) fn names(&self) -> u64 {
        self.sums.len() as u64
    }

    /// Whether some were not counted.
    pub(super) fn cut(&self) -> bool {
        self.others
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (K, V)> {
        self.sums.into_iter()
    }
}

impl<K: Eq + Hash + ToString> Tally<K, u64> {
    pub(super) fn add(&mut self, name: K, count: u64) {
        if let Some(sum) = self.at(name) {
            *sum = sum.saturating_add(count);
        }
    }

    /// The names that were seen most, at most so many.
    pub(super) fn top(self, most: usize) -> Vec<Count> {
        let mut counts: Vec<Count> = self
            .sums
            .into_iter()
            .map(|(name, count)| Count {
                name: name.to_string(),
                count,
            })
            .collect();
        counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        counts.truncate(most);
        counts
    }
}

impl<K: Eq + Hash + ToString> Tally<K, Volume> {
    pub(super) fn moved(&mut self, name: K, up: u64, down: u64) {
        if let Some(volume) = self.at(name) {
            volume.transfers += 1;
            volume.bytes_up = volume.bytes_up.saturating_add(up);
            volume.bytes_down = volume.bytes_down.saturating_add(down);
        }
    }

    /// Those that moved most, at most so many.
    pub(super) fn most(self, most: usize) -> Vec<Volume> {
        let mut volumes: Vec<Volume> = self
            .sums
            .into_iter()
            .map(|(name, volume)| Volume {
                name: name.to_string(),
                ..volume
            })
            .collect();
        volumes.sort_by(|a, b| {
            (b.bytes(), b.transfers)
                .cmp(&(a.bytes(), a.transfers))
                .then_with(|| a.name.cmp(&b.name))
        });
        volumes.truncate(most);
        volumes
    }
}
