//! The texts of the files behind a set, and the entries that they hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;

use super::entry::{DEFAULT_PROFILE, Entry};
use super::line::{Line, parse_line, written_prefix};
use crate::diagnostic::BYTE_ORDER_MARK;

/// A file of the allowlist: the path that it is called by, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListText {
    /// The path.
    pub path: Arc<Path>,
    /// All of the text, as it was read: to copy a list of a million entries takes as long as to read it.
    pub text: Arc<String>,
}

impl ListText {
    /// A file of this text.
    #[must_use]
    pub fn new(path: &Path, text: impl Into<String>) -> Self {
        Self {
            path: Arc::from(path),
            text: Arc::new(text.into()),
        }
    }

    /// The text without the mark that some editors put before it.
    pub(super) fn body(&self) -> &str {
        self.text
            .strip_prefix(BYTE_ORDER_MARK)
            .unwrap_or(&self.text)
    }

    /// The lines, numbered from 1, without their ends.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u32, &str)> {
        let numbered = self.body().lines().enumerate();
        numbered.map(|(index, line)| (u32::try_from(index + 1).unwrap_or(u32::MAX), line))
    }
}

/// The entry of a line that was read.
pub(super) fn entry_of(line: Line<'_>, file: &Arc<Path>, number: u32) -> Entry {
    let (profile, _) = line.profile.unwrap_or((DEFAULT_PROFILE, 0));
    Entry {
        prefix: line.prefix,
        kind: line.kind,
        profile: profile.to_owned(),
        expires: line.expires,
        label: line.label,
        file: Arc::clone(file),
        line: number,
    }
}

/// The entries whose prefix `wanted` takes, by prefix: the first of each, with the first label. One
/// pass over the texts.
pub(super) fn entries<'f>(
    files: impl IntoIterator<Item = &'f ListText>,
    wanted: impl Fn(&IpNet) -> bool,
) -> BTreeMap<IpNet, Entry> {
    let mut found: BTreeMap<IpNet, Entry> = BTreeMap::new();
    let mut mistakes = Vec::new();
    for file in files {
        for (number, content) in file.lines() {
            if !written_prefix(content).is_some_and(|prefix| wanted(&prefix)) {
                continue;
            }
            let Some(line) = parse_line(content, &mut mistakes) else {
                mistakes.clear();
                continue;
            };
            let entry = entry_of(line, &file.path, number);
            match found.get_mut(&entry.prefix) {
                Some(first) => first.label = first.label.take().or(entry.label),
                None => drop(found.insert(entry.prefix, entry)),
            }
        }
    }
    found
}
