//! SYN cookies: the guard answers connection requests itself, as the host's own stack would, and the stack
//! accepts what follows (RFC 4987 section 3.6, kernel 6.0).
//!
//! The stack accepts a cookie only where its listener has sent one in the last two minutes
//! (tcp_synq_no_recent_overflow, include/net/tcp.h), so that once in a while a request passes for it to
//! answer. What its SYN-ACKs look like is learned from them: the answers of the guard are to be the same.

mod answer;
mod options;
mod primer;

use aya_ebpf::helpers::{bpf_tcp_raw_check_syncookie_ipv4, bpf_tcp_raw_check_syncookie_ipv6};
use ftp_guard_common::{
    address::FlowKey,
    class::Family,
    config::{Cookies, GuardConfig, Role},
    limits::{PRIME_EVERY_NS, PRIMED_NS},
};

pub use self::{
    answer::{add, answer, fold},
    primer::prime,
};
use crate::{
    access::{Access as _, Buffer},
    maps::{
        self,
        primed::{NO_SCALE, Room},
        scratch::Packet,
        stats::Hook,
    },
    parse::Segment,
    wire::TcpFlags,
};

/// How long the kernel accepts cookies after its listener has sent one (TCP_SYNCOOKIE_VALID).
const KERNEL_VALID_NS: u64 = 2 * PRIMED_NS;
/// Time until another request passes when the last one was not answered with a cookie.
const RETRY_NS: u64 = 10_000_000;
/// Time in which a SYN-ACK tells nothing that the one before has not told.
const FRESH_NS: u64 = 100_000_000;

/// Offset of the window in a TCP header.
const WINDOW: usize = 14;
/// Bytes of a TCP header before its options.
const TCP_LEN: usize = 20;

/// What is done with a connection request that is to be answered with a cookie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// The guard answers it.
    Answer,
    /// It passes if [`prime`] takes it, so that the listener stays primed.
    Prime,
    /// There are no cookies for this listener now: limits decide.
    Unavailable,
}

/// Decides what is done with a connection request that is to be answered with a cookie.
#[inline(always)]
pub fn challenge(config: &GuardConfig, key: &FlowKey, now: u64) -> Challenge {
    let since = config.cookies_since_ns;
    // The clock here stands still for a tick: until it has come to `since`, each request would pass.
    if since == 0 || now < since {
        return Challenge::Unavailable;
    }
    let Some(primed) = maps::primed::get(key) else {
        return Challenge::Unavailable;
    };
    let answers = primed.mss != 0
        && primed.cookie_ns >= since
        && now.saturating_sub(primed.cookie_ns) < PRIMED_NS;
    let every = if answers { PRIME_EVERY_NS } else { RETRY_NS };
    if primed.primed_ns < since || now.saturating_sub(primed.primed_ns) >= every {
        Challenge::Prime
    } else if answers {
        Challenge::Answer
    } else {
        Challenge::Unavailable
    }
}

/// Whether a segment acknowledges a cookie of this host, and the stack is going to accept it: also when
/// cookies are sent no more.
#[inline(always)]
pub fn accepts(config: &GuardConfig, key: &FlowKey, segment: &Segment, now: u64) -> bool {
    let flags = segment.flags;
    if config.cookies == Cookies::Off as u32
        || !flags.has(TcpFlags::ACK)
        || flags.0 & (TcpFlags::SYN | TcpFlags::RST) != 0
    {
        return false;
    }
    let Some(primed) = maps::primed::get(key) else {
        return false;
    };
    primed.cookie_ns != 0
        && now.saturating_sub(primed.cookie_ns) < KERNEL_VALID_NS
        && acknowledges(
            key,
            segment.sequence,
            segment.acknowledgement,
            Hook::Ingress as u32,
        )
}

/// Learns from a SYN-ACK of this host's stack what the next answer is to look like, and whether the listener
/// answers with cookies.
#[inline(always)]
pub fn learn(frame: &Buffer<'_>, packet: &Packet, now: u64) {
    if maps::config::role() == Role::Host {
        learn_from(frame, packet, now);
    }
}

/// A subprogram: it has a stack frame of its own.
#[inline(never)]
fn learn_from(frame: &Buffer<'_>, packet: &Packet, now: u64) {
    let (key, segment) = (&packet.key, &packet.segment);
    let Some(primed) = maps::primed::get_or_insert(key) else {
        return;
    };
    // As its acknowledgement will say it.
    let (sequence, acknowledgement) = (segment.acknowledgement, segment.sequence.wrapping_add(1));
    if now.saturating_sub(primed.cookie_ns) >= FRESH_NS
        && acknowledges(key, sequence, acknowledgement, Hook::Egress as u32)
    {
        primed.cookie_ns = now;
    }
    if primed.scaled != 0 && now.saturating_sub(primed.learned_ns) < FRESH_NS {
        return;
    }
    let Some(room) = maps::primed::room(Hook::Egress) else {
        return;
    };
    let Some(window) = frame.load::<[u8; 2]>(packet.transport + WINDOW) else {
        return;
    };
    let options = &mut room.options;
    let begin = packet.transport + TCP_LEN;
    let len = segment.payload.wrapping_sub(begin) as u32;
    // SAFETY: `options::read` hands in a buffer and no more bytes than fit.
    let copy = |target, len| unsafe { frame.copy(begin, target, len) };
    if !options::read(options, len, copy) {
        return;
    }
    // What a client does not offer its answer does not have; the listener would have it all the same.
    if options.scale != NO_SCALE {
        primed.scale = options.scale;
        primed.scaled = 1;
    }
    if options.sack {
        primed.sack = 1;
    }
    primed.mss = options.mss;
    primed.window = u16::from_be_bytes(window);
    primed.learned_ns = now;
}

/// Whether the acknowledgement of a client's segment is that of a cookie of this host, young enough to be
/// accepted. A subprogram: it is in the way of few packets.
#[inline(never)]
fn acknowledges(key: &FlowKey, sequence: u32, acknowledgement: u32, hook: u32) -> bool {
    let hook = if hook == Hook::Ingress as u32 {
        Hook::Ingress
    } else {
        Hook::Egress
    };
    let Some(room) = maps::primed::room(hook) else {
        return false;
    };
    ask(room, key, sequence, acknowledgement, 0);
    let ip = room.asked_ip.as_mut_ptr();
    let tcp = room.asked_tcp.as_mut_ptr().cast();
    // SAFETY: both headers have the length that the helpers read.
    let result = unsafe {
        if key.family == Family::Ipv4 as u8 {
            bpf_tcp_raw_check_syncookie_ipv4(ip.cast(), tcp)
        } else {
            bpf_tcp_raw_check_syncookie_ipv6(ip.cast(), tcp)
        }
    };
    result == 0
}

/// Lays out what the kernel's cookies depend on, as the client sends it: addresses, ports, numbers and the
/// maximum segment size (0: not said).
#[inline(always)]
fn ask(room: &mut Room, key: &FlowKey, sequence: u32, acknowledgement: u32, mss: u16) {
    let (client, server) = (words(&key.client), words(&key.server));
    let ip = &mut room.asked_ip;
    if key.family == Family::Ipv4 as u8 {
        (ip[3], ip[4]) = (client[3], server[3]);
    } else {
        [ip[2], ip[3], ip[4], ip[5]] = client;
        [ip[6], ip[7], ip[8], ip[9]] = server;
    }
    let ([a, b], [c, d]) = (key.client_port, key.server_port);
    let tcp = &mut room.asked_tcp;
    tcp[0] = u32::from_ne_bytes([a, b, c, d]);
    tcp[1] = sequence.to_be();
    tcp[2] = acknowledgement.to_be();
    tcp[3] = (6_u32 << 28).to_be();
    tcp[4] = 0;
    tcp[5] = mss_option(mss);
}

/// The option that says the maximum segment size. The kernel takes a size of 0 for none.
#[inline(always)]
fn mss_option(mss: u16) -> u32 {
    (0x0204_0000 | u32::from(mss)).to_be()
}

/// An address as words, in network order.
#[inline(always)]
pub fn words(address: &[u8; 16]) -> [u32; 4] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *address;
    [
        u32::from_ne_bytes([a, b, c, d]),
        u32::from_ne_bytes([e, f, g, h]),
        u32::from_ne_bytes([i, j, k, l]),
        u32::from_ne_bytes([m, n, o, p]),
    ]
}
