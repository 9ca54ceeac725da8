//! The grammar of one line: `PREFIX [key=value ...] [# comment]`, or `host:NAME` in the prefix's place.

use ftp_guard_common::allow::EntryKind;
use ipnet::IpNet;
use jiff::Timestamp;

use super::entry::{DEFAULT_PROFILE, Entry, check_label};
use super::expiry::parse_expiry;
use super::plain::plain_prefix;
use super::prefix::parse_prefix;
use crate::diagnostic::quoted;
use crate::engine::names::{HostName, MARK};

/// A mistake in a line: its byte offset in the line, and what it is.
pub(super) type Mistake = (usize, String);

/// An entry as it is written, before its profile is looked up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) prefix: IpNet,
    /// The name that stands in the prefix's place; the prefix then means nothing.
    pub(super) host: Option<HostName>,
    /// Byte offset of the prefix, or of the name's mark.
    pub(super) prefix_at: usize,
    pub(super) kind: EntryKind,
    /// Name and byte offset.
    pub(super) profile: Option<(&'a str, usize)>,
    pub(super) expires: Option<Timestamp>,
    pub(super) label: Option<String>,
}

/// Reads a line without its line feed. `None`: blank or a comment, or not readable, and then
/// `mistakes` has grown by everything that is wrong in it.
pub(super) fn parse_line<'a>(text: &'a str, mistakes: &mut Vec<Mistake>) -> Option<Line<'a>> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.skip_blanks();
    if cursor.at_end() {
        return None;
    }
    let before = mistakes.len();
    let kind = match cursor.eat('!') {
        true => EntryKind::Exclude,
        false => EntryKind::Allow,
    };
    cursor.skip_blanks();
    let at = cursor.at;
    let word = cursor.word(|c| c == '#');
    let mut line = Line {
        prefix: IpNet::default(),
        host: None,
        prefix_at: at,
        kind,
        profile: None,
        expires: None,
        label: None,
    };
    match word.strip_prefix(MARK) {
        Some(_) if kind == EntryKind::Exclude => {
            let message =
                "a name cannot be excluded: whoever runs its DNS, or breaks it, would decide who \
                           is kept out; exclude its prefix"
                    .to_owned();
            mistakes.push((at, message));
        }
        Some(name) => match HostName::parse(name) {
            Ok(name) => line.host = Some(name),
            Err((offset, message)) => mistakes.push((at + MARK.len() + offset, message)),
        },
        None => match parse_prefix(word) {
            Ok(prefix) => line.prefix = prefix,
            Err(message) => mistakes.push((at, message)),
        },
    }
    let mut seen = Vec::new();
    loop {
        cursor.skip_blanks();
        if cursor.at_end() {
            break;
        }
        let at = cursor.at;
        if let Err(mistake) = read_pair(&mut cursor, &mut line, &mut seen) {
            let (offset, message) = mistake;
            mistakes.push((offset.max(at), message));
        }
    }
    (mistakes.len() == before).then_some(line)
}

const KEYS: [&str; 3] = ["profile", "expires", "label"];

fn read_pair<'a>(
    cursor: &mut Cursor<'a>,
    line: &mut Line<'a>,
    seen: &mut Vec<&'a str>,
) -> Result<(), Mistake> {
    let key_at = cursor.at;
    let key = cursor.word(|c| c == '#' || c == '=');
    if !cursor.eat('=') {
        return Err((
            key_at,
            format!(
                "expected profile=NAME, expires=TIME or label=\"...\", found {}",
                quoted(key)
            ),
        ));
    }
    let value_at = cursor.at;
    // The value is read whatever the key is, so that the rest of the line is still understood.
    let value = cursor.value()?;
    if !KEYS.contains(&key) {
        return Err((
            key_at,
            format!(
                "unknown key {}: expected profile, expires or label",
                quoted(key)
            ),
        ));
    }
    if seen.contains(&key) {
        return Err((key_at, format!("{key}= is given twice on this line")));
    }
    seen.push(key);
    match (key, value) {
        ("label", Value::Quoted(label)) => {
            check_label(&label).map_err(|message| (value_at, message))?;
            line.label = Some(label);
        }
        ("label", Value::Bare(_)) => {
            return Err((
                value_at,
                "expected the label in double quotes, label=\"...\"".to_owned(),
            ));
        }
        (_, Value::Quoted(_)) => {
            return Err((
                value_at,
                format!("expected the value of {key}= without quotes"),
            ));
        }
        ("expires", Value::Bare(time)) => {
            let time = parse_expiry(time).map_err(|message| (value_at, message))?;
            line.expires = Some(time);
        }
        (_, Value::Bare("")) => {
            return Err((value_at, format!("expected a name after {key}=")));
        }
        (_, Value::Bare(name)) => line.profile = Some((name, value_at)),
    }
    Ok(())
}

enum Value<'a> {
    Bare(&'a str),
    Quoted(String),
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// At the end of the line or at its comment.
    fn at_end(&self) -> bool {
        self.rest().is_empty() || self.rest().starts_with('#')
    }

    fn eat(&mut self, expected: char) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    /// Everything up to a blank, a `stop` or the end.
    fn word(&mut self, stop: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest
            .find(|c: char| c.is_whitespace() || stop(c))
            .unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn value(&mut self) -> Result<Value<'a>, Mistake> {
        if !self.eat('"') {
            return Ok(Value::Bare(self.word(|c| c == '#')));
        }
        let opened_at = self.at - 1;
        let mut label = String::new();
        let mut bad_escape = None;
        let mut characters = self.rest().char_indices();
        let start = self.at;
        while let Some((offset, c)) = characters.next() {
            match c {
                '"' => {
                    self.at = start + offset + 1;
                    let followed = !self.at_end() && !self.rest().starts_with(char::is_whitespace);
                    if followed {
                        let at = self.at;
                        self.word(|c| c == '#');
                        return Err((at, "expected a blank after the closing quote".to_owned()));
                    }
                    return match bad_escape {
                        Some(mistake) => Err(mistake),
                        None => Ok(Value::Quoted(label)),
                    };
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\\'))) => label.push(escaped),
                    _ => {
                        let message =
                            "expected \\\" or \\\\ : write a backslash as \\\\".to_owned();
                        bad_escape.get_or_insert((start + offset, message));
                    }
                },
                c => label.push(c),
            }
        }
        self.at = self.text.len();
        Err((
            opened_at,
            "the quote is not closed on this line: expected \"".to_owned(),
        ))
    }
}

/// The entry of a line by itself, in no file; its profile may not exist.
pub(crate) fn written_entry(line: &str) -> Option<Entry> {
    let line = parse_line(line, &mut Vec::new())?;
    if line.host.is_some() {
        return None;
    }
    let (profile, _) = line.profile.unwrap_or((DEFAULT_PROFILE, 0));
    Some(Entry {
        kind: line.kind,
        profile: profile.to_owned(),
        expires: line.expires,
        label: line.label,
        ..Entry::allow(line.prefix)
    })
}

/// The prefix of a line, if it has one, whatever else is wrong in the line.
pub(crate) fn written_prefix(line: &str) -> Option<IpNet> {
    if let Some(prefix) = plain_prefix(line.trim_end_matches(['\r', '\n'])) {
        return Some(prefix);
    }
    let mut cursor = Cursor { text: line, at: 0 };
    cursor.skip_blanks();
    cursor.eat('!');
    cursor.skip_blanks();
    if cursor.at_end() {
        return None;
    }
    parse_prefix(cursor.word(|c| c == '#')).ok()
}

/// The name of a line, if it has one, whatever else is wrong in the line.
pub(crate) fn written_host(line: &str) -> Option<HostName> {
    let mut cursor = Cursor { text: line, at: 0 };
    cursor.skip_blanks();
    let name = cursor.word(|c| c == '#').strip_prefix(MARK)?;
    HostName::parse(name).ok()
}

/// The comment that ends a readable line, `#` included.
pub(crate) fn trailing_comment(line: &str) -> Option<&str> {
    let mut quoted = false;
    let mut characters = line.char_indices();
    while let Some((offset, c)) = characters.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted => {
                characters.next();
            }
            '#' if !quoted => return Some(line[offset..].trim_end()),
            _ => {}
        }
    }
    None
}
