//! The allowlist files' own format.

use std::fmt::Write;
use std::path::Path;

use ftp_guard_common::allow::EntryKind;
use ipnet::IpNet;

use super::collect::{Collector, Imported, Item, Settings};
use super::source::Source;
use crate::diagnostic::Diagnostics;
use crate::engine::allowlist::{Entry, HostEntry, import_list};

pub(super) fn read(text: &str, into: &mut Collector<'_>) {
    let (entries, hosts) = match entries(text) {
        Ok(entries) => entries,
        Err(Diagnostics(mistakes)) => {
            for mistake in &mistakes {
                into.unknown_at(mistake.line, mistake.column, mistake.message.clone());
            }
            match entries(&readable(text)) {
                Ok(entries) => entries,
                Err(_) => return into.refuse(0, "more lines are wrong than can be skipped"),
            }
        }
    };
    for entry in entries {
        if into.over() {
            return;
        }
        let settings = Settings {
            exclude: entry.kind == EntryKind::Exclude,
            profile: entry.profile.as_str().into(),
            expires: entry.expires,
            label: entry.label.as_deref().map(Into::into),
        };
        into.take(entry.line, Source::Net(entry.prefix), &settings);
    }
    for host in hosts {
        into.take_host(host);
    }
}

/// Whether a profile exists is the daemon's to say.
fn entries(text: &str) -> Result<(Vec<Entry>, Vec<HostEntry>), Diagnostics> {
    import_list(Path::new(""), text, &|_| Some(0))
}

/// The text with the lines emptied that are no entries, each looked at by itself.
fn readable(text: &str) -> String {
    let mut readable = String::with_capacity(text.len());
    for line in text.lines() {
        if entries(line).is_ok() {
            readable.push_str(line);
        }
        readable.push('\n');
    }
    readable
}

/// The items as a text in the format of the allowlist files.
#[must_use]
pub fn text_of(imported: &Imported) -> String {
    let mut text = String::new();
    for Item {
        prefix, settings, ..
    } in &imported.items
    {
        let entry = entry_of(*prefix, imported.settings.get(*settings));
        // Writing to a string does not fail.
        let _ = writeln!(text, "{entry}");
    }
    for host in &imported.hosts {
        let _ = writeln!(text, "{host}");
    }
    text
}

fn entry_of(prefix: IpNet, settings: &Settings) -> Entry {
    Entry {
        kind: settings.kind(),
        profile: settings.profile.to_string(),
        expires: settings.expires,
        label: settings.label.as_deref().map(str::to_owned),
        ..Entry::allow(prefix)
    }
}
