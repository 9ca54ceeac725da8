//! What others would do: a program that looks the sender up in the kernel's longest-prefix trie, and discards
//! what comes for the ports of FTP, listed or not. Only the look-up differs from list to list.

#![no_std]
#![no_main]
#![expect(
    missing_docs,
    reason = "the xdp macro wraps the entry point in a function without its documentation"
)]

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::{LpmTrie, lpm_trie::Key},
    macros::{btf_map, xdp},
    programs::XdpContext,
};

/// The loader sets the real size.
const MAX_ENTRIES: usize = 1024;

#[btf_map]
static TRIE_V4: LpmTrie<[u8; 4], [u32; 2], MAX_ENTRIES> = LpmTrie::new();

#[btf_map]
static TRIE_V6: LpmTrie<[u8; 16], [u32; 2], MAX_ENTRIES> = LpmTrie::new();

const ETHERNET: usize = 14;
const TCP: u8 = 6;

#[xdp]
pub fn ftpg_trie(ctx: XdpContext) -> u32 {
    judge(&ctx).unwrap_or(xdp_action::XDP_PASS)
}

/// Nothing for what is not TCP for a port of FTP.
#[inline(always)]
fn judge(ctx: &XdpContext) -> Option<u32> {
    let kind: [u8; 2] = read(ctx, 12)?;
    let (transport, v6) = match u16::from_be_bytes(kind) {
        0x0800 => {
            let first: u8 = read(ctx, ETHERNET)?;
            if read::<u8>(ctx, ETHERNET + 9)? != TCP {
                return None;
            }
            (ETHERNET + 4 * usize::from(first & 15), false)
        }
        0x86dd if read::<u8>(ctx, ETHERNET + 6)? == TCP => (ETHERNET + 40, true),
        _ => return None,
    };
    let port: [u8; 2] = read(ctx, transport + 2)?;
    if !matches!(u16::from_be_bytes(port), 20 | 21) {
        return None;
    }
    let value = if v6 {
        TRIE_V6
            .get(&Key::new(128, read(ctx, ETHERNET + 8)?))
            .copied()
    } else {
        TRIE_V4
            .get(&Key::new(32, read(ctx, ETHERNET + 12)?))
            .copied()
    };
    // Zero is nobody's value: the entry is read, and its answer is the same as that of none.
    match value {
        Some([0, 0]) => Some(xdp_action::XDP_ABORTED),
        _ => Some(xdp_action::XDP_DROP),
    }
}

/// Reads a value, unaligned; nothing when the frame ends before.
#[inline(always)]
fn read<T: Copy>(ctx: &XdpContext, offset: usize) -> Option<T> {
    let place = ctx.data() + offset;
    if place + size_of::<T>() > ctx.data_end() {
        return None;
    }
    // SAFETY: the value lies in the frame, and its types here have no invalid bytes.
    Some(unsafe { (place as *const T).read_unaligned() })
}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses a program in which this can be reached.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
