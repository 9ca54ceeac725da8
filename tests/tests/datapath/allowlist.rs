//! Which entry decides: prefixes of every length, exclusions, expired entries, mapped addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ftp_guard::frame::{FrameSpec, TcpFlags, tcp_frame};
use ftp_guard_common::{
    allow::EntryKind,
    class::{Family, PortClass},
    reason::Reason,
};
use ftp_guard_tests::{policy::Policy, program::now_s};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::row::{Row, Table, Wanted, drop, pass};

const LISTED: Wanted = pass(Reason::Listed, PortClass::Control);
const NOT_LISTED: Wanted = drop(Reason::NotListed, PortClass::Control);
const EXCLUDED: Wanted = drop(Reason::Excluded, PortClass::Control);
const EXPIRED: Wanted = drop(Reason::Expired, PortClass::Control);

pub(crate) fn tables() -> Vec<Table> {
    let mut tables = lengths();
    tables.extend([exclusions(), mapped()]);
    tables.extend(expired());
    tables
}

/// A SYN from this source to port 21, and the same to port 22.
pub(crate) fn rows(rows: &mut Vec<Row>, what: &str, source: IpAddr, wanted: Wanted) {
    let (family, destination): (_, IpAddr) = match source {
        IpAddr::V4(_) => (Family::Ipv4, Ipv4Addr::new(192, 0, 2, 1).into()),
        IpAddr::V6(_) => (Family::Ipv6, "2001:db8::1".parse().unwrap()),
    };
    for (port, wanted) in [(21, wanted), (22, pass(Reason::NotFtp, PortClass::Other))] {
        rows.push(Row {
            name: format!(
                "a SYN from {source}, {what}, to port {port}: {}",
                wanted.reason.as_str()
            ),
            frame: tcp_frame(&FrameSpec {
                source,
                destination,
                source_port: 40_000,
                destination_port: port,
                flags: TcpFlags::SYN,
                vlans: Vec::new(),
                payload: Vec::new(),
            }),
            family,
            wanted,
        });
    }
}

/// One entry of each length: its first and last address are in, their neighbours are not.
fn lengths() -> Vec<Table> {
    let mut tables = Vec::new();
    for length in 0..=32 {
        let prefix = Ipv4Net::new(Ipv4Addr::new(198, 51, 100, 165), length)
            .unwrap()
            .trunc();
        let (first, last) = (prefix.network().to_bits(), prefix.broadcast().to_bits());
        let mut table = Table {
            policy: Policy::new().allowing(&prefix.to_string()),
            rows: Vec::new(),
        };
        let mut inside = vec![first, last];
        inside.dedup();
        for address in inside {
            let source = Ipv4Addr::from(address).into();
            rows(&mut table.rows, &format!("in {prefix}"), source, LISTED);
        }
        let below = first.checked_sub(1);
        let above = last.checked_add(1);
        for address in [below, above].into_iter().flatten() {
            let source = Ipv4Addr::from(address).into();
            rows(
                &mut table.rows,
                &format!("beside {prefix}"),
                source,
                NOT_LISTED,
            );
        }
        tables.push(table);
    }
    for length in 0..=128 {
        let address: Ipv6Addr = "2001:db8:a5a5:a5a5:a5a5:a5a5:a5a5:a5a5".parse().unwrap();
        let prefix = Ipv6Net::new(address, length).unwrap().trunc();
        let (first, last) = (prefix.network().to_bits(), prefix.broadcast().to_bits());
        let mut table = Table {
            policy: Policy::new().allowing(&prefix.to_string()),
            rows: Vec::new(),
        };
        let mut inside = vec![first, last];
        inside.dedup();
        for address in inside {
            let source = Ipv6Addr::from(address).into();
            rows(&mut table.rows, &format!("in {prefix}"), source, LISTED);
        }
        for address in [first.checked_sub(1), last.checked_add(1)]
            .into_iter()
            .flatten()
        {
            let source = Ipv6Addr::from(address).into();
            rows(
                &mut table.rows,
                &format!("beside {prefix}"),
                source,
                NOT_LISTED,
            );
        }
        tables.push(table);
    }
    tables
}

fn exclusions() -> Table {
    let policy = Policy::new()
        .allowing("198.51.100.0/24")
        .excluding("198.51.100.64/26")
        .allowing("198.51.100.80/28")
        .excluding("198.51.100.85")
        .excluding("203.0.113.0/24")
        .allowing("2001:db8:1::/48")
        .excluding("2001:db8:1:2::/64")
        .allowing("2001:db8:1:2::7")
        .excluding("::/0");
    let mut table = Table {
        policy,
        rows: Vec::new(),
    };
    for (what, source, wanted) in [
        ("in the allowed network", "198.51.100.63", LISTED),
        ("first in the exclusion", "198.51.100.64", EXCLUDED),
        ("last in the exclusion", "198.51.100.127", EXCLUDED),
        ("behind the exclusion", "198.51.100.128", LISTED),
        ("allowed inside the exclusion", "198.51.100.80", LISTED),
        ("excluded inside that", "198.51.100.85", EXCLUDED),
        ("its neighbour", "198.51.100.86", LISTED),
        (
            "in an exclusion that cuts into nothing",
            "203.0.113.7",
            EXCLUDED,
        ),
        ("in no entry", "192.0.2.200", NOT_LISTED),
        ("in the allowed network", "2001:db8:1:1::7", LISTED),
        ("in the exclusion", "2001:db8:1:2::8", EXCLUDED),
        ("allowed inside the exclusion", "2001:db8:1:2::7", LISTED),
        ("in the exclusion of everything", "2001:db8:2::7", EXCLUDED),
    ] {
        rows(&mut table.rows, what, source.parse().unwrap(), wanted);
    }
    table
}

/// An IPv4 entry says nothing of IPv6 packets that carry the address mapped, and the other way
/// round: the stack takes such packets from the wire as plain IPv6.
fn mapped() -> Table {
    let mut table = Table {
        policy: Policy::new()
            .allowing("198.51.100.0/24")
            .allowing("::ffff:203.0.113.0/120"),
        rows: Vec::new(),
    };
    for (what, source, wanted) in [
        ("listed as IPv4", "198.51.100.7", LISTED),
        ("mapped, listed as IPv4", "::ffff:198.51.100.7", NOT_LISTED),
        ("compatible, listed as IPv4", "::198.51.100.7", NOT_LISTED),
        (
            "by NAT64, listed as IPv4",
            "64:ff9b::198.51.100.7",
            NOT_LISTED,
        ),
        ("by 6to4, listed as IPv4", "2002:c633:6407::1", NOT_LISTED),
        ("listed mapped", "::ffff:203.0.113.7", LISTED),
        ("plain, listed mapped", "203.0.113.7", NOT_LISTED),
    ] {
        rows(&mut table.rows, what, source.parse().unwrap(), wanted);
    }
    table
}

/// Entries of every kind, expired and not, one inside the other.
fn expired() -> Vec<Table> {
    use EntryKind::{Allow, Exclude};
    let past = now_s() as u32 - 1;
    let future = now_s() as u32 + 86_400;
    let mut tables = Vec::new();
    // From the longest prefix to the shortest.
    let nests: &[(&[(EntryKind, u32)], Wanted)] = &[
        (&[(Allow, past)], EXPIRED),
        (&[(Allow, 1)], EXPIRED),
        (&[(Allow, future)], LISTED),
        (&[(Allow, u32::MAX)], LISTED),
        (&[(Exclude, past)], EXPIRED),
        (&[(Exclude, future)], EXCLUDED),
        (&[(Allow, past), (Allow, 0)], LISTED),
        (&[(Allow, past), (Allow, future)], LISTED),
        (&[(Allow, past), (Exclude, 0)], EXCLUDED),
        (&[(Exclude, past), (Allow, 0)], LISTED),
        (&[(Exclude, 0), (Allow, past)], EXCLUDED),
        (&[(Allow, 0), (Allow, past)], LISTED),
        (&[(Allow, past), (Allow, past)], EXPIRED),
        (&[(Allow, past), (Exclude, past), (Allow, 0)], LISTED),
        (&[(Allow, past); 4], EXPIRED),
        (&[(Allow, past); 5], EXPIRED),
        (
            &[
                (Allow, past),
                (Allow, past),
                (Allow, past),
                (Allow, past),
                (Allow, 0),
            ],
            LISTED,
        ),
        (
            &[
                (Allow, past),
                (Allow, past),
                (Allow, past),
                (Allow, past),
                (Exclude, 0),
            ],
            EXCLUDED,
        ),
        (
            &[
                (Allow, past - 4),
                (Exclude, past - 3),
                (Allow, past - 2),
                (Exclude, past - 1),
                (Allow, past),
                (Allow, 0),
            ],
            LISTED,
        ),
        (
            &[
                (Allow, past - 4),
                (Exclude, past - 3),
                (Allow, past - 2),
                (Exclude, past - 1),
                (Allow, past),
                (Exclude, future),
            ],
            EXCLUDED,
        ),
        (
            &[
                (Allow, past - 4),
                (Exclude, past - 3),
                (Allow, past - 2),
                (Exclude, past - 1),
                (Allow, past),
                (Exclude, 1),
            ],
            EXPIRED,
        ),
        (
            &[
                (Exclude, past),
                (Allow, past - 1),
                (Exclude, past - 2),
                (Allow, future),
                (Exclude, 0),
            ],
            LISTED,
        ),
    ];
    for (nest, wanted) in nests {
        let mut policy = Policy::new();
        for (i, (kind, expires)) in nest.iter().enumerate() {
            let (v4, v6): (IpAddr, IpAddr) = (
                "198.51.100.7".parse().unwrap(),
                "2001:db8:1::7".parse().unwrap(),
            );
            policy.entry(IpNet::new(v4, 32 - 5 * i as u8).unwrap(), *kind, *expires);
            policy.entry(IpNet::new(v6, 128 - 25 * i as u8).unwrap(), *kind, *expires);
        }
        let mut table = Table {
            policy,
            rows: Vec::new(),
        };
        for source in ["198.51.100.7", "2001:db8:1::7"] {
            rows(
                &mut table.rows,
                &format!("in {nest:?}"),
                source.parse().unwrap(),
                *wanted,
            );
        }
        tables.push(table);
    }
    // Down to the default route, at the last length at which the search can go on.
    let mut policy = Policy::new();
    for prefix in ["198.51.100.7/32", "198.51.100.6/31", "128.0.0.0/1"] {
        policy.entry(prefix.parse().unwrap(), Allow, past);
    }
    for prefix in ["2001:db8:1::7/128", "2001:db8:1::6/127", "::/1"] {
        policy.entry(prefix.parse().unwrap(), Allow, past);
    }
    let policy = policy.allowing("0.0.0.0/0").allowing("::/0");
    let mut table = Table {
        policy,
        rows: Vec::new(),
    };
    for source in ["198.51.100.7", "2001:db8:1::7"] {
        rows(
            &mut table.rows,
            "in expired entries above the default route",
            source.parse().unwrap(),
            LISTED,
        );
    }
    tables.push(table);
    tables
}
