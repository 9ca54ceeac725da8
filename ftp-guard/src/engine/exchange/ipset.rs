//! What `ipset save` prints.

use std::collections::HashMap;

use ipnet::IpNet;

use super::collect::{Collector, Settings};
use super::durations;
use super::source::{Source, line_number};
use crate::diagnostic::quoted;

struct Set {
    /// What stands in the way of taking its elements.
    problem: Option<String>,
    /// Elements are networks of this length.
    netmask: Option<u8>,
}

pub(super) fn read(text: &str, into: &mut Collector<'_>) {
    let mut sets: HashMap<String, Set> = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        if into.over() {
            return;
        }
        let number = line_number(index);
        let words = match words(line) {
            Ok(words) => words,
            Err(message) => {
                into.unknown(number, message);
                continue;
            }
        };
        let words: Vec<&str> = words.iter().map(|word| word.trim_matches('"')).collect();
        match words.as_slice() {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            ["create" | "-N" | "-!", name, kind, rest @ ..] => {
                sets.insert((*name).to_owned(), set(kind, rest));
            }
            ["flush" | "-F" | "COMMIT", ..] => {}
            ["add" | "-A", name, entry, rest @ ..] => {
                if !into.begin_set(name) {
                    into.leave_out();
                    continue;
                }
                match element(entry, rest, sets.get(*name), into) {
                    Ok((source, settings)) => into.take(number, source, &settings),
                    Err(message) => into.unknown(number, message),
                }
            }
            _ => into.unknown(
                number,
                format!(
                    "expected create or add as `ipset save` prints them, found {}",
                    quoted(line)
                ),
            ),
        }
    }
}

fn set(kind: &str, options: &[&str]) -> Set {
    let addresses = matches!(
        kind,
        "hash:ip" | "hash:net" | "bitmap:ip" | "iphash" | "nethash"
    );
    let netmask = options
        .windows(2)
        .find(|pair| pair[0] == "netmask")
        .and_then(|pair| pair[1].parse().ok());
    Set {
        problem: (!addresses).then(|| {
            format!(
                "the set is of type {kind}: only hash:ip, hash:net and bitmap:ip hold sources alone"
            )
        }),
        netmask,
    }
}

fn element(
    entry: &str,
    options: &[&str],
    set: Option<&Set>,
    into: &Collector<'_>,
) -> Result<(Source, Settings), String> {
    if let Some(problem) = set.and_then(|set| set.problem.as_ref()) {
        return Err(problem.clone());
    }
    if entry.contains(',') {
        return Err(format!(
            "{} is more than a source: ports, interfaces and marks are not taken",
            quoted(entry)
        ));
    }
    let mut source = Source::parse(entry)?;
    if let (Some(length), Source::Net(host)) = (set.and_then(|set| set.netmask), &source) {
        let net = IpNet::new(host.addr(), length).map_err(|_| format!("bad netmask {length}"))?;
        source = Source::Net(net.trunc());
    }
    let mut settings = Settings::default();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            "nomatch" => settings.exclude = true,
            "timeout" => {
                let text = options.next().copied().unwrap_or_default();
                let left = durations::seconds(text)
                    .ok_or_else(|| format!("bad timeout {}", quoted(text)))?;
                if left > 0 {
                    settings.expires = Some(
                        durations::after(into.options.written, left)
                            .ok_or_else(|| format!("bad timeout {}", quoted(text)))?,
                    );
                }
            }
            "comment" => settings.label = options.next().and_then(|text| durations::label(text)),
            "packets" | "bytes" | "skbmark" | "skbprio" | "skbqueue" => {
                options.next();
            }
            "-exist" => {}
            other => return Err(format!("unknown option {}", quoted(other))),
        }
    }
    Ok((source, settings))
}

/// Words between blanks, those in double quotes with them.
fn words(line: &str) -> Result<Vec<&str>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let end = if let Some(quote) = rest.strip_prefix('"') {
            quote
                .find('"')
                .ok_or("the quote is not closed on this line")?
                + 2
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        let (word, behind) = rest.split_at(end);
        words.push(word);
        rest = behind.trim_start();
    }
    Ok(words)
}
