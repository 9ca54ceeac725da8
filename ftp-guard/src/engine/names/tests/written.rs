//! Names as people write them.

use super::*;

fn mistake(text: &str) -> (usize, String) {
    HostName::parse(text).unwrap_err()
}

#[test]
fn whole_names_are_taken_in_small_letters() {
    let longest = format!("{}.example.net", "a".repeat(63));
    for (text, expected) in [
        ("partner.example.net", "partner.example.net"),
        ("Partner.Example.NET.", "partner.example.net"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("_ftp_1.example.net", "_ftp_1.example.net"),
        ("1.2.3.example", "1.2.3.example"),
        (longest.as_str(), longest.as_str()),
    ] {
        assert_eq!(name(text).as_str(), expected);
    }
    let whole = [&*"a".repeat(63); 3].join(".") + "." + &"b".repeat(61);
    assert_eq!(whole.len(), 253);
    assert_eq!(name(&format!("{whole}.")).as_str(), whole);
}

#[test]
fn what_is_no_name_is_told_with_its_place() {
    let long = format!("{}.example.net", "a".repeat(64));
    let whole = "a.".repeat(126) + "aa";
    for (text, at, part) in [
        ("", 0, "expected a name"),
        ("partner", 0, "host:partner.example.net"),
        ("a..example.net", 2, "empty label"),
        (".example.net", 0, "empty label"),
        ("a.-b.net", 2, "hyphen"),
        ("a.b-.net", 2, "hyphen"),
        ("bücher.example", 1, "xn--"),
        ("*.example.net", 0, "pattern"),
        ("a.example.net:21", 13, "no port"),
        ("a.example.net/32", 13, "no length"),
        ("a b.example", 1, "no character"),
        ("192.0.2.1", 0, "without host:"),
        (&long, 0, "64 characters"),
        (&whole, 0, "254 characters"),
    ] {
        let (offset, message) = mistake(text);
        assert!(message.contains(part), "{text}: {message}");
        assert_eq!(offset, at, "{text}: {message}");
    }
}

#[test]
fn addresses_that_no_partner_has_are_refused() {
    for odd in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.1.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:192.0.2.1",
        "fe80::1",
        "febf::1",
        "ff02::1",
    ] {
        let address = odd.parse().unwrap();
        assert_eq!(judge(address, true), Err(Refusal::Odd), "{odd}");
        assert_eq!(judge(address, false), Err(Refusal::Odd), "{odd}");
    }
    for inner in [
        "10.0.0.1",
        "172.31.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.127.255.1",
        "fd00::1",
    ] {
        let address = inner.parse().unwrap();
        assert_eq!(judge(address, true), Ok(()), "{inner}");
        assert_eq!(judge(address, false), Err(Refusal::Private), "{inner}");
    }
    for fine in [
        "1.0.0.1",
        "172.32.0.1",
        "100.128.0.1",
        "192.0.2.1",
        "223.1.1.1",
        "2001:db8::1",
    ] {
        assert_eq!(judge(fine.parse().unwrap(), false), Ok(()), "{fine}");
    }
}
