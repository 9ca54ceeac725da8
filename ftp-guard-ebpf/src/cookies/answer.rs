//! The SYN-ACK that the guard sends: what the kernel would send with a cookie (tcp_make_synack,
//! cookie_init_timestamp), with the options of a SYN-ACK in its order.
//!
//! The kernel keeps nothing of a request but what the client sends back: the maximum segment size in the
//! cookie, window scale and SACK in the low bits of the timestamp. Without timestamps there are no options.

use core::hint::black_box;

use aya_ebpf::{
    helpers::{bpf_tcp_raw_gen_syncookie_ipv4, bpf_tcp_raw_gen_syncookie_ipv6},
    programs::XdpContext,
};
use ftp_guard_common::{class::Family, limits::Primed};

use super::{TCP_LEN, ask, mss_option, options, words};
use crate::{
    access::{Linear, Scattered, frame_len},
    maps::{
        self,
        primed::{HEAD, NO_SCALE, Room},
        scratch::Packet,
        stats::Hook,
    },
    wire::TcpFlags,
};

/// A header of each family in bytes.
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
/// Ethernet without and with as many tags as the parser follows.
const MIN_NETWORK: usize = 14;
const MAX_NETWORK: usize = 30;
const HEAD_LEN: usize = 4 * HEAD;
const _: () = assert!(MAX_NETWORK + IPV6_LEN <= HEAD_LEN);

/// Powers of two that bound, for the verifier, where an answer begins in its room, and its length.
const START_BOUND: usize = 64;
const LEN_BOUND: usize = 128;
const _: () = assert!(HEAD_LEN - MIN_NETWORK - IPV4_LEN < START_BOUND);
const _: () = assert!(MAX_NETWORK + IPV6_LEN + 40 <= LEN_BOUND);
const _: () = assert!(START_BOUND + LEN_BOUND <= size_of::<Room>());

const HOP_LIMIT: u8 = 64;
const TCP_PROTOCOL: u8 = 6;

/// The bits of a timestamp that carry options (TS_OPT_*, net/ipv4/syncookies.c): the window scale in the low
/// four, then SACK; ECN is not offered.
const TIMESTAMP_BITS: u32 = 6;
const TIMESTAMP_SACK: u32 = 1 << 4;

/// Turns a connection request into the answer to it; whether that succeeded. The packet is to leave by the
/// interface that it came from.
#[inline(never)]
pub fn answer(ctx: &XdpContext, packet: &Packet) -> bool {
    let frame = Linear::new(ctx, frame_len(ctx));
    // Nobody sends a request so; and its buffers could not be joined.
    if !frame.is_whole() {
        return false;
    }
    let (Some(room), Some(primed)) = (
        maps::primed::room(Hook::Ingress),
        maps::primed::get(&packet.key),
    ) else {
        return false;
    };
    let network = black_box(packet.network);
    if !(MIN_NETWORK..=MAX_NETWORK).contains(&network) {
        return false;
    }
    let bytes = Scattered::new(ctx, frame_len(ctx));
    let begin = packet.transport + TCP_LEN;
    let len = packet.segment.payload.wrapping_sub(begin) as u32;
    // SAFETY: `options::read` hands in a buffer and no more bytes than fit.
    let copy = |target, len| unsafe { bytes.copy(begin, target, len) };
    if !options::read(&mut room.options, len, copy) {
        return false;
    }
    let Some(cookie) = cookie(room, packet) else {
        return false;
    };
    let is_ipv4 = packet.key.family == Family::Ipv4 as u8;
    let ip_len = if is_ipv4 { IPV4_LEN } else { IPV6_LEN };
    let tcp_len = tcp(room, packet, primed, cookie);
    ip(room, packet, tcp_len);

    let start = black_box(HEAD_LEN - ip_len - network) & (START_BOUND - 1);
    // SAFETY: as asserted above, the room has `LEN_BOUND` bytes behind the largest `start`.
    let target = unsafe { (&raw mut *room).cast::<u8>().add(start) };
    let link_len = (black_box(network - 1) & 31) + 1;
    // SAFETY: as for `target`.
    if !unsafe { bytes.copy(0, target, link_len as u32) } || !turn(target) {
        return false;
    }
    let len = (black_box(network + ip_len + tcp_len - 1) & (LEN_BOUND - 1)) + 1;
    // SAFETY: as for `target`.
    unsafe { bytes.replace(target, len as u32) }
}

/// The cookie of a request.
#[inline(always)]
fn cookie(room: &mut Room, packet: &Packet) -> Option<u32> {
    let key = &packet.key;
    let mss = room.options.mss;
    ask(room, key, packet.segment.sequence, 0, mss);
    let ip = room.asked_ip.as_mut_ptr();
    let tcp = room.asked_tcp.as_mut_ptr().cast();
    let tcp_len = size_of_val(&room.asked_tcp) as u32;
    // SAFETY: both headers have the length that the helpers read.
    let result = unsafe {
        if key.family == Family::Ipv4 as u8 {
            bpf_tcp_raw_gen_syncookie_ipv4(ip.cast(), tcp, tcp_len)
        } else {
            bpf_tcp_raw_gen_syncookie_ipv6(ip.cast(), tcp, tcp_len)
        }
    };
    // The size that the cookie stands for is in the upper half.
    (result >= 0).then_some(result as u32)
}

/// Writes the TCP header but its checksum; returns its length in bytes.
#[inline(always)]
fn tcp(room: &mut Room, packet: &Packet, primed: &Primed, cookie: u32) -> usize {
    let (options, tcp) = (&room.options, &mut room.tcp);
    let ([a, b], [c, d]) = (packet.key.server_port, packet.key.client_port);
    tcp[0] = u32::from_ne_bytes([a, b, c, d]);
    tcp[1] = cookie.to_be();
    tcp[2] = packet.segment.sequence.wrapping_add(1).to_be();
    tcp[4] = 0;
    tcp[5] = mss_option(primed.mss);
    [tcp[6], tcp[7], tcp[8], tcp[9]] = [0; 4];
    let mut words = 6;
    if options.timestamps {
        words = 9;
        let sack = options.sack && primed.sack != 0;
        let mut scale = NO_SCALE;
        if options.scale != NO_SCALE && primed.scaled != 0 {
            words = 10;
            scale = options.scale;
            tcp[9] = (0x0103_0300 | u32::from(primed.scale)).to_be();
        }
        tcp[6] = if sack { 0x0402_080a_u32 } else { 0x0101_080a }.to_be();
        tcp[7] = timestamp(scale, sack).to_be();
        tcp[8] = options.timestamp.to_be();
    }
    let flags = u32::from(TcpFlags::SYN | TcpFlags::ACK);
    tcp[3] = (words << 28 | flags << 16 | u32::from(primed.window)).to_be();
    words as usize * 4
}

/// The timestamp that carries options: the last one that could, so that time does not seem to go back when
/// the stack goes on.
#[inline(always)]
fn timestamp(scale: u8, sack: bool) -> u32 {
    let now = (maps::config::precise_now() / 1_000_000) as u32;
    let mut carried = u32::from(scale);
    if sack {
        carried |= TIMESTAMP_SACK;
    }
    let timestamp = now >> TIMESTAMP_BITS << TIMESTAMP_BITS | carried;
    if timestamp > now {
        timestamp.wrapping_sub(1 << TIMESTAMP_BITS)
    } else {
        timestamp
    }
}

/// Writes the IP header and the checksums.
#[inline(always)]
fn ip(room: &mut Room, packet: &Packet, tcp_len: usize) {
    let (head, tcp) = (&mut room.head, &mut room.tcp);
    let (client, server) = (words(&packet.key.client), words(&packet.key.server));
    let len = tcp_len as u32;
    // The rest of the pseudo-header is the addresses (RFC 9293 section 3.1, RFC 8200 section 8.1).
    let mut sum = u64::from((u32::from(TCP_PROTOCOL) + len).to_be());
    if packet.key.family == Family::Ipv4 as u8 {
        head[13] = (0x4500_0000 | (IPV4_LEN as u32 + len)).to_be();
        // Identification 0, "do not fragment".
        head[14] = 0x0000_4000_u32.to_be();
        head[15] = u32::from_ne_bytes([HOP_LIMIT, TCP_PROTOCOL, 0, 0]);
        (head[16], head[17]) = (server[3], client[3]);
        sum += add(&head[16..]);
        let [a, b] = fold(add(&head[13..])).to_ne_bytes();
        head[15] = u32::from_ne_bytes([HOP_LIMIT, TCP_PROTOCOL, a, b]);
    } else {
        head[8] = (6_u32 << 28).to_be();
        head[9] = (len << 16 | u32::from(TCP_PROTOCOL) << 8 | u32::from(HOP_LIMIT)).to_be();
        [head[10], head[11], head[12], head[13]] = server;
        [head[14], head[15], head[16], head[17]] = client;
        sum += add(&head[10..]);
    }
    let [a, b] = fold(sum + add(tcp)).to_ne_bytes();
    tcp[4] = u32::from_ne_bytes([a, b, 0, 0]);
}

/// Swaps the two addresses of an Ethernet header; whether both are of single stations.
#[inline(always)]
fn turn(link: *mut u8) -> bool {
    const GROUP: u8 = 1;
    // SAFETY: `link` points to the header in the room.
    let macs = unsafe { &mut *link.cast::<[[u8; 6]; 2]>() };
    let [to, from] = *macs;
    *macs = [from, to];
    (to[0] | from[0]) & GROUP == 0
}

/// The sum of words for an Internet checksum (RFC 1071), in any byte order.
#[inline(always)]
pub fn add(words: &[u32]) -> u64 {
    let mut sum = 0;
    for word in words {
        sum += u64::from(*word);
    }
    sum
}

/// The checksum of a sum.
#[inline(always)]
pub fn fold(sum: u64) -> u16 {
    let mut sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}
