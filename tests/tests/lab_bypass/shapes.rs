//! Single frames: tags, options, extension headers, flags, lengths, addresses.

use std::net::IpAddr;

use ftp_guard::frame::TcpFlags;
use ftp_guard_tests::{
    lab::Family,
    packet::{C_TAG, IPV4, IPV6, Ipv4, Ipv6, OLD_S_TAG, S_TAG, Segment, tagged},
};

use crate::{
    headers,
    variant::{Envelope, Variant},
};

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
    variants.extend(headers::ipv4());
    variants.extend(headers::ipv6());
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
    // Linux as a bridge cuts such a packet down to its header.
    variants.push(v6("a SYN with a payload length of 0", false, |packet| {
        packet.payload_length = Some(0);
    }));
    variants
}

pub(crate) fn one(
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
pub(crate) fn v4(
    name: impl Into<String>,
    reaches: bool,
    change: impl Fn(&mut Ipv4) + 'static,
) -> Variant {
    one(name, Family::V4, reaches, move |envelope| {
        let segment = Segment::new(envelope.source_port, FTP, TcpFlags::SYN);
        let mut packet = ipv4(envelope, segment_bytes(envelope, &segment));
        change(&mut packet);
        frame(envelope, &[], &packet.to_bytes())
    })
}

/// As [`v4`].
pub(crate) fn v6(
    name: impl Into<String>,
    reaches: bool,
    change: impl Fn(&mut Ipv6) + 'static,
) -> Variant {
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
