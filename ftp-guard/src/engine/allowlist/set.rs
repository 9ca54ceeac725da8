//! All entries of all files.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ftp_guard_common::allow::AllowValue;
use ipnet::IpNet;
use jiff::Timestamp;

use super::entry::{DEFAULT_PROFILE, Entry};
use super::line::{Line, Mistake, parse_line};
use super::plan::AllowTable;
use super::prefix::written;
use crate::diagnostic::{BYTE_ORDER_MARK, Diagnostic, Diagnostics, quoted};

/// The numbers of profiles by name; `None`: there is no such profile.
pub type Profiles<'p> = &'p dyn Fn(&str) -> Option<u16>;

/// The entries of all allowlist files, expired ones included, by prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowSet {
    entries: BTreeMap<IpNet, Listed>,
    /// Prefix lengths that occur, so that a lookup tries no others.
    lengths_v4: BTreeSet<u8>,
    lengths_v6: BTreeSet<u8>,
    /// Times at which entries expire, in seconds of Unix time.
    expiries: BTreeSet<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    entry: Entry,
    value: AllowValue,
}

impl AllowSet {
    /// Reads the texts of allowlist files, each with the path that it is called by.
    ///
    /// A prefix that is listed twice with the same settings is one entry: the first one, with the
    /// first label that is given.
    ///
    /// # Errors
    /// All mistakes in all files, at most [`MOST_REPORTED`] of them and then one that counts the
    /// rest: lines that are no entry, profiles that do not exist, prefixes listed twice with
    /// different settings.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (&'a Path, &'a str)>,
        profiles: Profiles<'_>,
    ) -> Result<Self, Diagnostics> {
        let mut reader = Reader {
            profiles,
            set: Self::default(),
            report: Report::default(),
        };
        for (path, text) in files {
            reader.file(path, text);
        }
        match reader.report.finish() {
            None => Ok(reader.set),
            Some(diagnostics) => Err(diagnostics),
        }
    }

    /// The entries in the order of their prefixes, IPv4 first, a wider prefix before those inside
    /// it.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(|listed| &listed.entry)
    }

    /// How many entries there are, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of exactly this prefix, expired or not.
    #[must_use]
    pub fn get(&self, prefix: &IpNet) -> Option<&Entry> {
        self.entries
            .get(&prefix.trunc())
            .map(|listed| &listed.entry)
    }

    /// The entry that decides about `source` at `now`: the one with the longest prefix among those
    /// that have not expired. It may be an exclusion. IPv4-mapped IPv6 addresses are IPv6, as on
    /// the wire.
    #[must_use]
    pub fn lookup(&self, source: IpAddr, now: Timestamp) -> Option<&Entry> {
        let now_s = unix_seconds(now);
        let lengths = match source {
            IpAddr::V4(_) => &self.lengths_v4,
            IpAddr::V6(_) => &self.lengths_v6,
        };
        lengths.iter().rev().find_map(|length| {
            let prefix = IpNet::new(source, *length).ok()?.trunc();
            let listed = self.entries.get(&prefix)?;
            (!listed.value.expired(now_s)).then_some(&listed.entry)
        })
    }

    /// Gives the profiles other numbers. One without a number is the default profile.
    pub fn renumber(&mut self, profiles: Profiles<'_>) {
        for listed in self.entries.values_mut() {
            listed.value.profile = profiles(&listed.entry.profile).unwrap_or(0);
        }
    }

    /// What the kernel should hold at `now`: the entries that have not expired.
    #[must_use]
    pub fn table(&self, now: Timestamp) -> AllowTable {
        let now_s = unix_seconds(now);
        self.entries
            .iter()
            .filter(|(_, listed)| !listed.value.expired(now_s))
            .map(|(prefix, listed)| (*prefix, listed.value))
            .collect()
    }

    /// When, after `now`, [`table`](Self::table) changes next because an entry expires.
    #[must_use]
    pub fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        let now_s = u32::try_from(unix_seconds(now)).ok()?;
        let next = self.expiries.range(now_s.checked_add(1)?..).next()?;
        Timestamp::from_second(i64::from(*next)).ok()
    }

    fn insert(&mut self, entry: Entry, value: AllowValue) {
        match entry.prefix {
            IpNet::V4(_) => self.lengths_v4.insert(value.prefix_len),
            IpNet::V6(_) => self.lengths_v6.insert(value.prefix_len),
        };
        if value.expires() {
            self.expiries.insert(value.expires_s);
        }
        self.entries.insert(entry.prefix, Listed { entry, value });
    }
}

/// The clock as the kernel program sees it.
fn unix_seconds(now: Timestamp) -> u64 {
    // `as_second` rounds towards zero and times before 1970 are no times that a guard runs at.
    u64::try_from(now.as_second()).unwrap_or(0)
}

struct Reader<'p> {
    profiles: Profiles<'p>,
    set: AllowSet,
    report: Report,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, text: &str) {
        let file: Arc<Path> = Arc::from(path);
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let mut mistakes = Vec::new();
        for (index, content) in text.lines().enumerate() {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            if let Some(line) = parse_line(content, &mut mistakes) {
                self.line(line, &file, number, &mut mistakes);
            }
            mistakes.sort_by_key(|(offset, _)| *offset);
            for (offset, message) in mistakes.drain(..) {
                let column = content[..offset].chars().count() + 1;
                self.report.add(Diagnostic {
                    file: path.to_owned(),
                    line: number,
                    column: u32::try_from(column).unwrap_or(u32::MAX),
                    message,
                });
            }
        }
    }

    fn line(&mut self, line: Line<'_>, file: &Arc<Path>, number: u32, mistakes: &mut Vec<Mistake>) {
        let (profile, at) = line.profile.unwrap_or((DEFAULT_PROFILE, 0));
        let Some(profile_number) = (self.profiles)(profile) else {
            let message = format!(
                "unknown profile {}: the configuration has no table [profile.NAME] of this name",
                quoted(profile)
            );
            mistakes.push((at, message));
            return;
        };
        let entry = Entry {
            prefix: line.prefix,
            kind: line.kind,
            profile: profile.to_owned(),
            expires: line.expires,
            label: line.label,
            file: Arc::clone(file),
            line: number,
        };
        match self.set.entries.get_mut(&entry.prefix) {
            None => {
                let value = entry.value(profile_number);
                self.set.insert(entry, value);
            }
            Some(first) if first.entry.same_settings(&entry) => {
                first.entry.label = first.entry.label.take().or(entry.label);
            }
            Some(first) => {
                let first = &first.entry;
                let message = format!(
                    "{} is listed already, with other settings, at {}:{}: keep one of the two",
                    written(&entry.prefix),
                    first.file.display(),
                    first.line
                );
                mistakes.push((line.prefix_at, message));
            }
        }
    }
}

/// How many mistakes are reported one by one.
pub const MOST_REPORTED: usize = 100;

#[derive(Default)]
struct Report {
    found: Vec<Diagnostic>,
    first_left_out: Option<Diagnostic>,
    left_out: usize,
}

impl Report {
    fn add(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < MOST_REPORTED {
            self.found.push(diagnostic);
        } else {
            self.left_out += 1;
            self.first_left_out.get_or_insert(diagnostic);
        }
    }

    fn finish(mut self) -> Option<Diagnostics> {
        if let Some(mut rest) = self.first_left_out {
            rest.message = format!("{} more mistakes from here on", self.left_out);
            self.found.push(rest);
        }
        (!self.found.is_empty()).then_some(Diagnostics(self.found))
    }
}
