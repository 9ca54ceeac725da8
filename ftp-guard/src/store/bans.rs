//! The file of bans: JSON, a ban a line, so that people can read it and compare two versions of it.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::write_atomically;
use crate::{
    diagnostic::{Diagnostic, position, quoted},
    engine::{
        allowlist::{parse_prefix, written},
        bans::{Ban, BanBook, End, Origin, Past},
    },
};

/// The layout of the file.
const VERSION: u64 = 1;

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredBans {
    /// Bans that were in force when it was written.
    pub bans: Vec<Ban>,
    /// Bans that were over.
    pub history: Vec<Past>,
}

/// A member of either list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    prefix: String,
    since: Timestamp,
    /// Absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    origin: String,
    by: String,
    count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<String>,
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[expect(dead_code, reason = "read as `Versioned` before")]
    version: u64,
    bans: Vec<Entry>,
    history: Vec<Entry>,
}

/// Reads the file of bans; one that is not there holds none.
///
/// # Errors
/// The file cannot be read, or the first mistake in it. It is left as it is: whoever writes it next
/// would lose what it holds.
pub fn read_bans(path: &Path) -> Result<StoredBans, Diagnostic> {
    let failed = |error| Diagnostic::whole_file(path, format!("cannot read: {error}"));
    match fs::metadata(path) {
        // Opening a pipe would wait for a writer for ever.
        Ok(metadata) if !metadata.is_file() => {
            return Err(Diagnostic::whole_file(path, "not a regular file"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_link(path) => {
            return Ok(StoredBans::default());
        }
        Err(error) => return Err(failed(error)),
    }
    let bytes = fs::read(path).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let lossy = String::from_utf8_lossy(error.as_bytes());
        let offset = error.utf8_error().valid_up_to();
        Diagnostic::at(path, &lossy, offset, "not UTF-8 text")
    })?;
    parse(path, &text)
}

/// Writes the file of bans, durably, whole or not at all. Missing folders are made, for their owner and
/// group.
///
/// # Errors
/// With the path in the message: no permission, no space. The file is then as it was.
pub fn write_bans(path: &Path, book: &BanBook) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot make the folder {}: {error}", folder.display()),
            )
        })?;
    }
    write_atomically(path, &text_of(book)?)
}

/// The text of the file.
///
/// # Errors
/// None that is known: every ban can be written.
fn text_of(book: &BanBook) -> io::Result<String> {
    let mut text = format!("{{\n  \"version\": {VERSION},\n");
    list(&mut text, "bans", book.bans().map(Entry::from))?;
    text.push_str(",\n");
    list(&mut text, "history", book.history().map(Entry::from))?;
    text.push_str("\n}\n");
    Ok(text)
}

fn list(text: &mut String, name: &str, entries: impl Iterator<Item = Entry>) -> io::Result<()> {
    let _ = write!(text, "  {name:?}: [");
    let mut any = false;
    for entry in entries {
        text.push_str(if any { ",\n    " } else { "\n    " });
        text.push_str(&serde_json::to_string(&entry)?);
        any = true;
    }
    text.push_str(if any { "\n  ]" } else { "]" });
    Ok(())
}

impl From<&Ban> for Entry {
    fn from(ban: &Ban) -> Self {
        Self {
            prefix: written(&ban.prefix),
            since: ban.since,
            until: ban.until,
            reason: ban.reason.clone(),
            origin: ban.origin.as_str().to_owned(),
            by: ban.by.clone(),
            count: ban.count,
            ended: None,
            end: None,
        }
    }
}

impl From<&Past> for Entry {
    fn from(past: &Past) -> Self {
        Self {
            ended: Some(past.ended),
            end: Some(past.end.as_str().to_owned()),
            ..Self::from(&past.ban)
        }
    }
}

fn parse(path: &Path, text: &str) -> Result<StoredBans, Diagnostic> {
    let bad = |error: &serde_json::Error| at_error(path, text, error);
    // The version first: all else may be different in another one.
    let versioned: Versioned = serde_json::from_str(text).map_err(|error| bad(&error))?;
    if versioned.version != VERSION {
        return Err(Diagnostic::whole_file(
            path,
            format!(
                "layout {} of the file of bans, this program reads {VERSION}: start the version of \
                 ftp-guard that wrote it, or move the file away (all bans are lost then)",
                versioned.version
            ),
        ));
    }
    let document: Document = serde_json::from_str(text).map_err(|error| bad(&error))?;
    let mut reader = Reader {
        path,
        text,
        seen: BTreeSet::new(),
    };
    let mut stored = StoredBans::default();
    for entry in document.bans {
        stored.bans.push(reader.ban(&entry)?);
    }
    for entry in document.history {
        stored.history.push(reader.past(&entry)?);
    }
    Ok(stored)
}

struct Reader<'t> {
    path: &'t Path,
    text: &'t str,
    seen: BTreeSet<IpNet>,
}

impl Reader<'_> {
    fn ban(&mut self, entry: &Entry) -> Result<Ban, Diagnostic> {
        let prefix = parse_prefix(&entry.prefix).map_err(|message| self.at(entry, message))?;
        let origin = Origin::from_name(&entry.origin).ok_or_else(|| {
            let origin = quoted(&entry.origin);
            self.at(
                entry,
                format!("unknown origin {origin}: expected cli or rule"),
            )
        })?;
        if !self.seen.insert(prefix) {
            let prefix = written(&prefix);
            return Err(self.at(entry, format!("{prefix} is in the file twice: keep one")));
        }
        Ok(Ban {
            prefix,
            since: entry.since,
            until: entry.until,
            reason: entry.reason.clone(),
            origin,
            by: entry.by.clone(),
            count: entry.count.max(1),
        })
    }

    fn past(&mut self, entry: &Entry) -> Result<Past, Diagnostic> {
        let ban = self.ban(entry)?;
        let end = entry.end.as_deref().and_then(End::from_name);
        let (Some(ended), Some(end)) = (entry.ended, end) else {
            let message = "in `history` expected `ended`, a time, and `end`, expired or removed";
            return Err(self.at(entry, message.to_owned()));
        };
        Ok(Past { ban, ended, end })
    }

    /// A mistake in the last entry of this prefix.
    fn at(&self, entry: &Entry, message: String) -> Diagnostic {
        let prefix = serde_json::to_string(&entry.prefix).unwrap_or_default();
        match self.text.rfind(&prefix) {
            Some(offset) => Diagnostic::at(self.path, self.text, offset, message),
            None => Diagnostic::whole_file(self.path, message),
        }
    }
}

/// The place that the parser names, its column in characters.
fn at_error(path: &Path, text: &str, error: &serde_json::Error) -> Diagnostic {
    let whole = error.to_string();
    let message = whole.split(" at line ").next().unwrap_or(&whole);
    let message = format!("damaged file of bans: {message}; it is left as it is");
    let begin: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let (line, column) = position(text, begin + error.column().saturating_sub(1));
    Diagnostic {
        file: path.to_owned(),
        line,
        column,
        message,
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Makes a folder and those above it, and syncs the folder that each is in.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<PathBuf> = folder
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .map(Path::to_owned)
        .collect();
    for path in missing.iter().rev() {
        match DirBuilder::new().mode(0o750).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        let parent = path.parent().filter(|path| !path.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "bans_tests.rs"]
mod tests;
