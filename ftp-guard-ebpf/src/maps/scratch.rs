//! Room for values that are too large for the stack of 512 bytes, a slot for each hook: a slot belongs
//! to its CPU, and traffic control hooks run with softirqs off, one after the other.

use aya_ebpf::{btf_maps::PerCpuArray, macros::btf_map};
use ftp_guard_common::{
    address::FlowKey,
    class::{Family, PortClass},
    session::Session,
};

use super::stats::Hook;
use crate::{parse::Segment, wire::Port};

/// Bytes of payload that are copied at once. A power of two.
pub const CHUNK: usize = 512;

/// What a reader of a control connection works with.
#[repr(C)]
pub struct Scratch {
    /// The session as it will be if the segment passes.
    pub session: Session,
    /// A piece of the payload.
    pub chunk: [u8; CHUNK],
}

#[btf_map]
static FTPG_SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();

/// This CPU's room.
#[inline(always)]
pub fn get() -> Option<&'static mut Scratch> {
    // SAFETY: the slot belongs to this CPU, and the hooks that use it do not nest.
    FTPG_SCRATCH
        .get_ptr_mut(0)
        .map(|scratch| unsafe { &mut *scratch })
}

/// What is known of a packet, once it has been read.
///
/// It lies in a map and not on the stack so that the verifier forgets by which way it was read: else
/// every way through the parser would multiply with every way through the rules.
#[repr(C)]
pub struct Packet {
    /// Its connection; family 0 until it has been read.
    pub key: FlowKey,
    /// Its TCP header.
    pub segment: Segment,
    /// Offset of the IP header in the frame.
    pub network: usize,
    /// Offset of the TCP header in the frame.
    pub transport: usize,
    /// The port of the guarded end.
    pub port: Port,
    /// The class of that port; `Other` until the port has been read.
    pub class: PortClass,
    /// IP version; `Other` until the EtherType has been read.
    pub family: Family,
}

/// One slot for each of the two kinds of hooks: XDP, traffic control.
#[btf_map]
static FTPG_PACKET: PerCpuArray<Packet, 2> = PerCpuArray::new();

/// This CPU's room for a packet at a hook.
#[inline(always)]
pub fn packet(hook: Hook) -> Option<&'static mut Packet> {
    packet_of(hook as u32)
}

/// The same, by the hook's number.
#[inline(always)]
pub fn packet_of(hook: u32) -> Option<&'static mut Packet> {
    let slot = u32::from(hook != Hook::Ingress as u32);
    // SAFETY: as for `get`.
    FTPG_PACKET
        .get_ptr_mut(slot)
        .map(|packet| unsafe { &mut *packet })
}
