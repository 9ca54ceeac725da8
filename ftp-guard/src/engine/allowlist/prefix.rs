//! Prefixes as people write them.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::diagnostic::quoted;

/// Reads `ADDRESS` or `ADDRESS/LENGTH`; a bare address is a host.
///
/// # Errors
/// What is wrong and what to write instead, as a sentence without a place:
/// not an address, a length out of range, host bits that are set, an IPv4-mapped IPv6 address (RFC
/// 4291 section 2.5.5.2: so sockets show sources that are IPv4 on the wire).
pub fn parse_prefix(text: &str) -> Result<IpNet, String> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(format!(
            "expected an IPv4 or IPv6 address or prefix, found {}{}",
            quoted(text),
            hint(address)
        ));
    };
    let widest = match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    let length = match length {
        None => widest,
        Some(digits) => number(digits).filter(|n| *n <= widest).ok_or_else(|| {
            format!(
                "bad prefix length {}: expected 0 to {widest}",
                quoted(digits)
            )
        })?,
    };
    // The length is in range.
    let net = IpNet::new_assert(address, length);
    if let IpAddr::V6(mapped) = address
        && let Some(unmapped) = unmapped(mapped, length)
    {
        return Err(format!(
            "{} is IPv4 in IPv6 form: write {}",
            quoted(text),
            written(&unmapped)
        ));
    }
    if net.addr() != net.network() {
        return Err(format!(
            "{} has bits set beyond its length: write {} for the network or {address} for the host",
            quoted(text),
            net.trunc()
        ));
    }
    Ok(net)
}

/// A prefix as people write it: a host as a bare address.
#[must_use]
pub fn written(prefix: &IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}

/// The IPv4 prefix that `::ffff:a.b.c.d/length` stands for.
fn unmapped(address: Ipv6Addr, length: u8) -> Option<IpNet> {
    let v4 = address.to_ipv4_mapped()?;
    let length = length.checked_sub(96)?;
    let net = Ipv4Net::new(v4, length).ok()?;
    Some(IpNet::V4(net.trunc()))
}

/// Digits only, no sign and no leading zero: `010` is eight to some and ten to others.
fn number(digits: &str) -> Option<u8> {
    let plain = digits == "0" || !digits.starts_with('0');
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    (plain && all_digits).then(|| digits.parse().ok()).flatten()
}

/// Why something that is often tried is no address here.
fn hint(address: &str) -> &'static str {
    let like_v4 = address
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if address.contains('%') {
        " (an address has no zone here: leave out the part from % on)"
    } else if address.starts_with('[') {
        " (without brackets)"
    } else if address.contains('=') {
        " (the prefix stands first on the line)"
    } else if like_v4
        && address
            .split('.')
            .any(|part| part.len() > 1 && part.starts_with('0'))
    {
        " (without leading zeros)"
    } else if address.contains('-') && address.starts_with(|c: char| c.is_ascii_digit()) {
        " (a range from one address to another is written as prefixes)"
    } else if address.contains(|c: char| c.is_alphabetic() && !c.is_ascii_hexdigit()) {
        " (in an allowlist a name that DNS resolves is written host:NAME)"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        parse_prefix(text).unwrap_err()
    }

    #[test]
    fn reads_hosts_and_prefixes() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1/32"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("255.255.255.255/32", "255.255.255.255/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            // Covers the mapped addresses and is none.
            ("::/80", "::/80"),
            // IPv4-compatible, long deprecated: IPv6 all the same.
            ("::192.0.2.1", "::192.0.2.1/128"),
        ] {
            assert_eq!(parse_prefix(text), Ok(expected.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn host_bits_are_refused_with_the_right_prefix() {
        let message = mistake("10.1.2.3/8");
        assert!(message.contains("write 10.0.0.0/8"), "{message}");
        assert!(message.contains("or 10.1.2.3 for the host"), "{message}");
        assert!(mistake("2001:db8::1/32").contains("write 2001:db8::/32"));
        assert!(mistake("1.0.0.0/0").contains("write 0.0.0.0/0"));
        // Not a mapped prefix, since its length leaves ::ffff out.
        assert!(mistake("::ffff:0:0/80").contains("write ::/80"));
    }

    #[test]
    fn mapped_addresses_are_refused_with_the_ipv4_form() {
        assert!(mistake("::ffff:192.0.2.1").contains("write 192.0.2.1"));
        assert!(mistake("::ffff:c000:201").ends_with("write 192.0.2.1"));
        assert!(mistake("::ffff:192.0.2.0/120").ends_with("write 192.0.2.0/24"));
        assert!(mistake("::ffff:192.0.2.9/120").ends_with("write 192.0.2.0/24"));
        assert!(mistake("::ffff:0:0/96").ends_with("write 0.0.0.0/0"));
    }

    #[test]
    fn lengths_out_of_range_are_refused() {
        for text in [
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0/-1",
        ] {
            assert!(mistake(text).contains("expected 0 to 32"), "{text}");
        }
        assert!(mistake("::/129").contains("expected 0 to 128"));
        assert!(mistake("::/999999999999").contains("expected 0 to 128"));
        assert!(mistake("10.0.0.0/255.0.0.0").contains("expected 0 to 32"));
    }

    #[test]
    fn what_is_no_address_gets_a_hint() {
        assert!(mistake("fe80::1%eth0").contains("no zone"));
        assert!(mistake("[::1]").contains("brackets"));
        assert!(mistake("label=").contains("first on the line"));
        assert!(mistake("010.0.0.1").contains("leading zeros"));
        assert!(mistake("10.0.0.1-10.0.0.9").contains("as prefixes"));
        assert!(mistake("ftp.example.org").contains("host:NAME"));
        assert!(mistake("").contains("found \"\""));
        assert!(mistake("1.2.3").ends_with("found \"1.2.3\""));
    }
}
