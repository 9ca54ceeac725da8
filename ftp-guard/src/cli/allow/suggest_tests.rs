//! What is proposed, as text.

use proptest::prelude::*;

use super::*;
use crate::{
    control::protocol::ModeName,
    engine::allowlist::{import_list, written_entry},
};

fn entry(prefix: &str) -> SuggestedEntry {
    SuggestedEntry {
        prefix: prefix.parse().unwrap(),
        addresses: 1,
        sessions: 5,
        logins: 5,
        transfers: 12,
        bytes: 3 << 20,
        days: 2,
        first: "2026-11-20T08:00:00Z".parse().unwrap(),
        last: "2026-11-23T09:00:00Z".parse().unwrap(),
        users: vec!["alice".to_owned(), "bob".to_owned()],
        more_users: false,
    }
}

fn listing(entries: Vec<SuggestedEntry>) -> Listing {
    Listing {
        version: 1,
        report: SuggestReport {
            since: "2026-10-24T08:00:00Z".parse().unwrap(),
            until: "2026-11-23T08:00:00Z".parse().unwrap(),
            history_begins: None,
            mode: ModeName::Monitor,
            clients: 4,
            sessions: 9,
            sessions_not_counted: 0,
            proposed: entries.len() as u64,
            left_out: LeftOutView::default(),
        },
        entries,
        applied: None,
    }
}

fn read(text: &str) -> Vec<Entry> {
    let (entries, hosts) = import_list(Path::new("x.list"), text, &|_: &str| Some(0)).unwrap();
    assert!(hosts.is_empty());
    entries
}

#[test]
fn the_text_is_an_allowlist_with_its_reasons() {
    let mut network = entry("198.51.100.0/24");
    network.addresses = 4;
    network.logins = 4;
    network.users.clear();
    network.first = network.last;
    network.days = 1;
    let mut listing = listing(vec![entry("192.0.2.7/32"), network]);
    listing.report.left_out.failed_logins = 1;
    listing.report.left_out.anonymous = 2;
    listing.report.history_begins = Some("2026-11-16T08:00:00Z".parse().unwrap());
    let text = heading(&listing) + &lines(&listing.entries);
    assert_eq!(
        text,
        "\
# Proposed by ftp-guard allow suggest: 2 entries.
# From 2026-10-24T08:00:00Z to 2026-11-23T08:00:00Z monitor mode saw 9 sessions of 4 clients that enforce mode would have dropped.
# The history begins at 2026-11-16T08:00:00Z.
# Not proposed: 1 client, only failed logins.
# Not proposed: 2 clients, anonymous only (--anonymous proposes them).
192.0.2.7        # 5 sessions, 2 days (2026-11-20 to 2026-11-23), 12 transfers, 3.00 MiB, users alice, bob
198.51.100.0/24  # 4 addresses, 5 sessions (4 with a login), 1 day (2026-11-23), 12 transfers, 3.00 MiB, user unknown (TLS)
"
    );
    let prefixes: Vec<String> = read(&text).iter().map(ToString::to_string).collect();
    assert_eq!(prefixes, ["192.0.2.7", "198.51.100.0/24"]);
}

#[test]
fn what_is_added_says_why_in_its_label() {
    assert_eq!(
        entry_line(&entry("2001:db8::/64")),
        "2001:db8::/64 label=\"seen in monitor mode: 5 sessions on 2 days until 2026-11-23\"\n"
    );
}

#[test]
fn what_to_do_next_depends_on_what_was_seen() {
    let mut listing = listing(vec![entry("192.0.2.7/32")]);
    assert!(advice(&listing).unwrap().contains("--apply"));
    listing.applied = Some(AddReport::default());
    assert_eq!(advice(&listing), None);
    listing.applied = None;
    listing.entries.clear();
    assert_eq!(advice(&listing), None, "the comments say why");
    listing.report.clients = 0;
    assert!(advice(&listing).unwrap().contains("monitor mode"));
}

#[test]
fn json_has_the_evidence_and_who_is_left_out() {
    let value = serde_json::to_value(listing(vec![entry("192.0.2.7/32")])).unwrap();
    assert_eq!(value["entries"][0]["prefix"], "192.0.2.7/32");
    assert_eq!(value["entries"][0]["users"][1], "bob");
    assert_eq!(value["left_out"]["failed_logins"], 0);
    assert!(value["applied"].is_null());
}

proptest! {
    /// Whatever names peers chose, a line is one entry: nothing of a name gets out of its comment.
    #[test]
    fn every_line_is_the_entry_that_it_says(
        address in any::<std::net::IpAddr>(),
        wide in any::<bool>(),
        users in prop::collection::vec(any::<String>(), 0..4),
        (sessions, bytes, days) in (any::<u64>(), any::<u64>(), any::<u64>()),
    ) {
        let address = address.to_canonical();
        let length = match (address.is_ipv4(), wide) {
            (true, true) => 24,
            (true, false) => 32,
            (false, true) => 64,
            (false, false) => 128,
        };
        let prefix = ipnet::IpNet::new(address, length).unwrap().trunc();
        // One that every reader takes for IPv4 is written as such, which the addresses of clients are anyway.
        prop_assume!(!matches!(prefix, ipnet::IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some()));
        let entry = SuggestedEntry {
            prefix,
            sessions,
            bytes,
            days,
            users,
            ..entry("192.0.2.7/32")
        };
        let written = lines(std::slice::from_ref(&entry));
        prop_assert_eq!(written.lines().count(), 1);
        prop_assert_eq!(written_entry(&written), Some(Entry::allow(prefix)));
        let added = entry_line(&entry);
        let found = read(&added);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].prefix, prefix);
        prop_assert!(found[0].label.is_some());
    }
}
