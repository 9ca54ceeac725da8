//! Comma-separated tables: with a header (MaxMind's blocks, `allow export --format csv`), or
//! `start,end,country`.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::collect::{Collector, Refused, Settings};
use super::durations;
use super::source::Source;
use crate::diagnostic::quoted;
use crate::engine::allowlist::parse_expiry;

const NETWORK: [&str; 4] = ["network", "prefix", "cidr", "ip_prefix"];
const START: [&str; 5] = ["start", "start_ip", "ip_from", "range_start", "first"];
const END: [&str; 5] = ["end", "end_ip", "ip_to", "range_end", "last"];
const COUNTRY: [&str; 5] = [
    "country",
    "country_code",
    "country_iso_code",
    "cc",
    "country_iso",
];

/// Which column is what, from 0.
#[derive(Clone, Debug, Default)]
struct Columns {
    names: Vec<String>,
    network: Option<usize>,
    start: Option<usize>,
    end: Option<usize>,
    country: Option<usize>,
    geoname: Option<usize>,
    /// The table is one of `allow export`.
    kind: Option<usize>,
    profile: Option<usize>,
    expires: Option<usize>,
    label: Option<usize>,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Self {
        let names: Vec<String> = header
            .iter()
            .map(|name| name.trim().to_ascii_lowercase())
            .collect();
        let find = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
        Self {
            network: find(&NETWORK),
            start: find(&START),
            end: find(&END),
            country: find(&COUNTRY),
            geoname: find(&["geoname_id"]),
            kind: find(&["kind"]),
            profile: find(&["profile"]),
            expires: find(&["expires"]),
            label: find(&["label"]),
            names,
        }
    }

    /// Of a table without a header.
    fn bare(first: &csv::StringRecord) -> Self {
        let range = first.get(1).is_some_and(|second| address(second).is_ok());
        if range {
            Self {
                start: Some(0),
                end: Some(1),
                country: Some(2),
                ..Self::default()
            }
        } else {
            Self {
                network: Some(0),
                country: Some(1),
                ..Self::default()
            }
        }
    }

    /// The place of a column by its name, or by its number from 1.
    fn place(&self, name: &str) -> Option<usize> {
        let by_name = self.names.iter().position(|n| n.eq_ignore_ascii_case(name));
        by_name.or_else(|| name.parse::<usize>().ok()?.checked_sub(1))
    }
}

pub(super) fn read(text: &str, into: &mut Collector<'_>) {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let mut columns: Option<Columns> = None;
    loop {
        if into.over() {
            return;
        }
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                let line = error.position().map_or(0, |at| at.line());
                return into.refuse(narrow(line), format!("the table cannot be read: {error}"));
            }
        }
        let line = narrow(record.position().map_or(0, |at| at.line()));
        let columns = match &columns {
            Some(columns) => columns,
            None => {
                let is_data = record.get(0).is_some_and(source_like);
                let found = if is_data {
                    Columns::bare(&record)
                } else {
                    Columns::of(&record)
                };
                if let Err(message) = usable(&found, into) {
                    return into.refuse(line, message);
                }
                for (field, _) in &into.options.filters.clone() {
                    if found.place(field).is_some_and(|at| at < record.len()) {
                        into.field(field);
                    }
                }
                columns = Some(found);
                if !is_data {
                    continue;
                }
                // Just set.
                match &columns {
                    Some(columns) => columns,
                    None => return,
                }
            }
        };
        row(&record, line, columns, into);
    }
}

fn usable(columns: &Columns, into: &Collector<'_>) -> Result<(), String> {
    if columns.network.is_none() && (columns.start.is_none() || columns.end.is_none()) {
        return Err(format!(
            "no column of networks: expected one of {}, or {} and {}, in the header",
            NETWORK.join(", "),
            START[0],
            END[0]
        ));
    }
    if into.options.countries.is_empty() || columns.country.is_some() {
        return Ok(());
    }
    match (columns.geoname, &into.options.geonames) {
        (Some(_), Some(_)) => Ok(()),
        (Some(_), None) => Err(
            "countries are numbers in this table: name the file of locations with --locations FILE"
                .to_owned(),
        ),
        (None, _) => Err(format!(
            "no column of countries: expected one of {} in the header, or use --filter COLUMN=VALUE",
            COUNTRY.join(", ")
        )),
    }
}

fn row(record: &csv::StringRecord, line: u32, columns: &Columns, into: &mut Collector<'_>) {
    let field = |at: Option<usize>| at.and_then(|at| record.get(at)).filter(|f| !f.is_empty());
    let country = field(columns.country);
    let options = into.options;
    let in_country = options.countries.is_empty()
        || match (country, field(columns.geoname), &options.geonames) {
            (Some(country), ..) => options
                .countries
                .iter()
                .any(|c| c.eq_ignore_ascii_case(country)),
            (None, Some(number), Some(numbers)) => numbers.contains(number),
            _ => false,
        };
    let source = source(
        field(columns.network),
        field(columns.start),
        field(columns.end),
    );
    let source = match source {
        Ok(source) => source,
        Err(message) => return into.unknown(line, message),
    };
    if !in_country || !into.passes(|name| record.get(columns.place(name)?)) {
        return into.leave_out();
    }
    let mut settings = Settings::default();
    if let Some(kind) = field(columns.kind) {
        match kind {
            "allow" => {}
            "exclude" => settings.exclude = true,
            other => {
                return into.unknown(
                    line,
                    format!("expected allow or exclude, found {}", quoted(other)),
                );
            }
        }
        match field(columns.expires).map(parse_expiry).transpose() {
            Ok(expires) => settings.expires = expires,
            Err(message) => return into.unknown(line, message),
        }
        if let Some(profile) = field(columns.profile) {
            if profile.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return into.unknown(line, format!("bad name of a profile {}", quoted(profile)));
            }
            settings.profile = profile.into();
        }
        settings.label = field(columns.label).and_then(durations::label);
    } else {
        settings.label = country.and_then(durations::label);
    }
    into.take(line, source, &settings);
}

fn source(network: Option<&str>, start: Option<&str>, end: Option<&str>) -> Result<Source, String> {
    match (network, start, end) {
        (Some(network), ..) => Source::parse(network),
        (None, Some(start), Some(end)) => {
            let (first, last) = (address(start)?, address(end)?);
            // Numbers of IPv6 tables begin with those of IPv4.
            let (first, last) = match (first, last) {
                (IpAddr::V4(v4), IpAddr::V6(_)) if is_number(start) => {
                    (IpAddr::V6(Ipv6Addr::from(u128::from(u32::from(v4)))), last)
                }
                same => same,
            };
            Source::range(first, last)
        }
        _ => Err("the row has no network".to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// An address, also as one number in decimal.
fn address(text: &str) -> Result<IpAddr, String> {
    if is_number(text)
        && let Ok(number) = text.parse::<u128>()
    {
        return Ok(match u32::try_from(number) {
            Ok(number) => IpAddr::V4(Ipv4Addr::from(number)),
            Err(_) => IpAddr::V6(Ipv6Addr::from(number)),
        });
    }
    text.parse()
        .map_err(|_| format!("expected an address, found {}", quoted(text)))
}

/// Whether a first field is data, right or wrong, and no name of a column.
fn source_like(text: &str) -> bool {
    address(text).is_ok()
        || text.contains('/')
        || text.starts_with(|c: char| c.is_ascii_digit())
        || text.contains(':')
}

/// The numbers of the places in `countries`, of MaxMind's table of locations.
///
/// # Errors
/// When the text is no such table, or no place is in these countries.
pub fn geonames(text: &str, countries: &[String]) -> Result<HashSet<String>, Refused> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let failed =
        |error: csv::Error| Refused::new(format!("the table of locations cannot be read: {error}"));
    let header = reader.headers().map_err(failed)?;
    let column = |name: &str| {
        header
            .iter()
            .position(|column| column == name)
            .ok_or_else(|| Refused::new(format!("the table of locations has no column {name}")))
    };
    let (number, country) = (column("geoname_id")?, column("country_iso_code")?);
    let mut numbers = HashSet::new();
    for record in reader.into_records() {
        let record = record.map_err(failed)?;
        let (Some(number), Some(code)) = (record.get(number), record.get(country)) else {
            continue;
        };
        if countries
            .iter()
            .any(|wanted| wanted.eq_ignore_ascii_case(code))
        {
            numbers.insert(number.to_owned());
        }
    }
    if numbers.is_empty() {
        return Err(Refused::new(
            "the table of locations has no place in these countries",
        ));
    }
    Ok(numbers)
}

fn narrow(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}
