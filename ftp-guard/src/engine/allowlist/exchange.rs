//! Formats of `allow import` and `allow export`.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::entry::{Entry, EntryRecord};
use super::set::{AllowSet, Profiles};
use crate::diagnostic::Diagnostics;

/// The entries as an allowlist file, one a line.
#[must_use]
pub fn export_list<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let mut text = String::new();
    for entry in entries {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{entry}");
    }
    text
}

/// The entries as `{"version": 1, "entries": [...]}`, each one an [`EntryRecord`].
#[must_use]
pub fn export_json<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Value {
    let records: Vec<_> = entries.into_iter().map(EntryRecord::from).collect();
    json!({ "version": 1, "entries": records })
}

/// Reads an allowlist file to import, in the order of its lines; `path` is what mistakes are
/// reported for.
///
/// # Errors
/// As [`AllowSet::parse`].
pub fn import_list(
    path: &Path,
    text: &str,
    profiles: Profiles<'_>,
) -> Result<Vec<Entry>, Diagnostics> {
    let set = AllowSet::parse([(path, text)], profiles)?;
    let mut entries: Vec<_> = set.iter().cloned().collect();
    entries.sort_by_key(|entry| entry.line);
    Ok(entries)
}
