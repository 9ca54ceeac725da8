//! Who may use FTP: the bans and the allowlist.

use ftp_guard_common::{
    address::{Address, EndpointKey, FlowKey},
    allow::{AllowValue, EntryKind},
    ban::{BanKind, BanValue, MAX_EXPIRED_NESTING},
    class::Family,
    config::Mode,
    lookup::{
        Outcome, v4,
        v6::{self, Table},
    },
    reason::Reason,
    session::Traffic,
};

use crate::maps;

/// The entry that lets a client in.
#[inline(always)]
pub fn find(key: &FlowKey) -> Result<AllowValue, Reason> {
    let outcome = of(&key.client, key.family);
    match refusal(outcome as u8) {
        None => Ok(entry(outcome)),
        Some(reason) => Err(reason),
    }
}

/// The entry in an outcome of [`look_up`].
#[inline(always)]
fn entry(outcome: u64) -> AllowValue {
    AllowValue {
        expires_s: (outcome >> 32) as u32,
        profile: (outcome >> 16) as u16,
        prefix_len: 0,
        kind: EntryKind::Allow as u8,
    }
}

/// The reason of this number why a client may not be here, if it is one.
#[inline(always)]
fn refusal(number: u8) -> Option<Reason> {
    match number {
        0 => None,
        BANNED => Some(Reason::Banned),
        EXCLUDED => Some(Reason::Excluded),
        EXPIRED => Some(Reason::Expired),
        _ => Some(Reason::NotListed),
    }
}

/// A client that is let in, or that monitor mode follows.
pub struct Admission {
    /// The entry that lets it in; of one that is not let in, one that says nothing.
    pub entry: AllowValue,
    /// Why it is not let in, as [`Traffic::witnessed`] says it.
    pub witnessed: u8,
}

impl Admission {
    /// Of who needs no entry: the other end of a connection of this host's own.
    pub const UNASKED: Self = Self {
        entry: AllowValue {
            expires_s: 0,
            profile: 0,
            prefix_len: 0,
            kind: EntryKind::Allow as u8,
        },
        witnessed: 0,
    };

    /// Whether its connection is only followed.
    #[inline(always)]
    pub fn is_witnessed(&self) -> bool {
        self.witnessed != 0
    }
}

/// As [`find`]; monitor mode turns nobody away.
#[inline(always)]
pub fn admit(key: &FlowKey) -> Result<Admission, Reason> {
    let outcome = followed(of(&key.client, key.family));
    match refusal(outcome as u8) {
        None => Ok(Admission {
            entry: entry(outcome),
            witnessed: (outcome >> 8) as u8,
        }),
        Some(reason) => Err(reason),
    }
}

/// What is to be said of the client's packets on a connection that is only followed; nothing on any other.
#[inline(always)]
pub fn witnessed(traffic: &Traffic) -> Option<Reason> {
    refusal(traffic.witnessed)
}

/// Whether a destination may use FTP itself.
#[inline(always)]
pub fn is_listed(destination: &EndpointKey) -> bool {
    of(&destination.address, destination.family) as u8 == 0
}

/// Whether the allowlist says nothing of an IPv4 address, by a search.
#[inline(always)]
pub fn says_nothing_v4(address: u32) -> bool {
    search_v4(address) == u32::from(Outcome::NONE.0)
}

/// Whether the allowlist says nothing of an IPv6 address in host order, by a search. Without bans.
#[inline(always)]
pub fn says_nothing_v6(high: u64, low: u64) -> bool {
    look_up(high, low, Family::Ipv6 as u32) as u8 == NOT_LISTED
}

// What `look_up` returns in its lowest byte: functions that are not inlined return plain numbers.
const BANNED: u8 = Reason::Banned as u8;
const EXCLUDED: u8 = Reason::Excluded as u8;
const EXPIRED: u8 = Reason::Expired as u8;
const NOT_LISTED: u8 = Reason::NotListed as u8;
/// Rows that may stand behind each other in a table: one for each length of a prefix.
const MOST_ROWS: u32 = 129;
/// Tables of IPv6.
const TABLES: u32 = 4;
/// What [`decide`] says where nothing decides; above it 1 if there were expired rows.
const UNDECIDED: u8 = u8::MAX;

/// [`look_up`], of an address in network byte order.
#[inline(always)]
fn of(address: &Address, family: u8) -> u64 {
    let [a, b, c, d, e, f, g, h, low @ ..] = *address;
    let high = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    look_up(high, u64::from_be_bytes(low), u32::from(family))
}

/// An outcome of [`look_up`] as monitor mode takes it: the reason why a client may not be here is in the byte above the
/// lowest one, which is 0 as if it might. A global function, so that its callers are verified for one outcome that can
/// be anything, and not for each reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn followed(outcome: u64) -> u64 {
    let number = outcome & 0xff;
    if number == 0 || maps::config::mode() != Mode::Monitor {
        return outcome;
    }
    number << 8
}

/// Looks an address up: 0 with the entry's expiry and profile above it, or the number of the reason. An IPv4
/// address is the lowest 32 bits.
///
/// It is asked for in many places, so it and what it calls are global functions: the verifier looks at those
/// once, with arguments that it knows nothing of, and not anew for each call (kernel 5.6). Each takes little
/// stack: they are at the end of the longest chains.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn look_up(high: u64, low: u64, family: u32) -> u64 {
    if family == Family::Ipv4 as u32 {
        let address = low as u32;
        if maps::config::bans_v4() && is_banned_v4(address) {
            return u64::from(BANNED);
        }
        settled(decide(search_v4(address), 0))
    } else {
        if maps::config::bans_v6() && is_banned_v6(high, low) {
            return u64::from(BANNED);
        }
        let mut decision = u64::from(UNDECIDED);
        let mut table = 0;
        while table < TABLES {
            let outcome = search_v6(high, low, table);
            if outcome != 0 {
                decision = decide(outcome, (decision >> 8) as u32);
                if decision as u8 != UNDECIDED {
                    return decision;
                }
            }
            table += 1;
        }
        settled(decision)
    }
}

/// Whether the client of a connection that passed before may go on; its entry when it was looked up again,
/// because the allowlist or the bans have changed since, or the entry has expired. What monitor mode follows is looked
/// up each time, and goes on there.
#[inline(always)]
pub fn recheck(traffic: &mut Traffic, key: &FlowKey) -> Result<Option<AllowValue>, Reason> {
    let generation = maps::config::allow_generation();
    let expires = traffic.allow_expires_s;
    let current = traffic.allow_generation == generation && !traffic.is_witnessed();
    if current && (expires == 0 || u64::from(expires) > maps::config::unix_time_s()) {
        return Ok(None);
    }
    let entry = match find(key) {
        Ok(entry) => entry,
        Err(reason) if traffic.is_witnessed() && maps::config::mode() == Mode::Monitor => {
            traffic.witnessed = reason as u8;
            return Ok(None);
        }
        Err(reason) => return Err(reason),
    };
    traffic.allow_generation = generation;
    traffic.allow_expires_s = entry.expires_s;
    Ok(Some(entry))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_banned_v4(address: u32) -> bool {
    let address = address.to_be_bytes();
    is_banned(32, |len| maps::bans::lookup_v4(address, len))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_banned_v6(high: u64, low: u64) -> bool {
    let address = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
    is_banned(128, |len| maps::bans::lookup_v6(address, len))
}

/// Decides by the longest prefix that has not expired, unless that one protects.
#[inline(always)]
fn is_banned(mut prefix_len: u32, lookup: impl Fn(u32) -> Option<BanValue>) -> bool {
    for _ in 0..=MAX_EXPIRED_NESTING {
        let Some(entry) = lookup(prefix_len) else {
            return false;
        };
        if entry.expires_s == 0 || !entry.expired(maps::config::unix_time_s()) {
            return entry.kind != BanKind::Never as u8;
        }
        if entry.prefix_len == 0 {
            break;
        }
        prefix_len = u32::from(entry.prefix_len) - 1;
    }
    false
}

/// What an outcome decides, of the form of [`look_up`]; or [`UNDECIDED`], and above it what `passed` was, or 1 when an
/// expired row was come past.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn decide(outcome: u32, mut passed: u32) -> u64 {
    let mut outcome = Outcome(outcome as u16);
    for _ in 0..=MOST_ROWS {
        if outcome == Outcome::NONE {
            break;
        }
        if outcome == Outcome::EXCLUDED {
            return u64::from(EXCLUDED);
        }
        if !outcome.has_row() {
            return u64::from(outcome.profile()) << 16;
        }
        let row = maps::allow::row(outcome);
        if u64::from(row.expires_s) > maps::config::unix_time_s() {
            return if row.kind == EntryKind::Exclude as u8 {
                u64::from(EXCLUDED)
            } else {
                u64::from(row.expires_s) << 32 | u64::from(row.profile) << 16
            };
        }
        passed = 1;
        outcome = Outcome(row.next);
    }
    u64::from(passed) << 8 | u64::from(UNDECIDED)
}

/// The decision where there is nothing more to ask.
#[inline(always)]
fn settled(decision: u64) -> u64 {
    if decision as u8 != UNDECIDED {
        return decision;
    }
    u64::from(if decision >> 8 == 0 {
        NOT_LISTED
    } else {
        EXPIRED
    })
}

/// The number of the outcome of an IPv4 address.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn search_v4(address: u32) -> u32 {
    u32::from(v4::find(&maps::allow::V4, address).0)
}

/// The number of the outcome of an IPv6 address by the table of this number, in the order in which they are asked.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn search_v6(high: u64, low: u64, table: u32) -> u32 {
    let table = match table {
        0 => Table::Units48,
        1 => Table::Units32,
        2 => Table::List,
        _ => Table::Root,
    };
    u32::from(v6::find_in(&maps::allow::V6, table, high, low).0)
}
