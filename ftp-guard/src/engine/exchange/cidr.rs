//! Lines that begin with a prefix, an address or a range.

use std::net::Ipv4Addr;

use super::collect::{Collector, Settings};
use super::source::{Source, line_number};

/// `# ` and `;` begin comments; what follows behind a blank is another program's business.
pub(super) fn read(text: &str, into: &mut Collector<'_>) {
    let settings = Settings::default();
    for (index, line) in text.lines().enumerate() {
        if into.over() {
            return;
        }
        let number = line_number(index);
        let line = without_comment(line);
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else {
            continue;
        };
        let second = words.next();
        let source = match (second, words.next()) {
            (Some("-"), Some(last)) => Source::parse(&format!("{first}-{last}")),
            (Some(mask), _) if mask.parse::<Ipv4Addr>().is_ok() && !first.contains('/') => {
                Err(format!(
                    "two addresses: write {first}/{mask} for a network or {first}-{mask} for a range"
                ))
            }
            _ => Source::parse(first.trim_end_matches(',')),
        };
        match source {
            Ok(source) => into.take(number, source, &settings),
            Err(message) => into.unknown(number, message),
        }
    }
}

pub(super) fn without_comment(line: &str) -> &str {
    let end = line.find(['#', ';']).unwrap_or(line.len());
    line[..end].trim()
}
