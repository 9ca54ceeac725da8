//! Ports, flags and TCP headers.

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{class::PortClass, reason::Reason};
use ftp_guard_tests::packet::Segment;

use crate::{
    cases::{BOTH, Case, Flow, judged_by_source, not_ftp},
    row::{Wanted, drop, pass},
};

pub(crate) fn flags(text: &str) -> TcpFlags {
    text.parse().unwrap()
}

/// The bytes of a segment of this flow, after `change`.
pub(crate) fn segment(flow: &Flow, change: impl FnOnce(&mut Segment)) -> Vec<u8> {
    let mut segment = Segment::new(40_000, flow.port, TcpFlags::SYN);
    change(&mut segment);
    segment.to_bytes(flow.source(), flow.destination())
}

/// A connection request.
pub(crate) fn syn(flow: &Flow) -> Vec<u8> {
    segment(flow, |_| {})
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = by_port();
    cases.extend(malformed());
    cases.extend(short());
    cases
}

/// Sound segments to every kind of port.
fn by_port() -> Vec<Case> {
    const SEGMENTS: [(&str, &str, &[u8]); 13] = [
        ("a SYN", "syn", b""),
        ("a SYN with ECN", "syn,ece,cwr", b""),
        ("a SYN with PSH and URG", "syn,psh,urg", b""),
        ("a SYN+ACK", "syn,ack", b""),
        ("a SYN+ACK with data", "syn,ack", b"x"),
        ("an ACK", "ack", b""),
        ("a data segment", "psh,ack", b"USER anonymous\r\n"),
        ("a FIN", "fin,ack", b""),
        ("a bare FIN", "fin", b""),
        // Two of the three flags of a Christmas tree are none.
        ("a FIN with PSH", "fin,psh", b""),
        ("a FIN with URG", "fin,urg", b""),
        ("a segment with PSH and URG", "psh,urg", b"x"),
        ("a RST", "rst", b""),
    ];
    const PORTS: [(u16, PortClass); 7] = [
        (21, PortClass::Control),
        (990, PortClass::Control),
        (20, PortClass::ActiveData),
        (989, PortClass::ActiveData),
        (50_000, PortClass::PassiveData),
        (50_050, PortClass::PassiveData),
        (50_100, PortClass::PassiveData),
    ];
    let mut cases = Vec::new();
    for (port, class) in PORTS {
        for (name, text, payload) in SEGMENTS {
            let opens = flags(text).contains(TcpFlags::SYN) && !flags(text).contains(TcpFlags::ACK);
            cases.push(Case {
                name: name.to_owned(),
                port,
                families: BOTH,
                packet: Box::new(move |flow| {
                    flow.plain(segment(flow, |segment| {
                        segment.flags = flags(text);
                        segment.payload = payload.to_vec();
                    }))
                }),
                unlisted: drop(Reason::NotListed, class),
                listed: match (class, opens) {
                    (PortClass::ActiveData, true) => drop(Reason::ActiveDataSyn, class),
                    (PortClass::PassiveData, true) => drop(Reason::NoSession, class),
                    (PortClass::Control, _) => pass(Reason::Listed, class),
                    _ => drop(Reason::NoFlow, class),
                },
                other_port: not_ftp(),
            });
        }
    }
    for port in [0, 19, 80, 988, 991, 49_999, 50_101, 65_535] {
        cases.push(Case {
            name: "a SYN beside the FTP ports".to_owned(),
            port,
            families: BOTH,
            packet: Box::new(|flow| flow.plain(syn(flow))),
            unlisted: not_ftp(),
            listed: not_ftp(),
            other_port: not_ftp(),
        });
    }
    cases
}

/// A case to the control port, with the same fate for every source.
fn at_control(
    name: impl Into<String>,
    wanted: Wanted,
    change: impl Fn(&mut Segment) + 'static,
) -> Case {
    Case {
        name: name.into(),
        port: 21,
        families: BOTH,
        packet: Box::new(move |flow| flow.plain(segment(flow, &change))),
        unlisted: wanted,
        listed: wanted,
        other_port: not_ftp(),
    }
}

fn malformed() -> Vec<Case> {
    const FLAGS: [(&str, Reason); 16] = [
        ("none", Reason::TcpNull),
        ("ece", Reason::TcpNull),
        ("ece,cwr", Reason::TcpNull),
        ("fin,psh,urg", Reason::TcpXmas),
        ("fin,psh,ack,urg", Reason::TcpXmas),
        ("fin,syn,psh,urg", Reason::TcpXmas),
        ("fin,rst,psh,urg", Reason::TcpXmas),
        ("fin,syn,rst,psh,ack,urg", Reason::TcpXmas),
        ("fin,syn,rst,psh,ack,urg,ece,cwr", Reason::TcpXmas),
        ("fin,syn", Reason::TcpSynFin),
        ("fin,syn,ack", Reason::TcpSynFin),
        ("fin,syn,rst", Reason::TcpSynFin),
        ("fin,syn,psh", Reason::TcpSynFin),
        ("syn,rst", Reason::TcpSynRst),
        ("syn,rst,ack", Reason::TcpSynRst),
        ("syn,rst,psh,urg", Reason::TcpSynRst),
    ];
    let mut cases = Vec::new();
    for (text, reason) in FLAGS {
        for payload in [&b""[..], b"USER"] {
            let with = if payload.is_empty() { "" } else { " and data" };
            cases.push(at_control(
                format!("a segment with the flags {text}{with}"),
                drop(reason, PortClass::Control),
                move |segment| {
                    segment.flags = flags(text);
                    segment.payload = payload.to_vec();
                },
            ));
        }
    }
    for (name, text, length) in [
        ("a SYN with one byte of data", "syn", 1),
        ("a SYN with a request in it (TCP Fast Open)", "syn", 16),
        ("a SYN with ECN and data", "syn,ece,cwr", 1),
        ("a SYN with PSH and data", "syn,psh", 1400),
    ] {
        cases.push(at_control(
            name,
            drop(Reason::TcpSynData, PortClass::Control),
            move |segment| {
                segment.flags = flags(text);
                segment.payload = vec![b'x'; length];
            },
        ));
    }
    for offset in 0..5 {
        cases.push(at_control(
            format!("a segment with a data offset of {offset}"),
            drop(Reason::TcpBadOffset, PortClass::Control),
            move |segment| segment.data_offset = Some(offset),
        ));
    }
    for offset in 6..16 {
        cases.push(at_control(
            format!("a segment with a data offset of {offset} that ends after 20 bytes"),
            drop(Reason::TcpBadOffset, PortClass::Control),
            move |segment| segment.data_offset = Some(offset),
        ));
    }
    cases.push(at_control(
        "a segment with a data offset of 15 that ends one byte before it",
        drop(Reason::TcpBadOffset, PortClass::Control),
        |segment| {
            segment.data_offset = Some(15);
            segment.payload = vec![1; 39];
        },
    ));

    let (unlisted, listed, other_port) = judged_by_source();
    for words in 0..=10 {
        cases.push(Case {
            name: format!("a SYN with {words} words of TCP options"),
            port: 21,
            families: BOTH,
            packet: Box::new(move |flow| {
                flow.plain(segment(flow, |segment| {
                    segment.options = vec![1; words * 4];
                }))
            }),
            unlisted,
            listed,
            other_port,
        });
    }
    cases
}

/// Packets that end inside the TCP header, and say so in their IP length.
fn short() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in 0..20 {
        let (wanted, other_port) = if length < 4 {
            let unreadable = pass(Reason::Truncated, PortClass::Other);
            (unreadable, unreadable)
        } else {
            (drop(Reason::TcpTruncated, PortClass::Control), not_ftp())
        };
        for (what, padding) in [("", 0), (" and padding behind it", 40)] {
            cases.push(Case {
                name: format!("a packet with {length} bytes of TCP{what}"),
                port: 21,
                families: BOTH,
                packet: Box::new(move |flow| {
                    let mut packet = short_packet(flow, length);
                    packet.resize(packet.len() + padding, 0);
                    packet
                }),
                unlisted: wanted,
                listed: wanted,
                other_port,
            });
        }
    }
    cases
}

/// An IPv6 packet without payload has a payload length of 0, which stands for "to the end of the
/// frame" when something follows; a shorter chain says the same with another number.
fn short_packet(flow: &Flow, length: usize) -> Vec<u8> {
    let tcp = syn(flow)[..length].to_vec();
    match flow.family {
        ftp_guard_common::class::Family::Ipv6 => {
            let mut packet = flow.ipv6(tcp);
            packet.chain = vec![ftp_guard_tests::packet::Extension::DestinationOptions(0)];
            packet.to_bytes()
        }
        _ => flow.ipv4(tcp).to_bytes(),
    }
}
