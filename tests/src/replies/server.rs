//! Replies.

use std::ops::Range;

use super::{Said, lines};

/// A reply that has begun.
struct Open {
    code: u16,
    has_named: bool,
}

/// What a line is to the reply it stands in.
enum Role<'a> {
    /// It belongs to none.
    Outside,
    /// More of it follows.
    Goes(&'a [u8]),
    /// It is the last one.
    Ends(&'a [u8]),
}

/// What the server has said with this text, in order, with the place of the byte that said it.
#[must_use]
pub fn said(text: &[u8]) -> Vec<(usize, Said)> {
    let mut events = Vec::new();
    let mut open: Option<Open> = None;
    for (start, line, is_ended) in lines(text) {
        let mut whole = line.to_vec();
        if is_ended {
            whole.push(b'\n');
        }
        let end = start + whole.len();
        let role = match &open {
            Some(reply) => role_inside(&whole, reply.code),
            None => {
                let (code, role) = role_outside(&whole);
                open = code.map(|code| Open {
                    code,
                    has_named: false,
                });
                role
            }
        };
        let Some(reply) = &mut open else { continue };
        let (content, is_last) = match role {
            Role::Outside => continue,
            Role::Goes(content) => (content, false),
            Role::Ends(content) => (content, true),
        };
        let named = passive_port(reply.code, content).filter(|_| !reply.has_named);
        if let Some((place, port)) = named {
            events.push((end - content.len() + place, Said::Passive(port)));
            reply.has_named = true;
        }
        if is_last && is_ended {
            events.push((end - 1, Said::End(reply.code)));
            open = None;
        }
    }
    events
}

/// The number that three digits at the beginning of a line make, and what is behind them.
fn code(line: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest))
}

/// A line where no reply has begun: the code of the one that begins with it.
fn role_outside(line: &[u8]) -> (Option<u16>, Role<'_>) {
    match code(line) {
        Some((code @ 100..=699, [b'-', content @ ..])) => (Some(code), Role::Goes(content)),
        Some((100..=699, [] | [b'0'..=b'9', ..])) => (None, Role::Outside),
        Some((code @ 100..=699, content)) => (Some(code), Role::Ends(content)),
        _ => (None, Role::Outside),
    }
}

/// A line in a reply of this code.
fn role_inside(line: &[u8], open: u16) -> Role<'_> {
    match code(line) {
        Some((code, [b'-', content @ ..])) if code == open => Role::Goes(content),
        Some((code, content @ [b' ' | b'\t' | b'\r' | b'\n', ..])) if code == open => {
            Role::Ends(content)
        }
        _ => Role::Goes(line),
    }
}

/// The first port that a line of a reply names, and the place of the byte behind it.
fn passive_port(code: u16, line: &[u8]) -> Option<(usize, u16)> {
    match code {
        227 => lists(line).iter().find_map(|list| port_of_227(list, line)),
        228 => lists(line).iter().find_map(|list| port_of_228(list, line)),
        229 => port_of_229(line),
        _ => None,
    }
}

/// The numbers of the line that something ends, in lists: between two of a list are one comma and
/// blanks.
fn lists(line: &[u8]) -> Vec<Vec<Range<usize>>> {
    let mut lists: Vec<Vec<Range<usize>>> = Vec::new();
    for number in numbers(line) {
        match lists.last_mut() {
            Some(list)
                if list.last().is_some_and(|last| {
                    let between = &line[last.end..number.start];
                    let marks = between.iter().filter(|byte| !matches!(byte, b' ' | b'\t'));
                    marks.eq(b",")
                }) =>
            {
                list.push(number);
            }
            _ => lists.push(vec![number]),
        }
    }
    lists
}

fn numbers(line: &[u8]) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut numbers = Vec::new();
    for run in line.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        let end = start + run.len();
        if run[0].is_ascii_digit() && end < line.len() {
            numbers.push(start..end);
        }
        start = end;
    }
    numbers
}

/// A number of any length; none above `most` is of interest.
fn value(digits: &[u8], most: u32) -> Option<u32> {
    let text = std::str::from_utf8(digits)
        .ok()?
        .trim_start_matches('0')
        .to_owned();
    if text.is_empty() {
        return Some(0);
    }
    text.parse().ok().filter(|number| *number <= most)
}

/// The first `length` numbers of a list, if it has so many and each of them fits a byte.
fn octets(list: &[Range<usize>], line: &[u8], length: usize) -> Option<Vec<u8>> {
    list.get(..length)?
        .iter()
        .map(|number| value(&line[number.clone()], 255).map(|value| value as u8))
        .collect()
}

fn port(octets: &[u8]) -> Option<u16> {
    match octets {
        [.., high, low] => Some(u16::from_be_bytes([*high, *low])).filter(|port| *port != 0),
        _ => None,
    }
}

/// RFC 959: `h1,h2,h3,h4,p1,p2`.
fn port_of_227(list: &[Range<usize>], line: &[u8]) -> Option<(usize, u16)> {
    let octets = octets(list, line, 6)?;
    Some((list[5].end, port(&octets)?))
}

/// RFC 1639: `4,4,h1,..,h4,2,p1,p2` or `6,16,h1,..,h16,2,p1,p2`.
fn port_of_228(list: &[Range<usize>], line: &[u8]) -> Option<(usize, u16)> {
    [(4, 4), (6, 16)]
        .into_iter()
        .find_map(|(family, host_length)| {
            let length = 2 + host_length + 3;
            let octets = octets(list, line, length)?;
            let is_consistent = octets[0] == family
                && usize::from(octets[1]) == host_length
                && octets[2 + host_length] == 2;
            if !is_consistent {
                return None;
            }
            Some((list[length - 1].end, port(&octets)?))
        })
}

/// RFC 2428: a delimiter three times, the port, and anything; or, as some do it, the delimiter twice,
/// the port, the delimiter.
fn port_of_229(line: &[u8]) -> Option<(usize, u16)> {
    let mut start = 0;
    for run in line.chunk_by(|a, b| a == b) {
        start += run.len();
        let delimiter = run[0];
        if !delimiter.is_ascii_punctuation() || !matches!(run.len(), 2 | 3) {
            continue;
        }
        let behind = &line[start..];
        let blanks = match run.len() {
            3 => length_while(behind, |byte| matches!(byte, b' ' | b'\t')),
            _ => 0,
        };
        let digits = length_while(&behind[blanks..], |byte| byte.is_ascii_digit());
        let end = blanks + digits;
        let Some(next) = behind.get(end) else {
            continue;
        };
        if digits == 0 || (run.len() == 2 && *next != delimiter) {
            continue;
        }
        match value(&behind[blanks..end], u32::from(u16::MAX)) {
            None | Some(0) => {}
            Some(port) => return Some((start + end, port as u16)),
        }
    }
    None
}

fn length_while(bytes: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| holds(**byte)).count()
}
