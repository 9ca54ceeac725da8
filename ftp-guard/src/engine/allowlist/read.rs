//! Reading the texts of all files into rows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ftp_guard_common::allow::{AllowValue, EntryKind};
use ipnet::IpNet;

use super::entry::{DEFAULT_PROFILE, Entry};
use super::hosts::{HostEntry, hosts_of};
use super::line::{Mistake, parse_line};
use super::plain::plain_prefix;
use super::prefix::written;
use super::texts::{ListText, entry_of};
use crate::diagnostic::{Diagnostic, Diagnostics, quoted};

/// The numbers of profiles by name; `None`: there is no such profile.
pub type Profiles<'p> = &'p dyn Fn(&str) -> Option<u16>;

/// A row of the table.
pub(super) type Row = (IpNet, AllowValue);

/// What all files say.
pub(super) struct Reading {
    /// Each prefix once, in order.
    pub(super) rows: Vec<Row>,
    /// Prefixes that stand on more lines than one.
    pub(super) repeated: BTreeSet<IpNet>,
    /// How many entries begin in each file, in the order of the files.
    pub(super) counts: Vec<usize>,
    /// The profiles that are named, with their numbers.
    pub(super) names: BTreeMap<String, u16>,
    /// The entries that name hosts.
    pub(super) hosts: Vec<HostEntry>,
}

/// Reads everything. Lines are first taken as they are; only when one is none, or a prefix comes twice,
/// does a second pass find out what to say of it.
///
/// # Errors
/// All mistakes in all files, at most [`MOST_REPORTED`] of them and then one that counts the rest.
pub(super) fn read(files: &[ListText], profiles: Profiles<'_>) -> Result<Reading, Diagnostics> {
    let mut lines = Lines::new(profiles);
    let mut rows = Vec::new();
    let mut counts = Vec::with_capacity(files.len());
    let mut sound = true;
    for file in files {
        let before = rows.len();
        // About the length of a line, so that growing copies little.
        rows.reserve(file.text.len() / 24);
        for content in file.body().lines() {
            match lines.row(content) {
                Ok(row) => rows.extend(row),
                Err(NoRow) => sound = false,
            }
        }
        counts.push(rows.len() - before);
    }
    sort(&mut rows);
    let repeated: BTreeSet<IpNet> = rows
        .windows(2)
        .filter_map(|pair| match pair {
            [(one, _), (next, _)] if one == next => Some(*one),
            _ => None,
        })
        .collect();
    let (hosts, conflicts) = hosts_of(files);
    if !sound || !repeated.is_empty() || !conflicts.is_empty() {
        let mut second = SecondPass {
            profiles,
            first: BTreeMap::new(),
            report: Report::default(),
        };
        for (file, count) in files.iter().zip(&mut counts) {
            *count = count.saturating_sub(second.file(file, &repeated));
        }
        for conflict in conflicts {
            second.report.add(conflict);
        }
        if let Some(diagnostics) = second.report.finish() {
            return Err(diagnostics);
        }
        rows.dedup_by_key(|(prefix, _)| *prefix);
    }
    rows.shrink_to_fit();
    Ok(Reading {
        rows,
        repeated,
        counts,
        names: lines.names,
        hosts,
    })
}

/// By prefix. Files are often sorted already.
fn sort(rows: &mut [Row]) {
    if !rows.is_sorted_by_key(|(prefix, _)| *prefix) {
        // An integer compares faster than a prefix.
        rows.sort_unstable_by_key(|(prefix, _)| {
            let bits = match prefix.network() {
                IpAddr::V4(address) => (0, u128::from(address.to_bits())),
                IpAddr::V6(address) => (1, address.to_bits()),
            };
            (bits, prefix.prefix_len())
        });
    }
}

/// A line that is a mistake.
#[derive(Debug)]
pub(super) struct NoRow;

/// Turns lines into rows, and remembers the profiles that they name.
pub(super) struct Lines<'p> {
    profiles: Profiles<'p>,
    default: Option<u16>,
    pub(super) names: BTreeMap<String, u16>,
    /// Whether a line named a host.
    pub(super) hosts: bool,
    mistakes: Vec<Mistake>,
}

impl<'p> Lines<'p> {
    pub(super) fn new(profiles: Profiles<'p>) -> Self {
        let default = profiles(DEFAULT_PROFILE);
        let named = default.map(|number| (DEFAULT_PROFILE.to_owned(), number));
        Self {
            profiles,
            default,
            names: named.into_iter().collect(),
            hosts: false,
            mistakes: Vec::new(),
        }
    }

    /// The row of a line; none for a blank one, a comment, and one that names a host.
    pub(super) fn row(&mut self, content: &str) -> Result<Option<Row>, NoRow> {
        if let Some(prefix) = plain_prefix(content) {
            let value = AllowValue {
                expires_s: 0,
                profile: self.default.ok_or(NoRow)?,
                prefix_len: prefix.prefix_len(),
                kind: EntryKind::Allow as u8,
            };
            return Ok(Some((prefix, value)));
        }
        let Some(line) = parse_line(content, &mut self.mistakes) else {
            return match self.mistakes.is_empty() {
                true => Ok(None),
                false => {
                    self.mistakes.clear();
                    Err(NoRow)
                }
            };
        };
        let number = match line.profile {
            None => self.default.ok_or(NoRow)?,
            Some((name, _)) => match self.names.get(name) {
                Some(number) => *number,
                None => {
                    let number = (self.profiles)(name).ok_or(NoRow)?;
                    self.names.insert(name.to_owned(), number);
                    number
                }
            },
        };
        if line.host.is_some() {
            self.hosts = true;
            return Ok(None);
        }
        let entry = Entry {
            kind: line.kind,
            expires: line.expires,
            ..Entry::allow(line.prefix)
        };
        Ok(Some((line.prefix, entry.value(number))))
    }
}

/// Names mistakes.
struct SecondPass<'p> {
    profiles: Profiles<'p>,
    /// The first entries of the prefixes that come more than once.
    first: BTreeMap<IpNet, Entry>,
    report: Report,
}

impl SecondPass<'_> {
    /// Returns how many lines of the file say again what an earlier one says.
    fn file(&mut self, file: &ListText, repeated: &BTreeSet<IpNet>) -> usize {
        let mut again = 0;
        let mut mistakes = Vec::new();
        for (number, content) in file.lines() {
            let plain = plain_prefix(content);
            if plain.is_some_and(|prefix| !repeated.contains(&prefix))
                && (self.profiles)(DEFAULT_PROFILE).is_some()
            {
                continue;
            }
            if let Some(line) = parse_line(content, &mut mistakes) {
                let (profile, at) = line.profile.unwrap_or((DEFAULT_PROFILE, 0));
                let prefix_at = line.prefix_at;
                if (self.profiles)(profile).is_none() {
                    let message = format!(
                        "unknown profile {}: the configuration has no table [profile.NAME] of this name",
                        quoted(profile)
                    );
                    mistakes.push((at, message));
                } else if line.host.is_none() && repeated.contains(&line.prefix) {
                    let entry = entry_of(line, &file.path, number);
                    match self.repeated(entry) {
                        Ok(false) => {}
                        Ok(true) => again += 1,
                        Err(message) => mistakes.push((prefix_at, message)),
                    }
                }
            }
            mistakes.sort_by_key(|(offset, _)| *offset);
            for (offset, message) in mistakes.drain(..) {
                let before = content.get(..offset).unwrap_or(content);
                let column = before.chars().count() + 1;
                self.report.add(Diagnostic {
                    file: file.path.to_path_buf(),
                    line: number,
                    column: u32::try_from(column).unwrap_or(u32::MAX),
                    message,
                });
            }
        }
        again
    }

    /// Whether an earlier line says the same.
    fn repeated(&mut self, entry: Entry) -> Result<bool, String> {
        match self.first.get(&entry.prefix) {
            None => {
                self.first.insert(entry.prefix, entry);
                Ok(false)
            }
            Some(first) if first.same_settings(&entry) => Ok(true),
            Some(first) => Err(format!(
                "{} is listed already, with other settings, at {}:{}: keep one of the two",
                written(&entry.prefix),
                first.file.display(),
                first.line
            )),
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
