//! Room for values that are too large for the stack of 512 bytes, a slot for each hook: a slot belongs
//! to its CPU, and traffic control hooks run with softirqs off, one after the other.

use aya_ebpf::{btf_maps::PerCpuArray, macros::btf_map};
use ftp_guard_common::{
    address::FlowKey,
    class::{Family, PortClass},
    ftp::{
        command::{CommandParser, Line},
        hello::HelloReader,
    },
    limits::{CommandKey, Opening, SourceKey},
    session::Session,
};

use super::{sources, stats::Hook, text::Record};
use crate::{
    parse::Segment,
    wire::{Port, TcpFlags},
};

/// Bytes of payload that are copied at once. A power of two.
pub const CHUNK: usize = 512;

/// What a reader of a control connection works with.
#[repr(C)]
pub struct Scratch {
    /// The session as it will be if the segment passes.
    pub session: Session,
    /// What the table of commands is asked for.
    pub command: CommandKey,
    /// The line that was read last.
    pub line: Line,
    /// The reader of commands, if the line ended where the segment does.
    pub pending: CommandParser,
    /// The beginning of TLS, meanwhile.
    pub hello: HelloReader,
    /// What is told of the segment.
    pub record: Record,
    /// How far it has been read.
    pub progress: Progress,
    /// Not 0: what is refused of it is dropped.
    pub drops: u32,
    /// A piece of the payload.
    pub chunk: [u8; CHUNK],
}

/// How far a reader has come, and where it is going.
#[repr(C)]
pub struct Progress {
    /// Offset of the first new byte in the packet.
    pub offset: usize,
    /// Number of new bytes.
    pub len: u32,
    /// How many of them have been read.
    pub read: u32,
    /// Whether they are told.
    pub tells: bool,
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
    /// The client as limits count it; set by [`Packet::name_source`].
    pub source: SourceKey,
    /// The client's network; set by [`Packet::name_network`].
    pub of_network: SourceKey,
    /// Its control connection, if it is the one that proves the handshake.
    pub opening: Opening,
    /// Its TCP header.
    pub segment: Segment,
    /// Offset of the IP header in the frame.
    pub network: usize,
    /// Offset of the TCP header in the frame.
    pub transport: usize,
    /// Whether it is to pass only as the primer of a listener.
    pub primes: bool,
    /// The port of the guarded end.
    pub port: Port,
    /// The class of that port; `Other` until the port has been read.
    pub class: PortClass,
    /// IP version; `Other` until the EtherType has been read.
    pub family: Family,
}

impl Packet {
    /// Forgets the packet before, of a packet of this family.
    #[inline(always)]
    pub fn begin(&mut self, family: Family) {
        self.class = PortClass::Other;
        self.family = family;
        self.key.family = Family::Other as u8;
        self.segment.flags = TcpFlags(0);
        self.primes = false;
    }

    /// Fills in the source: not every packet needs it.
    #[inline(always)]
    pub fn name_source(&mut self) {
        sources::name(&mut self.source, &self.key);
    }

    /// Fills in the network.
    #[inline(always)]
    pub fn name_network(&mut self) {
        sources::name_network(&mut self.of_network, &self.key);
    }
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
