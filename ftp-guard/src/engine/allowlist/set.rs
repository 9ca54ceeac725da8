//! All entries of all files.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;

use super::entry::Entry;
use super::hosts::HostEntry;
use super::read::{Profiles, Reading, Row, read};
use super::table::AllowTable;
use super::texts::{ListText, entries};
use crate::diagnostic::Diagnostics;

/// The entries of all allowlist files, expired ones included, by prefix.
///
/// It keeps what the kernel needs of each entry, 28 bytes, and the texts of the files. What else an
/// entry says (its label, its line) is read from the text again when somebody asks, which takes one pass
/// over the texts. A clone shares everything.
#[derive(Clone, Debug, Default)]
pub struct AllowSet {
    pub(super) table: AllowTable,
    pub(super) files: Vec<ListText>,
    /// How many entries begin in each file.
    pub(super) counts: Vec<usize>,
    /// Prefixes that stand on more lines than one.
    pub(super) repeated: BTreeSet<IpNet>,
    /// The profiles that the files name, and the default one, with the numbers that the rows have.
    pub(super) names: BTreeMap<String, u16>,
    /// Times at which entries expire, in seconds of Unix time, in order.
    pub(super) expiries: Arc<Vec<u32>>,
    /// The entries that name hosts, in the order of the files and their lines, each name once.
    pub(super) hosts: Arc<Vec<HostEntry>>,
}

impl AllowSet {
    /// Reads the texts of allowlist files, each with the path that it is called by.
    ///
    /// A prefix that is listed twice with the same settings is one entry: the first one, with the
    /// first label that is given.
    ///
    /// # Errors
    /// All mistakes in all files, at most [`MOST_REPORTED`](super::MOST_REPORTED) of them and then one
    /// that counts the rest: lines that are no entry, profiles that do not exist, prefixes listed twice
    /// with different settings.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (&'a Path, &'a str)>,
        profiles: Profiles<'_>,
    ) -> Result<Self, Diagnostics> {
        let files = files.into_iter();
        let files = files.map(|(path, text)| ListText::new(path, text));
        Self::read(files.collect(), profiles)
    }

    /// The same of texts that are shared.
    ///
    /// # Errors
    /// As for [`AllowSet::parse`].
    pub fn read(files: Vec<ListText>, profiles: Profiles<'_>) -> Result<Self, Diagnostics> {
        let Reading {
            rows,
            repeated,
            counts,
            names,
            hosts,
        } = read(&files, profiles)?;
        Ok(Self {
            expiries: expiries(&rows),
            table: rows.into(),
            files,
            counts,
            repeated,
            names,
            hosts: Arc::new(hosts),
        })
    }

    /// The entries in the order of their prefixes, IPv4 first, a wider prefix before those inside
    /// it. All of them are made at once.
    pub fn iter(&self) -> impl Iterator<Item = Entry> {
        entries(&self.files, |_| true).into_values()
    }

    /// How many prefixes there are, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether there is an entry of exactly this prefix, expired or not.
    #[must_use]
    pub fn contains(&self, prefix: &IpNet) -> bool {
        self.table.contains_key(&prefix.trunc())
    }

    /// The entry of exactly this prefix, expired or not.
    #[must_use]
    pub fn get(&self, prefix: &IpNet) -> Option<Entry> {
        let wanted = prefix.trunc();
        if !self.table.contains_key(&wanted) {
            return None;
        }
        entries(&self.files, |prefix| *prefix == wanted).remove(&wanted)
    }

    /// The entries of these prefixes that there are, in one pass.
    #[must_use]
    pub fn entries_of(&self, prefixes: &BTreeSet<IpNet>) -> BTreeMap<IpNet, Entry> {
        match prefixes.iter().any(|prefix| self.contains(prefix)) {
            true => entries(&self.files, |prefix| prefixes.contains(prefix)),
            false => BTreeMap::new(),
        }
    }

    /// How many entries there are of each file, those that stand in several counted for the first.
    pub fn files(&self) -> impl Iterator<Item = (&Path, usize)> {
        let paths = self.files.iter().map(|file| &*file.path);
        paths.zip(self.counts.iter().copied())
    }

    /// How many bytes it takes, about.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let texts: usize = self.files.iter().map(|file| file.text.len()).sum();
        let rows = size_of_val(self.table.as_slice());
        let others =
            self.expiries.len() * size_of::<u32>() + self.repeated.len() * size_of::<IpNet>();
        (texts + rows + others) as u64
    }

    /// The entry that decides about `source` at `now`: the one with the longest prefix among those
    /// that have not expired. It may be an exclusion. IPv4-mapped IPv6 addresses are IPv6, as on
    /// the wire.
    #[must_use]
    pub fn lookup(&self, source: IpAddr, now: Timestamp) -> Option<Entry> {
        let now_s = unix_seconds(now);
        let host = IpNet::from(source);
        let prefix = (0..=host.max_prefix_len()).rev().find_map(|length| {
            let prefix = IpNet::new(source, length).ok()?.trunc();
            let value = self.table.get(&prefix)?;
            (!value.expired(now_s)).then_some(prefix)
        })?;
        self.get(&prefix)
    }

    /// Gives the profiles other numbers: the one that `number` says for each that there was.
    pub fn renumber(&mut self, number: &dyn Fn(u16) -> u16) {
        let stays = |row: &Row| number(row.1.profile) == row.1.profile;
        if !self.table.as_slice().iter().all(stays) {
            let rows = self.table.as_slice().iter().copied();
            self.table = rows
                .map(|(prefix, mut value)| {
                    value.profile = number(value.profile);
                    (prefix, value)
                })
                .collect();
        }
        for known in self.names.values_mut() {
            *known = number(*known);
        }
    }

    /// What the kernel should hold at `now`: the entries that have not expired. While none has, it
    /// shares the rows.
    #[must_use]
    pub fn table(&self, now: Timestamp) -> AllowTable {
        let now_s = unix_seconds(now);
        let first = self.expiries.first().copied();
        if first.is_none_or(|first| u64::from(first) > now_s) {
            return self.table.clone();
        }
        let rows = self.table.as_slice().iter();
        rows.filter(|(_, value)| !value.expired(now_s))
            .copied()
            .collect()
    }

    /// When, after `now`, [`table`](Self::table) changes next because an entry expires.
    #[must_use]
    pub fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        let now_s = u32::try_from(unix_seconds(now)).ok()?;
        let at = self.expiries.partition_point(|second| *second <= now_s);
        let next = self.expiries.get(at);
        let next = next.and_then(|next| Timestamp::from_second(i64::from(*next)).ok());
        let hosts = self.hosts.iter().filter_map(|entry| entry.expires);
        next.into_iter()
            .chain(hosts.filter(|expires| *expires > now))
            .min()
    }
}

/// When rows expire, in order.
pub(super) fn expiries(rows: &[Row]) -> Arc<Vec<u32>> {
    let expiring = rows.iter().filter(|(_, value)| value.expires());
    let mut seconds: Vec<u32> = expiring.map(|(_, value)| value.expires_s).collect();
    seconds.sort_unstable();
    seconds.dedup();
    Arc::new(seconds)
}

/// The clock as the kernel program sees it.
fn unix_seconds(now: Timestamp) -> u64 {
    // `as_second` rounds towards zero and times before 1970 are no times that a guard runs at.
    u64::try_from(now.as_second()).unwrap_or(0)
}
