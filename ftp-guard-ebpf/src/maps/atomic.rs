//! Atomic counting in map values.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

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

/// Adds 1 to a long count in a map value.
#[inline(always)]
pub fn add_long(count: *mut u64) {
    // SAFETY: as for `add`.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(count, 1) };
}
