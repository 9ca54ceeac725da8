//! What is told of sessions. Nothing waits for a reader: what does not fit is counted as lost.
//!
//! Text is made up in the readers' room, for its size is known only at the end. All else is of fixed size and
//! written in place, since the program on sockets may be interrupted by the others.

use core::{hint::black_box, mem::size_of};

use aya_ebpf::{
    btf_maps::{PerCpuArray, RingBuf},
    helpers::bpf_ringbuf_output,
    macros::btf_map,
};
use ftp_guard_common::{
    address::FlowKey,
    config::FLAG_TEXT,
    front::Pending,
    limits::Rate,
    session::{Flow, FlowKind, Session, Tls, Traffic},
    text::{
        EndRecord, MOST_EARLY, MOST_ODD, MOST_TEXT, TEXT_LOSS_SLOTS, TEXT_RING_BYTES, TextHeader,
        TextKind,
    },
};

use super::{atomic::add_long, config, front};
use crate::{access::Buffer, parse::Segment};

/// Servers on ports of no class that are told of, on each CPU.
const ODD_PORTS: Rate = Rate::per_second(4, 16);

/// A record of text, made up in the scratch room.
#[repr(C)]
pub struct Record {
    header: TextHeader,
    text: [u8; MOST_TEXT],
}

#[btf_map]
static FTPG_TEXT: RingBuf<TextHeader, { TEXT_RING_BYTES as usize }> = RingBuf::new();

#[btf_map]
static FTPG_TEXT_LOSS: PerCpuArray<u64, { TEXT_LOSS_SLOTS as usize }> = PerCpuArray::new();

/// The token bucket of [`ODD_PORTS`].
#[btf_map]
static FTPG_ODD_PORTS: PerCpuArray<u64, 1> = PerCpuArray::new();

/// Whether anything is told.
#[inline(always)]
pub fn is_on() -> bool {
    config::has(FLAG_TEXT)
}

/// Whether one more server on a port of no class may be told of at `now`.
#[inline(always)]
pub fn take_odd_port(now: u64) -> bool {
    let Some(due) = FTPG_ODD_PORTS.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: the slot belongs to this CPU, and the egress hook does not nest.
    let due = unsafe { &mut *due };
    let allowed = ODD_PORTS.allows(*due, now);
    if allowed {
        *due = ODD_PORTS.after(*due, now);
    }
    allowed
}

impl Record {
    /// Begins with the new bytes of a segment, those behind the first `skip`. A subprogram: it has a stack
    /// frame of its own.
    #[inline(never)]
    pub fn begin(&mut self, kind: TextKind, key: &FlowKey, segment: &Segment, skip: u32) {
        let header = &mut self.header;
        header.session = 0;
        header.key = *key;
        header.sequence = segment.sequence.wrapping_add(skip);
        header.acknowledgement = segment.acknowledgement;
        header.length = (segment.payload_len as u32).wrapping_sub(skip);
        header.captured = 0;
        header.kind = kind as u8;
        header.detail = Tls::Clear as u8;
        header.time_ns = config::precise_now();
    }

    /// Names the session.
    #[inline(always)]
    pub fn of(&mut self, session: u64, tls: u8) {
        self.header.session = session;
        self.header.detail = tls;
    }

    /// Adds the next byte, if it fits.
    #[inline(always)]
    pub fn push(&mut self, byte: u8) {
        let at = self.header.captured as usize;
        if at < MOST_TEXT {
            self.text[at & (MOST_TEXT - 1)] = byte;
            self.header.captured = at as u16 + 1;
        }
    }

    /// Leaves the first byte out.
    #[inline(always)]
    pub fn leave_out(&mut self) {
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.length = self.header.length.wrapping_sub(1);
    }

    /// Takes the first [`MOST_EARLY`] of `len` bytes of the payload.
    #[inline(always)]
    pub fn take_early(&mut self, frame: &Buffer<'_>, payload: usize, len: u32) {
        self.take::<MOST_EARLY>(frame, payload, len);
    }

    /// Takes the first [`MOST_ODD`] of `len` bytes of the payload.
    #[inline(always)]
    pub fn take_odd(&mut self, frame: &Buffer<'_>, payload: usize, len: u32) {
        self.take::<MOST_ODD>(frame, payload, len);
    }

    /// Takes the first `MOST` of `len` bytes of the payload, of which there is one at least.
    #[inline(always)]
    fn take<const MOST: usize>(&mut self, frame: &Buffer<'_>, payload: usize, len: u32) {
        let len = if len > MOST as u32 { MOST as u32 } else { len };
        let len = bounded::<MOST>(len);
        // SAFETY: the text has room for `MOST` bytes.
        if unsafe { frame.copy(payload, self.text.as_mut_ptr(), len) } {
            self.header.captured = len as u16;
        }
    }

    /// Tells it, if there is anything in it.
    #[inline(always)]
    pub fn send(&mut self) {
        let captured = u32::from(self.header.captured);
        if captured == 0 {
            return;
        }
        let len = size_of::<TextHeader>() as u32 + bounded::<MOST_TEXT>(captured);
        // SAFETY: the record has as many bytes; all of them are written, for the map's values begin as zeros.
        let result = unsafe {
            bpf_ringbuf_output(
                (&raw const FTPG_TEXT).cast_mut().cast(),
                (&raw mut *self).cast(),
                u64::from(len),
                0,
            )
        };
        if result < 0 {
            lost(u32::from(self.header.kind));
        }
    }
}

/// A length from 1 to `MOST`, in a form that the verifier of kernel 6.1 understands and the optimiser leaves
/// alone.
#[inline(always)]
fn bounded<const MOST: usize>(len: u32) -> u32 {
    (black_box(len - 1) & (MOST as u32 - 1)) + 1
}

#[inline(always)]
fn lost(kind: u32) {
    if let Some(count) = FTPG_TEXT_LOSS.get_ptr_mut(kind) {
        add_long(count, 1);
    }
}

/// Tells that a session has begun. A subprogram: it has a stack frame of its own.
#[inline(never)]
pub fn session_began(key: &FlowKey, session: &Session, segment: &Segment) {
    if !is_on() {
        return;
    }
    let header = TextHeader {
        session: session.id,
        sequence: segment.sequence,
        acknowledgement: segment.acknowledgement,
        length: u32::from(session.traffic.witnessed),
        ..header(TextKind::Began, key, session.tls)
    };
    began(&header);
}

/// Tells that a session has ended. A subprogram.
#[inline(never)]
pub fn session_ended(key: &FlowKey, session: &Session) {
    if !is_on() {
        return;
    }
    let header = TextHeader {
        session: session.id,
        captured: size_of::<Traffic>() as u16,
        ..header(TextKind::Ended, key, session.tls)
    };
    ended(&header, &session.traffic, Pending::default());
}

/// Tells that a data connection is established, unless it is none of FTP's. A subprogram.
#[inline(never)]
pub fn flow_began(key: &FlowKey, flow: &Flow) {
    if flow.kind == FlowKind::Outgoing as u8 || !is_on() {
        return;
    }
    let header = TextHeader {
        session: flow.session,
        ..header(TextKind::DataBegan, key, flow.kind)
    };
    began(&header);
}

/// Tells that a data connection has ended, unless it is none of FTP's. A subprogram.
#[inline(never)]
pub fn flow_ended(key: &FlowKey, flow: &Flow) {
    if flow.kind == FlowKind::Outgoing as u8 || !is_on() {
        return;
    }
    let header = TextHeader {
        session: flow.session,
        captured: size_of::<Traffic>() as u16,
        ..header(TextKind::DataEnded, key, flow.kind)
    };
    ended(&header, &flow.traffic, front::pending(key, flow));
}

#[inline(always)]
fn header(kind: TextKind, key: &FlowKey, detail: u8) -> TextHeader {
    TextHeader {
        time_ns: config::precise_now(),
        key: *key,
        kind: kind as u8,
        detail,
        ..TextHeader::default()
    }
}

#[inline(always)]
fn began(header: &TextHeader) {
    match FTPG_TEXT.reserve(0) {
        Some(mut entry) => {
            entry.write(*header);
            entry.submit(0);
        }
        None => lost(u32::from(header.kind)),
    }
}

#[inline(always)]
fn ended(header: &TextHeader, traffic: &Traffic, pending: Pending) {
    match FTPG_TEXT.reserve_untyped::<EndRecord>(0) {
        Some(mut entry) => {
            let record = entry.as_mut_ptr();
            // SAFETY: the ring buffer has handed out as many bytes; both fields together are all of them.
            unsafe {
                (*record).header = *header;
                (*record).traffic = *traffic;
                (*record).traffic.add(pending);
            }
            entry.submit(0);
        }
        None => lost(u32::from(header.kind)),
    }
}
