//! Lines that are a prefix and nothing else: most of a long list, read without the grammar.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The longest text of an IPv6 prefix: eight groups of four digits, or six and an IPv4 address, and a
/// length.
const LONGEST: usize = 45 + 4;

/// The prefix of a line that is a prefix alone, in the form that people write, without blanks around
/// it. `None`: the line is another one, or holds a mistake; the grammar tells.
pub(super) fn plain_prefix(line: &str) -> Option<IpNet> {
    let bytes = line.as_bytes();
    match bytes.get(..5)?.contains(&b':') {
        true => plain_v6(line).map(IpNet::V6),
        false => plain_v4(bytes).map(IpNet::V4),
    }
}

fn plain_v4(bytes: &[u8]) -> Option<Ipv4Net> {
    let mut rest = bytes;
    let mut address = 0_u32;
    for octet in 0..4 {
        if octet > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        address = address << 8 | number(&mut rest, 255)?;
    }
    let length = match rest {
        [] => 32,
        _ => {
            rest = rest.strip_prefix(b"/")?;
            u8::try_from(number(&mut rest, 32)?).ok()?
        }
    };
    let host_bits = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
    let whole = rest.is_empty() && address & host_bits == 0;
    Ipv4Net::new(Ipv4Addr::from(address), length)
        .ok()
        .filter(|_| whole)
}

fn plain_v6(line: &str) -> Option<Ipv6Net> {
    let text = line.get(..LONGEST.min(line.len()))?;
    let (address, length) = match text.split_once('/') {
        None => (line, 128),
        Some((address, _)) => {
            let mut rest = line.as_bytes().get(address.len() + 1..)?;
            let length = u8::try_from(number(&mut rest, 128)?).ok()?;
            if !rest.is_empty() {
                return None;
            }
            (address, length)
        }
    };
    let address: Ipv6Addr = address.parse().ok()?;
    let host_bits = u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
    let mapped = length >= 96 && address.to_ipv4_mapped().is_some();
    let fine = !mapped && u128::from(address) & host_bits == 0;
    Ipv6Net::new(address, length).ok().filter(|_| fine)
}

/// Takes a number of at most three digits and at most `most`, without leading zeros.
fn number(rest: &mut &[u8], most: u32) -> Option<u32> {
    let mut value = 0;
    let mut digits = 0;
    while let Some((byte @ b'0'..=b'9', after)) = rest.split_first() {
        if digits == 3 || (digits == 1 && value == 0) {
            return None;
        }
        value = value * 10 + u32::from(byte - b'0');
        digits += 1;
        *rest = after;
    }
    (digits > 0 && value <= most).then_some(value)
}
