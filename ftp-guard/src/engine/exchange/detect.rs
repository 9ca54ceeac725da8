//! Which format a text is in.

use super::Format;
use super::cidr::without_comment;
use super::source::Source;

/// How much of a text is looked at.
const SAMPLE: usize = 64 * 1024;
/// How many lines with something on them.
const LINES: usize = 200;

/// The format that `text` looks like. What looks like none is taken for a list, whose reader says
/// what is wrong.
#[must_use]
pub fn detect(text: &str) -> Format {
    let text = text
        .strip_prefix(crate::diagnostic::BYTE_ORDER_MARK)
        .unwrap_or(text);
    let sample = &text[..sample_end(text)];
    let start = sample.trim_start();
    if start.starts_with('{') || start.starts_with('[') && !start.starts_with("[:") {
        return if sample.contains("\"nftables\"") {
            Format::NftJson
        } else {
            Format::Json
        };
    }
    let lines: Vec<&str> = sample
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .take(LINES)
        .collect();
    let Some(first) = lines.first() else {
        return Format::List;
    };
    let words: Vec<&str> = first.split_whitespace().collect();
    if first.matches('|').count() >= 4 {
        return Format::Rir;
    }
    if matches!(words.as_slice(), ["create" | "add", _, second, ..]
        if words[0] == "create" || Source::parse(second).is_ok() && words[1] != "element")
    {
        return Format::Ipset;
    }
    let nft = ["table", "set", "add", "flush", "delete", "element"];
    if nft.contains(&words[0]) || sample.contains("elements = {") {
        return Format::Nft;
    }
    if lines.iter().any(|line| is_rule(line)) {
        return Format::HostsAllow;
    }
    let header = first.to_ascii_lowercase();
    let names = ["network", "prefix", "cidr", "start", "end", "country"];
    if first.contains(',')
        && (names.iter().any(|name| header.contains(name)) || lines.iter().all(|line| is_row(line)))
    {
        return Format::Csv;
    }
    if lines.iter().any(|line| is_cidr(line)) && !lines.iter().any(|line| is_list(line)) {
        return Format::Cidr;
    }
    Format::List
}

/// `daemon list : client list`.
fn is_rule(line: &str) -> bool {
    let Some((daemons, clients)) = line.split_once(':') else {
        return false;
    };
    let name = |c: char| c.is_ascii_alphanumeric() || " ,.-_@".contains(c);
    let daemons = daemons.trim();
    !clients.trim().is_empty()
        && daemons.contains(|c: char| c.is_ascii_alphabetic())
        && daemons.chars().all(name)
        && Source::parse(line.split_whitespace().next().unwrap_or_default()).is_err()
        // A host by name is an entry of a list.
        && daemons != "host"
        && !daemons.chars().all(|c| c.is_ascii_hexdigit())
}

fn is_row(line: &str) -> bool {
    let mut fields = line.split(',').map(|field| field.trim().trim_matches('"'));
    let first = fields.next().unwrap_or_default();
    let number = !first.is_empty() && first.bytes().all(|b| b.is_ascii_digit());
    (number || Source::parse(first).is_ok())
        && fields.next().is_some_and(|second| !second.is_empty())
}

/// A line that only the readers of lists understand.
fn is_list(line: &str) -> bool {
    let settings = ["profile=", "expires=", "label="];
    line.starts_with('!') || settings.iter().any(|key| line.contains(key))
}

/// A line that only the reader of plain prefixes understands.
fn is_cidr(line: &str) -> bool {
    let content = without_comment(line);
    let words: Vec<&str> = content.split_whitespace().collect();
    let Some(first) = words.first() else {
        return line.starts_with(';');
    };
    let range = words.get(1) == Some(&"-");
    let Ok(source) = Source::parse(first.trim_end_matches(',')) else {
        return false;
    };
    let plain = crate::engine::allowlist::parse_prefix(first).is_ok();
    range
        || !plain
        || !matches!(source, Source::Net(_))
        || line.contains(';')
        || (words.len() > 1 && !words[1].contains('='))
}

fn sample_end(text: &str) -> usize {
    let mut end = text.len().min(SAMPLE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}
