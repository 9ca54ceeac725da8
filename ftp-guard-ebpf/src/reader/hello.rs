//! What a side says when TLS begins, and what a client says before the greeting.

use core::hint::black_box;

use ftp_guard_common::{
    address::FlowKey, ftp::hello::HelloReader, reason::Reason, session::Tls, text::TextKind,
};

use super::{New, Side, Walk, begin, new_bytes, run};
use crate::{
    access::{Access as _, Buffer},
    maps,
    parse::Segment,
};

/// Tells what of a walk is the beginning of TLS, in clear text.
#[inline(always)]
pub(super) fn tell(walk: &mut Walk<'_>, reader: &mut HelloReader) {
    if !walk.scratch.progress.tells {
        // What it misses now it cannot do without.
        reader.end();
    }
    if !reader.is_over() {
        read(walk, reader);
    }
}

/// A subprogram: it has a stack frame of its own.
#[inline(never)]
fn read(walk: &mut Walk<'_>, reader: &mut HelloReader) {
    walk.scratch.hello = *reader;
    run::<Hello>(walk);
    *reader = walk.scratch.hello;
    walk.scratch.record.send();
}

struct Hello;

impl Side for Hello {
    #[inline(always)]
    fn take(walk: &mut Walk<'_>, byte: u8) -> bool {
        if !walk.scratch.hello.feed(byte) {
            return true;
        }
        walk.scratch.record.push(byte);
        false
    }
}

/// Tells what a client says before the greeting: TLS, whose ClientHello comes first on an implicit port, or
/// the first bytes of another protocol. FTP is not told, for nothing says where a line begins here: the
/// segment before may have been lost. A subprogram: it has a stack frame of its own.
#[inline(never)]
pub(super) fn early(frame: &Buffer<'_>, key: &FlowKey, segment: &Segment) -> Reason {
    if segment.payload_len > 0 {
        say_early(frame, key, segment);
    }
    // A subprogram must not leave an address of its stack behind where a result is expected, and does where
    // the compiler sees that there is none.
    black_box(Reason::Listed)
}

#[inline(always)]
fn say_early(frame: &Buffer<'_>, key: &FlowKey, segment: &Segment) {
    let Some(opening) = maps::opening::get(key) else {
        return;
    };
    let is_first = opening.spoke == 0;
    if is_first {
        opening.spoke = 1;
        opening.client_next = segment.sequence;
    }
    let skip = match new_bytes(segment, opening.client_next) {
        New::Nothing => return,
        New::Gap => {
            opening.hello.end();
            return;
        }
        New::From(skip) => skip,
    };
    opening.client_next = segment.end();
    let Some(scratch) = maps::scratch::get() else {
        return;
    };
    begin(scratch, TextKind::Client, key, segment, skip);
    if is_first && scratch.progress.tells && is_foreign(frame, segment.payload) {
        opening.hello.end();
        let len = segment.payload_len as u32;
        scratch.record.take_early(frame, segment.payload, len);
        scratch.record.send();
        return;
    }
    scratch.record.of(0, Tls::Encrypted as u8);
    let mut walk = Walk {
        frame,
        scratch,
        key,
        now: 0,
        outcome: Ok(Reason::Listed),
    };
    tell(&mut walk, &mut opening.hello);
}

/// Whether the first bytes of a client are those of a protocol that is neither FTP nor TLS: SSH, HTTP, SMTP,
/// or one that begins with a control character, as SMB does behind NetBIOS.
#[inline(always)]
fn is_foreign(frame: &Buffer<'_>, offset: usize) -> bool {
    match frame.load::<[u8; 4]>(offset) {
        Some(first) => {
            first[0] <= 8
                || matches!(
                    &first,
                    b"SSH-"
                        | b"GET "
                        | b"HEAD"
                        | b"POST"
                        | b"PUT "
                        | b"CONN"
                        | b"PRI "
                        | b"EHLO"
                        | b"HELO"
                )
        }
        None => false,
    }
}
