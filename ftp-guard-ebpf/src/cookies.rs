//! SYN cookies: the guard answers connection requests itself, as the host's own stack would, and the stack
//! accepts what follows (RFC 4987 section 3.6, kernel 6.0).

use aya_ebpf::programs::XdpContext;
use ftp_guard_common::{address::FlowKey, config::GuardConfig};

use crate::{access::Buffer, maps::scratch::Packet, parse::Segment};

/// What is done with a connection request that is to be answered with a cookie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// The guard answers it.
    Answer,
    /// It passes, so that the listener stays primed.
    Prime,
    /// There are no cookies for this listener now: limits decide.
    Unavailable,
}

/// Decides what is done with a connection request that is to be answered with a cookie.
#[inline(always)]
pub fn challenge(_config: &GuardConfig, _key: &FlowKey, _now: u64) -> Challenge {
    Challenge::Unavailable
}

/// Turns a connection request into the answer to it; whether that succeeded. The packet is to leave by the
/// interface that it came from.
#[inline(never)]
pub fn answer(_ctx: &XdpContext, _packet: &Packet) -> bool {
    false
}

/// Whether a segment acknowledges a cookie of this host.
#[inline(always)]
pub fn accepts(_config: &GuardConfig, _key: &FlowKey, _segment: &Segment, _now: u64) -> bool {
    false
}

/// Learns from a SYN-ACK of this host's stack what the next answer is to look like.
#[inline(always)]
pub fn learn(_frame: &Buffer<'_>, _packet: &Packet, _now: u64) {}
