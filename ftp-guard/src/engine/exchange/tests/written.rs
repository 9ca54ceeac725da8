//! What is written can be read again.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use super::*;
use crate::engine::exchange::write::{List, Lost, Target};

fn written(text: &str, target: Target) -> (String, Lost) {
    let keeping = Options {
        now: Timestamp::MIN,
        ..options()
    };
    let imported = read(text, Format::List, &keeping).unwrap();
    assert_eq!(imported.mistakes, [], "{text}");
    let mut entries: Vec<(IpNet, u32)> = imported
        .items
        .iter()
        .map(|item| (item.prefix, item.settings))
        .collect();
    entries.sort_unstable();
    let list = List {
        entries: &entries,
        settings: &imported.settings,
        name: "partners",
        now: now(),
    };
    let mut out = Vec::new();
    let lost = write::write(&list, target, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), lost)
}

const LIST: &str = "192.0.2.0/24 label=\"a \\\"quoted\\\" one, two\"\n!192.0.2.7\n\
    198.51.100.0/24 expires=2026-11-22T13:00:00Z\n203.0.113.9 profile=bulk\n2001:db8::/32\n!2001:db8::/33\n";

#[test]
fn exclusions_are_subtracted_from_sets_of_nft() {
    let (text, lost) = written(LIST, Target::Nft);
    assert_eq!(lost, Lost::default(), "{text}");
    assert_eq!(
        text,
        "add table inet ftp_guard\n\
         add set inet ftp_guard partners_v4 { type ipv4_addr; flags interval, timeout; }\n\
         flush set inet ftp_guard partners_v4\n\
         add element inet ftp_guard partners_v4 {\n\
         \t192.0.2.0-192.0.2.6 comment \"a 'quoted' one, two\",\n\
         \t192.0.2.8-192.0.2.255 comment \"a 'quoted' one, two\",\n\
         \t198.51.100.0/24 timeout 3600s,\n\
         \t203.0.113.9 comment \"profile=bulk\",\n\
         }\n\
         add set inet ftp_guard partners_v6 { type ipv6_addr; flags interval; }\n\
         flush set inet ftp_guard partners_v6\n\
         add element inet ftp_guard partners_v6 {\n\
         \t2001:db8:8000::/33,\n\
         }\n"
    );
    assert_eq!(detect(&text), Format::Nft);
    let again = taken(&text, Format::Nft, &options());
    assert!(again.contains(&"198.51.100.0/24 expires=2026-11-22T13:00:00Z".to_owned()));
}

#[test]
fn sets_of_ipset_say_what_the_list_says() {
    let (text, lost) = written(LIST, Target::Ipset);
    assert_eq!(lost, Lost::default(), "{text}");
    assert_eq!(detect(&text), Format::Ipset);
    assert_eq!(
        taken(&text, Format::Ipset, &options()),
        [
            "192.0.2.0/24 label=\"a 'quoted' one, two\"",
            "!192.0.2.7",
            "198.51.100.0/24 expires=2026-11-22T13:00:00Z",
            "203.0.113.9 label=\"profile=bulk\"",
            "2001:db8::/32",
            "!2001:db8::/33"
        ]
    );
    let (text, lost) = written(
        "0.0.0.0/0\n!128.0.0.0/1\n::/0 expires=2099-01-01T00:00:00Z\n",
        Target::Ipset,
    );
    assert_eq!(lost.early, 1);
    assert!(!text.contains("/0"), "{text}");
    assert!(text.contains("timeout 2147483\n"), "{text}");
    assert!(
        text.contains("add partners_v4 128.0.0.0/1 nomatch\n"),
        "{text}"
    );
    assert!(!text.contains("add partners_v4 128.0.0.0/1\n"), "{text}");
}

#[test]
fn a_table_is_the_list() {
    let (text, lost) = written(LIST, Target::Csv);
    assert_eq!(lost, Lost::default());
    assert_eq!(detect(&text), Format::Csv);
    assert_eq!(
        taken(&text, Format::Csv, &options()),
        LIST.lines().collect::<Vec<_>>()
    );
}

#[test]
fn what_is_lost_is_told() {
    let (text, lost) = written(LIST, Target::Cidr);
    assert_eq!((lost.ends, lost.profiles, lost.labels), (1, 1, 1));
    assert_eq!(lost.sentences().len(), 3);
    assert!(text.lines().all(|line| !line.contains(' ')), "{text}");
    let (_, lost) = written(
        "10.0.0.0/8\n!10.0.0.0/9 expires=2099-01-01T00:00:00Z\n10.0.0.1 expires=2020-01-01T00:00:00Z\n",
        Target::Nft,
    );
    assert_eq!((lost.exclusions, lost.over), (1, 1));
    let long = format!("10.0.0.1 label=\"{}\"\n", "ä".repeat(100));
    assert_eq!(written(&long, Target::Nft).1.labels, 1);
}

#[test]
fn ends_of_nested_entries() {
    let text = "10.0.0.0/8 expires=2026-11-22T14:00:00Z\n10.1.0.0/16 expires=2026-11-22T13:00:00Z\n\
                !10.2.0.0/16\n10.2.3.0/24 expires=2026-11-22T13:00:00Z\n";
    let (text, _) = written(text, Target::Nft);
    assert!(
        text.contains("10.0.0.0-10.1.255.255 timeout 7200s")
            || text.contains("10.1.0.0/16 timeout 7200s"),
        "{text}"
    );
    assert!(text.contains("10.2.3.0/24 timeout 3600s"), "{text}");
}

/// Entries within 10.0.0.0/26 that are allowed or excluded.
fn entries() -> impl Strategy<Value = Vec<(Ipv4Net, bool)>> {
    let one = (0_u32..64, 26_u8..=32, any::<bool>()).prop_map(|(host, length, exclude)| {
        let net = Ipv4Net::new(Ipv4Addr::from(0x0a00_0000 + host), length).unwrap();
        (net.trunc(), exclude)
    });
    prop::collection::vec(one, 0..20).prop_map(|mut found| {
        found.sort_by_key(|(net, _)| *net);
        found.dedup_by_key(|(net, _)| *net);
        found
    })
}

proptest! {
    #[test]
    fn flat_formats_allow_the_same_addresses(entries in entries()) {
        let text: String = entries
            .iter()
            .map(|(net, exclude)| format!("{}{net}\n", if *exclude { "!" } else { "" }))
            .collect();
        for (target, format) in [(Target::Cidr, Format::Cidr), (Target::Nft, Format::Nft)] {
            let (out, _) = written(&text, target);
            let flat = read(&out, format, &options()).unwrap();
            prop_assert_eq!(flat.unknown, 0);
            for host in 0..80_u32 {
                let address = Ipv4Addr::from(0x0a00_0000 + host);
                let decides = entries.iter().filter(|(net, _)| net.contains(&address)).max_by_key(|(net, _)| net.prefix_len());
                let allowed = decides.is_some_and(|(_, exclude)| !exclude);
                let net = IpNet::V4(Ipv4Net::from(address));
                let covers = flat.items.iter().filter(|item| item.prefix.contains(&net)).count();
                prop_assert_eq!(usize::from(allowed), covers, "{}", address);
            }
        }
    }

    #[test]
    fn the_ends_of_the_address_space(first in any::<u32>(), length in 0_u8..=2) {
        let net = Ipv4Net::new(first.into(), length).unwrap().trunc();
        let text = format!("0.0.0.0/0\n::/0\n!{}\n", if length == 0 { "::1".to_owned() } else { net.to_string() });
        let (out, _) = written(&text, Target::Cidr);
        let flat = read(&out, Format::Cidr, &options()).unwrap();
        prop_assert_eq!(flat.unknown, 0);
    }
}
