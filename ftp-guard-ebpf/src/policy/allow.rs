//! Who may use FTP: the allowlist.

use ftp_guard_common::{
    address::{Address, FlowKey},
    allow::{AllowValue, MAX_EXPIRED_NESTING},
    class::Family,
    reason::Reason,
    session::Traffic,
};

use crate::maps;

/// The entry that lets an address in.
#[inline(always)]
pub fn find(address: &Address, family: u8) -> Result<AllowValue, Reason> {
    if family == Family::Ipv4 as u8 {
        let [.., a, b, c, d] = *address;
        decide(32, |prefix_len| {
            maps::allow::lookup_v4([a, b, c, d], prefix_len)
        })
    } else {
        decide(128, |prefix_len| {
            maps::allow::lookup_v6(*address, prefix_len)
        })
    }
}

/// Whether the client of a connection that passed before may go on. Looked up again when the allowlist
/// has changed since, or its entry has expired.
#[inline(always)]
pub fn recheck(traffic: &mut Traffic, key: &FlowKey) -> Result<(), Reason> {
    let generation = maps::config::allow_generation();
    let expires = traffic.allow_expires_s;
    let current = traffic.allow_generation == generation;
    if current && (expires == 0 || u64::from(expires) > maps::config::unix_time_s()) {
        return Ok(());
    }
    let entry = find(&key.client, key.family)?;
    traffic.allow_generation = generation;
    traffic.allow_expires_s = entry.expires_s;
    Ok(())
}

/// Decides by the longest prefix that has not expired, searching from `prefix_len` bits down.
#[inline(always)]
fn decide(
    mut prefix_len: u32,
    lookup: impl Fn(u32) -> Option<AllowValue>,
) -> Result<AllowValue, Reason> {
    let mut none = Reason::NotListed;
    for _ in 0..=MAX_EXPIRED_NESTING {
        let Some(entry) = lookup(prefix_len) else {
            return Err(none);
        };
        if !entry.expires() || !entry.expired(maps::config::unix_time_s()) {
            return if entry.excludes() {
                Err(Reason::Excluded)
            } else {
                Ok(entry)
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
