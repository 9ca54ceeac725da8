use std::{collections::BTreeMap, net::IpAddr};

use ftp_guard_common::{
    allow::{AllowValue, EntryKind},
    reason::Reason,
};
use ipnet::IpNet;

/// Expired entries, one inside the other, that a lookup steps over.
const MAX_EXPIRED: usize = 4;

/// Whether the source may speak FTP at this time.
pub(super) fn admit(
    allow: &BTreeMap<IpNet, AllowValue>,
    source: IpAddr,
    now_s: u64,
) -> Result<(), Reason> {
    let mut covering: Vec<_> = allow
        .iter()
        .filter(|(prefix, _)| prefix.contains(&source))
        .collect();
    covering.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.prefix_len()));

    let mut expired = 0;
    for (_, value) in covering {
        if value.expires_s != 0 && u64::from(value.expires_s) <= now_s {
            expired += 1;
            if expired > MAX_EXPIRED {
                return Err(Reason::Expired);
            }
            continue;
        }
        return if value.kind == EntryKind::Exclude as u8 {
            Err(Reason::Excluded)
        } else {
            Ok(())
        };
    }
    Err(if expired > 0 {
        Reason::Expired
    } else {
        Reason::NotListed
    })
}
