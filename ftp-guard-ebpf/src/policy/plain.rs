//! A short way to what the rules say of most frames: those that are none of FTP, connection requests of clients that may
//! not be here, which floods consist of, and segments in the middle of a data connection, which transfers consist of.
//!
//! It decides nothing of its own: a frame that is not plain (VLAN tags, IP options, extension headers, fragments) goes
//! the long way, and so does one of a client of which more is known than that nothing is. Both ways come to the same
//! reason and the same counts. What this one saves is calls: where the kernel guards returns against speculation, one
//! costs as much as thirty other instructions. So all of it is inlined, and the length of the frame is that of its
//! linear part, which must hold the whole packet and be shorter than the first of several buffers that are filled one
//! after the other.

use core::{
    hint::black_box,
    sync::atomic::{Ordering::SeqCst, compiler_fence},
};

use aya_ebpf::programs::XdpContext;
use ftp_guard_common::{
    address::FlowKey,
    class::{Family, PortClass},
    front::Pending,
    lookup::{v4, v6},
    reason::{Reason, Verdict},
    session::Flow,
};

use super::{Judgement, allow};
use crate::{
    access::{Access as _, Linear},
    connection::{self, Direction},
    exit,
    maps::{self, atomic, ports, stats::Hook},
    parse::{Datagram, Ports},
    wire::{EtherType, IpProto, Port, TcpFlags},
};

const ETHERNET_LEN: usize = 14;
const ETHER_TYPE: usize = 12;
/// Longest linear part that is taken for the whole frame: that of an Ethernet frame with tags. Drivers that fill one
/// buffer after the other begin another one behind 2,048 bytes at the least.
const MOST: usize = 1600;
/// Of an ARP packet for IPv4 over Ethernet (RFC 826).
const ARP_LEN: usize = 28;
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
const IPV4_SOURCE: usize = 12;
const IPV6_SOURCE: usize = 8;
const TCP_LEN: usize = 20;
/// Bytes of a TCP header before its offset and flags.
const TCP_OFFSET: usize = 12;
const PORTS_LEN: usize = 4;
/// Version 4 and a header without options (RFC 791 section 3.1).
const PLAIN_IPV4: u8 = 0x45;
/// More fragments follow, or precede.
const FRAGMENT: u16 = 0x3fff;

/// Judges a plain frame: `not_ip`, `not_tcp`, `not_ftp`, `not_listed` or `data_flow`. Counts it and returns what is done
/// with it; nothing of what goes the long way.
#[inline(always)]
pub fn judge(ctx: &XdpContext) -> Option<Verdict> {
    let frame = Linear::alone(ctx);
    if frame.len() > MOST {
        return None;
    }
    match EtherType(u16::from_be(frame.load(ETHER_TYPE)?)) {
        EtherType::IPV4 => ipv4(&frame),
        EtherType::IPV6 => ipv6(&frame),
        EtherType::ARP if frame.len() >= ETHERNET_LEN + ARP_LEN => {
            passes(&frame, Reason::NotIp, Family::Other)
        }
        _ => None,
    }
}

/// Of a frame that is none of FTP.
#[inline(always)]
fn passes(frame: &Linear<'_>, reason: Reason, family: Family) -> Option<Verdict> {
    let judgement = Judgement {
        reason,
        class: PortClass::Other,
        family,
    };
    exit::finish_plain(frame, &judgement)
}

/// Of a request of a stranger.
#[inline(always)]
fn turned_away(frame: &Linear<'_>, class: PortClass, family: Family) -> Option<Verdict> {
    let judgement = Judgement {
        reason: Reason::NotListed,
        class,
        family,
    };
    exit::finish_plain(frame, &judgement)
}

#[inline(always)]
fn ipv4(frame: &Linear<'_>) -> Option<Verdict> {
    let header: [u16; IPV4_LEN / 2] = frame.load(ETHERNET_LEN)?;
    let [
        start,
        total,
        _,
        fragment,
        time_and_protocol,
        _,
        high,
        low,
        ..,
    ] = header;
    let total = usize::from(u16::from_be(total));
    if start.to_ne_bytes()[0] != PLAIN_IPV4
        || total < IPV4_LEN
        || ETHERNET_LEN + total > frame.len()
    {
        return None;
    }
    if IpProto(time_and_protocol.to_ne_bytes()[1]) != IpProto::TCP {
        return passes(frame, Reason::NotTcp, Family::Ipv4);
    }
    if u16::from_be(fragment) & FRAGMENT != 0 {
        return None;
    }
    let class = match read(frame, IPV4_LEN, total - IPV4_LEN)? {
        Tcp::NotFtp => return passes(frame, Reason::NotFtp, Family::Ipv4),
        Tcp::Data(data) => return goes_on(frame, &data, IPV4_SOURCE, Family::Ipv4),
        Tcp::Request(class) => class,
    };
    // Before kernel 6.3 the verifier forgets the bounds of a number whose bytes were swapped, and the optimiser swaps
    // both halves at once.
    let address = black_box(u32::from(u16::from_be(high)) << 16 | u32::from(u16::from_be(low)));
    let nothing = || v4::says_nothing(&maps::allow::V4, address);
    if maps::config::bans_v4() || !(nothing() || allow::says_nothing_v4(address)) {
        return None;
    }
    turned_away(frame, class, Family::Ipv4)
}

#[inline(always)]
fn ipv6(frame: &Linear<'_>) -> Option<Verdict> {
    let start: [u16; IPV6_SOURCE / 2] = frame.load(ETHERNET_LEN)?;
    let source: [u64; 2] = frame.load(ETHERNET_LEN + IPV6_SOURCE)?;
    let [version, _, payload, next_and_hops] = start;
    let payload = usize::from(u16::from_be(payload));
    let next = IpProto(next_and_hops.to_ne_bytes()[0]);
    if version.to_ne_bytes()[0] >> 4 != 6
        || payload == 0
        || next.is_extension()
        || ETHERNET_LEN + IPV6_LEN + payload > frame.len()
    {
        return None;
    }
    if next != IpProto::TCP {
        return passes(frame, Reason::NotTcp, Family::Ipv6);
    }
    let class = match read(frame, IPV6_LEN, payload)? {
        Tcp::NotFtp => return passes(frame, Reason::NotFtp, Family::Ipv6),
        Tcp::Data(data) => return goes_on(frame, &data, IPV6_SOURCE, Family::Ipv6),
        Tcp::Request(class) => class,
    };
    let [high, low] = source.map(u64::from_be);
    let nothing = || v6::says_nothing(&maps::allow::V6, high);
    if maps::config::bans_v6() || !(nothing() || allow::says_nothing_v6(high, low)) {
        return None;
    }
    turned_away(frame, class, Family::Ipv6)
}

/// What a TCP segment is.
enum Tcp {
    /// It is for a port of no class.
    NotFtp,
    /// A connection request to a port of this class.
    Request(PortClass),
    /// Neither the first nor the last one of a data connection.
    Data(Data),
}

struct Data {
    class: PortClass,
    ports: Ports,
    /// Bytes behind the TCP header.
    payload_len: usize,
}

/// Reads a TCP segment of `length` bytes behind an IP header. Nothing of what is neither.
#[inline(always)]
fn read(frame: &Linear<'_>, header_len: usize, length: usize) -> Option<Tcp> {
    let transport = ETHERNET_LEN + header_len;
    if length < PORTS_LEN {
        return None;
    }
    let [source, destination]: [u16; PORTS_LEN / 2] = frame.load(transport)?;
    let destination = Port(u16::from_be(destination));
    let entry = ports::lookup(destination);
    if entry.is_none() {
        return Some(Tcp::NotFtp);
    }
    let [offset, flags]: [u8; 2] = frame.load(transport + TCP_OFFSET)?;
    let len = usize::from(offset >> 4) << 2;
    if len < TCP_LEN || len > length {
        return None;
    }
    let class = entry.class();
    match flags & !TcpFlags::PSH {
        // A request is nothing but its header.
        TcpFlags::SYN if flags == TcpFlags::SYN && len == length && class != PortClass::Other => {
            Some(Tcp::Request(class))
        }
        TcpFlags::ACK if matches!(class, PortClass::ActiveData | PortClass::PassiveData) => {
            Some(Tcp::Data(Data {
                class,
                ports: Ports {
                    source: Port(u16::from_be(source)),
                    destination,
                },
                payload_len: length - len,
            }))
        }
        _ => None,
    }
}

/// Counts a segment in the middle of a data connection, if nothing is to be done or asked but that.
#[inline(always)]
fn goes_on(frame: &Linear<'_>, data: &Data, source: usize, family: Family) -> Option<Verdict> {
    let datagram = Datagram {
        network: ETHERNET_LEN,
        source: ETHERNET_LEN + source,
        transport: 0,
        end: 0,
        first_fragment: false,
    };
    let slots = maps::front::slots()?;
    let generation = maps::config::allow_generation();
    let direction = Direction::Inbound;
    let words = connection::words(frame, family, &datagram, data.ports, direction).ok()?;
    let bytes = data.payload_len as u64;
    let place = slots.place(&words);
    if !place.count(&words, generation, bytes) {
        // Read again, since there is no room on the stack to keep it over a call.
        compiler_fence(SeqCst);
        let key = &mut maps::scratch::packet(Hook::Ingress)?.key;
        connection::read(key, frame, family, &datagram, data.ports, direction).ok()?;
        let version = place.version();
        let flow = maps::flows::get(key)?;
        if !count_in_entry(key, flow, version, bytes) {
            return None;
        }
    }
    let judgement = Judgement {
        reason: Reason::DataFlow,
        class: data.class,
        family,
    };
    exit::finish_plain(frame, &judgement)
}

/// As [`Place::count`](maps::front::Place::count), by the connection's entry, where that is plain; and puts it in front.
/// `version` is that of the place before the entry was looked up. A subprogram: it has a stack frame of its own.
#[inline(never)]
fn count_in_entry(key: &FlowKey, flow: &mut Flow, version: u64, bytes: u64) -> bool {
    if !flow.is_plain() || flow.traffic.allow_generation != maps::config::allow_generation() {
        return false;
    }
    let counted = Pending {
        packets: 1,
        bytes,
        seen_ns: maps::config::now(),
    };
    atomic::count(&mut flow.traffic, counted);
    if let Some(place) = maps::front::place(key) {
        place.offer(key, flow, version);
    }
    true
}
