//! Servers that speak FTP on a port of no class.

use ftp_guard_common::text::TextKind;

use crate::{
    access::{Access as _, Buffer},
    maps::{self, scratch::Packet},
    parse::Segment,
    wire::TcpFlags,
};

/// Lengths of the packets that are looked at, from the Ethernet header on: a greeting is no shorter, and what
/// is longer is part of a transfer.
const SHORTEST: usize = 60;
const LONGEST: usize = 600;

/// Whether a packet that leaves from a port of no class may begin with a reply of FTP. Bulk data and
/// acknowledgements are told by length and flags alone.
#[inline(always)]
pub fn is_likely(frame: &Buffer<'_>, segment: &Segment) -> bool {
    let len = frame.len();
    if !(SHORTEST..=LONGEST).contains(&len) || !segment.flags.has(TcpFlags::PSH | TcpFlags::ACK) {
        return false;
    }
    maps::config::has(ftp_guard_common::config::FLAG_ODD_PORTS)
        && segment.payload_len >= 4
        && matches!(
            frame.load::<[u8; 4]>(segment.payload).as_ref(),
            Some(b"220 " | b"220-" | b"331 " | b"530 ")
        )
}

/// Tells of it, as often as that may be. A subprogram: it has a stack frame of its own.
#[inline(never)]
pub fn tell(frame: &Buffer<'_>, packet: &Packet) {
    if !maps::text::take_odd_port(maps::config::now()) {
        return;
    }
    let Some(scratch) = maps::scratch::get() else {
        return;
    };
    let segment = &packet.segment;
    let record = &mut scratch.record;
    record.begin(TextKind::OddPort, &packet.key, segment, 0);
    record.take_odd(frame, segment.payload, segment.payload_len as u32);
    record.send();
}
