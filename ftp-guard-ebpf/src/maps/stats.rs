//! The counters.

use aya_ebpf::{btf_maps::PerCpuArray, macros::btf_map};
use ftp_guard_common::stats::{Counter, STATS_LEN, StatsKey};

#[btf_map]
static FTPG_STATS: PerCpuArray<Counter, { STATS_LEN as usize }> = PerCpuArray::new();

#[btf_map]
static FTPG_STATS_EGR: PerCpuArray<Counter, { STATS_LEN as usize }> = PerCpuArray::new();

#[btf_map]
static FTPG_STATS_CTL: PerCpuArray<Counter, { STATS_LEN as usize }> = PerCpuArray::new();

/// Where a packet was seen.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Hook {
    /// The XDP program.
    Ingress = 0,
    /// The egress classifier.
    Egress = 1,
    /// The ingress classifier.
    Control = 2,
}

/// Counts one packet of `bytes` bytes.
#[inline(always)]
pub fn count(hook: Hook, key: StatsKey, bytes: usize) {
    let counter = match hook {
        Hook::Ingress => FTPG_STATS.get_ptr_mut(key.index()),
        Hook::Egress => FTPG_STATS_EGR.get_ptr_mut(key.index()),
        Hook::Control => FTPG_STATS_CTL.get_ptr_mut(key.index()),
    };
    if let Some(counter) = counter {
        // SAFETY: the slot belongs to this CPU, and no hook nests in itself.
        unsafe {
            (*counter).packets += 1;
            (*counter).bytes += bytes as u64;
        }
    }
}
