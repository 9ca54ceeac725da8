//! Single frames: tags, options, extension headers, flags, lengths, addresses.

use std::net::{IpAddr, Ipv6Addr};

use ftp_guard::frame::TcpFlags;
use ftp_guard_tests::{
    lab::{CLIENT, Family},
    packet::{
        C_TAG,
        Extension::{self, Authentication, DestinationOptions, HopByHop, Routing},
        IPV4, IPV6, Ipv4, Ipv6, OLD_S_TAG, S_TAG, Segment, ethernet, tagged,
    },
};

use crate::variant::{Envelope, Variant};

/// The port of the FTP server.
pub(crate) const FTP: u16 = 21;

/// A connection request in its plainest shape.
pub(crate) fn syn(envelope: &Envelope, port: u16) -> Vec<u8> {
    let segment = Segment::new(envelope.source_port, port, TcpFlags::SYN);
    frame(
        envelope,
        &[],
        &ip(envelope, segment_bytes(envelope, &segment)),
    )
}

/// Every shape that the guard drops, or that the stack discards before TCP.
pub(crate) fn all() -> Vec<Variant> {
    let mut variants = ports();
    for family in Family::BOTH {
        variants.extend(tags(family));
        variants.extend(flags(family));
        variants.extend(cut(family));
    }
    variants.extend(ipv4_headers());
    variants.extend(ipv6_headers());
    variants
}

/// Packets that end before their ports do. The guard passes them as truncated; the stack counts and
/// discards them.
pub(crate) fn unreadable() -> Vec<Variant> {
    let mut variants = Vec::new();
    for family in Family::BOTH {
        for length in 0..4 {
            variants.push(one(
                format!("{length} bytes of TCP, {family:?}"),
                family,
                false,
                move |envelope| {
                    let tcp = segment_bytes(
                        envelope,
                        &Segment::new(envelope.source_port, FTP, TcpFlags::SYN),
                    );
                    frame(envelope, &[], &ip(envelope, tcp[..length].to_vec()))
                },
            ));
        }
    }
    variants
}

fn one(
    name: impl Into<String>,
    family: Family,
    reaches: bool,
    build: impl Fn(&Envelope) -> Vec<u8> + 'static,
) -> Variant {
    Variant {
        name: name.into(),
        family,
        reaches,
        of_other_port: false,
        frames: Box::new(move |envelope| vec![build(envelope)]),
    }
}

/// A SYN to the FTP server in an IP packet after `change`.
fn v4(name: impl Into<String>, reaches: bool, change: impl Fn(&mut Ipv4) + 'static) -> Variant {
    one(name, Family::V4, reaches, move |envelope| {
        let segment = Segment::new(envelope.source_port, FTP, TcpFlags::SYN);
        let mut packet = ipv4(envelope, segment_bytes(envelope, &segment));
        change(&mut packet);
        frame(envelope, &[], &packet.to_bytes())
    })
}

/// As [`v4`].
fn v6(name: impl Into<String>, reaches: bool, change: impl Fn(&mut Ipv6) + 'static) -> Variant {
    one(name, Family::V6, reaches, move |envelope| {
        let segment = Segment::new(envelope.source_port, FTP, TcpFlags::SYN);
        let mut packet = ipv6(envelope, segment_bytes(envelope, &segment));
        change(&mut packet);
        frame(envelope, &[], &packet.to_bytes())
    })
}

/// A segment after `change`.
fn tcp(
    name: impl Into<String>,
    family: Family,
    reaches: bool,
    change: impl Fn(&mut Segment) + 'static,
) -> Variant {
    one(name, family, reaches, move |envelope| {
        let mut segment = Segment::new(envelope.source_port, FTP, TcpFlags::SYN);
        change(&mut segment);
        frame(
            envelope,
            &[],
            &ip(envelope, segment_bytes(envelope, &segment)),
        )
    })
}

pub(crate) fn segment_bytes(envelope: &Envelope, segment: &Segment) -> Vec<u8> {
    segment.to_bytes(envelope.source, envelope.destination)
}

pub(crate) fn ipv4(envelope: &Envelope, payload: Vec<u8>) -> Ipv4 {
    match (envelope.source, envelope.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => Ipv4 {
            identification: envelope.identification,
            ..Ipv4::new(source, destination, payload)
        },
        _ => panic!("an IPv4 packet between IPv6 addresses"),
    }
}

pub(crate) fn ipv6(envelope: &Envelope, payload: Vec<u8>) -> Ipv6 {
    match (envelope.source, envelope.destination) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => Ipv6::new(source, destination, payload),
        _ => panic!("an IPv6 packet between IPv4 addresses"),
    }
}

fn ip(envelope: &Envelope, payload: Vec<u8>) -> Vec<u8> {
    if envelope.source.is_ipv4() {
        ipv4(envelope, payload).to_bytes()
    } else {
        ipv6(envelope, payload).to_bytes()
    }
}

pub(crate) fn frame(envelope: &Envelope, tags: &[(u16, u16)], packet: &[u8]) -> Vec<u8> {
    let ethertype = if envelope.source.is_ipv4() {
        IPV4
    } else {
        IPV6
    };
    tagged(envelope.macs, tags, ethertype, packet)
}

/// Every class of port on which something listens.
fn ports() -> Vec<Variant> {
    let mut variants = Vec::new();
    for family in Family::BOTH {
        for port in [FTP, 990, 20, 989, 50_050] {
            variants.push(one(
                format!("a plain SYN to port {port}, {family:?}"),
                family,
                true,
                move |envelope| syn(envelope, port),
            ));
        }
    }
    variants
}

/// The stack takes a tag of VLAN 0 (priority only) off by itself, whether or not there are VLAN
/// interfaces; a tag of another VLAN needs one.
fn tags(family: Family) -> Vec<Variant> {
    let stacks: [(&[(u16, u16)], bool); 16] = [
        (&[(C_TAG, 0)], true),
        (&[(C_TAG, 0xe000)], true),
        (&[(S_TAG, 0)], true),
        (&[(S_TAG, 0), (C_TAG, 0)], true),
        (&[(C_TAG, 0), (C_TAG, 0)], true),
        (&[(C_TAG, 0), (S_TAG, 0), (C_TAG, 0)], true),
        (&[(S_TAG, 0), (S_TAG, 0), (C_TAG, 0), (C_TAG, 0)], true),
        (&[(C_TAG, 0); 5], true),
        (&[(C_TAG, 0); 8], true),
        (&[(C_TAG, 5)], false),
        (&[(S_TAG, 5), (C_TAG, 6)], false),
        (&[(C_TAG, 0), (C_TAG, 5)], false),
        (&[(OLD_S_TAG, 0)], false),
        (&[(OLD_S_TAG, 0), (C_TAG, 0)], false),
        (&[(C_TAG, 0), (OLD_S_TAG, 0)], false),
        (&[(OLD_S_TAG, 5); 4], false),
    ];
    stacks
        .into_iter()
        .map(|(tags, reaches)| {
            one(
                format!("a SYN behind the tags {tags:x?}, {family:?}"),
                family,
                reaches,
                move |envelope| {
                    let segment = Segment::new(envelope.source_port, FTP, TcpFlags::SYN);
                    let packet = ip(envelope, segment_bytes(envelope, &segment));
                    frame(envelope, tags, &packet)
                },
            )
        })
        .collect()
}

/// All 256 sets of flags, with and without data. Some are answered with a reset, which reaches the
/// server as well.
fn flags(family: Family) -> Vec<Variant> {
    let mut variants = Vec::new();
    for bits in 0..=u8::MAX {
        for data in [0, 8] {
            let flags = TcpFlags(bits);
            let set = |flag| flags.contains(flag);
            // RFC 9293, 3.10.7.2: what a listening socket answers. Linux ignores SYN+FIN.
            let reaches = !set(TcpFlags::RST)
                && (set(TcpFlags::ACK) || set(TcpFlags::SYN) && !set(TcpFlags::FIN));
            variants.push(tcp(
                format!("a segment with the flags {flags} and {data} bytes, {family:?}"),
                family,
                reaches,
                move |segment| {
                    segment.flags = flags;
                    segment.payload = vec![b'\n'; data];
                },
            ));
        }
    }
    for words in 1..=10 {
        variants.push(tcp(
            format!("a SYN with {words} words of TCP options, {family:?}"),
            family,
            true,
            move |segment| segment.options = vec![1; words * 4],
        ));
    }
    variants
}

/// Segments that end before their header does, or lie about it.
fn cut(family: Family) -> Vec<Variant> {
    let mut variants = Vec::new();
    for length in 4..20 {
        variants.push(one(
            format!("{length} bytes of TCP, {family:?}"),
            family,
            false,
            move |envelope| {
                let segment = Segment::new(envelope.source_port, FTP, TcpFlags::SYN);
                let tcp = segment_bytes(envelope, &segment);
                frame(envelope, &[], &ip(envelope, tcp[..length].to_vec()))
            },
        ));
    }
    for offset in (0..16).filter(|offset| *offset != 5) {
        variants.push(tcp(
            format!("a SYN with a data offset of {offset}, {family:?}"),
            family,
            false,
            move |segment| segment.data_offset = Some(offset),
        ));
    }
    variants.push(one(
        format!("a SYN in a frame with padding, {family:?}"),
        family,
        true,
        |envelope| {
            let mut frame = syn(envelope, FTP);
            frame.extend([0; 30]);
            frame
        },
    ));
    variants
}

fn ipv4_headers() -> Vec<Variant> {
    let mut variants = Vec::new();
    for words in 1..=10_usize {
        variants.push(v4(
            format!("a SYN behind {words} words of IPv4 no-operation options"),
            true,
            move |packet| packet.options = vec![1; words * 4],
        ));
    }
    for (name, options) in [
        ("the router alert option", vec![0x94, 4, 0, 0]),
        ("an end of options and port 22", vec![0, 22, 0, 22]),
        ("a timestamp option", vec![68, 8, 5, 0, 0, 0, 0, 0]),
        ("a record route option", vec![7, 7, 4, 0, 0, 0, 0, 0]),
    ] {
        variants.push(v4(format!("a SYN behind {name}"), true, move |packet| {
            packet.options = options.clone();
        }));
    }
    variants.push(v4("a SYN that must not be fragmented", true, |packet| {
        packet.dont_fragment = true;
    }));
    variants.push(one(
        "a SYN with the reserved IPv4 flag",
        Family::V4,
        true,
        |envelope| {
            let segment = Segment::new(envelope.source_port, FTP, TcpFlags::SYN);
            let mut bytes = ipv4(envelope, segment_bytes(envelope, &segment)).to_bytes();
            bytes[6] |= 0x80;
            // RFC 1624: the checksum goes down by what the header went up.
            let sum = u16::from_be_bytes([bytes[10], bytes[11]]);
            let sum = sum.checked_sub(0x8000).unwrap_or(sum.wrapping_sub(0x8001));
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
            frame(envelope, &[], &bytes)
        },
    ));
    for length in [0, 19, 41, 1500] {
        variants.push(v4(
            format!("a SYN with a total length of {length}"),
            false,
            move |packet| packet.total_length = Some(length),
        ));
    }
    for version in [0, 5, 6, 15] {
        variants.push(v4(
            format!("a SYN in IP version {version} under the EtherType of IPv4"),
            false,
            move |packet| packet.version = version,
        ));
    }
    for ihl in [0, 4, 6, 15] {
        variants.push(v4(
            format!("a SYN with an IPv4 header length of {ihl} words"),
            false,
            move |packet| packet.ihl = Some(ihl),
        ));
    }
    variants
}

fn ipv6_headers() -> Vec<Variant> {
    let chains: [(&[Extension], bool); 19] = [
        (&[HopByHop(0)], true),
        (&[HopByHop(3)], true),
        (&[DestinationOptions(0)], true),
        (&[DestinationOptions(30)], true),
        (&[Routing(0)], true),
        (&[Routing(4)], true),
        (&[Extension::ATOMIC], true),
        (
            &[
                HopByHop(0),
                DestinationOptions(0),
                Routing(2),
                DestinationOptions(1),
            ],
            true,
        ),
        (
            &[HopByHop(0), Extension::ATOMIC, DestinationOptions(0)],
            true,
        ),
        (&[DestinationOptions(0); 2], true),
        (&[DestinationOptions(0); 7], true),
        (&[DestinationOptions(0); 8], true),
        (&[DestinationOptions(0); 9], true),
        (&[DestinationOptions(0); 20], true),
        (&[Extension::ATOMIC; 8], true),
        (&[Extension::ATOMIC; 9], true),
        // Hop-by-hop options are taken in the first place only, AH with a security association only.
        (&[Routing(0), HopByHop(0)], false),
        (&[Authentication(4)], false),
        (
            &[
                DestinationOptions(0),
                Authentication(1),
                DestinationOptions(0),
            ],
            false,
        ),
    ];
    let mut variants: Vec<_> = chains
        .into_iter()
        .map(|(chain, reaches)| {
            v6(format!("a SYN behind {chain:?}"), reaches, move |packet| {
                packet.chain = chain.to_vec();
            })
        })
        .collect();
    for length in [0, 19, 21, 1500] {
        variants.push(v6(
            format!("a SYN with a payload length of {length}"),
            false,
            move |packet| packet.payload_length = Some(length),
        ));
    }
    for version in [0, 4, 5, 15] {
        variants.push(v6(
            format!("a SYN in IP version {version} under the EtherType of IPv6"),
            false,
            move |packet| packet.version = version,
        ));
    }
    for (name, source) in [
        (
            "the listed IPv4 address, mapped",
            CLIENT.v4.to_ipv6_mapped(),
        ),
        (
            "the listed IPv4 address, compatible",
            Ipv6Addr::from(u128::from(CLIENT.v4.to_bits())),
        ),
        ("the loopback address", Ipv6Addr::LOCALHOST),
        ("the unspecified address", Ipv6Addr::UNSPECIFIED),
        (
            "a multicast address",
            Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
        ),
    ] {
        variants.push(one(
            format!("a SYN from {name}"),
            Family::V6,
            false,
            move |envelope| {
                let IpAddr::V6(destination) = envelope.destination else {
                    panic!("an IPv6 packet to an IPv4 address");
                };
                let segment = Segment::new(envelope.source_port, FTP, TcpFlags::SYN);
                let bytes = segment.to_bytes(source.into(), destination.into());
                let packet = Ipv6::new(source, destination, bytes);
                ethernet(envelope.macs, &[], IPV6, &packet.to_bytes())
            },
        ));
    }
    variants
}
