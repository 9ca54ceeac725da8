//! Checks of single values. Each notes what is wrong and then returns `None`; lists are checked to
//! their end, so that all mistakes are seen at once.

use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ftp_guard_common::config::{Mode, Role};
use jiff::{Span, SpanRelativeTo};
use toml_edit::{Item, Value};

use super::model::{ControlConfig, XdpChoice};
use super::problems::{Problems, type_name};
use crate::diagnostic::quoted;

/// A value and where it is written.
pub(super) type Placed<T> = (T, Option<Range<usize>>);

pub(super) fn mode(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<Mode> {
    let known = [Mode::Enforce, Mode::Monitor].map(|mode| (mode.as_str(), mode));
    choice(problems, key, item, &known)
}

pub(super) fn role(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<Role> {
    let known = [Role::Host, Role::Router].map(|role| (role.as_str(), role));
    choice(problems, key, item, &known)
}

pub(super) fn boolean(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<bool> {
    let value = item.as_bool();
    if value.is_none() {
        problems.wrong_type(key, item.span(), "true or false", type_name(item));
    }
    value
}

pub(super) fn xdp_choice(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<XdpChoice> {
    let known = XdpChoice::ALL.map(|choice| (choice.as_str(), choice));
    choice(problems, key, item, &known)
}

pub(super) fn choice<T: Copy>(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
    known: &[(&str, T)],
) -> Option<T> {
    let names: Vec<_> = known.iter().map(|(name, _)| format!("{name:?}")).collect();
    let names = names.join(" or ");
    let text = string(problems, key, item, &names)?;
    let found = known.iter().find(|(name, _)| *name == text);
    if found.is_none() {
        problems.note(item.span(), format!("{key} must be {names}, not {text:?}"));
    }
    found.map(|(_, value)| *value)
}

fn string<'i>(
    problems: &mut Problems<'_>,
    key: &str,
    item: &'i Item,
    expected: &str,
) -> Option<&'i str> {
    let text = item.as_str();
    if text.is_none() {
        problems.wrong_type(key, item.span(), expected, type_name(item));
    }
    text
}

pub(super) fn interfaces(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
) -> Option<Vec<String>> {
    let names = strings(problems, key, item, "interface names")?;
    if names.is_empty() {
        problems.note(
            item.span(),
            format!("{key} is empty: name at least one interface"),
        );
        return None;
    }
    let mut good = no_duplicates(problems, key, &names);
    for (name, span) in &names {
        if let Some(mistake) = interface_mistake(name) {
            problems.note(
                span.clone(),
                format!("bad interface name {name:?}: {mistake}"),
            );
            good = false;
        }
    }
    good.then(|| names.into_iter().map(|(name, _)| name.to_owned()).collect())
}

/// What the kernel would refuse of an interface's name (`dev_valid_name`).
fn interface_mistake(name: &str) -> Option<&'static str> {
    const IFNAMSIZ: usize = 16;
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() >= IFNAMSIZ {
        Some("it is longer than 15 bytes")
    } else if name == "." || name == ".." {
        Some("it is the name of a folder")
    } else if name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control()) {
        Some("it contains a slash, a colon, a blank or a control character")
    } else {
        None
    }
}

pub(super) fn patterns<'i>(
    problems: &mut Problems<'_>,
    key: &str,
    item: &'i Item,
) -> Option<Vec<Placed<&'i str>>> {
    let patterns = strings(problems, key, item, "absolute paths or glob patterns")?;
    let mut good = no_duplicates(problems, key, &patterns);
    for (pattern, span) in &patterns {
        if let Err(mistake) = glob::Pattern::new(pattern) {
            problems.note(
                span.clone(),
                format!(
                    "bad pattern {pattern:?} at character {}: {}",
                    mistake.pos + 1,
                    mistake.msg
                ),
            );
            good = false;
        } else if !is_absolute_file(pattern) {
            problems.note(
                span.clone(),
                format!(
                    "{pattern:?} must be the absolute path or pattern of files, such as \
                     \"/etc/ftp-guard/allow.d/*.list\""
                ),
            );
            good = false;
        }
    }
    good.then_some(patterns)
}

pub(super) fn absolute_path(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
) -> Option<PathBuf> {
    let text = string(problems, key, item, "an absolute path")?;
    if !is_absolute_file(text) {
        problems.note(
            item.span(),
            format!("{key} must be an absolute path, not {text:?}"),
        );
        return None;
    }
    Some(PathBuf::from(text))
}

pub(super) fn absolute_paths(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
) -> Option<Vec<PathBuf>> {
    let paths = strings(problems, key, item, "absolute paths")?;
    let mut good = no_duplicates(problems, key, &paths);
    for (path, span) in &paths {
        if !is_absolute_file(path) {
            problems.note(
                span.clone(),
                format!("each element of {key} must be an absolute path, not {path:?}"),
            );
            good = false;
        }
    }
    good.then(|| paths.into_iter().map(|(path, _)| path.into()).collect())
}

/// Whether `text` is an absolute path that can name a file: not a relative one, not `/`, not
/// `/folder/`, nothing that C cannot pass on.
fn is_absolute_file(text: &str) -> bool {
    text.starts_with('/')
        && !text.ends_with('/')
        && !text.contains('\0')
        && Path::new(text).file_name().is_some()
}

pub(super) fn socket_path(problems: &mut Problems<'_>, key: &str, item: &Item) -> Option<PathBuf> {
    let path = absolute_path(problems, key, item)?;
    let length = path.as_os_str().len();
    if length > ControlConfig::LONGEST_SOCKET_PATH {
        problems.note(
            item.span(),
            format!(
                "{key} has {length} bytes; the path of a socket can have {}",
                ControlConfig::LONGEST_SOCKET_PATH
            ),
        );
        return None;
    }
    Some(path)
}

/// An integer from 1 to `most`.
pub(super) fn count(problems: &mut Problems<'_>, key: &str, item: &Item, most: u32) -> Option<u32> {
    integer(problems, key, item, 1..=most)
}

/// An integer of a range.
pub(super) fn integer(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
    range: RangeInclusive<u32>,
) -> Option<u32> {
    let expected = format!("an integer from {} to {}", range.start(), range.end());
    let Some(number) = item.as_integer() else {
        problems.wrong_type(key, item.span(), &expected, type_name(item));
        return None;
    };
    let valid = u32::try_from(number).ok().filter(|n| range.contains(n));
    if valid.is_none() {
        problems.note(
            item.span(),
            format!("{key} must be {expected}, not {number}"),
        );
    }
    valid
}

/// A time from one second to `most`, which is written as in the file. Days have 24 hours.
pub(super) fn duration(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
    most: &str,
) -> Option<Duration> {
    duration_but(problems, key, item, "1s", most, "")
}

/// A time from `least` to `most`, both written as in the file.
pub(super) fn duration_from(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
    least: &str,
    most: &str,
) -> Option<Duration> {
    duration_but(problems, key, item, least, most, "")
}

/// As [`duration`], where the key has another value, `off`, which is read before.
pub(super) fn duration_or(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
    most: &str,
    off: &str,
) -> Option<Duration> {
    duration_but(problems, key, item, "1s", most, &format!(", or {off:?}"))
}

fn duration_but(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
    least: &str,
    most: &str,
    rest: &str,
) -> Option<Duration> {
    let expected =
        format!("a duration from {least:?} to {most:?}, such as \"90s\" or \"1h 30m\"{rest}");
    let text = string(problems, key, item, &expected)?;
    let valid = span(text).filter(|time| {
        let bound = |text| span(text).unwrap_or_default();
        (bound(least)..=bound(most)).contains(time)
    });
    if valid.is_none() {
        let text = quoted(text);
        problems.note(item.span(), format!("{key} must be {expected}, not {text}"));
    }
    valid
}

fn span(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let time = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(time).ok()
}

/// `Some(None)`: turned off.
pub(super) fn listen(
    problems: &mut Problems<'_>,
    key: &str,
    item: &Item,
) -> Option<Option<SocketAddr>> {
    let expected = "an address and port such as \"127.0.0.1:9721\" or \"[::1]:9721\", or \"off\"";
    let text = string(problems, key, item, expected)?;
    if text == "off" {
        return Some(None);
    }
    match text.parse() {
        Ok(address) => Some(Some(address)),
        Err(_) => {
            problems.note(
                item.span(),
                format!("{key} must be {expected}, not {text:?}"),
            );
            None
        }
    }
}

pub(super) fn strings<'i>(
    problems: &mut Problems<'_>,
    key: &str,
    item: &'i Item,
    what: &str,
) -> Option<Vec<Placed<&'i str>>> {
    let array = list(problems, key, item, what)?;
    let mut good = true;
    let mut texts = Vec::new();
    for value in array {
        match value.as_str() {
            Some(text) => texts.push((text, value.span())),
            None => {
                let element = format!("each element of {key}");
                problems.wrong_type(&element, value.span(), "a string", value.type_name());
                good = false;
            }
        }
    }
    good.then_some(texts)
}

/// The elements of a list.
pub(super) fn list<'i>(
    problems: &mut Problems<'_>,
    key: &str,
    item: &'i Item,
    what: &str,
) -> Option<Vec<&'i Value>> {
    let Some(array) = item.as_array() else {
        let expected = format!("a list of {what}, in brackets");
        problems.wrong_type(key, item.span(), &expected, type_name(item));
        return None;
    };
    Some(array.iter().collect())
}

fn no_duplicates(problems: &mut Problems<'_>, key: &str, texts: &[Placed<&str>]) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    let mut good = true;
    for (text, span) in texts {
        if !seen.insert(text) {
            problems.note(span.clone(), format!("{text:?} is in {key} already"));
            good = false;
        }
    }
    good
}
