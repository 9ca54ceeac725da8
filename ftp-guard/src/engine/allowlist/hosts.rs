//! Entries that name hosts, and the rows that their addresses make.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ftp_guard_common::allow::{AllowValue, EntryKind};
use ipnet::IpNet;
use jiff::Timestamp;

use super::entry::{DEFAULT_PROFILE, Entry, Escaped};
use super::line::{parse_line, written_host};
use super::set::AllowSet;
use super::table::AllowTable;
use super::texts::ListText;
use super::update::merged;
use crate::diagnostic::Diagnostic;
use crate::engine::names::{HostName, MARK, NameBook};

/// An entry of a name and where it stands.
///
/// Displayed as the line that one would write in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEntry {
    /// The name.
    pub name: HostName,
    /// The name of its profile.
    pub profile: String,
    /// From when on it is as good as absent.
    pub expires: Option<Timestamp>,
    /// What people call it.
    pub label: Option<String>,
    /// The file that it is in.
    pub file: Arc<Path>,
    /// Its line, from 1. 0: it is in no file yet.
    pub line: u32,
}

impl HostEntry {
    /// Whether the two say the same about the same name. Labels say nothing.
    #[must_use]
    pub fn same_settings(&self, other: &Self) -> bool {
        self.name == other.name && self.profile == other.profile && self.expires == other.expires
    }

    /// Whether it is as good as absent.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// The entry that one of its addresses has.
    #[must_use]
    pub fn entry(&self, address: IpAddr) -> Entry {
        Entry {
            profile: self.profile.clone(),
            expires: self.expires,
            label: self.label.clone(),
            file: Arc::clone(&self.file),
            line: self.line,
            ..Entry::allow(address.into())
        }
    }
}

impl fmt::Display for HostEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}{}", self.name)?;
        if self.profile != DEFAULT_PROFILE {
            write!(f, " profile={}", self.profile)?;
        }
        if let Some(expires) = self.expires {
            write!(f, " expires={expires}")?;
        }
        match &self.label {
            Some(label) => write!(f, " label=\"{}\"", Escaped(label)),
            None => Ok(()),
        }
    }
}

/// What becomes of an address of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostRow {
    /// It is an entry of the kernel's, with the name's settings.
    InForce,
    /// The files have an entry of this very address, which keeps its own settings.
    Listed,
    /// The files exclude it.
    Excluded,
    /// A name that stands before has it as well.
    OfAnother,
}

impl AllowSet {
    /// The entries that name hosts, in the order of the files and their lines, each name once.
    #[must_use]
    pub fn hosts(&self) -> &[HostEntry] {
        &self.hosts
    }

    /// The entry of this name.
    #[must_use]
    pub fn host(&self, name: &HostName) -> Option<&HostEntry> {
        self.hosts.iter().find(|entry| entry.name == *name)
    }

    /// What the kernel should hold at `now`, addresses of names included.
    #[must_use]
    pub fn table_with(&self, book: &NameBook, now: Timestamp) -> AllowTable {
        let table = self.table(now);
        if self.hosts.is_empty() {
            return table;
        }
        let mut added = BTreeMap::new();
        self.each_host(&table, book, now, |entry, address, row| {
            if row == HostRow::InForce
                && let Some(value) = self.host_value(entry, address)
            {
                added.insert(IpNet::from(address), Some(value));
            }
        });
        match added.is_empty() {
            true => table,
            false => merged(table.as_slice(), &added).into(),
        }
    }

    /// The entry that lets an address in by its name at `now`.
    #[must_use]
    pub fn host_entry_of(
        &self,
        address: IpAddr,
        book: &NameBook,
        now: Timestamp,
    ) -> Option<&HostEntry> {
        if self.hosts.is_empty() || self.host_row(address, &self.table(now)) != HostRow::InForce {
            return None;
        }
        self.hosts
            .iter()
            .filter(|entry| !entry.expired(now))
            .find(|entry| book.addresses(&entry.name).contains(&address))
    }

    /// All addresses of names at `now`, and what becomes of each; `table` is what the files say then.
    pub fn each_host<'s>(
        &'s self,
        table: &AllowTable,
        book: &NameBook,
        now: Timestamp,
        mut tell: impl FnMut(&'s HostEntry, IpAddr, HostRow),
    ) {
        let mut taken = std::collections::BTreeSet::new();
        for entry in self.hosts.iter().filter(|entry| !entry.expired(now)) {
            for address in book.addresses(&entry.name) {
                let row = match self.host_row(address, table) {
                    HostRow::InForce if !taken.insert(address) => HostRow::OfAnother,
                    row => row,
                };
                tell(entry, address, row);
            }
        }
    }

    /// What the files say of an address of a name. DNS must not open what somebody shut by hand, and what
    /// is written of an address is more exact than what is written of its name.
    fn host_row(&self, address: IpAddr, table: &AllowTable) -> HostRow {
        let host = IpNet::from(address);
        match table.get(&host) {
            Some(value) if value.excludes() => return HostRow::Excluded,
            Some(_) => return HostRow::Listed,
            None => {}
        }
        match table.around(&host) {
            Some((_, value)) if value.excludes() => HostRow::Excluded,
            _ => HostRow::InForce,
        }
    }

    fn host_value(&self, entry: &HostEntry, address: IpAddr) -> Option<AllowValue> {
        let number = self.names.get(&entry.profile)?;
        Some(entry.entry(address).value(*number))
    }
}

/// The entries of all files that name hosts, each name once, with the first label that is given; and what
/// is said of a name twice in different ways.
pub(super) fn hosts_of(files: &[ListText]) -> (Vec<HostEntry>, Vec<Diagnostic>) {
    let mut found: Vec<HostEntry> = Vec::new();
    let mut places: BTreeMap<HostName, usize> = BTreeMap::new();
    let mut conflicts = Vec::new();
    for (file, number, line) in files.iter().flat_map(marked_lines) {
        let Some(entry) = host_entry(line, &file.path, number) else {
            continue;
        };
        let known = places.get(&entry.name).and_then(|at| found.get_mut(*at));
        match known {
            None => {
                places.insert(entry.name.clone(), found.len());
                found.push(entry);
            }
            Some(first) if first.same_settings(&entry) => {
                first.label = first.label.take().or(entry.label);
            }
            Some(first) => {
                let before = line.len() - line.trim_start().len();
                conflicts.push(Diagnostic {
                    file: file.path.to_path_buf(),
                    line: number,
                    column: u32::try_from(before + 1).unwrap_or(u32::MAX),
                    message: format!(
                        "{MARK}{} is listed already, with other settings, at {}:{}: keep one of the two",
                        entry.name,
                        first.file.display(),
                        first.line
                    ),
                });
            }
        }
    }
    (found, conflicts)
}

/// The lines that may name a host, numbered from 1. Files are long and names few, so that lines are looked
/// at only where the mark stands.
fn marked_lines(file: &ListText) -> impl Iterator<Item = (&ListText, u32, &str)> {
    let body = file.body();
    let (mut counted, mut number) = (0, 1_u32);
    let mut rest = 0;
    std::iter::from_fn(move || {
        loop {
            let mark = rest + body.get(rest..)?.find(MARK)?;
            let begin = body.get(..mark)?.rfind('\n').map_or(0, |at| at + 1);
            let line = body.get(begin..)?.lines().next()?;
            rest = begin + line.len();
            if !line.trim_start().starts_with(MARK) {
                continue;
            }
            let passed = body.as_bytes().get(counted..begin)?;
            let lines = passed.iter().filter(|byte| **byte == b'\n').count();
            number = number.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
            counted = begin;
            return Some((file, number, line));
        }
    })
}

fn host_entry(line: &str, file: &Arc<Path>, number: u32) -> Option<HostEntry> {
    let line = parse_line(line, &mut Vec::new())?;
    let (profile, _) = line.profile.unwrap_or((DEFAULT_PROFILE, 0));
    debug_assert_eq!(line.kind, EntryKind::Allow);
    Some(HostEntry {
        name: line.host?,
        profile: profile.to_owned(),
        expires: line.expires,
        label: line.label,
        file: Arc::clone(file),
        line: number,
    })
}

/// The entry of a line by itself, in no file; its profile may not exist.
pub(crate) fn written_host_entry(line: &str) -> Option<HostEntry> {
    written_host(line)?;
    host_entry(line, &Arc::from(Path::new("")), 0)
}
