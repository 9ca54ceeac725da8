//! The sockets of this host, as the tracepoint `sock:inet_sock_set_state` tells of them (kernel 4.16):
//! what begins to listen, which handshakes are proven, what has ended.
//!
//! It fires for all network namespaces, in the context of whoever changes the socket.

use aya_ebpf::{Global, helpers::bpf_probe_read_kernel, programs::BtfTracePointContext};
use ftp_guard_common::{
    address::{Address, FlowKey, ListenKey, v4},
    class::{Family, PortClass},
    limits::SourceKey,
    sockets::UNSET,
};

use crate::{
    maps::{self, ports},
    policy::{data, session},
    wire::Port,
};

/// `ns.inum` of the network namespace that is guarded.
#[unsafe(no_mangle)]
static SOCK_NETNS: Global<u32> = Global::new(UNSET);
/// Offset of `skc_net` in `struct sock_common`.
#[unsafe(no_mangle)]
static SOCK_NET_OFF: Global<u32> = Global::new(UNSET);
/// Offset of `ns.inum` in `struct net`.
#[unsafe(no_mangle)]
static SOCK_INUM_OFF: Global<u32> = Global::new(UNSET);
/// Offset of `inet_sport` in `struct inet_sock`: `skc_num` is 0 already when a socket closes.
#[unsafe(no_mangle)]
static SOCK_SPORT_OFF: Global<u32> = Global::new(UNSET);

// Offsets in `struct sock_common`, the first member of `struct sock`; the same in all kernels from 4.16 to
// 6.18 that have network namespaces and IPv6.
const DESTINATION_V4: usize = 0;
const SOURCE_V4: usize = 4;
const DESTINATION_PORT: usize = 12;
const FAMILY: usize = 16;
const FLAGS: usize = 19;
const DESTINATION_V6: usize = 56;
const SOURCE_V6: usize = 72;

/// `skc_ipv6only`, behind four bits of `skc_reuse` and one of `skc_reuseport`.
const V6_ONLY: u8 = 1 << 5;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

// include/net/tcp_states.h
const ESTABLISHED: i32 = 1;
const CLOSE: i32 = 7;
const LISTEN: i32 = 10;

/// A socket in the kernel's memory.
#[derive(Clone, Copy)]
struct Socket(*const u8);

impl Socket {
    #[inline(always)]
    fn read<T>(self, offset: usize) -> Option<T> {
        // SAFETY: the helper checks the address.
        unsafe { bpf_probe_read_kernel(self.0.wrapping_add(offset).cast::<T>()).ok() }
    }

    #[inline(always)]
    fn is_ours(self) -> Option<bool> {
        let net: *const u8 = self.read(SOCK_NET_OFF.load() as usize)?;
        let inum: u32 = Self(net).read(SOCK_INUM_OFF.load() as usize)?;
        Some(inum == SOCK_NETNS.load())
    }
}

/// Learns from a socket that goes from state `old` to `new`.
#[inline(always)]
pub fn changed(ctx: &BtfTracePointContext) -> Option<()> {
    let socket = Socket(ctx.arg::<*const u8>(0));
    let old = ctx.arg::<i32>(1);
    let new = ctx.arg::<i32>(2);
    if !matches!(new, ESTABLISHED | CLOSE | LISTEN) || !socket.is_ours()? {
        return None;
    }
    let port: [u8; 2] = socket.read(SOCK_SPORT_OFF.load() as usize)?;
    let entry = ports::lookup(Port(u16::from_be_bytes(port)));
    if entry.is_none() {
        return None;
    }
    if new == LISTEN || old == LISTEN {
        if entry.class() == PortClass::PassiveData {
            listener(socket.0, u16::from_ne_bytes(port), new);
        }
        return None;
    }
    let mut key = FlowKey::default();
    if !connection(socket.0, u16::from_ne_bytes(port), &mut key) {
        return None;
    }
    match new {
        ESTABLISHED => established(&key, entry),
        _ => closed(&key, entry.class() == PortClass::Control),
    }
    Some(())
}

/// A subprogram: it has a stack frame of its own.
#[inline(never)]
fn listener(socket: *const u8, port: u16, new: i32) {
    let socket = Socket(socket);
    let (Some((address, family)), Some(flags)) = (local(socket), socket.read::<u8>(FLAGS)) else {
        return;
    };
    let mut key = ListenKey {
        address,
        port: port.to_ne_bytes(),
        family: family as u8,
        reserved: 0,
    };
    let both = family == Family::Ipv6 && address == [0; 16] && flags & V6_ONLY == 0;
    note(&key, new);
    if both {
        key.family = Family::Ipv4 as u8;
        note(&key, new);
    }
}

#[inline(always)]
fn note(key: &ListenKey, new: i32) {
    match new {
        LISTEN => maps::listeners::opened(key, maps::config::precise_now()),
        CLOSE => maps::listeners::closed(key),
        _ => {}
    }
}

#[inline(always)]
fn established(key: &FlowKey, entry: ports::Entry) {
    if let Some(flow) = maps::flows::get(key)
        && flow.traffic.closed_ns == 0
    {
        data::prove(key, flow);
    } else if entry.class() == PortClass::PassiveData {
        // A table that is full refuses; the segments that follow are counted where they are dropped.
        let mut source = SourceKey::default();
        maps::sources::name(&mut source, key);
        let _ = data::establish(key, &source, maps::config::precise_now());
    }
}

/// A subprogram: it has a stack frame of its own.
#[inline(never)]
fn closed(key: &FlowKey, is_control: bool) {
    let now = maps::config::precise_now();
    let mut source = SourceKey::default();
    maps::sources::name(&mut source, key);
    if is_control {
        match maps::sessions::get(key) {
            Some(session) if session.traffic.closed_ns == 0 => {
                session.traffic.closed_ns = now;
                // Who killed it has counted it off.
                if session.traffic.killed == 0 {
                    session::end(key, &source, session);
                } else {
                    maps::text::session_ended(key, session);
                }
            }
            // What has ended may linger under the key of another one.
            _ => maps::opening::remove(key, &source),
        }
    } else if let Some(flow) = maps::flows::get(key)
        && flow.traffic.closed_ns == 0
    {
        flow.traffic.closed_ns = now;
        maps::front::changed(key);
        if flow.traffic.killed == 0 {
            data::end(key, &source, flow);
        } else {
            maps::text::flow_ended(key, flow);
        }
    }
}

/// Fills in the connection of a socket; whether it could be read. A subprogram: it has a stack frame of
/// its own.
#[inline(never)]
fn connection(socket: *const u8, port: u16, key: &mut FlowKey) -> bool {
    let socket = Socket(socket);
    let (Some((server, family)), Some(client), Some(client_port)) = (
        local(socket),
        remote(socket),
        socket.read::<[u8; 2]>(DESTINATION_PORT),
    ) else {
        return false;
    };
    key.client = client;
    key.server = server;
    key.client_port = client_port;
    key.server_port = port.to_ne_bytes();
    key.family = family as u8;
    true
}

#[inline(always)]
fn remote(socket: Socket) -> Option<Address> {
    if socket.read::<u16>(FAMILY)? == AF_INET {
        return Some(v4(socket.read(DESTINATION_V4)?));
    }
    let address: Address = socket.read(DESTINATION_V6)?;
    Some(if is_mapped(&address) {
        unmap(address)
    } else {
        address
    })
}

/// The local address and the family that its packets have: a socket of IPv6 may serve IPv4 (RFC 4291
/// section 2.5.5.2).
#[inline(always)]
fn local(socket: Socket) -> Option<(Address, Family)> {
    match socket.read::<u16>(FAMILY)? {
        AF_INET => Some((v4(socket.read(SOURCE_V4)?), Family::Ipv4)),
        AF_INET6 => {
            let address: Address = socket.read(SOURCE_V6)?;
            if is_mapped(&address) {
                Some((unmap(address), Family::Ipv4))
            } else {
                Some((address, Family::Ipv6))
            }
        }
        _ => None,
    }
}

#[inline(always)]
fn is_mapped(address: &Address) -> bool {
    matches!(address, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..])
}

#[inline(always)]
fn unmap([.., a, b, c, d]: Address) -> Address {
    v4([a, b, c, d])
}
