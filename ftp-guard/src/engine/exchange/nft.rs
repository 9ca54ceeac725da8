//! What `nft list set` and `nft list ruleset` print, and the commands that `nft -f` takes.

use super::collect::{Collector, Settings};
use super::durations;
use super::source::Source;
use crate::diagnostic::quoted;

/// A word, a quoted text or one of `{},;=`, and its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token<'a> {
    text: &'a str,
    quoted: bool,
    line: u32,
}

impl Token<'_> {
    fn is(&self, text: &str) -> bool {
        !self.quoted && self.text == text
    }
}

struct Tokens<'a> {
    rest: &'a str,
    line: u32,
    /// One that was looked at and given back.
    ahead: Option<Token<'a>>,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(token) = self.ahead.take() {
            return Some(token);
        }
        loop {
            let first = self.rest.chars().next()?;
            let mark = match first {
                '\n' => {
                    self.line = self.line.saturating_add(1);
                    self.rest = &self.rest[1..];
                    continue;
                }
                '#' => {
                    self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
                    continue;
                }
                c if c.is_whitespace() || c == '\\' => {
                    self.rest = &self.rest[c.len_utf8()..];
                    continue;
                }
                '"' => {
                    let behind = &self.rest[1..];
                    let end = behind.find(['"', '\n']).unwrap_or(behind.len());
                    let text = &behind[..end];
                    self.rest = behind[end..].strip_prefix('"').unwrap_or(&behind[end..]);
                    return Some(Token {
                        text,
                        quoted: true,
                        line: self.line,
                    });
                }
                c => is_mark(c),
            };
            let end = if mark {
                1
            } else {
                let ends = |c: char| c.is_whitespace() || is_mark(c) || c == '"';
                self.rest.find(ends).unwrap_or(self.rest.len())
            };
            let (text, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(Token {
                text,
                quoted: false,
                line: self.line,
            });
        }
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, '{' | '}' | ',' | ';' | '=')
}

pub(super) fn read(text: &str, into: &mut Collector<'_>) {
    let mut tokens = Tokens {
        rest: text,
        line: 1,
        ahead: None,
    };
    let mut wanted = true;
    let mut kind: Option<&str> = None;
    let mut commanded = "";
    while let Some(token) = tokens.next() {
        if into.over() {
            return;
        }
        let command = std::mem::replace(&mut commanded, token.text);
        if matches!(command, "flush" | "delete" | "destroy" | "list" | "reset") {
            // No braces follow these.
            continue;
        }
        if token.is("set") || token.is("map") {
            // `set NAME {` as it is listed, `add set FAMILY TABLE NAME {` as it is made.
            let name = words_until_brace(&mut tokens);
            if let Some(name) = name {
                wanted = into.begin_set(name);
                kind = token.is("map").then_some("a map");
            }
        } else if token.is("type") || token.is("typeof") {
            kind = set_type(&mut tokens).or(kind);
        } else if token.is("elements") {
            if tokens.by_ref().take(2).any(|next| next.is("{")) {
                elements(&mut tokens, wanted, kind, into);
            }
        } else if token.is("element")
            && let Some(name) = words_until_brace(&mut tokens)
        {
            let wanted = into.begin_set(name);
            elements(&mut tokens, wanted, None, into);
        }
    }
}

/// The last word before an opening brace; none if something else comes first.
fn words_until_brace<'a>(tokens: &mut Tokens<'a>) -> Option<&'a str> {
    let mut last = None;
    loop {
        let token = tokens.next()?;
        match token.text {
            "{" if !token.quoted => return last,
            "}" | ";" | "," | "=" if !token.quoted => return None,
            text => last = Some(text),
        }
    }
}

/// The type, if its elements are not sources alone.
fn set_type<'a>(tokens: &mut Tokens<'a>) -> Option<&'a str> {
    let kind = tokens.next()?;
    let next = tokens.next();
    let joined = next.is_some_and(|next| next.is("."));
    tokens.ahead = next;
    let sources = matches!(kind.text, "ipv4_addr" | "ipv6_addr" | "ip" | "ip6");
    if joined {
        Some("a concatenation")
    } else if sources {
        None
    } else {
        Some(kind.text)
    }
}

fn elements<'a>(
    tokens: &mut Tokens<'a>,
    wanted: bool,
    kind: Option<&str>,
    into: &mut Collector<'_>,
) {
    let mut element: Vec<Token<'a>> = Vec::new();
    // An element of a map may have braces of its own.
    let mut depth = 0_u32;
    for token in tokens.by_ref() {
        if into.over() {
            return;
        }
        if token.is("{") {
            depth += 1;
        } else if token.is("}") && depth > 0 {
            depth -= 1;
        } else if depth == 0 && (token.is(",") || token.is("}")) {
            take(&element, wanted, kind, into);
            element.clear();
            if token.is("}") {
                return;
            }
        } else if element.len() < 64 {
            element.push(token);
        }
    }
    into.refuse(0, "the text ends among the elements of a set: } is missing");
}

fn take(element: &[Token<'_>], wanted: bool, kind: Option<&str>, into: &mut Collector<'_>) {
    let [first, options @ ..] = element else {
        return;
    };
    if !wanted {
        return into.leave_out();
    }
    if let Some(kind) = kind {
        return into.unknown(
            first.line,
            format!("the set is of type {kind}: only ipv4_addr and ipv6_addr hold sources alone"),
        );
    }
    match parse(first, options, into) {
        Ok((source, settings)) => into.take(first.line, source, &settings),
        Err(message) => into.unknown(first.line, message),
    }
}

fn parse(
    first: &Token<'_>,
    options: &[Token<'_>],
    into: &Collector<'_>,
) -> Result<(Source, Settings), String> {
    let source = Source::parse(first.text)?;
    let mut settings = Settings::default();
    let mut timeout = None;
    let mut expires = None;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        if option.is(".") || option.is(":") {
            return Err("an element of several parts: only sources alone are taken".to_owned());
        }
        let into = match option.text {
            "timeout" if !option.quoted => &mut timeout,
            "expires" if !option.quoted => &mut expires,
            "comment" if !option.quoted => {
                settings.label = options.next().and_then(|text| durations::label(text.text));
                continue;
            }
            // Counters and limits say nothing about who it is.
            _ => continue,
        };
        let text = options.next().map_or("", |token| token.text);
        let seconds =
            durations::seconds(text).ok_or_else(|| format!("bad duration {}", quoted(text)))?;
        *into = Some(seconds);
    }
    settings.expires = match expires.or(timeout) {
        // nft's word for an element that stays, in a set whose elements do not.
        None | Some(0) => None,
        Some(left) => Some(
            durations::after(into.options.written, left)
                .ok_or_else(|| format!("{left} s is too long a time"))?,
        ),
    };
    Ok((source, settings))
}
