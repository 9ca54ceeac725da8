//! Entries that name hosts.

use std::path::Path;
use std::time::Duration;

use ftp_guard_common::class::Family;
use jiff::Timestamp;

use super::super::{AllowSet, HostRow};
use super::{parse, profile_number};
use crate::engine::names::{HostName, NameBook, Outcome, Question, Settings};

const NOW: Duration = Duration::from_secs(1_790_000_000);

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

/// What DNS says: each name with its addresses.
fn book(set: &AllowSet, answers: &[(&str, &[&str])]) -> NameBook {
    let second = Duration::from_secs(1);
    let mut book = NameBook::new(Settings {
        min_ttl: second,
        max_ttl: second,
        linger: second,
        keep: second,
        max_addresses: 9,
        private: true,
    });
    book.want(set.hosts().iter().map(|entry| entry.name.clone()), NOW);
    for (name, addresses) in answers {
        for family in [Family::Ipv4, Family::Ipv6] {
            let of = addresses.iter().map(|text| text.parse().unwrap());
            let addresses: Vec<std::net::IpAddr> = of
                .filter(|address: &std::net::IpAddr| address.is_ipv4() == (family == Family::Ipv4))
                .collect();
            let question = Question {
                name: HostName::parse(name).unwrap(),
                family,
            };
            let ttl = second;
            book.answer(&question, Outcome::Addresses { addresses, ttl }, NOW);
        }
    }
    book
}

fn rows(set: &AllowSet, book: &NameBook) -> Vec<String> {
    set.table_with(book, now())
        .iter()
        .map(|(prefix, value)| {
            let kind = if value.excludes() { "!" } else { "" };
            format!("{kind}{prefix} {} {}", value.profile, value.expires_s)
        })
        .collect()
}

fn mistakes(text: &str) -> Vec<String> {
    let found = parse(text).unwrap_err().0;
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_line_of_a_name_is_read_with_its_keys() {
    let set = parse(
        "192.0.2.1\n  host:Partner.Example.net. profile=bulk expires=2030-01-01T00:00:00Z \
         label=\"a \\\"b\\\"\" # c\r\nhost:b.example.net\n",
    )
    .unwrap();
    assert_eq!(set.len(), 1);
    let [one, other] = set.hosts() else {
        panic!("{:?}", set.hosts());
    };
    let text =
        "host:partner.example.net profile=bulk expires=2030-01-01T00:00:00Z label=\"a \\\"b\\\"\"";
    assert_eq!(one.to_string(), text);
    assert_eq!((one.line, other.line), (2, 3));
    assert_eq!(
        parse(&format!("{text}\n")).unwrap().hosts()[0].to_string(),
        text
    );
}

#[test]
fn mistakes_have_their_place() {
    assert_eq!(
        mistakes("::1\n host:a..b.net profile=nobody\n"),
        ["a.list:2:9: a name has no empty label: one dot between two labels"]
    );
    assert!(
        mistakes("host:a.b.net profile=nobody\n")[0].starts_with("a.list:1:22: unknown profile")
    );
    assert!(mistakes("!host:a.b.net\n")[0].contains("a.list:1:2: a name cannot be excluded"));
    assert!(mistakes("host:\n")[0].starts_with("a.list:1:6: expected a name"));
    assert!(mistakes("HOST:a.b.net\n")[0].contains("host:NAME"));
    assert!(mistakes("host: a.b.net\n")[0].contains("expected a name"));
    let twice = mistakes("host:a.b.net\nhost:A.b.net. profile=bulk\n10.0.0.1/33\n");
    assert_eq!(twice.len(), 2, "{twice:?}");
    assert!(
        twice
            .iter()
            .any(|told| told.starts_with("a.list:2:1: host:a.b.net is listed already")),
        "{twice:?}"
    );
}

#[test]
fn a_name_that_is_listed_twice_alike_is_one() {
    let texts = [
        (Path::new("a.list"), "host:a.b.net\n"),
        (
            Path::new("b.list"),
            "# host:c.d.net\nhost:a.b.net label=\"x\"\n",
        ),
    ];
    let set = AllowSet::parse(texts, &profile_number).unwrap();
    assert_eq!(set.hosts().len(), 1);
    assert_eq!(set.hosts()[0].label.as_deref(), Some("x"));
    assert_eq!(&*set.hosts()[0].file, Path::new("a.list"));
}

#[test]
fn the_addresses_of_a_name_are_entries_of_hosts() {
    let set =
        parse("10.0.0.0/8\nhost:a.b.net profile=bulk expires=2030-01-01T00:00:00Z\n").unwrap();
    let book = book(
        &set,
        &[("a.b.net", &["192.0.2.9", "10.1.1.1", "2001:db8::9"])],
    );
    assert_eq!(
        rows(&set, &book),
        [
            "10.0.0.0/8 0 0",
            "10.1.1.1/32 1 1893456000",
            "192.0.2.9/32 1 1893456000",
            "2001:db8::9/128 1 1893456000",
        ]
    );
    let of = |address: &str| {
        let found = set.host_entry_of(address.parse().unwrap(), &book, now());
        found.map(|entry| entry.name.to_string())
    };
    assert_eq!(of("10.1.1.1").as_deref(), Some("a.b.net"));
    assert_eq!(of("10.1.1.2"), None);
    let expiry: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(set.next_expiry(now()), Some(expiry));
    assert_eq!(set.table_with(&book, expiry).len(), 1);
}

#[test]
fn what_the_files_say_of_an_address_counts() {
    let set = parse(
        "192.0.2.1 profile=slow\n!192.0.2.2\n!198.51.100.0/24\n198.51.100.0/28\n\
         !203.0.113.0/24 expires=2020-01-01T00:00:00Z\nhost:a.b.net profile=bulk\n\
         host:b.b.net\n",
    )
    .unwrap();
    let addresses = [
        "192.0.2.1",
        "192.0.2.2",
        "198.51.100.1",
        "198.51.100.99",
        "203.0.113.1",
    ];
    let book = book(
        &set,
        &[
            ("a.b.net", &addresses),
            ("b.b.net", &["203.0.113.1", "192.0.2.7"]),
        ],
    );
    assert_eq!(
        rows(&set, &book),
        [
            "192.0.2.1/32 2 0",
            "!192.0.2.2/32 0 0",
            "192.0.2.7/32 0 0",
            "!198.51.100.0/24 0 0",
            "198.51.100.0/28 0 0",
            // Inside what the files allow again.
            "198.51.100.1/32 1 0",
            // The exclusion is over, and the first name has it.
            "203.0.113.1/32 1 0",
        ]
    );
    let mut told = Vec::new();
    set.each_host(&set.table(now()), &book, now(), |entry, address, row| {
        told.push((entry.name.to_string(), address.to_string(), row));
    });
    let row = |name: &str, address: &str| {
        let found = told.iter().find(|(n, a, _)| n == name && a == address);
        found.map(|(_, _, row)| *row).unwrap()
    };
    assert_eq!(row("a.b.net", "192.0.2.1"), HostRow::Listed);
    assert_eq!(row("a.b.net", "192.0.2.2"), HostRow::Excluded);
    assert_eq!(row("a.b.net", "198.51.100.99"), HostRow::Excluded);
    assert_eq!(row("b.b.net", "203.0.113.1"), HostRow::OfAnother);
}
