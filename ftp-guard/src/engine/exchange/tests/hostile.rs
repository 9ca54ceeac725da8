//! Texts that mean harm.

use proptest::prelude::*;

use super::*;

const ALL: [Format; 9] = [
    Format::List,
    Format::Cidr,
    Format::Nft,
    Format::NftJson,
    Format::Ipset,
    Format::HostsAllow,
    Format::Json,
    Format::Csv,
    Format::Rir,
];

#[test]
fn counts_of_registries_are_checked() {
    for (count, understood) in [
        ("0", false),
        ("-1", false),
        ("4294967296", false),
        ("99999999999999999999999", false),
        ("16777217", true),
    ] {
        let text = format!("x|DE|ipv4|239.0.0.0|{count}|1|allocated");
        let imported = read(&text, Format::Rir, &options()).unwrap();
        assert_eq!(imported.unknown == 0, understood, "{count}");
    }
    let beyond = "x|DE|ipv4|255.0.0.0|16777217|1|allocated";
    assert_eq!(mistakes(beyond, Format::Rir).len(), 1);
    let all = "x|DE|ipv4|0.0.0.0|4294967296|1|allocated";
    assert_eq!(
        taken(all, Format::Rir, &options()),
        ["0.0.0.0/0 label=\"DE\""]
    );
}

#[test]
fn ranges_to_the_ends_of_the_address_space() {
    let text = "0.0.0.0-255.255.255.255\n::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n\
                255.255.255.255-255.255.255.255\n";
    let found = read(text, Format::Cidr, &options()).unwrap();
    assert_eq!(lines(&found), ["0.0.0.0/0", "::/0", "255.255.255.255"]);
    let worst = "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe\n";
    assert_eq!(taken(worst, Format::Cidr, &options()).len(), 254);
    assert_eq!(
        mistakes("::ffff:1.2.3.4-::ffff:1.2.3.9\n", Format::Cidr).len(),
        1
    );
}

#[test]
fn what_one_text_comes_to_is_bounded() {
    let line = "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe\n";
    let text = line.repeat(MAX_ITEMS / 254 + 1);
    let refused = read(&text, Format::Cidr, &options()).unwrap_err();
    assert!(refused.message.contains("more than"), "{refused}");
    let garbage = "garbage\n".repeat(10_000);
    let imported = read(&garbage, Format::Cidr, &options()).unwrap();
    assert_eq!(imported.unknown, 10_000);
    assert!(imported.mistakes.len() <= 100);
}

#[test]
fn deep_json_is_refused() {
    for format in [Format::Json, Format::NftJson] {
        assert!(read(&"[".repeat(100_000), format, &options()).is_err());
    }
    assert!(
        read(
            "{\"nftables\": [{\"set\": 7}]}",
            Format::NftJson,
            &options()
        )
        .is_err()
    );
    let text = "set x { type ipv4_addr; elements = { 1.2.3.4";
    assert!(read(text, Format::Nft, &options()).is_err());
}

#[test]
fn times_that_are_over_or_never_come() {
    let text = "add x 1.2.3.4 timeout 18446744073709551615\nadd x 1.2.3.5 timeout 1w2\nadd x 1.2.3.6 timeout 99999999999\n";
    let imported = read(text, Format::Ipset, &options()).unwrap();
    assert_eq!((imported.unknown, imported.items.len()), (2, 1));
    let later = Options {
        now: "2026-11-22T13:00:00Z".parse().unwrap(),
        ..options()
    };
    let imported = read("add x 1.2.3.4 timeout 3600\n", Format::Ipset, &later).unwrap();
    assert_eq!((imported.expired, imported.items.len()), (1, 0));
}

proptest! {
    #[test]
    fn nothing_panics(text in "(?s).{0,200}") {
        let _ = detect(&text);
        for format in ALL {
            let _ = read(&text, format, &options());
        }
    }

    #[test]
    fn nothing_like_a_format_panics(
        words in prop::collection::vec(prop::sample::select(vec![
            "set", "x", "{", "}", "type", "ipv4_addr", "elements", "=", ",", ".", ":", "add", "element",
            "create", "hash:net", "1.2.3.4", "1.2.3.0/24", "::/0", "-", "timeout", "5s", "comment", "\"",
            "\n", "|", "ipv4", "EXCEPT", "ALL", "[", "]", "vsftpd:", "[::]/0", "nomatch", "\\", "é", "\r\n",
        ]), 0..40),
        blank in prop::bool::ANY,
    ) {
        let text = words.join(if blank { " " } else { "" });
        let _ = detect(&text);
        for format in ALL {
            let _ = read(&text, format, &options());
        }
    }
}
