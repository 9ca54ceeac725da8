//! The TCP options of a SYN or SYN-ACK, read as the kernel does (tcp_parse_options, net/ipv4/tcp_input.c):
//! the last of a kind counts, one of a wrong length counts as none, and what is no option ends the walk.

use core::{ffi::c_void, hint::black_box};

use aya_ebpf::helpers::bpf_loop;

use crate::maps::primed::{NO_SCALE, OPTIONS, Options};

const END: u8 = 0;
const NOTHING: u8 = 1;
const MSS: u8 = 2;
const SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const TIMESTAMPS: u8 = 8;

/// The header field counts words in four bits: 60 bytes at most, of which 20 are no options.
const MAX_LEN: u32 = 40;
/// RFC 7323 section 2.3.
const MAX_SCALE: u8 = 14;

/// Reads `len` bytes of options, which `copy` copies: it gets where to and how many.
#[inline(always)]
pub fn read(options: &mut Options, len: u32, copy: impl FnOnce(*mut u8, u32) -> bool) -> bool {
    options.len = 0;
    options.at = 0;
    options.mss = 0;
    options.scale = NO_SCALE;
    options.timestamps = false;
    options.sack = false;
    if len == 0 {
        return true;
    }
    if len > MAX_LEN {
        return false;
    }
    // 1 to `OPTIONS`, in a form that the verifier of kernel 6.1 understands and the optimiser leaves alone.
    let bounded = (black_box(len - 1) & (OPTIONS as u32 - 1)) + 1;
    if !copy(options.bytes.as_mut_ptr(), bounded) {
        return false;
    }
    options.len = len;
    let mut walk = Walk { options };
    // SAFETY: the loop calls `round` with the pointer given here and returns before `walk` ends.
    unsafe {
        bpf_loop(MAX_LEN, round as *mut c_void, (&raw mut walk).cast(), 0);
    }
    true
}

/// The state of a walk lies in a map's value, which the verifier does not follow: a round is verified once.
struct Walk<'a> {
    options: &'a mut Options,
}

/// One round of the loop: 1 ends it, 0 goes on.
unsafe extern "C" fn round(_index: u64, walk: *mut c_void) -> i64 {
    // SAFETY: `walk` is the pointer that `read` gave to the helper, valid and not shared.
    let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
    i64::from(!option(walk.options))
}

/// Reads one option; whether there may be another.
#[inline(always)]
fn option(options: &mut Options) -> bool {
    let at = options.at;
    if at >= options.len {
        return false;
    }
    let kind = byte(options, 0);
    if kind == END {
        return false;
    }
    if kind == NOTHING {
        options.at = at + 1;
        return true;
    }
    let rest = options.len - at;
    let len = byte(options, 1);
    if rest < 2 || len < 2 || u32::from(len) > rest {
        return false;
    }
    match (kind, len) {
        (MSS, 4) => {
            let mss = u16::from_be_bytes([byte(options, 2), byte(options, 3)]);
            if mss != 0 {
                options.mss = mss;
            }
        }
        (SCALE, 3) => options.scale = byte(options, 2).min(MAX_SCALE),
        (SACK_PERMITTED, 2) => options.sack = true,
        (TIMESTAMPS, 10) => {
            options.timestamps = true;
            options.timestamp = u32::from_be_bytes([
                byte(options, 2),
                byte(options, 3),
                byte(options, 4),
                byte(options, 5),
            ]);
        }
        _ => {}
    }
    options.at = at + u32::from(len);
    true
}

/// A byte of the option that is read.
#[inline(always)]
fn byte(options: &Options, offset: usize) -> u8 {
    options.bytes[(options.at as usize + offset) & (OPTIONS - 1)]
}
