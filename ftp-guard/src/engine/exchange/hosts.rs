//! `/etc/hosts.allow`, the rules of TCP wrappers (hosts_access(5), hosts_options(5)).

use std::collections::HashMap;
use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use super::collect::{Collector, Settings};
use super::durations;
use super::source::{Source, line_number};
use crate::diagnostic::quoted;

/// Programs that serve FTP under TCP wrappers.
const DAEMONS: [&str; 7] = [
    "ALL",
    "ftpd",
    "in.ftpd",
    "proftpd",
    "pure-ftpd",
    "vsftpd",
    "wu-ftpd",
];

struct Rule {
    line: u32,
    nets: Vec<IpNet>,
    exclusions: Vec<IpNet>,
}

pub(super) fn read(text: &str, into: &mut Collector<'_>) {
    let mut rules: Vec<Rule> = Vec::new();
    let mut joined = String::new();
    let mut began = 0;
    for (index, line) in text.lines().enumerate() {
        if into.over() {
            return;
        }
        if joined.is_empty() {
            began = line_number(index);
        }
        if let Some(part) = line.strip_suffix('\\') {
            joined.push_str(part);
            joined.push(' ');
            continue;
        }
        joined.push_str(line);
        rule(&joined, began, into, &mut rules);
        joined.clear();
    }
    if !joined.is_empty() {
        rule(&joined, began, into, &mut rules);
    }
    finish(&rules, into);
}

fn rule(text: &str, line: u32, into: &mut Collector<'_>, rules: &mut Vec<Rule>) {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return;
    }
    let fields = fields(text);
    let [daemons, clients, options @ ..] = fields.as_slice() else {
        into.unknown(
            line,
            format!("expected DAEMONS : CLIENTS, found {}", quoted(text)),
        );
        return;
    };
    if !concerns_ftp(daemons) {
        into.leave_out();
        return;
    }
    let denies = options
        .iter()
        .any(|option| option.trim().eq_ignore_ascii_case("deny"));
    if denies {
        into.unknown(
            line,
            "the rule denies: exclude its sources with `ftp-guard allow add --exclude`",
        );
        return;
    }
    let mut found = Rule {
        line,
        nets: Vec::new(),
        exclusions: Vec::new(),
    };
    let mut excepted = 0_u32;
    for word in clients.split(|c: char| c.is_whitespace() || c == ',') {
        if word.is_empty() {
            continue;
        }
        if word == "EXCEPT" {
            excepted += 1;
            continue;
        }
        match client(word) {
            Ok(net) if excepted == 0 => found.nets.push(net),
            Ok(net) if excepted == 1 => found.exclusions.push(net),
            Ok(_) => into.unknown(
                line,
                format!(
                    "{} is an exception of an exception: list it by itself",
                    quoted(word)
                ),
            ),
            Err(message) => into.unknown(line, message),
        }
    }
    rules.push(found);
}

/// The parts between colons, but for colons in brackets; `\:` is one of a command.
fn fields(text: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let (mut start, mut depth, mut escaped) = (0, 0_u32, false);
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && !escaped => {
                fields.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        escaped = c == '\\';
    }
    fields.push(&text[start..]);
    fields
}

fn concerns_ftp(daemons: &str) -> bool {
    let mut excepted = false;
    let mut included: Vec<&str> = Vec::new();
    for word in daemons.split(|c: char| c.is_whitespace() || c == ',') {
        // `daemon@host` is the daemon on one of the host's addresses.
        let name = word.split('@').next().unwrap_or(word);
        if word == "EXCEPT" {
            excepted = true;
        } else if let Some(daemon) = DAEMONS.iter().find(|daemon| **daemon == name) {
            if !excepted {
                included.push(daemon);
            } else if included.contains(&"ALL") || included.contains(daemon) {
                return false;
            }
        }
    }
    !included.is_empty()
}

fn client(word: &str) -> Result<IpNet, String> {
    let net = match word.strip_prefix('[') {
        Some(inner) => bracketed(inner),
        None if word.ends_with('.') => leading(word),
        None => match Source::parse(word) {
            Ok(Source::Net(net)) => Ok(net),
            Ok(_) | Err(_) if !looks_numeric(word) => Err(not_a_source(word)),
            Ok(_) => Err(format!("{} is no address", quoted(word))),
            Err(message) => Err(message),
        },
    }?;
    Ok(net)
}

fn looks_numeric(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word
            .bytes()
            .all(|b| b.is_ascii_hexdigit() || b".:/-".contains(&b))
}

fn not_a_source(word: &str) -> String {
    let what = match word {
        "ALL" => "everybody",
        "LOCAL" | "KNOWN" | "UNKNOWN" | "PARANOID" => "a wildcard over names",
        _ if word.starts_with('/') => "a file: import that file",
        _ if word.starts_with('@') => "a netgroup",
        _ if word.contains('@') => "a user of a host",
        _ if word.contains(['*', '?']) => "a pattern",
        _ => "a name",
    };
    format!(
        "{} is {what}: only addresses and prefixes are taken",
        quoted(word)
    )
}

/// `[2001:db8::]/32`, `[2001:db8::/32]`, `[::1]`, without its first bracket.
fn bracketed(inner: &str) -> Result<IpNet, String> {
    let (address, behind) = inner
        .split_once(']')
        .ok_or_else(|| format!("{}: expected ]", quoted(inner)))?;
    match Source::parse(&format!("{address}{behind}"))? {
        Source::Net(net) => Ok(net),
        _ => Err(format!("{} is no prefix", quoted(inner))),
    }
}

/// `192.168.1.`: the numbers that an address begins with.
fn leading(word: &str) -> Result<IpNet, String> {
    let bad = || {
        format!(
            "{}: expected one to three numbers up to 255, each with a dot behind",
            quoted(word)
        )
    };
    let mut octets = [0_u8; 4];
    let mut count = 0_u8;
    for part in word.trim_end_matches('.').split('.') {
        let slot = octets.get_mut(usize::from(count)).ok_or_else(bad)?;
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return Err(if looks_numeric(word) {
                bad()
            } else {
                not_a_source(word)
            });
        }
        *slot = part.parse().map_err(|_| bad())?;
        count += 1;
    }
    if count > 3 || word.ends_with("..") {
        return Err(bad());
    }
    let net = Ipv4Net::new(Ipv4Addr::from(octets), count * 8).map_err(|_| bad())?;
    Ok(net.into())
}

/// In these files any rule that matches allows; in the allowlist the longest prefix decides. What
/// would come out differently is not taken.
fn finish(rules: &[Rule], into: &mut Collector<'_>) {
    let mut allowed: HashMap<IpNet, u32> = HashMap::new();
    for (number, rule) in (0_u32..).zip(rules) {
        for net in &rule.nets {
            allowed.entry(*net).or_insert(number);
        }
    }
    let excluded: HashMap<IpNet, usize> = rules
        .iter()
        .enumerate()
        .flat_map(|(number, rule)| rule.exclusions.iter().map(move |net| (*net, number)))
        .collect();
    for (number, rule) in rules.iter().enumerate() {
        let label = durations::label(&format!("hosts.allow line {}", rule.line));
        let settings = Settings {
            label,
            ..Settings::default()
        };
        for net in &rule.nets {
            // Under an exclusion of its own rule it would be let in by its length.
            let inside = ancestors(*net).find(|above| excluded.get(above) == Some(&number));
            match inside {
                Some(above) => into.unknown(
                    rule.line,
                    format!("{net} is excepted by {above} of the same rule: leave it out"),
                ),
                None => into.take(rule.line, Source::Net(*net), &settings),
            }
        }
        let settings = Settings {
            exclude: true,
            ..settings
        };
        for net in &rule.exclusions {
            let mut own = false;
            let mut other = None;
            for above in ancestors(*net) {
                match allowed.get(&above) {
                    Some(rule) if *rule as usize == number => own = true,
                    Some(rule) => other = Some((above, *rule as usize)),
                    None => {}
                }
            }
            match other {
                Some((above, other)) => into.unknown(
                    rule.line,
                    format!(
                        "{net} is excepted here and allowed by {above} in line {}: exclude it or \
                         not, by hand",
                        rules[other].line
                    ),
                ),
                None if own => into.take(rule.line, Source::Net(*net), &settings),
                None => into.leave_out(),
            }
        }
    }
}

/// The prefix and those around it.
fn ancestors(net: IpNet) -> impl Iterator<Item = IpNet> {
    std::iter::successors(Some(net), IpNet::supernet)
}
