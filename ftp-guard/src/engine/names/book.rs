//! All names.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use ftp_guard_common::class::Family;

use super::answer::{Outcome, Question};
use super::held::Held;
use super::name::HostName;

/// A question without any word for so long has failed.
const LOST: Duration = Duration::from_secs(90);

/// Questions that may be under way at once.
const MOST_ASKED: usize = 16;

/// Questions of names that are new are asked within this time, those that were kept over a restart too.
const FIRST_SPREAD: Duration = Duration::from_secs(2);

/// What is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The shortest time that an answer holds.
    pub min_ttl: Duration,
    /// The longest.
    pub max_ttl: Duration,
    /// How long an address stays that answers leave out.
    pub linger: Duration,
    /// How long the last good answer stays while none comes.
    pub keep: Duration,
    /// Addresses of one name and family, at least 1.
    pub max_addresses: u32,
    /// Whether private addresses are taken.
    pub private: bool,
}

/// The addresses of a name that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The name.
    pub name: HostName,
    /// Addresses that are in force now and were not.
    pub added: Vec<IpAddr>,
    /// Addresses that were and are not.
    pub removed: Vec<IpAddr>,
}

/// What is known of the names that are wanted.
///
/// All times are since the beginning of Unix time, by a clock that never goes back; a start sets it.
#[derive(Clone, Debug)]
pub struct NameBook {
    pub(super) settings: Settings,
    pub(super) names: BTreeMap<HostName, Pair>,
    random: RandomState,
    turns: u64,
}

/// The two questions of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) v4: Held,
    pub(super) v6: Held,
}

impl Pair {
    pub(super) fn halves(&self) -> [(Family, &Held); 2] {
        [(Family::Ipv4, &self.v4), (Family::Ipv6, &self.v6)]
    }

    fn halves_mut(&mut self) -> [(Family, &mut Held); 2] {
        [(Family::Ipv4, &mut self.v4), (Family::Ipv6, &mut self.v6)]
    }

    fn half(&mut self, family: Family) -> &mut Held {
        match family {
            Family::Ipv6 => &mut self.v6,
            _ => &mut self.v4,
        }
    }

    pub(super) fn addresses(&self) -> BTreeSet<IpAddr> {
        let halves = self.halves().into_iter();
        halves
            .flat_map(|(_, held)| held.addresses.keys().copied())
            .collect()
    }
}

impl NameBook {
    /// Without names.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            names: BTreeMap::new(),
            random: RandomState::new(),
            turns: 0,
        }
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes other settings, and drops what they do not allow.
    pub fn set(&mut self, settings: Settings, now: Duration) {
        if settings == self.settings {
            return;
        }
        self.settings = settings;
        for pair in self.names.values_mut() {
            for (family, held) in pair.halves_mut() {
                held.conform(family, &self.settings, now);
            }
        }
    }

    /// These names are wanted and no others. New ones are asked for soon.
    pub fn want(&mut self, names: impl IntoIterator<Item = HostName>, now: Duration) {
        let wanted: BTreeSet<HostName> = names.into_iter().collect();
        self.names.retain(|name, _| wanted.contains(name));
        for name in wanted {
            self.names.entry(name).or_insert_with(|| {
                let mut pair = Pair::default();
                for (_, held) in pair.halves_mut() {
                    held.due = now;
                }
                pair
            });
        }
    }

    /// How many names are wanted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The addresses of a name that hold, in order.
    #[must_use]
    pub fn addresses(&self, name: &HostName) -> BTreeSet<IpAddr> {
        self.names
            .get(name)
            .map(Pair::addresses)
            .unwrap_or_default()
    }

    /// The questions to ask now; they count as asked. Those that wait longest come first.
    pub fn ask(&mut self, now: Duration) -> Vec<Question> {
        for pair in self.names.values_mut() {
            for (family, held) in pair.halves_mut() {
                if held.asked.is_some_and(|asked| asked + LOST <= now) {
                    let lost = Outcome::Failed("nothing became of the question".to_owned());
                    held.take(lost, family, &self.settings, now, 0.0);
                }
            }
        }
        let mut under_way = 0;
        let mut due = Vec::new();
        for (name, pair) in &self.names {
            for (family, held) in pair.halves() {
                match held.asked {
                    Some(_) => under_way += 1,
                    None if held.due <= now => due.push((held.due, name, family)),
                    None => {}
                }
            }
        }
        due.sort();
        due.truncate(MOST_ASKED.saturating_sub(under_way));
        let questions: Vec<Question> = due
            .into_iter()
            .map(|(_, name, family)| Question {
                name: name.clone(),
                family,
            })
            .collect();
        for question in &questions {
            if let Some(pair) = self.names.get_mut(&question.name) {
                pair.half(question.family).asked = Some(now);
            }
        }
        questions
    }

    /// Takes back that a question was asked; it stays due.
    pub fn not_asked(&mut self, question: &Question) {
        if let Some(pair) = self.names.get_mut(&question.name) {
            pair.half(question.family).asked = None;
        }
    }

    /// Everything is asked anew at once.
    pub fn ask_all(&mut self, now: Duration) {
        for (_, held) in self.names.values_mut().flat_map(Pair::halves_mut) {
            held.due = held.due.min(now);
        }
    }

    /// What became of a question. An answer about a name that is no longer wanted is none.
    pub fn answer(
        &mut self,
        question: &Question,
        outcome: Outcome,
        now: Duration,
    ) -> Option<Changed> {
        self.turns = self.turns.wrapping_add(1);
        let hash = self.random.hash_one((question, self.turns));
        let spread = (hash % 1000) as f64 / 1000.0;
        let pair = self.names.get_mut(&question.name)?;
        let before = pair.addresses();
        let held = pair.half(question.family);
        held.take(outcome, question.family, &self.settings, now, spread);
        held.expire(&self.settings, now);
        changed(&question.name, &before, &pair.addresses())
    }

    /// Drops what time takes away.
    pub fn expire(&mut self, now: Duration) -> Vec<Changed> {
        let mut changes = Vec::new();
        for (name, pair) in &mut self.names {
            let before = pair.addresses();
            for (_, held) in pair.halves_mut() {
                held.expire(&self.settings, now);
            }
            changes.extend(changed(name, &before, &pair.addresses()));
        }
        changes
    }

    /// Puts back what is known of a name that is wanted, and asks within moments.
    pub(super) fn put_back(
        &mut self,
        name: &HostName,
        family: Family,
        mut held: Held,
        now: Duration,
    ) {
        let hash = self.random.hash_one((name, family));
        held.due = now + FIRST_SPREAD.mul_f64((hash % 1000) as f64 / 1000.0);
        held.conform(family, &self.settings, now);
        if let Some(pair) = self.names.get_mut(name) {
            *pair.half(family) = held;
        }
    }
}

fn changed(
    name: &HostName,
    before: &BTreeSet<IpAddr>,
    after: &BTreeSet<IpAddr>,
) -> Option<Changed> {
    (before != after).then(|| Changed {
        name: name.clone(),
        added: after.difference(before).copied().collect(),
        removed: before.difference(after).copied().collect(),
    })
}
