//! Events: what the programs report of drops, through a ring buffer.

use crate::address::FlowKey;

/// Bytes of the ring buffer of events. A power of two, and a multiple of the page size.
pub const EVENTS_BYTES: u32 = 1 << 18;

/// A packet that was dropped, or would be in monitor mode.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub time_ns: u64,
    /// How many packets of this reason and hook this CPU has not reported since its last event of it.
    pub suppressed: u64,
    /// The connection. All zeros when the packet did not show it; the family then is 0.
    pub key: FlowKey,
    /// Bytes of the frame, from the Ethernet header on.
    pub bytes: u32,
    /// Number of a [`Reason`](crate::reason::Reason).
    pub reason: u8,
    /// Number of a [`Verdict`](crate::reason::Verdict).
    pub verdict: u8,
    /// Number of a [`PortClass`](crate::class::PortClass).
    pub class: u8,
    /// Number of a [`Family`](crate::class::Family).
    pub family: u8,
    /// 0: XDP, 1: egress, 2: ingress classifier.
    pub hook: u8,
    /// The TCP flags, if `key` is set.
    pub flags: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

/// How many events of a reason a CPU may still report. Value of a per-CPU table, by hook and reason:
/// `hook * REASON_SLOTS + reason`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventBudget {
    /// The token bucket.
    pub due_ns: u64,
    /// Packets since the last event that were not reported.
    pub suppressed: u64,
    /// All packets that were not reported, since the table was made.
    pub suppressed_total: u64,
    /// The kernel's tick in which the last packet was not reported.
    pub tick: u64,
}

/// Hooks that report events.
pub const EVENT_HOOKS: u32 = 3;
