//! Values as they are compared in the tables.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

/// An address as a text of bytes that sorts: a byte for the version, so that no IPv6 prefix covers IPv4.
pub(super) fn address(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => [&[4][..], &address.octets()].concat(),
        IpAddr::V6(address) => [&[6][..], &address.octets()].concat(),
    }
}

/// The first and the last address of a prefix.
pub(super) fn range(prefix: IpNet) -> (Vec<u8>, Vec<u8>) {
    (address(prefix.network()), address(prefix.broadcast()))
}

/// Microseconds since 1970.
pub(super) fn time(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// A number of the guard as one of SQLite's, which have a sign. The same number gives the same.
pub(super) fn number(number: u64) -> i64 {
    number.cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_prefix_covers_the_keys_of_its_addresses(
            bytes in any::<u128>(),
            near in 0_u32..128,
            other in any::<u128>(),
            length in 0_u8..=128,
            v4 in any::<bool>(),
        ) {
            // Half of them lie close to the prefix.
            let other = if near.is_multiple_of(2) { bytes ^ (other >> near) } else { other };
            let ip = |bytes: u128| match v4 {
                true => IpAddr::V4((bytes as u32).into()),
                false => IpAddr::V6(bytes.into()),
            };
            let length = if v4 { length.min(32) } else { length };
            let prefix = IpNet::new(ip(bytes), length).unwrap().trunc();
            let address = ip(other);
            prop_assume!(v4 || address.to_canonical() == address);
            prop_assume!(v4 || prefix.network().to_canonical() == prefix.network());
            let (first, last) = range(prefix);
            let inside = (first..=last).contains(&super::address(address));
            prop_assert_eq!(inside, prefix.contains(&address));
        }
    }

    #[test]
    fn no_prefix_of_one_version_covers_the_other() {
        let (first, last) = range("::/0".parse().unwrap());
        let v4 = address("192.0.2.1".parse().unwrap());
        assert!(!(first..=last).contains(&v4));
        let mapped = address("::ffff:192.0.2.1".parse().unwrap());
        assert_eq!(mapped, v4);
    }
}
