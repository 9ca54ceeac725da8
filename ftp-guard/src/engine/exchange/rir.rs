//! Statistics of the regional registries: `registry|cc|type|start|value|date|status[|...]`.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::collect::{Collector, Settings};
use super::durations;
use super::source::{Source, line_number};
use crate::diagnostic::quoted;
use crate::engine::allowlist::parse_prefix;

/// For IPv4 `value` is a number of addresses, which need not be a power of two, for IPv6 a length.
pub(super) fn read(text: &str, into: &mut Collector<'_>) {
    for (index, line) in text.lines().enumerate() {
        if into.over() {
            return;
        }
        let number = line_number(index);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.splitn(9, '|').collect();
        let [_, country, kind, start, value, ..] = fields.as_slice() else {
            into.unknown(
                number,
                format!(
                    "expected fields with | between them, found {}",
                    quoted(line)
                ),
            );
            continue;
        };
        // The line of the version and those that count the others.
        if *country == "*" || fields[0].bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            continue;
        }
        let given = fields
            .get(6)
            .is_none_or(|status| matches!(*status, "allocated" | "assigned" | "legacy" | ""));
        let wanted = into.options.countries.is_empty()
            || into
                .options
                .countries
                .iter()
                .any(|c| c.eq_ignore_ascii_case(country));
        let source = match *kind {
            "asn" => {
                into.leave_out();
                continue;
            }
            "ipv4" => ipv4(start, value),
            "ipv6" => ipv6(start, value),
            other => Err(format!(
                "expected ipv4, ipv6 or asn, found {}",
                quoted(other)
            )),
        };
        match source {
            Err(message) => into.unknown(number, message),
            Ok(_) if !given || !wanted => into.leave_out(),
            Ok(source) => {
                let settings = Settings {
                    label: durations::label(country),
                    ..Settings::default()
                };
                into.take(number, source, &settings);
            }
        }
    }
}

fn ipv4(start: &str, count: &str) -> Result<Source, String> {
    let first: Ipv4Addr = start
        .parse()
        .map_err(|_| format!("expected an IPv4 address, found {}", quoted(start)))?;
    Source::counted(first, count)
}

fn ipv6(start: &str, length: &str) -> Result<Source, String> {
    start
        .parse::<Ipv6Addr>()
        .map_err(|_| format!("expected an IPv6 address, found {}", quoted(start)))?;
    parse_prefix(&format!("{start}/{length}")).map(Source::Net)
}
