//! What a reader has found so far, within bounds.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use ftp_guard_common::allow::EntryKind;
use ipnet::IpNet;
use jiff::Timestamp;

use super::Options;
use super::source::Source;
use crate::engine::allowlist::{DEFAULT_PROFILE, HostEntry, MOST_REPORTED, expires_s};

/// The most prefixes that one text may come to.
pub const MAX_ITEMS: usize = 2_000_000;

/// What is said of a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Whether it is an exclusion.
    pub exclude: bool,
    /// Its profile.
    pub profile: Arc<str>,
    /// From when on it is as good as absent.
    pub expires: Option<Timestamp>,
    /// What people call it.
    pub label: Option<Arc<str>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            exclude: false,
            profile: DEFAULT_PROFILE.into(),
            expires: None,
            label: None,
        }
    }
}

impl Settings {
    /// Whether both say the same about sources. Labels say nothing.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.exclude == other.exclude
            && self.profile == other.profile
            && self.expires == other.expires
    }

    /// As the allowlist calls it.
    #[must_use]
    pub fn kind(&self) -> EntryKind {
        if self.exclude {
            EntryKind::Exclude
        } else {
            EntryKind::Allow
        }
    }
}

/// Each different [`Settings`] once: a million prefixes of one country share one.
#[derive(Clone, Debug, Default)]
pub struct SettingsTable {
    all: Vec<Settings>,
    numbers: HashMap<Settings, u32>,
}

impl SettingsTable {
    /// The number of `settings`.
    pub fn number(&mut self, settings: &Settings) -> u32 {
        if let Some(number) = self.numbers.get(settings) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(settings.clone());
        self.numbers.insert(settings.clone(), number);
        number
    }

    /// The settings of a number that this table gave.
    #[must_use]
    pub fn get(&self, number: u32) -> &Settings {
        &self.all[number as usize]
    }
}

/// A prefix of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The prefix; no host bits are set.
    pub prefix: IpNet,
    /// The number of what is said of it.
    pub settings: u32,
    /// Its line, from 1; 0: unknown.
    pub line: u32,
}

/// Something in a text that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its line, from 1; 0: unknown.
    pub line: u32,
    /// Its column in characters, from 1; 0: unknown.
    pub column: u32,
    /// What it is and what to do.
    pub message: String,
}

/// Why a text as a whole is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// The line, from 1; 0: no place in particular.
    pub line: u32,
    /// One line for people.
    pub message: String,
}

impl Refused {
    /// A refusal without a place.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            line: 0,
            message: message.into(),
        }
    }
}

/// What a text holds.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The prefixes, in the order of the text.
    pub items: Vec<Item>,
    /// The entries that name hosts, each name once; only the allowlist's own format has them.
    pub hosts: Vec<HostEntry>,
    /// What the items' numbers mean.
    pub settings: SettingsTable,
    /// Entries of the text that were understood. A range is one and may be many items.
    pub read: u64,
    /// What was not understood: the first of them.
    pub mistakes: Vec<Mistake>,
    /// How many there are in all.
    pub unknown: u64,
    /// Entries that the options left out.
    pub left_out: u64,
    /// Entries that were over.
    pub expired: u64,
}

impl Imported {
    /// Changes what is said of all items.
    pub fn change(&mut self, change: impl Fn(&mut Settings)) {
        let mut changed = SettingsTable::default();
        // What was different may now be the same.
        let numbers: Vec<u32> = self
            .settings
            .all
            .iter()
            .map(|settings| {
                let mut settings = settings.clone();
                change(&mut settings);
                changed.number(&settings)
            })
            .collect();
        for item in &mut self.items {
            item.settings = numbers[item.settings as usize];
        }
        self.settings = changed;
        for host in &mut self.hosts {
            let mut settings = Settings {
                exclude: false,
                profile: host.profile.as_str().into(),
                expires: host.expires,
                label: host.label.as_deref().map(Into::into),
            };
            change(&mut settings);
            host.profile = settings.profile.to_string();
            host.expires = settings.expires;
            host.label = settings.label.as_deref().map(str::to_owned);
        }
    }
}

pub(super) struct Collector<'o> {
    pub(super) options: &'o Options,
    found: Imported,
    refused: Option<Refused>,
    /// For each family, IPv4 first, the set that its prefixes are of.
    set_of: [Option<String>; 2],
    set: Option<String>,
    sets_seen: BTreeSet<String>,
    fields_seen: HashSet<String>,
}

/// How many names of sets a refusal lists, and are remembered.
const MOST_SETS: usize = 20;

impl<'o> Collector<'o> {
    pub(super) fn new(options: &'o Options) -> Self {
        Self {
            options,
            found: Imported::default(),
            refused: None,
            set_of: [None, None],
            set: None,
            sets_seen: BTreeSet::new(),
            fields_seen: HashSet::new(),
        }
    }

    /// Whether reading on is of no use.
    pub(super) fn over(&self) -> bool {
        self.refused.is_some()
    }

    pub(super) fn refuse(&mut self, line: u32, message: impl Into<String>) {
        let message = message.into();
        self.refused.get_or_insert(Refused { line, message });
    }

    pub(super) fn unknown(&mut self, line: u32, message: impl Into<String>) {
        self.unknown_at(line, 0, message);
    }

    pub(super) fn unknown_at(&mut self, line: u32, column: u32, message: impl Into<String>) {
        self.found.unknown += 1;
        if self.found.mistakes.len() < MOST_REPORTED {
            self.found.mistakes.push(Mistake {
                line,
                column,
                message: message.into(),
            });
        }
    }

    /// How many mistakes are still of interest one by one.
    pub(super) fn room_for_mistakes(&self) -> bool {
        self.found.mistakes.len() < MOST_REPORTED
    }

    pub(super) fn leave_out(&mut self) {
        self.found.left_out += 1;
    }

    /// Begins a set; whether its elements are wanted.
    pub(super) fn begin_set(&mut self, name: &str) -> bool {
        if self.sets_seen.len() < MOST_SETS {
            self.sets_seen.insert(name.to_owned());
        }
        let wanted = self.options.sets.is_empty() || self.options.sets.iter().any(|n| n == name);
        self.set = Some(name.to_owned());
        wanted
    }

    /// Notes that the text has this field, for filters that name none.
    pub(super) fn field(&mut self, name: &str) {
        if self.options.filters.iter().any(|(field, _)| field == name)
            && !self.fields_seen.contains(name)
        {
            self.fields_seen.insert(name.to_owned());
        }
    }

    /// Whether a record passes the filters; `value` tells its fields.
    pub(super) fn passes<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> bool {
        let filters = &self.options.filters;
        filters.iter().all(|(field, _)| {
            let have = value(field);
            filters
                .iter()
                .any(|(other, wanted)| other == field && have == Some(wanted))
        })
    }

    /// Takes an entry of the text.
    pub(super) fn take(&mut self, line: u32, source: Source, settings: &Settings) {
        if self.over() {
            return;
        }
        if let Some(expires) = settings.expires {
            if expires <= self.options.now {
                self.found.expired += 1;
                return;
            }
            if expires_s(expires).is_none() {
                return self.unknown(line, format!("{expires} is too far away for an end"));
            }
        }
        if self.other_set(&source) {
            return;
        }
        self.found.read += 1;
        let number = self.found.settings.number(settings);
        for prefix in source.prefixes() {
            if self.found.items.len() >= MAX_ITEMS {
                return self.refuse(
                    line,
                    format!("more than {MAX_ITEMS} prefixes: import a part of the file"),
                );
            }
            self.found.items.push(Item {
                prefix,
                settings: number,
                line,
            });
        }
    }

    /// Takes an entry of the text that names a host.
    pub(super) fn take_host(&mut self, host: HostEntry) {
        if host.expires.is_some_and(|end| end <= self.options.now) {
            self.found.expired += 1;
            return;
        }
        self.found.read += 1;
        self.found.hosts.push(host);
    }

    /// Two sets of one family in one text are two purposes, and one of them may be to keep
    /// sources out.
    fn other_set(&mut self, source: &Source) -> bool {
        if !self.options.sets.is_empty() {
            return false;
        }
        let Some(name) = &self.set else {
            return false;
        };
        let of_family = &mut self.set_of[usize::from(!source.is_v4())];
        match of_family {
            None => *of_family = Some(name.clone()),
            Some(first) if first == name => {}
            Some(first) => {
                let message = format!(
                    "the file has several sets, {first} and {name} among them: choose with --set NAME"
                );
                self.refuse(0, message);
                return true;
            }
        }
        false
    }

    pub(super) fn finish(self) -> Result<Imported, Refused> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        for wanted in &self.options.sets {
            if !self.sets_seen.contains(wanted) && self.sets_seen.len() < MOST_SETS {
                let seen: Vec<_> = self.sets_seen.iter().map(String::as_str).collect();
                return Err(Refused::new(format!(
                    "there is no set {wanted} in the file; it has: {}",
                    seen.join(", ")
                )));
            }
        }
        for (field, _) in &self.options.filters {
            if !self.fields_seen.contains(field) {
                return Err(Refused::new(format!(
                    "nothing in the file has a field {field}"
                )));
            }
        }
        Ok(self.found)
    }
}
