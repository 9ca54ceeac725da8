//! Single frames with rare IP headers.

use std::net::{IpAddr, Ipv6Addr};

use ftp_guard::frame::TcpFlags;
use ftp_guard_tests::{
    lab::{CLIENT, Family},
    packet::{
        Extension::{self, Authentication, DestinationOptions, HopByHop, Routing},
        IPV6, Ipv6, Segment, ethernet,
    },
};

use crate::{
    shapes::{self, FTP, frame, one, segment_bytes, v4, v6},
    variant::Variant,
};

pub(crate) fn ipv4() -> Vec<Variant> {
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
            let mut bytes = shapes::ipv4(envelope, segment_bytes(envelope, &segment)).to_bytes();
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

pub(crate) fn ipv6() -> Vec<Variant> {
    // Linux takes hop-by-hop options in the first place only, one fragment header, and AH with a
    // security association only.
    let chains: [(&[Extension], bool); 20] = [
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
        (&[Extension::ATOMIC; 2], false),
        (&[Extension::ATOMIC; 8], false),
        (&[Extension::ATOMIC; 9], false),
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
    for length in [19, 21, 1500] {
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
