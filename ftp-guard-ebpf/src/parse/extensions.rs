//! IPv6 extension headers and fragments (RFC 8200 section 4).
//!
//! The walk is a `bpf_loop` (kernel 5.17): unrolled, its paths multiply to 800,000 verified
//! instructions, of the million that the kernel grants. Few packets carry extension headers, so that
//! it reads through the helper and one copy serves frames of every shape.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_loop;
use ftp_guard_common::reason::Reason;

use super::Datagram;
use crate::{access::Access, wire::IpProto};

/// Extension headers that are followed. RFC 8200 section 4.1 knows six kinds, destination options
/// twice; a longer chain is a trick.
const MAX_EXTENSIONS: u32 = 8;

/// The smallest extension header. A fragment header has just this size.
const MIN_LEN: usize = 8;
const FRAGMENT_OFFSET: u16 = 0xfff8;
const MORE_FRAGMENTS: u16 = 1;

/// A power of two above every offset that a walk can reach: Ethernet, four tags, IPv6, and
/// [`MAX_EXTENSIONS`] headers of at most 2048 bytes.
const OFFSET_BOUND: usize = 1 << 15;
const _: () = assert!(14 + 4 * 4 + 40 + MAX_EXTENSIONS as usize * 2048 < OFFSET_BOUND);

/// The state of a walk, handed from one round of the loop to the next.
struct Walk<'a, S> {
    frame: S,
    datagram: &'a mut Datagram,
    next: IpProto,
    end: Result<(), Reason>,
}

/// Steps over the chain that begins with a header of kind `first` and returns what follows it.
#[inline(always)]
pub fn walk<S: Access>(
    frame: S,
    datagram: &mut Datagram,
    first: IpProto,
) -> Result<IpProto, Reason> {
    let mut walk = Walk {
        frame,
        datagram,
        next: first,
        end: Ok(()),
    };
    // SAFETY: the loop calls `round` with the pointer given here and returns before `walk` ends.
    unsafe {
        bpf_loop(
            MAX_EXTENSIONS,
            round::<S> as *mut c_void,
            (&raw mut walk).cast(),
            0,
        );
    }
    walk.end?;
    if walk.next.is_extension() {
        return Err(Reason::ExtensionsTooDeep);
    }
    let next = walk.next;
    // The verifier does not carry the bound through the loop.
    datagram.transport &= OFFSET_BOUND - 1;
    Ok(next)
}

/// One round of the loop: 1 ends it, 0 goes on.
unsafe extern "C" fn round<S: Access>(_index: u64, walk: *mut c_void) -> i64 {
    // SAFETY: `walk` is the pointer that `walk()` gave to the helper, valid and not shared.
    let walk = unsafe { &mut *walk.cast::<Walk<'_, S>>() };
    if !walk.next.is_extension() {
        return 1;
    }
    match extension(walk) {
        Ok(next) => {
            walk.next = next;
            0
        }
        Err(reason) => {
            walk.end = Err(reason);
            1
        }
    }
}

/// Steps over one extension header and returns what follows it.
#[inline(always)]
fn extension<S: Access>(walk: &mut Walk<'_, S>) -> Result<IpProto, Reason> {
    let datagram = &mut *walk.datagram;
    let cut_off = datagram.cut_off(Reason::Truncated);
    let at = datagram.transport & (OFFSET_BOUND - 1);
    if at + MIN_LEN > datagram.end {
        return Err(cut_off);
    }
    let header: [u8; MIN_LEN] = walk.frame.load(at).ok_or(cut_off)?;
    let length = match walk.next {
        IpProto::FRAGMENT => MIN_LEN,
        // RFC 4302 section 2.2: in 4-byte words, less two.
        IpProto::AUTHENTICATION => (header[1] as usize + 2) << 2,
        _ => (header[1] as usize + 1) << 3,
    };
    if at + length > datagram.end {
        return Err(cut_off);
    }
    if walk.next == IpProto::FRAGMENT {
        let field = u16::from_be_bytes([header[2], header[3]]);
        if field & FRAGMENT_OFFSET != 0 {
            return Err(Reason::LaterFragment);
        }
        // Neither offset nor more: an atomic fragment, a packet like any other (RFC 6946).
        datagram.first_fragment |= field & MORE_FRAGMENTS != 0;
    }
    datagram.transport = at + length;
    Ok(IpProto(header[0]))
}
