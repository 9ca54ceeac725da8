//! Random prefixes, entries and tables, dense enough that they nest and meet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ftp_guard_common::allow::{AllowValue, EntryKind};
use ipnet::IpNet;
use jiff::Timestamp;
use proptest::collection::btree_map;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::{AllowTable, Entry};

/// The time that the properties are about, in seconds of Unix time.
pub(super) const NOW_S: u32 = 1_800_000_000;

/// Addresses that differ in a few bits, spread from the first to the last.
pub(super) fn address() -> impl Strategy<Value = IpAddr> {
    const V4: u32 = 0x8001_8103;
    const V6: u128 = 0x8000_0001_0000_0000_8000_0000_0000_0003;
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from(bits & V4))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from(bits & V6))),
    ]
}

pub(super) fn prefix() -> impl Strategy<Value = IpNet> {
    const V4: [u8; 10] = [0, 1, 8, 15, 16, 17, 24, 30, 31, 32];
    const V6: [u8; 9] = [0, 1, 31, 32, 64, 65, 126, 127, 128];
    (address(), select(&V4[..]), select(&V6[..])).prop_map(|(address, v4, v6)| {
        let length = if address.is_ipv4() { v4 } else { v6 };
        IpNet::new_assert(address, length).trunc()
    })
}

pub(super) fn kind() -> impl Strategy<Value = EntryKind> {
    prop_oneof![Just(EntryKind::Allow), Just(EntryKind::Exclude)]
}

/// Seconds around [`NOW_S`], or never (0).
fn expires_s() -> impl Strategy<Value = u32> {
    prop_oneof![2 => Just(0), 1 => NOW_S - 2..NOW_S + 3]
}

/// A table as the kernel may hold it: some entries have expired at [`NOW_S`].
pub(super) fn table() -> impl Strategy<Value = AllowTable> {
    let value = (kind(), 0..3u16, expires_s());
    btree_map(prefix(), value, 0..24).prop_map(|map| {
        let value = |(prefix, (kind, profile, expires_s)): (IpNet, (EntryKind, u16, u32))| {
            let value = AllowValue {
                expires_s,
                profile,
                prefix_len: prefix.prefix_len(),
                kind: kind as u8,
            };
            (prefix, value)
        };
        map.into_iter().map(value).collect()
    })
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        proptest::string::string_regex(r#"["\\#= !a]{0,8}"#).unwrap(),
        any::<String>().prop_map(|text| text.chars().filter(|c| !c.is_control()).collect()),
    ]
}

fn expires() -> impl Strategy<Value = Timestamp> {
    let nanosecond = prop_oneof![Just(0), 0..1_000_000_000i32];
    let second = prop_oneof![1..u32::MAX, NOW_S - 2..NOW_S + 3];
    (second, nanosecond).prop_map(|(second, nanosecond)| {
        Timestamp::new(i64::from(second), nanosecond).expect("in the range of a u32")
    })
}

/// Any entry that a file can hold, its profile one of those that the tests know.
pub(super) fn entry() -> impl Strategy<Value = Entry> {
    let profile = select(&["default", "bulk", "slow"][..]);
    let expires = proptest::option::of(expires());
    let label = proptest::option::of(label());
    (prefix(), kind(), profile, expires, label).prop_map(
        |(prefix, kind, profile, expires, label)| Entry {
            kind,
            profile: profile.to_owned(),
            expires,
            label,
            ..Entry::allow(prefix)
        },
    )
}

/// Addresses at which tables with these prefixes can differ: both ends of each, and some more.
pub(super) fn samples<'a>(
    prefixes: impl IntoIterator<Item = &'a IpNet>,
    more: &[IpAddr],
) -> Vec<IpAddr> {
    let ends = prefixes
        .into_iter()
        .flat_map(|prefix| [prefix.network(), prefix.broadcast()]);
    ends.chain(more.iter().copied()).collect()
}
