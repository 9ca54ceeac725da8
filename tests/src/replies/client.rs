//! Commands.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Asked, lines};

/// What the client has asked for with this text, in order, with the place of the LF that said it.
#[must_use]
pub fn asked(text: &[u8]) -> Vec<(usize, Asked)> {
    lines(text)
        .into_iter()
        .filter(|(_, _, is_ended)| *is_ended)
        .filter_map(|(start, line, _)| Some((start + line.len(), command(&without_telnet(line))?)))
        .collect()
}

/// Which of the commands of this text, by the place of its LF, a guard refuses that permits neither DELE nor SITE
/// EXEC, nor what has bytes that no command has: some server may take that for one.
#[must_use]
pub fn denied(text: &[u8]) -> Vec<usize> {
    let ended = lines(text).into_iter().filter(|(_, _, is_ended)| *is_ended);
    let places = ended.filter_map(|(start, line, _)| {
        let line = without_telnet(line).to_ascii_uppercase();
        let mut words = line.split(is_blank).filter(|word| !word.is_empty());
        let is_denied = match words.next() {
            Some(b"DELE") => true,
            Some(b"SITE") => words
                .next()
                .is_some_and(|word| word == b"EXEC" || is_odd(word)),
            Some(verb) => is_odd(verb),
            None => false,
        };
        is_denied.then_some(start + line.len())
    });
    places.collect()
}

fn is_odd(word: &[u8]) -> bool {
    !word
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'@')
}

/// RFC 854: what is left of a line without the commands of the telnet protocol.
fn without_telnet(line: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut rest = line;
    loop {
        rest = match rest {
            [255, 255, rest @ ..] => {
                data.push(255);
                rest
            }
            [255, 251..=254, _, rest @ ..] | [255, _, rest @ ..] => rest,
            [255] | [] => return data,
            [byte, rest @ ..] => {
                data.push(*byte);
                rest
            }
        };
    }
}

fn is_blank(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || *byte == 0x0b
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_blank(last)
    {
        text = rest;
    }
    text
}

fn command(line: &[u8]) -> Option<Asked> {
    let line = trim(line);
    if line.is_empty() {
        return None;
    }
    let verb_length = line.iter().position(is_blank).unwrap_or(line.len());
    let (verb, argument) = line.split_at(verb_length);
    let (verb, argument) = (verb.to_ascii_uppercase(), trim(argument));
    let word = argument.to_ascii_uppercase();
    Some(match verb.as_slice() {
        b"AUTH" if [&b"TLS"[..], b"TLS-C", b"TLS-P", b"SSL"].contains(&word.as_slice()) => {
            Asked::Auth
        }
        b"EPSV" if word == b"ALL" => Asked::Other,
        b"PORT" => Asked::Active(port_argument(argument)),
        b"LPRT" => Asked::Active(lprt_argument(argument)),
        b"EPRT" => Asked::Active(eprt_argument(argument)),
        [_, _, b'S', b'V' | b'W'] => Asked::Passive,
        _ => Asked::Other,
    })
}

/// `length` numbers between commas, the way `sscanf` takes them: blanks before and behind each, signs
/// before it, anything behind the last one.
fn list(argument: &[u8], length: usize) -> Option<Vec<u8>> {
    let items: Vec<_> = argument.splitn(length, |byte| *byte == b',').collect();
    if items.len() != length {
        return None;
    }
    let mut numbers = Vec::new();
    for (place, item) in items.into_iter().enumerate() {
        let mut item = item;
        while let [first, rest @ ..] = item
            && (is_blank(first) || *first == b'+')
        {
            item = rest;
        }
        let digits = item.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, behind) = item.split_at(digits);
        if place + 1 < length && !trim(behind).is_empty() {
            return None;
        }
        numbers.push(small_number(number, 255)? as u8);
    }
    Some(numbers)
}

fn small_number(digits: &[u8], most: u32) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut number = 0u32;
    for digit in digits {
        number = number
            .saturating_mul(10)
            .saturating_add(u32::from(digit - b'0'));
    }
    (number <= most).then_some(number)
}

fn destination(host: IpAddr, port: u32) -> Option<SocketAddr> {
    match u16::try_from(port) {
        Ok(port @ 1..) => Some(SocketAddr::new(host.to_canonical(), port)),
        _ => None,
    }
}

/// RFC 959.
fn port_argument(argument: &[u8]) -> Option<SocketAddr> {
    let numbers = list(argument, 6)?;
    let host: [u8; 4] = numbers[..4].try_into().ok()?;
    destination(
        host.into(),
        u32::from(numbers[4]) << 8 | u32::from(numbers[5]),
    )
}

/// RFC 1639.
fn lprt_argument(argument: &[u8]) -> Option<SocketAddr> {
    if let Some(numbers) = list(argument, 9)
        && let [4, 4, a, b, c, d, 2, high, low] = numbers[..]
    {
        return destination(
            [a, b, c, d].into(),
            u32::from(u16::from_be_bytes([high, low])),
        );
    }
    let numbers = list(argument, 21)?;
    let ([6, 16, host @ ..], [2, high, low]) = numbers.split_at(18) else {
        return None;
    };
    let host: [u8; 16] = host.try_into().ok()?;
    destination(host.into(), u32::from(u16::from_be_bytes([*high, *low])))
}

/// RFC 2428.
fn eprt_argument(argument: &[u8]) -> Option<SocketAddr> {
    let (delimiter, fields) = argument.split_first()?;
    if !delimiter.is_ascii_graphic() {
        return None;
    }
    let fields: Vec<_> = fields.split(|byte| byte == delimiter).collect();
    let [protocol, host, port, ..] = fields[..] else {
        return None;
    };
    let host = std::str::from_utf8(host).ok()?;
    let host = match protocol {
        b"1" => IpAddr::V4(host.parse::<Ipv4Addr>().ok()?),
        b"2" => IpAddr::V6(host.parse::<Ipv6Addr>().ok()?),
        _ => return None,
    };
    destination(host, small_number(trim(port), u32::from(u16::MAX))?)
}
