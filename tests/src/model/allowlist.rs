use std::{collections::BTreeMap, net::IpAddr};

use ftp_guard_common::{
    allow::{AllowValue, EntryKind},
    reason::Reason,
};
use ipnet::IpNet;

/// Whether the source may speak FTP at this time.
pub(super) fn admit(
    allow: &BTreeMap<IpNet, AllowValue>,
    source: IpAddr,
    now_s: u64,
) -> Result<(), Reason> {
    let host = IpNet::from(source);
    let covering = (0..=host.prefix_len()).rev().filter_map(|length| {
        let prefix = IpNet::new(source, length).ok()?.trunc();
        allow.get(&prefix)
    });

    let mut expired = false;
    for value in covering {
        if value.expires_s != 0 && u64::from(value.expires_s) <= now_s {
            expired = true;
            continue;
        }
        return if value.kind == EntryKind::Exclude as u8 {
            Err(Reason::Excluded)
        } else {
            Ok(())
        };
    }
    Err(if expired {
        Reason::Expired
    } else {
        Reason::NotListed
    })
}
