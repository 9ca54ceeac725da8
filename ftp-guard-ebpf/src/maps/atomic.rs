//! Atomic counting in map values.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use ftp_guard_common::{front::Pending, session::Traffic};

/// Adds 1 to a count in a map value.
#[inline(always)]
pub fn add(count: *mut u32) {
    // SAFETY: the pointer is into a map value; the addition is atomic (BPF_ATOMIC).
    unsafe { atomic_xadd::<u32, u32, { AtomicOrdering::Relaxed }>(count, 1) };
}

/// Takes 1 from a count in a map value.
#[inline(always)]
pub fn subtract(count: *mut u32) {
    // SAFETY: as for `add`. BPF adds only; adding the largest number subtracts 1.
    unsafe { atomic_xadd::<u32, u32, { AtomicOrdering::Relaxed }>(count, u32::MAX) };
}

/// Adds to a long count in a map value.
#[inline(always)]
pub fn add_long(count: *mut u64, more: u64) {
    // SAFETY: as for `add`.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(count, more) };
}

/// Adds what was counted of a client's segments to the entry of their connection: another processor may do so at the same
/// time, for what was counted in front of it.
#[inline(always)]
pub fn count(traffic: &mut Traffic, counted: Pending) {
    add_long(&raw mut traffic.packets_in, counted.packets);
    add_long(&raw mut traffic.bytes_in, counted.bytes);
    if traffic.seen_ns < counted.seen_ns {
        traffic.seen_ns = counted.seen_ns;
    }
}
