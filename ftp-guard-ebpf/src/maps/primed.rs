//! Listening control ports as their own SYN-ACKs show them, and room to imitate those.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::{Array, HashMap, PerCpuArray},
    macros::btf_map,
};
use ftp_guard_common::{
    address::{FlowKey, ListenKey},
    limits::{Primed, Sysctls},
};

use super::stats::Hook;

/// Enough for every address and port of a host; one that does not fit has no cookies.
const MAX_ENTRIES: usize = 1024;

#[btf_map]
static FTPG_PRIMED: HashMap<ListenKey, Primed, MAX_ENTRIES> = HashMap::new();

/// The daemon's alone: what the sysctls were.
#[btf_map]
static FTPG_SYSCTLS: Array<Sysctls, 1> = Array::new();

/// The port that a connection goes to.
#[inline(always)]
fn key(connection: &FlowKey) -> ListenKey {
    ListenKey {
        address: connection.server,
        port: connection.server_port,
        family: connection.family,
        reserved: 0,
    }
}

/// What is known of the port that a connection goes to.
#[inline(always)]
pub fn get(connection: &FlowKey) -> Option<&'static mut Primed> {
    // SAFETY: entries of a preallocated table stay readable while the program runs; fields are written
    // whole, and what one CPU reads between two writes of another is out of date, not wrong.
    FTPG_PRIMED
        .get_ptr_mut(key(connection))
        .map(|primed| unsafe { &mut *primed })
}

/// What is known of it; it is taken into the table if it is not there. Nothing when the table is full.
#[inline(always)]
pub fn get_or_insert(connection: &FlowKey) -> Option<&'static mut Primed> {
    if get(connection).is_none() {
        // Another CPU may have been faster; then its entry stays.
        let _ = FTPG_PRIMED.insert(key(connection), Primed::default(), u64::from(BPF_NOEXIST));
    }
    get(connection)
}

/// TCP options of a SYN or SYN-ACK (RFC 9293 section 3.1, RFC 7323, RFC 2018).
#[repr(C)]
pub struct Options {
    /// The bytes: 40 at most, and room to the next power of two.
    pub bytes: [u8; OPTIONS],
    /// How many of them there are.
    pub len: u32,
    /// Offset of the one to be read next.
    pub at: u32,
    /// The timestamp, if `timestamps`.
    pub timestamp: u32,
    /// Maximum segment size; 0: not said.
    pub mss: u16,
    /// Window scale, 14 at most; [`NO_SCALE`]: not said.
    pub scale: u8,
    /// Whether it has timestamps.
    pub timestamps: bool,
    /// Whether it permits selective acknowledgements.
    pub sack: bool,
    /// Nothing.
    pub reserved: [u8; 3],
}

/// Room for options.
pub const OPTIONS: usize = 64;
/// No window scale.
pub const NO_SCALE: u8 = 15;

/// Words of Ethernet header, tags and the largest IP header.
pub const HEAD: usize = 18;
/// Words of the largest TCP header that the guard makes.
pub const TCP: usize = 10;

/// What an answer is made in. All words are in network order.
#[repr(C)]
pub struct Room {
    /// Ethernet header, tags and IP header, flush with the end.
    pub head: [u32; HEAD],
    /// The TCP header.
    pub tcp: [u32; TCP],
    /// The options of the packet that is read.
    pub options: Options,
    /// The IP header that the kernel makes or checks a cookie for: the addresses only.
    pub asked_ip: [u32; 10],
    /// The TCP header with it: ports, numbers and the maximum segment size.
    pub asked_tcp: [u32; 6],
}

/// One slot for each of the two kinds of hooks, as for packets.
#[btf_map]
static FTPG_ANSWER: PerCpuArray<Room, 2> = PerCpuArray::new();

/// This CPU's room at a hook.
#[inline(always)]
pub fn room(hook: Hook) -> Option<&'static mut Room> {
    let slot = u32::from(hook as u32 != Hook::Ingress as u32);
    // SAFETY: the slot belongs to this CPU, and the hooks that use it do not nest.
    FTPG_ANSWER
        .get_ptr_mut(slot)
        .map(|room| unsafe { &mut *room })
}
