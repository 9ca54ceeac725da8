//! Editing the text of an allowlist file: one that people edit too, so that everything that is not
//! changed stays byte for byte, comments, order and unreadable lines included.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;

use ipnet::IpNet;

use crate::diagnostic::BYTE_ORDER_MARK;
use crate::engine::allowlist::{
    Entry, HostEntry, trailing_comment, written_entry, written_host, written_host_entry,
    written_prefix,
};
use crate::engine::names::HostName;

/// An entry that a line can hold.
pub trait Written: Clone + Display {
    /// What there is once in a file.
    type Key: Clone + Eq + Hash;

    /// What it is about.
    fn key(&self) -> Self::Key;

    /// What a line is about, if it is of this kind, whatever else is wrong in it.
    fn key_of(line: &str) -> Option<Self::Key>;

    /// The entry of a line.
    fn read(line: &str) -> Option<Self>;

    /// Whether the two say the same, labels aside.
    fn same(&self, other: &Self) -> bool;

    /// Its label.
    fn label(&mut self) -> &mut Option<String>;
}

impl Written for Entry {
    type Key = IpNet;

    fn key(&self) -> IpNet {
        self.prefix
    }

    fn key_of(line: &str) -> Option<IpNet> {
        written_prefix(line)
    }

    fn read(line: &str) -> Option<Self> {
        written_entry(line)
    }

    fn same(&self, other: &Self) -> bool {
        self.same_settings(other)
    }

    fn label(&mut self) -> &mut Option<String> {
        &mut self.label
    }
}

impl Written for HostEntry {
    type Key = HostName;

    fn key(&self) -> HostName {
        self.name.clone()
    }

    fn key_of(line: &str) -> Option<HostName> {
        written_host(line)
    }

    fn read(line: &str) -> Option<Self> {
        written_host_entry(line)
    }

    fn same(&self, other: &Self) -> bool {
        self.same_settings(other)
    }

    fn label(&mut self) -> &mut Option<String> {
        &mut self.label
    }
}

/// `text` with `entries` in it, or `None` if it says all that already.
///
/// A line of the same prefix, or name, is replaced; it keeps its comment, and its label if the new entry has
/// none. Further lines of it go, unless they say the same. New entries come at the end, in
/// the order given. Of several entries of one prefix the last one counts.
#[must_use]
pub fn add_entries<E: Written>(text: &str, entries: &[E]) -> Option<String> {
    let wanted: HashMap<E::Key, &E> = entries.iter().map(|e| (e.key(), e)).collect();
    let mut present = HashSet::new();
    let mut replaced = HashSet::new();
    let (mark, lines) = split_mark(text);
    let mut edited = String::from(mark);
    for line in lines.split_inclusive('\n') {
        let key = E::key_of(line);
        match key.and_then(|key| wanted.get_key_value(&key)) {
            Some((key, entry)) if !replaced.contains(key) && says(line, *entry) => {
                present.insert(key.clone());
                edited.push_str(line);
            }
            Some((key, entry)) => {
                if present.insert(key.clone()) {
                    replaced.insert(key.clone());
                    edited.push_str(&replacement(line, *entry));
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
        let key = entry.key();
        if present.insert(key.clone()) {
            if edited.len() > mark.len() && !edited.ends_with('\n') {
                edited.push_str(newline);
            }
            edited.push_str(&wanted[&key].to_string());
            edited.push_str(newline);
        }
    }
    (edited != text).then_some(edited)
}

/// `text` without the entries of `prefix`, or `None` if it has none.
#[must_use]
pub fn remove_prefix(text: &str, prefix: &IpNet) -> Option<String> {
    without(text, |line| written_prefix(line).as_ref() == Some(prefix))
}

/// `text` without the entries of a name, or `None` if it has none.
#[must_use]
pub fn remove_host(text: &str, name: &HostName) -> Option<String> {
    without(text, |line| written_host(line).as_ref() == Some(name))
}

fn without(text: &str, goes: impl Fn(&str) -> bool) -> Option<String> {
    let (mark, lines) = split_mark(text);
    let kept = lines.split_inclusive('\n').filter(|line| !goes(line));
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
fn says<E: Written>(line: &str, entry: &E) -> bool {
    E::read(line).is_some_and(|mut written| {
        let mut entry = entry.clone();
        written.same(&entry) && (entry.label().is_none() || entry.label() == written.label())
    })
}

fn replacement<E: Written>(line: &str, entry: &E) -> String {
    let mut entry = entry.clone();
    if entry.label().is_none() {
        *entry.label() = E::read(line).and_then(|mut written| written.label().take());
    }
    let ending = &line[line.trim_end_matches(['\r', '\n']).len()..];
    match trailing_comment(line) {
        Some(comment) => format!("{entry} {comment}{ending}"),
        None => format!("{entry}{ending}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ftp_guard_common::allow::EntryKind;

    use super::*;
    use crate::engine::allowlist::AllowSet;

    fn entry(line: &str) -> Entry {
        written_entry(line).unwrap()
    }

    #[track_caller]
    fn adding(text: &str, lines: &[&str], expected: &str) {
        let entries: Vec<_> = lines.iter().map(|line| entry(line)).collect();
        let edited = add_entries(text, &entries).expect("a change");
        assert_eq!(edited, expected);
        assert_eq!(add_entries(&edited, &entries), None, "twice is no change");
    }

    #[test]
    fn new_entries_come_at_the_end() {
        adding(
            "",
            &["::1", "192.0.2.1 label=\"x\""],
            "::1\n192.0.2.1 label=\"x\"\n",
        );
        adding(
            "# c\n\n10.0.0.0/8 # a",
            &["::1"],
            "# c\n\n10.0.0.0/8 # a\n::1\n",
        );
        adding("\u{feff}", &["::1"], "\u{feff}::1\n");
        adding("10.0.0.0/8\r\n", &["::1"], "10.0.0.0/8\r\n::1\r\n");
        // The same network, one part of it.
        adding(
            "10.0.0.0/8\n",
            &["10.0.0.0/16"],
            "10.0.0.0/8\n10.0.0.0/16\n",
        );
    }

    #[test]
    fn what_is_said_already_is_no_change() {
        let text = "\u{feff}  10.0.0.0/8   label=\"a\" profile=x # c\n!::1\n";
        for line in [
            "10.0.0.0/8 profile=x",
            "10.0.0.0/8 profile=x label=\"a\"",
            "!::1",
        ] {
            assert_eq!(add_entries(text, &[entry(line)]), None, "{line}");
        }
        assert_eq!(add_entries::<Entry>(text, &[]), None);
    }

    #[test]
    fn other_settings_replace_the_line_in_its_place() {
        let text = "\u{feff}# head\r\n 10.0.0.0/8  label=\"a#b\" # c\r\nunreadable !\r\n::1";
        adding(
            text,
            &["10.0.0.0/8 expires=2030-01-01T00:00:00Z"],
            "\u{feff}# head\r\n10.0.0.0/8 expires=2030-01-01T00:00:00Z label=\"a#b\" # c\r\nunreadable !\r\n::1",
        );
        adding(
            text,
            &["10.0.0.0/8 label=\"b\""],
            &text.replace(" 10.0.0.0/8  label=\"a#b\"", "10.0.0.0/8 label=\"b\""),
        );
        adding(text, &["!::1"], &text.replace("::1", "!::1"));
        // A line that cannot be read is put right.
        adding("10.0.0.0/8 lable=x\n", &["10.0.0.0/8"], "10.0.0.0/8\n");
    }

    #[test]
    fn a_prefix_that_is_there_twice_ends_up_once() {
        adding(
            "::1\n10.0.0.0/8\n::1 # b\n",
            &["!::1"],
            "!::1\n10.0.0.0/8\n",
        );
        adding("::1\n!::1\n", &["!::1"], "!::1\n");
        adding("", &["::1", "!::1"], "!::1\n");
    }

    #[test]
    fn removing_takes_all_lines_of_the_prefix_and_nothing_else() {
        let text = "\u{feff}::1 # a\n# ::1\n10.0.0.0/8\n  !::1 bad\n::1/127\n::1x\n";
        let prefix = "::1/128".parse().unwrap();
        let edited = remove_prefix(text, &prefix).unwrap();
        assert_eq!(edited, "\u{feff}# ::1\n10.0.0.0/8\n::1/127\n::1x\n");
        assert_eq!(remove_prefix(&edited, &prefix), None);
        assert_eq!(remove_prefix("", &prefix), None);
    }

    #[test]
    fn names_are_edited_as_prefixes_are() {
        let host = |line: &str| written_host_entry(line).unwrap();
        let text = "192.0.2.1\nhost:A.example.net. label=\"a\" # c\n";
        assert_eq!(add_entries(text, &[host("host:a.example.net")]), None);
        let edited = add_entries(
            text,
            &[
                host("host:a.example.net profile=bulk"),
                host("host:b.example.net"),
            ],
        );
        assert_eq!(
            edited.unwrap(),
            "192.0.2.1\nhost:a.example.net profile=bulk label=\"a\" # c\nhost:b.example.net\n"
        );
        let name = HostName::parse("a.example.net").unwrap();
        assert_eq!(remove_host(text, &name).unwrap(), "192.0.2.1\n");
        assert_eq!(
            remove_host("192.0.2.1\n# host:a.example.net\n", &name),
            None
        );
    }

    #[test]
    fn a_hundred_thousand_entries_are_added_at_once() {
        let of = |n: u32| Entry {
            kind: EntryKind::Exclude,
            ..Entry::allow(std::net::IpAddr::from(n.to_be_bytes()).into())
        };
        let entries: Vec<_> = (0..100_000).map(of).collect();
        let text = add_entries("0.0.1.1\n", &entries).unwrap();
        let set = AllowSet::parse([(Path::new("x"), text.as_str())], &|_| Some(0)).unwrap();
        assert_eq!(set.len(), 100_000);
        assert!(text.starts_with("!0.0.1.1\n!0.0.0.0\n"));
        assert_eq!(add_entries(&text, &entries), None);
    }
}
