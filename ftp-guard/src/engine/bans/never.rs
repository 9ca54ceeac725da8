//! Who is never banned.

use std::collections::BTreeSet;

use ipnet::IpNet;

/// Prefixes whose sources are never banned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NeverBan {
    prefixes: BTreeSet<IpNet>,
    /// Prefix lengths that occur, so that a look tries no others.
    lengths_v4: BTreeSet<u8>,
    lengths_v6: BTreeSet<u8>,
}

impl NeverBan {
    pub(super) fn new(prefixes: &[IpNet]) -> Self {
        let prefixes: BTreeSet<IpNet> = prefixes.iter().map(IpNet::trunc).collect();
        let lengths = |v4: bool| {
            let family = prefixes.iter().filter(|net| net.addr().is_ipv4() == v4);
            family.map(IpNet::prefix_len).collect()
        };
        Self {
            lengths_v4: lengths(true),
            lengths_v6: lengths(false),
            prefixes,
        }
    }

    /// The widest of them that covers all of a prefix.
    pub(super) fn over(&self, prefix: &IpNet) -> Option<IpNet> {
        let lengths = match prefix {
            IpNet::V4(_) => &self.lengths_v4,
            IpNet::V6(_) => &self.lengths_v6,
        };
        lengths
            .range(..=prefix.prefix_len())
            .filter_map(|length| IpNet::new(prefix.addr(), *length).ok())
            .map(|wider| wider.trunc())
            .find(|wider| self.prefixes.contains(wider))
    }

    /// Those inside a prefix.
    pub(super) fn inside(&self, prefix: &IpNet) -> impl Iterator<Item = IpNet> {
        let last = prefix.broadcast();
        self.prefixes
            .range(prefix.trunc()..)
            .take_while(move |net| net.network() <= last)
            .copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &IpNet> {
        self.prefixes.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.prefixes.len()
    }
}
