//! Bans as the kernel holds them.

use std::{collections::BTreeMap, net::IpAddr};

use ftp_guard_common::ban::{BanKind, BanValue, MAX_EXPIRED_NESTING};
use ipnet::IpNet;

use crate::engine::allowlist::Change;

/// What the kernel's ban tables hold: IPv4 and IPv6 together.
pub type BanTable = BTreeMap<IpNet, BanValue>;

/// A step in them. [`plan`](crate::engine::allowlist::plan) has the order: what is never banned comes
/// before a wider ban, and goes after it.
pub type BanChange = Change<BanValue>;

/// The entry that decides about a source at `now_s` (Unix time, seconds), as the programs find it: the
/// longest prefix, expired ones stepped over. `covering` is the table's own search: the value of the
/// longest prefix that covers all of another one.
///
/// # Errors
/// What `covering` fails with.
pub fn deciding<E>(
    source: IpAddr,
    now_s: u64,
    mut covering: impl FnMut(&IpNet) -> Result<Option<BanValue>, E>,
) -> Result<Option<(IpNet, BanValue)>, E> {
    let mut prefix = IpNet::from(source);
    for _ in 0..=MAX_EXPIRED_NESTING {
        let Some(value) = covering(&prefix)? else {
            return Ok(None);
        };
        let Ok(entry) = IpNet::new(source, value.prefix_len) else {
            return Ok(None);
        };
        if !value.expired(now_s) {
            return Ok(Some((entry.trunc(), value)));
        }
        let Some(wider) = entry.trunc().supernet() else {
            return Ok(None);
        };
        prefix = wider;
    }
    Ok(None)
}

/// Whether an entry keeps its sources out.
#[must_use]
pub fn keeps_out(value: &BanValue) -> bool {
    value.kind == BanKind::Ban as u8
}

/// The entry of a prefix that is never banned.
pub(super) fn never(prefix: &IpNet) -> BanValue {
    BanValue {
        expires_s: 0,
        prefix_len: prefix.prefix_len(),
        kind: BanKind::Never as u8,
        reserved: [0; 2],
    }
}
