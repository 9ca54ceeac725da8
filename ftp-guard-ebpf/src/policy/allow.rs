//! Who may use FTP: the bans and the allowlist.

use ftp_guard_common::{
    address::{Address, EndpointKey, FlowKey},
    allow::{AllowValue, EntryKind, MAX_EXPIRED_NESTING},
    ban::{BanKind, BanValue},
    class::Family,
    reason::Reason,
    session::Traffic,
};

use crate::maps;

/// The entry that lets a client in.
#[inline(always)]
pub fn find(key: &FlowKey) -> Result<AllowValue, Reason> {
    let outcome = look_up(&key.client, u32::from(key.family));
    let number = outcome as u8;
    if number == 0 {
        return Ok(AllowValue {
            expires_s: (outcome >> 32) as u32,
            profile: (outcome >> 16) as u16,
            prefix_len: 0,
            kind: EntryKind::Allow as u8,
        });
    }
    Err(match number {
        BANNED => Reason::Banned,
        EXCLUDED => Reason::Excluded,
        EXPIRED => Reason::Expired,
        _ => Reason::NotListed,
    })
}

/// Whether a destination may use FTP itself.
#[inline(always)]
pub fn is_listed(destination: &EndpointKey) -> bool {
    look_up(&destination.address, u32::from(destination.family)) as u8 == 0
}

// What `look_up` returns in its lowest byte: functions that are not inlined return plain numbers.
const BANNED: u8 = Reason::Banned as u8;
const EXCLUDED: u8 = Reason::Excluded as u8;
const EXPIRED: u8 = Reason::Expired as u8;

/// Looks an address up: 0 with the entry's expiry and profile above it, or the number of the reason. A
/// subprogram, since it is asked for in many places.
#[inline(never)]
fn look_up(address: &Address, family: u32) -> u64 {
    match rules(address, family) {
        Ok(entry) => u64::from(entry.expires_s) << 32 | u64::from(entry.profile) << 16,
        Err(reason) => reason as u64,
    }
}

#[inline(always)]
fn rules(address: &Address, family: u32) -> Result<AllowValue, Reason> {
    if family == Family::Ipv4 as u32 {
        let [.., a, b, c, d] = *address;
        let address = [a, b, c, d];
        if maps::config::bans_v4() {
            not_banned(32, |len| maps::bans::lookup_v4(address, len))?;
        }
        decide(32, |len| maps::allow::lookup_v4(address, len))
    } else {
        if maps::config::bans_v6() {
            not_banned(128, |len| maps::bans::lookup_v6(*address, len))?;
        }
        decide(128, |len| maps::allow::lookup_v6(*address, len))
    }
}

/// Whether the client of a connection that passed before may go on; its entry when it was looked up again,
/// because the allowlist or the bans have changed since, or the entry has expired.
#[inline(always)]
pub fn recheck(traffic: &mut Traffic, key: &FlowKey) -> Result<Option<AllowValue>, Reason> {
    let generation = maps::config::allow_generation();
    let expires = traffic.allow_expires_s;
    let current = traffic.allow_generation == generation;
    if current && (expires == 0 || u64::from(expires) > maps::config::unix_time_s()) {
        return Ok(None);
    }
    let entry = find(key)?;
    traffic.allow_generation = generation;
    traffic.allow_expires_s = entry.expires_s;
    Ok(Some(entry))
}

/// Refuses by the longest prefix that has not expired, unless that one protects.
#[inline(always)]
fn not_banned(mut prefix_len: u32, lookup: impl Fn(u32) -> Option<BanValue>) -> Result<(), Reason> {
    for _ in 0..=MAX_EXPIRED_NESTING {
        let Some(entry) = lookup(prefix_len) else {
            return Ok(());
        };
        if entry.expires_s == 0 || !entry.expired(maps::config::unix_time_s()) {
            return if entry.kind == BanKind::Never as u8 {
                Ok(())
            } else {
                Err(Reason::Banned)
            };
        }
        if entry.prefix_len == 0 {
            break;
        }
        prefix_len = u32::from(entry.prefix_len) - 1;
    }
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
