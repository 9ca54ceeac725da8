//! The configuration block: mode and clock.

use aya_ebpf::{btf_maps::Array, helpers::bpf_ktime_get_tai_ns, macros::btf_map};
use ftp_guard_common::config::{GuardConfig, Mode};

#[btf_map]
static FTPG_CONFIG: Array<GuardConfig, 1> = Array::new();

/// The mode. Without a configuration the guard enforces.
#[inline(always)]
pub fn mode() -> Mode {
    match FTPG_CONFIG.get(0) {
        Some(config) => Mode::from_number(config.mode),
        None => Mode::Enforce,
    }
}

/// Unix time in seconds. The kernel offers TAI but not UTC (kernel 6.1); the daemon keeps the
/// difference of the two clocks in the configuration.
#[inline(always)]
pub fn unix_time_s() -> u64 {
    let offset = match FTPG_CONFIG.get(0) {
        Some(config) => config.tai_offset_ns,
        None => 0,
    };
    // SAFETY: the helper takes nothing and only reads a clock.
    let tai = unsafe { bpf_ktime_get_tai_ns() };
    tai.wrapping_sub(offset as u64) / 1_000_000_000
}
