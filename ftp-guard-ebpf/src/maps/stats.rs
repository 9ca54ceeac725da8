//! The counters.

use aya_ebpf::{btf_maps::PerCpuArray, macros::btf_map};
use ftp_guard_common::stats::{Counter, STATS_LEN, StatsKey};

#[btf_map]
static FTPG_STATS: PerCpuArray<Counter, { STATS_LEN as usize }> = PerCpuArray::new();

#[btf_map]
static FTPG_STATS_EGR: PerCpuArray<Counter, { STATS_LEN as usize }> = PerCpuArray::new();

#[btf_map]
static FTPG_STATS_CTL: PerCpuArray<Counter, { STATS_LEN as usize }> = PerCpuArray::new();

/// Counts one packet of `bytes` bytes.
#[inline(always)]
pub fn count(key: StatsKey, bytes: usize) {
    if let Some(counter) = FTPG_STATS.get_ptr_mut(key.index()) {
        // SAFETY: the slot belongs to this CPU, and XDP runs in softirq, which does not nest.
        unsafe {
            (*counter).packets += 1;
            (*counter).bytes += bytes as u64;
        }
    }
}
