//! First and later fragments, whole ones and ones that hide the header.

use ftp_guard_common::{
    class::{Family, PortClass},
    reason::Reason,
};
use ftp_guard_tests::packet::{Extension, UDP};

use crate::{
    cases::{BOTH, Case, Flow, V4, V6, judged_by_source, not_ftp},
    row::{drop, pass},
    tcp::{segment, syn},
};

/// A fragment with this payload.
fn fragment(flow: &Flow, offset: u16, more: bool, payload: Vec<u8>) -> Vec<u8> {
    match flow.family {
        Family::Ipv6 => {
            let mut packet = flow.ipv6(payload);
            packet.chain = vec![Extension::Fragment {
                offset,
                more,
                id: 7,
            }];
            packet.to_bytes()
        }
        _ => {
            let mut packet = flow.ipv4(payload);
            packet.offset = offset;
            packet.more = more;
            packet.to_bytes()
        }
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = first();
    cases.extend(later());
    cases.extend(look_alikes());
    cases
}

fn first() -> Vec<Case> {
    let (unlisted, listed, other_port) = judged_by_source();
    let syn_data = drop(Reason::TcpSynData, PortClass::Control);
    let mut cases = vec![
        Case {
            name: "a first fragment with the whole TCP header".to_owned(),
            port: 21,
            families: BOTH,
            packet: Box::new(|flow| {
                let tcp = segment(flow, |segment| segment.flags = crate::tcp::flags("ack"));
                fragment(flow, 0, true, tcp)
            }),
            unlisted,
            listed,
            other_port,
        },
        Case {
            name: "a connection request whose payload is in later fragments".to_owned(),
            port: 21,
            families: BOTH,
            packet: Box::new(|flow| fragment(flow, 0, true, syn(flow))),
            unlisted: syn_data,
            listed: syn_data,
            other_port: not_ftp(),
        },
        Case {
            name: "a first fragment with the TCP header and data".to_owned(),
            port: 21,
            families: BOTH,
            packet: Box::new(|flow| {
                let tcp = segment(flow, |segment| {
                    segment.flags = crate::tcp::flags("psh,ack");
                    segment.payload = vec![b'x'; 44];
                });
                fragment(flow, 0, true, tcp)
            }),
            unlisted,
            listed,
            other_port,
        },
        Case {
            name: "a first fragment with TCP options whole".to_owned(),
            port: 21,
            families: BOTH,
            packet: Box::new(|flow| {
                let tcp = segment(flow, |segment| {
                    segment.flags = crate::tcp::flags("ack");
                    segment.options = vec![1; 40];
                });
                fragment(flow, 0, true, tcp)
            }),
            unlisted,
            listed,
            other_port,
        },
    ];
    for length in 0..20 {
        let hidden = if length < 4 {
            drop(Reason::FragmentedHeader, PortClass::Other)
        } else {
            drop(Reason::FragmentedHeader, PortClass::Control)
        };
        cases.push(Case {
            name: format!("a first fragment with {length} bytes of TCP"),
            port: 21,
            families: BOTH,
            packet: Box::new(move |flow| fragment(flow, 0, true, syn(flow)[..length].to_vec())),
            unlisted: hidden,
            listed: hidden,
            other_port: if length < 4 { hidden } else { not_ftp() },
        });
    }
    for length in [20, 24, 40, 59] {
        let cut = drop(Reason::FragmentedHeader, PortClass::Control);
        cases.push(Case {
            name: format!("a first fragment with {length} of 60 bytes of TCP header"),
            port: 21,
            families: BOTH,
            packet: Box::new(move |flow| {
                let tcp = segment(flow, |segment| segment.options = vec![1; 40]);
                fragment(flow, 0, true, tcp[..length].to_vec())
            }),
            unlisted: cut,
            listed: cut,
            other_port: not_ftp(),
        });
    }
    let bad_offset = drop(Reason::TcpBadOffset, PortClass::Control);
    cases.push(Case {
        name: "a first fragment with a data offset of 4".to_owned(),
        port: 21,
        families: BOTH,
        packet: Box::new(|flow| {
            let tcp = segment(flow, |segment| segment.data_offset = Some(4));
            fragment(flow, 0, true, tcp)
        }),
        unlisted: bad_offset,
        listed: bad_offset,
        other_port: not_ftp(),
    });
    let syn_data = drop(Reason::TcpSynData, PortClass::Control);
    cases.push(Case {
        name: "a first fragment of a SYN with data".to_owned(),
        port: 21,
        families: BOTH,
        packet: Box::new(|flow| {
            let tcp = segment(flow, |segment| segment.payload = vec![0; 4]);
            fragment(flow, 0, true, tcp)
        }),
        unlisted: syn_data,
        listed: syn_data,
        other_port: not_ftp(),
    });
    cases
}

fn later() -> Vec<Case> {
    let later = pass(Reason::LaterFragment, PortClass::Other);
    let mut cases = Vec::new();
    // Each bit of the field by itself, among others: a mask that leaves one out shows.
    let bits = (0..13).map(|bit| 1 << bit);
    for offset in bits.chain([3, 185, 0x0fff, 0x1fff]) {
        for more in [false, true] {
            cases.push(Case {
                name: format!(
                    "a{} fragment at {} bytes that looks like a SYN",
                    if more { " middle" } else { " last" },
                    u32::from(offset) * 8
                ),
                port: 21,
                families: BOTH,
                packet: Box::new(move |flow| fragment(flow, offset, more, syn(flow))),
                unlisted: later,
                listed: later,
                other_port: later,
            });
        }
    }
    for length in 0..4 {
        cases.push(Case {
            name: format!("a last fragment with {length} bytes"),
            port: 21,
            families: BOTH,
            packet: Box::new(move |flow| fragment(flow, 2, false, syn(flow)[..length].to_vec())),
            unlisted: later,
            listed: later,
            other_port: later,
        });
    }
    let not_tcp = pass(Reason::NotTcp, PortClass::Other);
    for (name, offset) in [("first", 0), ("later", 5)] {
        let (v4, v6) = (not_tcp, if offset == 0 { not_tcp } else { later });
        for (families, wanted) in [(V4, v4), (V6, v6)] {
            cases.push(Case {
                name: format!("a {name} fragment of UDP"),
                port: 21,
                families,
                packet: Box::new(move |flow| {
                    let mut bytes = fragment(flow, offset, true, syn(flow));
                    let protocol = if flow.family == Family::Ipv6 { 40 } else { 9 };
                    bytes[protocol] = UDP;
                    bytes
                }),
                unlisted: wanted,
                listed: wanted,
                other_port: wanted,
            });
        }
    }
    cases
}

/// Packets that are no fragments although a fragmentation field is set.
fn look_alikes() -> Vec<Case> {
    let (unlisted, listed, other_port) = judged_by_source();
    let mut cases = vec![
        Case {
            name: "a SYN that must not be fragmented".to_owned(),
            port: 21,
            families: V4,
            packet: Box::new(|flow| {
                let mut packet = flow.ipv4(syn(flow));
                packet.dont_fragment = true;
                packet.to_bytes()
            }),
            unlisted,
            listed,
            other_port,
        },
        Case {
            name: "a SYN with the reserved IPv4 flag".to_owned(),
            port: 21,
            families: V4,
            packet: Box::new(|flow| {
                let mut bytes = flow.ipv4(syn(flow)).to_bytes();
                bytes[6] |= 0x80;
                bytes
            }),
            unlisted,
            listed,
            other_port,
        },
        Case {
            name: "an atomic fragment".to_owned(),
            port: 21,
            families: V6,
            packet: Box::new(|flow| fragment(flow, 0, false, syn(flow))),
            unlisted,
            listed,
            other_port,
        },
        Case {
            name: "an atomic fragment with the reserved bits set".to_owned(),
            port: 21,
            families: V6,
            packet: Box::new(|flow| {
                let mut bytes = fragment(flow, 0, false, syn(flow));
                bytes[41] = 0xff;
                bytes[43] |= 0x06;
                bytes
            }),
            unlisted,
            listed,
            other_port,
        },
    ];
    for length in 0..20 {
        let (wanted, other_port) = if length < 4 {
            let unreadable = pass(Reason::Truncated, PortClass::Other);
            (unreadable, unreadable)
        } else {
            (drop(Reason::TcpTruncated, PortClass::Control), not_ftp())
        };
        cases.push(Case {
            name: format!("an atomic fragment with {length} bytes of TCP"),
            port: 21,
            families: V6,
            packet: Box::new(move |flow| fragment(flow, 0, false, syn(flow)[..length].to_vec())),
            unlisted: wanted,
            listed: wanted,
            other_port,
        });
    }
    cases
}
