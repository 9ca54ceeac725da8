//! Whether the guard is under attack, and the buckets of all sources together.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ftp_guard_common::{
    config::GuardConfig,
    limits::{ATTACK_WINDOW_NS, Attack, Rate},
    reason::Reason,
};

use super::atomic::add_long;

#[btf_map]
static FTPG_ATTACK: Array<Attack, 1> = Array::new();

#[inline(always)]
fn get() -> Option<&'static mut Attack> {
    // SAFETY: single words, of which no reader sees half; a race between CPUs costs a count.
    FTPG_ATTACK
        .get_ptr_mut(0)
        .map(|attack| unsafe { &mut *attack })
}

/// Counts a packet that floods are made of; whether an attack is under way.
#[inline(always)]
pub fn count(config: &GuardConfig, now: u64) -> bool {
    if config.attack_count == 0 {
        return false;
    }
    let Some(attack) = get() else {
        return false;
    };
    // Another CPU may have read the clock a moment later.
    let passed = now.saturating_sub(attack.window_ns);
    if passed >= ATTACK_WINDOW_NS {
        // Windows in which nothing came are none.
        attack.last_count = if passed < 2 * ATTACK_WINDOW_NS {
            attack.count
        } else {
            0
        };
        attack.window_ns = now;
        attack.count = 0;
    }
    add_long(&raw mut attack.count, 1);
    if attack.count >= config.attack_count {
        begin(attack, now);
    } else if attack.since_ns != 0 {
        // Hysteresis: it goes on at half the rate that begins it.
        if attack.count.max(attack.last_count) >= config.attack_count / 2 {
            attack.over_ns = now;
        } else if now.saturating_sub(attack.over_ns) >= config.attack_hold_ns {
            attack.since_ns = 0;
        }
    }
    attack.since_ns != 0
}

/// A limit refuses what has proven nothing: that is an attack, however slow.
#[inline(always)]
pub fn notice(config: &GuardConfig, now: u64) {
    if config.attack_count != 0
        && let Some(attack) = get()
    {
        begin(attack, now);
    }
}

#[inline(always)]
fn begin(attack: &mut Attack, now: u64) {
    attack.over_ns = now;
    if attack.since_ns == 0 {
        attack.since_ns = now;
        attack.attacks += 1;
    }
}

/// The bucket of connection requests.
#[inline(always)]
pub fn take_request(rate: &Rate, now: u64) -> Result<(), Reason> {
    match get() {
        Some(attack) => take(&mut attack.requests_due_ns, rate, now, Reason::TotalRate),
        None => Ok(()),
    }
}

/// Whether one more proven connection would fit.
#[inline(always)]
pub fn has_room(rate: &Rate, now: u64) -> bool {
    get().is_none_or(|attack| rate.allows(attack.proven_due_ns, now))
}

/// Counts a proven connection.
#[inline(always)]
pub fn charge_proven(rate: &Rate, now: u64) {
    if let Some(attack) = get()
        && rate.interval_ns != 0
    {
        attack.proven_due_ns = rate.after(attack.proven_due_ns, now);
    }
}

/// The bucket of segments of no connection.
#[inline(always)]
pub fn take_stray(rate: &Rate, now: u64, reason: Reason) -> Result<(), Reason> {
    match get() {
        Some(attack) => take(&mut attack.strays_due_ns, rate, now, reason),
        None => Ok(()),
    }
}

#[inline(always)]
fn take(due: &mut u64, rate: &Rate, now: u64, reason: Reason) -> Result<(), Reason> {
    if rate.interval_ns == 0 {
        return Ok(());
    }
    if !rate.allows(*due, now) {
        return Err(reason);
    }
    *due = rate.after(*due, now);
    Ok(())
}
