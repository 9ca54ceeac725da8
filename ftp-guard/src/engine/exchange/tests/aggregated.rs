//! Aggregation changes nothing but the number of prefixes.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use super::*;
use crate::engine::exchange::compare::contains;

fn list(text: &str) -> Imported {
    let keeping = Options {
        now: Timestamp::MIN,
        ..options()
    };
    let mut imported = read(text, Format::List, &keeping).unwrap();
    assert_eq!(imported.mistakes, [], "{text}");
    imported.items.sort_by_key(|item| item.prefix);
    imported
}

fn table(text: &str) -> (Vec<(IpNet, u32)>, SettingsTable) {
    let imported = list(text);
    let entries = imported.items.iter();
    let entries = entries.map(|item| (item.prefix, item.settings)).collect();
    (entries, imported.settings)
}

fn aggregated(text: &str, present: &str) -> Vec<String> {
    let (entries, listed) = table(present);
    let mut import = list(text);
    aggregate(&mut import, &entries, &listed);
    lines(&import)
}

#[test]
fn halves_join_and_the_inside_goes() {
    assert_eq!(
        aggregated(
            "10.0.0.0/25\n10.0.0.128/26\n10.0.0.192/26\n10.0.0.5\n10.0.1.0/24\n",
            ""
        ),
        ["10.0.0.0/23"]
    );
    assert_eq!(
        aggregated("0.0.0.0/1\n128.0.0.0/1\n::/1\n8000::/1\n", ""),
        ["0.0.0.0/0", "::/0"]
    );
}

#[test]
fn what_differs_stays() {
    for text in [
        "10.0.0.0/25\n10.0.0.128/25 profile=x\n",
        "10.0.0.0/25 label=\"a\"\n10.0.0.128/25 label=\"b\"\n",
        "10.0.0.0/25\n10.0.0.128/25 expires=2030-01-01T00:00:00Z\n",
        "10.0.0.0/25\n!10.0.0.128/25\n",
        // Not redundant: what lies between says something else.
        "10.0.0.0/8\n!10.0.0.0/16\n10.0.0.0/24\n",
        // The entry at the place of both halves says something else.
        "10.0.0.0/24 profile=x\n10.0.0.0/25\n10.0.0.128/25\n",
    ] {
        assert_eq!(aggregated(text, ""), text.lines().collect::<Vec<_>>());
    }
    assert_eq!(
        aggregated("10.0.0.0/24\n10.0.1.0/24\n!10.0.0.7\n", ""),
        ["10.0.0.0/23", "!10.0.0.7"]
    );
}

#[test]
fn the_allowlist_is_respected() {
    // It would be changed.
    let halves = ["10.0.0.0/25", "10.0.0.128/25"];
    assert_eq!(
        aggregated("10.0.0.0/25\n10.0.0.128/25\n", "!10.0.0.0/24\n"),
        halves
    );
    // It would stay as it is, in a part of the new one.
    assert_eq!(
        aggregated("10.0.0.0/25\n10.0.0.128/25\n", "!10.0.0.0/25\n"),
        halves
    );
    let nested = "10.0.0.0/8\n10.0.0.0/24\n";
    assert_eq!(
        aggregated(nested, "!10.0.0.0/16\n"),
        ["10.0.0.0/8", "10.0.0.0/24"]
    );
    assert_eq!(aggregated(nested, "10.0.0.0/24 profile=x\n").len(), 2);
    assert_eq!(aggregated(nested, "").len(), 1);
}

#[test]
fn the_comparison_counts() {
    let (entries, listed) = table("192.0.2.0/24\n198.51.100.0/24 profile=x\n");
    let mut import = list("192.0.2.0/24\n192.0.2.7\n198.51.100.7\n198.51.100.0/24\n0.0.0.0/0\n");
    let found = compare(&mut import, &entries, &listed);
    assert_eq!((found.present, found.changed), (1, 1));
    // 192.0.2.7 and what takes the place of the other one.
    assert_eq!((found.redundant, found.differing), (3, 0), "{found:?}");
    assert_eq!(found.everything, ["0.0.0.0/0".parse::<IpNet>().unwrap()]);
    let mut import = list("198.51.100.7\n!192.0.2.0/28\n");
    let found = compare(&mut import, &entries, &listed);
    assert_eq!((found.differing, found.differing_listed), (2, 2));
    assert!(found.differing_first[0].listed);
}

#[test]
fn twice_in_a_file() {
    let mut import = read(
        "10.0.0.1\n10.0.0.0/24\n10.0.0.1\n",
        Format::Cidr,
        &options(),
    )
    .unwrap();
    let found = compare(&mut import, &[], &SettingsTable::default());
    assert_eq!(
        (found.duplicates, found.redundant, import.items.len()),
        (1, 1, 2)
    );
    let text = "add x 10.0.0.1\nadd x 10.0.0.1 timeout 9\n";
    let mut import = read(text, Format::Ipset, &options()).unwrap();
    let found = compare(&mut import, &[], &SettingsTable::default());
    assert_eq!(found.conflicts, [("10.0.0.1/32".parse().unwrap(), 2, 1)]);
}

/// What decides about `address`: the longest prefix, of the import where both have it.
fn decides<'s>(
    address: Ipv4Addr,
    import: &'s Imported,
    present: &'s [(IpNet, u32)],
    listed: &'s SettingsTable,
) -> Option<&'s Settings> {
    let host = IpNet::V4(Ipv4Net::from(address));
    let own = import
        .items
        .iter()
        .map(|item| (item.prefix, import.settings.get(item.settings), 1));
    let other = present
        .iter()
        .map(|(prefix, number)| (*prefix, listed.get(*number), 0));
    own.chain(other)
        .filter(|(prefix, ..)| contains(prefix, &host))
        .max_by_key(|(prefix, _, own)| (prefix.prefix_len(), *own))
        .map(|(_, settings, _)| settings)
}

/// Prefixes within 10.0.0.0/26, with few different settings.
fn entries() -> impl Strategy<Value = String> {
    let kinds = prop::sample::select(vec!["", "", "", " profile=x", "!"]);
    let one = (0_u32..64, 26_u8..=32, kinds).prop_map(|(host, length, kind)| {
        let net = Ipv4Net::new(Ipv4Addr::from(0x0a00_0000 + host), length)
            .unwrap()
            .trunc();
        match kind {
            "!" => (net, format!("!{net}")),
            settings => (net, format!("{net}{settings}")),
        }
    });
    prop::collection::vec(one, 0..30).prop_map(|mut found| {
        found.sort_by_key(|(net, _)| *net);
        found.dedup_by_key(|(net, _)| *net);
        let lines: Vec<_> = found.into_iter().map(|(_, line)| line).collect();
        lines.join("\n")
    })
}

proptest! {
    #[test]
    fn every_address_is_decided_as_before(text in entries(), present in entries()) {
        let (entries, listed) = table(&present);
        let before = list(&text);
        let mut after = before.clone();
        let done = aggregate(&mut after, &entries, &listed);
        prop_assert!(done.after <= done.before);
        prop_assert_eq!(done.after, after.items.len() as u64);
        for host in 0..80 {
            let address = Ipv4Addr::from(0x0a00_0000 + host);
            prop_assert_eq!(
                decides(address, &before, &entries, &listed),
                decides(address, &after, &entries, &listed),
                "{}", address
            );
        }
    }

    #[test]
    fn without_settings_it_is_what_the_library_says(
        nets in prop::collection::vec((any::<u32>(), 0_u8..=32), 0..50),
    ) {
        let nets: Vec<IpNet> = nets
            .into_iter()
            .map(|(bits, length)| IpNet::V4(Ipv4Net::new((bits & 0xff00_00ff).into(), length).unwrap().trunc()))
            .collect();
        let text: String = nets.iter().map(|net| format!("{net}\n")).collect();
        let mut import = list(&text);
        compare(&mut import, &[], &SettingsTable::default());
        aggregate(&mut import, &[], &SettingsTable::default());
        let ours: Vec<IpNet> = import.items.iter().map(|item| item.prefix).collect();
        prop_assert_eq!(ours, IpNet::aggregate(&nets));
    }
}
