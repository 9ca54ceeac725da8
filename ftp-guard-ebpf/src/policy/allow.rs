//! Who may use FTP: the allowlist.

use ftp_guard_common::{
    allow::{AllowValue, MAX_EXPIRED_NESTING},
    class::Family,
    reason::Reason,
};

use crate::{access::Access, maps};

/// Refuses a source that the allowlist does not let in.
#[inline(always)]
pub fn check<A: Access>(frame: &A, family: Family, source: usize) -> Result<(), Reason> {
    match family {
        Family::Ipv4 => {
            let address: [u8; 4] = frame.load(source).ok_or(Reason::Truncated)?;
            decide(32, |prefix_len| maps::allow::lookup_v4(address, prefix_len))
        }
        _ => {
            let address: [u8; 16] = frame.load(source).ok_or(Reason::Truncated)?;
            decide(128, |prefix_len| {
                maps::allow::lookup_v6(address, prefix_len)
            })
        }
    }
}

/// Decides by the longest prefix that has not expired, searching from `prefix_len` bits down.
#[inline(always)]
fn decide(mut prefix_len: u32, lookup: impl Fn(u32) -> Option<AllowValue>) -> Result<(), Reason> {
    let mut none = Reason::NotListed;
    for _ in 0..=MAX_EXPIRED_NESTING {
        let Some(entry) = lookup(prefix_len) else {
            return Err(none);
        };
        if !entry.expires() || !entry.expired(maps::config::unix_time_s()) {
            return if entry.excludes() {
                Err(Reason::Excluded)
            } else {
                Ok(())
            };
        }
        none = Reason::Expired;
        if entry.prefix_len == 0 {
            break;
        }
        prefix_len = u32::from(entry.prefix_len) - 1;
    }
    Err(none)
}
