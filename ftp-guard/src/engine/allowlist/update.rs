//! From one reading of the files to the next, at the cost of what differs.

use std::collections::BTreeMap;
use std::sync::Arc;

use ftp_guard_common::allow::AllowValue;
use ipnet::IpNet;

use super::difference::difference;
use super::hosts::hosts_of;
use super::read::{Lines, Profiles, Row};
use super::set::{AllowSet, expiries};
use super::table::order;
use super::texts::ListText;
use crate::diagnostic::Diagnostics;

/// With more lines changed than one in so many, everything is read again.
const MOST_CHANGED: usize = 4;

impl AllowSet {
    /// What the files say now, `self` being what they said before. It is what [`AllowSet::read`] makes
    /// of them, at a lower cost when little has changed.
    ///
    /// # Errors
    /// As for [`AllowSet::parse`].
    pub fn updated(
        &self,
        files: Vec<ListText>,
        profiles: Profiles<'_>,
    ) -> Result<Self, Diagnostics> {
        match self.patched(&files, profiles) {
            Some(set) => Ok(set),
            None => Self::read(files, profiles),
        }
    }

    /// `None`: too much has changed, or something that only a full reading can judge.
    fn patched(&self, files: &[ListText], profiles: Profiles<'_>) -> Option<Self> {
        let same_number = |(name, number): (&String, &u16)| profiles(name) == Some(*number);
        if self.table.is_empty() || !self.names.iter().all(same_number) {
            return None;
        }
        let mut patch = Patch {
            set: self,
            lines: Lines::new(profiles),
            edits: BTreeMap::new(),
        };
        let before: BTreeMap<_, _> = self.files.iter().map(|file| (&file.path, file)).collect();
        let most = self.table.len() / MOST_CHANGED + 64;
        let mut new = Vec::new();
        let mut changed = BTreeMap::new();
        let counts = self.files.iter().zip(&self.counts);
        let mut counts: BTreeMap<_, _> = counts.map(|(file, count)| (&file.path, *count)).collect();
        for file in files {
            let old = before.get(&file.path).map_or("", |file| file.body());
            let found = difference(old, file.body(), most)?;
            let gone = patch.remove(&found.gone)?;
            let count = counts.entry(&file.path).or_default();
            *count = count.checked_sub(gone)?;
            if !found.new.is_empty() {
                new.push((&file.path, found.new));
            }
            changed.insert(&file.path, ());
        }
        for file in &self.files {
            if !changed.contains_key(&file.path) {
                let lines: Vec<&str> = file.body().split_inclusive('\n').take(most + 1).collect();
                if lines.len() > most {
                    return None;
                }
                patch.remove(&lines)?;
            }
        }
        // All that goes first: a line may have moved from one file to another.
        for (path, lines) in new {
            *counts.entry(path).or_default() += patch.insert(&lines)?;
        }
        let counts = files
            .iter()
            .map(|file| counts.get(&file.path).copied().unwrap_or(0))
            .collect();
        // The line of an entry moves with what stands before it.
        let hosts = match self.hosts.is_empty() && !patch.lines.hosts {
            true => Arc::clone(&self.hosts),
            false => match hosts_of(files) {
                (hosts, conflicts) if conflicts.is_empty() => Arc::new(hosts),
                _ => return None,
            },
        };
        let mut names = self.names.clone();
        names.append(&mut patch.lines.names);
        let edits = patch.edits;
        if edits.is_empty() {
            return Some(Self {
                files: files.to_vec(),
                counts,
                names,
                hosts,
                ..self.clone()
            });
        }
        let times_change = edits.iter().any(|(prefix, edit)| {
            let expires = |value: &AllowValue| value.expires();
            edit.as_ref().is_some_and(expires) || self.table.get(prefix).is_some_and(expires)
        });
        let rows = merged(self.table.as_slice(), &edits);
        Some(Self {
            expiries: match times_change {
                true => expiries(&rows),
                false => self.expiries.clone(),
            },
            table: rows.into(),
            files: files.to_vec(),
            counts,
            repeated: self.repeated.clone(),
            names,
            hosts,
        })
    }
}

struct Patch<'s, 'p> {
    set: &'s AllowSet,
    lines: Lines<'p>,
    /// What prefixes become; `None`: they go.
    edits: BTreeMap<IpNet, Option<AllowValue>>,
}

impl Patch<'_, '_> {
    /// Takes out the entries of lines that were read before; how many.
    fn remove(&mut self, lines: &[&str]) -> Option<usize> {
        let mut removed = 0;
        for line in lines {
            // A profile that is gone from the configuration may be named by lines that go with it.
            let Some((prefix, _)) = self.lines.row(without_end(line)).ok()? else {
                continue;
            };
            if self.set.repeated.contains(&prefix) {
                return None;
            }
            self.edits.insert(prefix, None);
            removed += 1;
        }
        Some(removed)
    }

    /// Puts in the entries of lines; how many.
    fn insert(&mut self, lines: &[&str]) -> Option<usize> {
        let mut inserted = 0;
        for line in lines {
            let Some((prefix, value)) = self.lines.row(without_end(line)).ok()? else {
                continue;
            };
            let there = match self.edits.get(&prefix) {
                Some(edit) => edit.is_some(),
                None => self.set.table.contains_key(&prefix),
            };
            if there {
                return None;
            }
            self.edits.insert(prefix, Some(value));
            inserted += 1;
        }
        Some(inserted)
    }
}

/// As [`str::lines`] leaves a line.
fn without_end(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// How many of the first rows come before a prefix: the cost is that of the logarithm of the answer.
fn before(rows: &[Row], prefix: &IpNet) -> usize {
    let is_before = |(known, _): &Row| order(known, prefix).is_lt();
    let mut step = 1;
    while rows.get(step).is_some_and(is_before) {
        step *= 2;
    }
    let (low, high) = (step / 2, rows.len().min(step + 1));
    let within = rows.get(low..high).unwrap_or_default();
    low + within.partition_point(is_before)
}

/// The rows with the edits, in order. What lies between two edits is copied as one piece.
pub(super) fn merged(rows: &[Row], edits: &BTreeMap<IpNet, Option<AllowValue>>) -> Vec<Row> {
    let mut merged = Vec::with_capacity(rows.len() + edits.len());
    let mut rest = rows;
    for (prefix, edit) in edits {
        let at = before(rest, prefix);
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        merged.extend_from_slice(before);
        rest = match after {
            [(known, _), after @ ..] if known == prefix => after,
            after => after,
        };
        merged.extend(edit.map(|value| (*prefix, value)));
    }
    merged.extend_from_slice(rest);
    merged
}
