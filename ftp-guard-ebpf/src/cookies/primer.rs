//! The requests that pass so that the listener answers one with a cookie of its own.

use core::hint::black_box;

use aya_ebpf::programs::XdpContext;

use super::{
    TCP_LEN,
    answer::{add, fold},
    words,
};
use crate::{
    access::{Scattered, frame_len},
    maps::{
        self,
        primed::{OPTIONS, Room},
        scratch::Packet,
        stats::Hook,
    },
};

const TCP_PROTOCOL: u32 = 6;
/// The word of a TCP header that begins with the checksum.
const CHECKSUM: usize = 4;

/// Takes the request that was judged last for a primer; whether it can be one: a request with a wrong checksum
/// gets no answer, and a flood of such must not be taken for it. A subprogram: it has a stack frame of its own.
#[inline(never)]
pub fn prime(ctx: &XdpContext, packet: &Packet) -> bool {
    let (Some(room), Some(primed)) = (
        maps::primed::room(Hook::Ingress),
        maps::primed::get(&packet.key),
    ) else {
        return false;
    };
    let len = packet.segment.payload.wrapping_sub(packet.transport);
    if !(TCP_LEN..=OPTIONS).contains(&len) {
        return false;
    }
    room.options.bytes = [0; OPTIONS];
    let bounded = (black_box(len - 1) & (OPTIONS - 1)) + 1;
    let frame = Scattered::new(ctx, frame_len(ctx));
    let target = room.options.bytes.as_mut_ptr();
    // SAFETY: the target has room for the largest `bounded`.
    if !unsafe { frame.copy(packet.transport, target, bounded as u32) }
        || !is_intact(room, packet, len as u32)
    {
        return false;
    }
    primed.primed_ns = maps::config::now();
    true
}

/// Whether the checksum of a header is right. One that this machine has made, another namespace say, has only
/// the sum of the pseudo-header in it: the rest is left to hardware that there is none of (CHECKSUM_PARTIAL).
#[inline(always)]
fn is_intact(room: &Room, packet: &Packet, len: u32) -> bool {
    // SAFETY: the bytes follow whole words in the room, and are as many as 16 words.
    let header = unsafe { &*room.options.bytes.as_ptr().cast::<[u32; OPTIONS / 4]>() };
    let (client, server) = (words(&packet.key.client), words(&packet.key.server));
    // The upper words of IPv4 are 0.
    let pseudo = u64::from((TCP_PROTOCOL + len).to_be()) + add(&client) + add(&server);
    let sum = pseudo + add(header);
    let [a, b, ..] = header[CHECKSUM].to_ne_bytes();
    fold(sum) == 0 || !fold(pseudo) == u16::from_ne_bytes([a, b])
}
