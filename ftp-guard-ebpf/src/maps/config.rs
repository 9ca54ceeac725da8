//! The configuration block and the clocks.

use aya_ebpf::{
    Global,
    btf_maps::{Array, PerCpuArray},
    helpers::{bpf_jiffies64, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns, bpf_ktime_get_tai_ns},
    macros::btf_map,
};
use ftp_guard_common::config::{GuardConfig, Mode, ROLE_UNSAID, Role};

#[btf_map]
static FTPG_CONFIG: Array<GuardConfig, 1> = Array::new();

/// The configuration; nothing only where the map is missing, which the loader does not let happen.
#[inline(always)]
pub fn get() -> Option<&'static GuardConfig> {
    FTPG_CONFIG.get(0)
}

/// The mode in force. Without a configuration the guard enforces.
#[inline(always)]
pub fn mode() -> Mode {
    match get() {
        Some(config) if config.mode_setting().deadline_ns().is_some() => {
            Mode::from_number(mode_until_deadline())
        }
        Some(config) => Mode::from_number(config.mode),
        None => Mode::Enforce,
    }
}

/// As [`mode`], by a subprogram that has the look at the table on its own stack.
#[inline(always)]
pub fn mode_apart() -> Mode {
    Mode::from_number(mode_number())
}

#[inline(never)]
fn mode_number() -> u32 {
    mode() as u32
}

/// Number of the mode in force where it has a deadline. The precise clock: every kind of program may ask for it, and
/// the daemon tells the same moment by it. A subprogram: who asks for the mode keeps nothing on the stack for it.
#[inline(never)]
fn mode_until_deadline() -> u32 {
    match get() {
        Some(config) => config.mode_setting().in_force(precise_now) as u32,
        None => Mode::Enforce as u32,
    }
}

/// Set by the loader.
#[unsafe(no_mangle)]
static ROLE: Global<u32> = Global::new(ROLE_UNSAID);

/// The role.
#[inline(always)]
pub fn role() -> Role {
    match (ROLE.load(), get()) {
        (ROLE_UNSAID, Some(config)) => Role::from_number(config.role),
        (ROLE_UNSAID, None) => Role::Host,
        (role, _) => Role::from_number(role),
    }
}

/// Whether a `FLAG_*` is set.
#[inline(always)]
pub fn has(flag: u32) -> bool {
    get().is_some_and(|config| config.flags & flag != 0)
}

/// The number of the allowlist's generation.
#[inline(always)]
pub fn allow_generation() -> u32 {
    get().map_or(0, |config| config.allow_generation)
}

/// Whether the guard is in its first moments, at `now`.
#[inline(always)]
pub fn adopting(now: u64) -> bool {
    get().is_some_and(|config| now < config.adopt_until_ns)
}

/// Unix time in seconds. The kernel offers TAI but not UTC (kernel 6.1); the daemon keeps the
/// difference of the two clocks in the configuration.
#[inline(always)]
pub fn unix_time_s() -> u64 {
    let offset = match get() {
        Some(config) => config.tai_offset_ns,
        None => 0,
    };
    // SAFETY: the helper takes nothing and only reads a clock.
    let tai = unsafe { bpf_ktime_get_tai_ns() };
    tai.wrapping_sub(offset as u64) / 1_000_000_000
}

/// The last word of the coarse clock on a CPU.
#[repr(C)]
struct Clock {
    tick: u64,
    now: u64,
}

#[btf_map]
static FTPG_CLOCK: PerCpuArray<Clock, 1> = PerCpuArray::new();

/// CLOCK_MONOTONIC in nanoseconds, as of the last tick (kernel 5.11) or the one before. The clock is asked once a tick:
/// the number of ticks is one load, and the clock a call.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper takes nothing and only reads a number.
    let tick = unsafe { bpf_jiffies64() };
    let Some(clock) = FTPG_CLOCK.get_ptr_mut(0) else {
        return coarse_now();
    };
    // SAFETY: the slot belongs to this CPU. A program that interrupts this one between the stores finds an old tick
    // and asks for itself.
    unsafe {
        if (&raw const (*clock).tick).read_volatile() != tick {
            (&raw mut (*clock).now).write_volatile(coarse_now());
            (&raw mut (*clock).tick).write_volatile(tick);
        }
        (&raw const (*clock).now).read_volatile()
    }
}

#[inline(always)]
fn coarse_now() -> u64 {
    // SAFETY: the helper takes nothing and only reads a clock.
    unsafe { bpf_ktime_get_coarse_ns() }
}

/// CLOCK_MONOTONIC in nanoseconds, for what happens within a tick of something else, and for tracepoints,
/// which may not ask for the other.
#[inline(always)]
pub fn precise_now() -> u64 {
    // SAFETY: the helper takes nothing and only reads a clock.
    unsafe { bpf_ktime_get_ns() }
}

/// The secret of the hashes.
#[inline(always)]
pub fn secret() -> [u64; 2] {
    get().map_or([0; 2], |config| config.secret)
}

/// Length of the IPv6 prefix that counts as one source.
#[inline(always)]
pub fn source_bits_v6() -> u32 {
    get().map_or(0, |config| config.source_bits_v6)
}

/// Whether there are IPv4 bans.
#[inline(always)]
pub fn bans_v4() -> bool {
    get().is_some_and(|config| config.bans_v4 != 0)
}

/// Whether there are IPv6 bans.
#[inline(always)]
pub fn bans_v6() -> bool {
    get().is_some_and(|config| config.bans_v6 != 0)
}
