//! Editing the text of an allowlist file: one that people edit too, so that everything that is not
//! changed stays byte for byte, comments, order and unreadable lines included.

use std::collections::{HashMap, HashSet};

use ipnet::IpNet;

use crate::diagnostic::BYTE_ORDER_MARK;
use crate::engine::allowlist::{Entry, trailing_comment, written_entry, written_prefix};

/// `text` with `entries` in it, or `None` if it says all that already.
///
/// A line of the same prefix is replaced; it keeps its comment, and its label if the new entry has
/// none. Further lines of that prefix go. New entries come at the end, in the order given. Of several
/// entries of one prefix the last one counts.
#[must_use]
pub fn add_entries(text: &str, entries: &[Entry]) -> Option<String> {
    let wanted: HashMap<IpNet, &Entry> = entries.iter().map(|e| (e.prefix, e)).collect();
    let mut present = HashSet::new();
    let (mark, lines) = split_mark(text);
    let mut edited = String::from(mark);
    for line in lines.split_inclusive('\n') {
        let prefix = written_prefix(line);
        match prefix.and_then(|prefix| wanted.get(&prefix)) {
            Some(entry) if says(line, entry) => {
                present.insert(entry.prefix);
                edited.push_str(line);
            }
            Some(entry) => {
                if present.insert(entry.prefix) {
                    edited.push_str(&replacement(line, entry));
                }
            }
            None => edited.push_str(line),
        }
    }
    let newline = match text.contains("\r\n") {
        true => "\r\n",
        false => "\n",
    };
    for entry in entries {
        if present.insert(entry.prefix) {
            if edited.len() > mark.len() && !edited.ends_with('\n') {
                edited.push_str(newline);
            }
            edited.push_str(&wanted[&entry.prefix].to_string());
            edited.push_str(newline);
        }
    }
    (edited != text).then_some(edited)
}

/// `text` without the entries of `prefix`, or `None` if it has none.
#[must_use]
pub fn remove_prefix(text: &str, prefix: &IpNet) -> Option<String> {
    let (mark, lines) = split_mark(text);
    let kept = lines
        .split_inclusive('\n')
        .filter(|line| written_prefix(line).as_ref() != Some(prefix));
    let edited: String = [mark].into_iter().chain(kept).collect();
    (edited != text).then_some(edited)
}

fn split_mark(text: &str) -> (&str, &str) {
    match text.starts_with(BYTE_ORDER_MARK) {
        true => text.split_at(BYTE_ORDER_MARK.len_utf8()),
        false => ("", text),
    }
}

/// Whether `line` says what `entry` says. An entry without a label has nothing against one.
fn says(line: &str, entry: &Entry) -> bool {
    written_entry(line).is_some_and(|written| {
        written.same_settings(entry) && (entry.label.is_none() || entry.label == written.label)
    })
}

fn replacement(line: &str, entry: &Entry) -> String {
    let mut entry = entry.clone();
    if entry.label.is_none() {
        entry.label = written_entry(line).and_then(|written| written.label);
    }
    let ending = &line[line.trim_end_matches(['\r', '\n']).len()..];
    match trailing_comment(line) {
        Some(comment) => format!("{entry} {comment}{ending}"),
        None => format!("{entry}{ending}"),
    }
}
