//! `allow import`.

use std::path::Path;

use super::entry::Entry;
use super::hosts::HostEntry;
use super::read::Profiles;
use super::set::AllowSet;
use crate::diagnostic::Diagnostics;

/// Reads an allowlist file to import, in the order of its lines, prefixes and names apart; `path` is what mistakes are
/// reported for.
///
/// # Errors
/// As [`AllowSet::parse`].
pub fn import_list(
    path: &Path,
    text: &str,
    profiles: Profiles<'_>,
) -> Result<(Vec<Entry>, Vec<HostEntry>), Diagnostics> {
    let set = AllowSet::parse([(path, text)], profiles)?;
    let mut entries: Vec<_> = set.iter().collect();
    entries.sort_by_key(|entry| entry.line);
    Ok((entries, set.hosts().to_vec()))
}
