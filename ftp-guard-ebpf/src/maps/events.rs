//! Events: sampled here, so that a flood costs the daemon nothing.

use aya_ebpf::{
    btf_maps::{PerCpuArray, RingBuf},
    helpers::bpf_jiffies64,
    macros::btf_map,
};
use ftp_guard_common::{
    event::{EVENT_HOOKS, EVENTS_BYTES, Event, EventBudget},
    limits::Rate,
    reason::REASON_SLOTS,
};

use super::config;

const BUDGETS: usize = (EVENT_HOOKS * REASON_SLOTS) as usize;

#[btf_map]
static FTPG_EVENTS: RingBuf<Event, { EVENTS_BYTES as usize }> = RingBuf::new();

#[btf_map]
static FTPG_EVENT_BUD: PerCpuArray<EventBudget, BUDGETS> = PerCpuArray::new();

/// Counts a drop as one that is not reported, if it is clear at a glance that it may not be; whether it did.
#[inline(always)]
pub fn leave_out(hook: u32, reason: u32, rate: &Rate) -> bool {
    let Some(budget) = FTPG_EVENT_BUD.get_ptr_mut(hook * REASON_SLOTS + reason) else {
        return false;
    };
    // SAFETY: as for `take`.
    let budget = unsafe { &mut *budget };
    // SAFETY: as in `take`.
    let is_spent = rate.interval_ns == 0 || budget.tick == unsafe { bpf_jiffies64() };
    if is_spent {
        budget.suppressed += 1;
        budget.suppressed_total += 1;
    }
    is_spent
}

/// Whether an event of a hook and reason may be reported: the time, and how many were not since the last
/// one; else it is counted as one that was not.
#[inline(always)]
pub fn take(hook: u32, reason: u32, rate: &Rate) -> Option<(u64, u64)> {
    let budget = FTPG_EVENT_BUD.get_ptr_mut(hook * REASON_SLOTS + reason)?;
    // SAFETY: the slot belongs to this CPU, and no hook nests in itself.
    let budget = unsafe { &mut *budget };
    // The clock stands still for a tick: what did not fit in it still does not. To ask for the number of
    // ticks is one load, and floods are many packets a tick.
    // SAFETY: the helper takes nothing and only reads a number.
    let tick = unsafe { bpf_jiffies64() };
    let allowed = if rate.interval_ns == 0 || budget.tick == tick {
        None
    } else {
        Some(config::now()).filter(|now| rate.allows(budget.due_ns, *now))
    };
    let Some(now) = allowed else {
        budget.tick = tick;
        budget.suppressed += 1;
        budget.suppressed_total += 1;
        return None;
    };
    budget.due_ns = rate.after(budget.due_ns, now);
    let suppressed = budget.suppressed;
    budget.suppressed = 0;
    Some((now, suppressed))
}

/// Reports an event. Where nobody reads the ring buffer it is full, and the event counts as one that was
/// not reported.
#[inline(always)]
pub fn report(hook: u32, event: &Event) {
    if FTPG_EVENTS.output(event, 0).is_err()
        && let Some(budget) =
            FTPG_EVENT_BUD.get_ptr_mut(hook * REASON_SLOTS + u32::from(event.reason))
    {
        // SAFETY: as for `take`.
        unsafe {
            (*budget).suppressed += event.suppressed + 1;
            (*budget).suppressed_total += 1;
        }
    }
}
