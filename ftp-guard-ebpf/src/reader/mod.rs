//! Reads control connections, byte by byte, in the order in which the receiver gets them.
//!
//! A segment that begins behind bytes that are still missing is dropped; its sender sends it again. What
//! was read before is skipped. So a line that is split over segments, or sent twice, is read once and whole,
//! and no one can make the guard and the receiver read different things.
//!
//! What is read is told as well, if it reaches its receiver: each byte once, in its order. What was dropped
//! comes again.
//!
//! The loop over the bytes is a `bpf_loop` (kernel 5.17) whose state lies in a map's value, which the
//! verifier does not follow: its body is verified once.

mod commands;
mod hello;
pub mod odd_port;
mod replies;

use core::{ffi::c_void, hint::black_box};

use aya_ebpf::helpers::bpf_loop;
use ftp_guard_common::{
    address::FlowKey,
    config::Mode,
    reason::{Reason, Verdict},
    session::Tls,
    text::TextKind,
};

pub use self::{
    commands::{before_greeting, commands},
    replies::replies,
};
use crate::{
    access::{Access as _, Buffer},
    maps::{
        self,
        scratch::{CHUNK, Progress, Scratch},
    },
    parse::Segment,
};

/// The largest packet buffer: BIG TCP (kernel 6.3) stays below this.
const LONGEST: u32 = 1 << 19;

/// A walk over the new bytes of a segment.
struct Walk<'a> {
    frame: &'a Buffer<'a>,
    scratch: &'a mut Scratch,
    key: &'a FlowKey,
    /// CLOCK_MONOTONIC in nanoseconds.
    now: u64,
    /// Why the packet passes, or not.
    outcome: Result<Reason, Reason>,
}

/// One of the two sides of a control connection.
trait Side {
    /// Takes the next byte; whether the walk ends with it.
    fn take(walk: &mut Walk<'_>, byte: u8) -> bool;
}

/// Which bytes of a segment are new.
enum New {
    /// None: it was read before.
    Nothing,
    /// It begins behind bytes that are missing.
    Gap,
    /// Those from this one on.
    From(u32),
}

/// Compares a segment with the first byte that is still to be read.
#[inline(always)]
fn new_bytes(segment: &Segment, next: u32) -> New {
    let read = next.wrapping_sub(segment.sequence);
    if (read as i32) < 0 {
        New::Gap
    } else if read >= segment.payload_len as u32 {
        New::Nothing
    } else {
        New::From(read)
    }
}

/// Notes whether what is refused of a segment is dropped. The mode is asked for once: its deadline may pass on the
/// way. And at the beginning: where the bytes are walked over there is no stack left for the helper that reads the
/// clock.
#[inline(always)]
fn note_mode(segment: &Segment) {
    if segment.payload_len != 0
        && let Some(scratch) = maps::scratch::get()
    {
        scratch.drops = u32::from(maps::config::mode() == Mode::Enforce);
    }
}

/// Prepares the room for a walk over the new bytes of a segment, those behind the first `skip`.
#[inline(always)]
fn begin(scratch: &mut Scratch, kind: TextKind, key: &FlowKey, segment: &Segment, skip: u32) {
    scratch.record.begin(kind, key, segment, skip);
    scratch.progress = Progress {
        offset: segment.payload + skip as usize,
        len: segment.payload_len as u32 - skip,
        read: 0,
        tells: maps::text::is_on(),
    };
}

/// Hands each byte of the walk to its side.
#[inline(always)]
fn run<S: Side>(walk: &mut Walk<'_>) {
    // SAFETY: the loop calls `round` with the pointer given here and returns before `walk` ends.
    unsafe {
        bpf_loop(
            LONGEST,
            round::<S> as *mut c_void,
            (&raw mut *walk).cast(),
            0,
        );
    }
}

/// Whether a segment does not reach its receiver. Then it will be sent again, and read again: nothing of
/// what it said may be kept.
#[inline(always)]
fn is_dropped(walk: &Walk<'_>) -> bool {
    let outcome = walk.outcome;
    outcome.is_err_and(|reason| reason.verdict() == Verdict::Drop) && walk.scratch.drops != 0
}

/// One round of the loop: 1 ends it, 0 goes on.
unsafe extern "C" fn round<S: Side>(index: u64, walk: *mut c_void) -> i64 {
    // SAFETY: `walk` is the pointer that `run` gave to the helper, valid and not shared.
    let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
    let at = index as u32;
    if at >= walk.scratch.progress.len {
        return 1;
    }
    let within = at as usize & (CHUNK - 1);
    if within == 0 && !fill(walk, at) {
        return 1;
    }
    let byte = walk.scratch.chunk[within];
    walk.scratch.progress.read = at + 1;
    i64::from(S::take(walk, byte))
}

/// Copies the next piece of the payload.
#[inline(always)]
fn fill(walk: &mut Walk<'_>, at: u32) -> bool {
    let progress = &walk.scratch.progress;
    let rest = progress.len - at;
    let offset = progress.offset + at as usize;
    let len = if rest > CHUNK as u32 {
        CHUNK as u32
    } else {
        rest
    };
    // 1 to `CHUNK`, in a form that the verifier of kernel 6.1 understands and the optimiser leaves alone.
    let len = (black_box(len - 1) & (CHUNK as u32 - 1)) + 1;
    // SAFETY: the chunk has room for `CHUNK` bytes.
    unsafe {
        walk.frame
            .copy(offset, walk.scratch.chunk.as_mut_ptr(), len)
    }
}

/// What the first bytes of a segment look like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    /// A reply code and what follows it (RFC 959 section 4.2).
    Reply,
    /// A TLS record (RFC 8446 section 5.1: content types 20 to 23).
    Record,
    /// Letters: a command.
    Letters,
    /// Anything else, or fewer than four bytes.
    Other,
}

#[inline(always)]
fn word(frame: &Buffer<'_>, offset: usize) -> Word {
    let Some(first) = frame.load::<[u8; 4]>(offset) else {
        return Word::Other;
    };
    match first {
        [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-'] => Word::Reply,
        [20..=23, 3, _, _] => Word::Record,
        [a, b, c, _]
            if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && c.is_ascii_alphabetic() =>
        {
            Word::Letters
        }
        _ => Word::Other,
    }
}

/// Whether the server speaks TLS from its first word on: on an implicit port it does (RFC 4217
/// appendix A), whichever port that is.
#[inline(always)]
pub fn first_word(frame: &Buffer<'_>, segment: &Segment) -> Tls {
    match word(frame, segment.payload) {
        Word::Record => Tls::Encrypted,
        Word::Reply => Tls::Clear,
        _ if maps::config::adopting(maps::config::now()) => Tls::Unknown,
        _ => Tls::Clear,
    }
}
