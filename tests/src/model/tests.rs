use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::allow::EntryKind;

use super::*;
use crate::packet::{Extension, Ipv4, Ipv6, Macs, Segment, ethernet};

const NOW: u64 = 1_800_000_000;
const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CLIENT6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
const SERVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

fn segment(port: u16) -> Segment {
    Segment::new(40_000, port, TcpFlags::SYN)
}

fn v4(port: u16) -> Ipv4 {
    let tcp = segment(port).to_bytes(CLIENT.into(), SERVER.into());
    Ipv4::new(CLIENT, SERVER, tcp)
}

fn v6(chain: &[Extension]) -> Ipv6 {
    let tcp = segment(21).to_bytes(IpAddr::V6(CLIENT6), SERVER6.into());
    Ipv6 {
        chain: chain.to_vec(),
        ..Ipv6::new(CLIENT6, SERVER6, tcp)
    }
}

fn judged(tags: &[u16], ethertype: u16, bytes: &[u8], policy: &Policy) -> Reason {
    let frame = ethernet(Macs::default(), tags, ethertype, bytes);
    let judgement = judge(&frame, policy, NOW);
    assert_eq!(judgement.bytes, frame.len() as u64);
    judgement.key.reason
}

fn judged_v4(packet: &Ipv4) -> Reason {
    judged(&[], packet::IPV4, &packet.to_bytes(), &Policy::new())
}

fn judged_v6(packet: &Ipv6) -> Reason {
    judged(&[], packet::IPV6, &packet.to_bytes(), &Policy::new())
}

#[test]
fn frames_too_short_for_a_header_are_truncated() {
    let frame = ethernet(Macs::default(), &[], packet::IPV4, &v4(21).to_bytes());
    for length in 0..14 + 24 {
        let key = judge(&frame[..length], &Policy::new(), NOW).key;
        assert_eq!(key.reason, Reason::Truncated, "{length} bytes");
        assert_eq!(key.class, PortClass::Other);
        assert_eq!(
            key.family,
            if length < 14 {
                Family::Other
            } else {
                Family::Ipv4
            }
        );
    }
    assert_eq!(
        judge(&frame[..38], &Policy::new(), NOW).key.reason,
        Reason::TcpTruncated
    );
}

#[test]
fn four_tags_are_looked_behind_and_a_fifth_is_not() {
    let bytes = v4(21).to_bytes();
    let tags = [
        packet::S_TAG,
        packet::C_TAG,
        packet::OLD_S_TAG,
        packet::C_TAG,
        packet::C_TAG,
    ];
    let policy = Policy::new();
    for depth in 0..5 {
        assert_eq!(
            judged(&tags[..depth], packet::IPV4, &bytes, &policy),
            Reason::NotListed
        );
    }
    assert_eq!(
        judged(&tags, packet::IPV4, &bytes, &policy),
        Reason::VlanTooDeep
    );
    assert_eq!(judged(&[], 0x0806, &bytes, &policy), Reason::NotIp);
}

#[test]
fn ipv4_headers() {
    let plain = v4(21);
    for (packet, reason) in [
        (plain.clone(), Reason::NotListed),
        (v4(22), Reason::NotFtp),
        (
            Ipv4 {
                version: 5,
                ..plain.clone()
            },
            Reason::BadIpHeader,
        ),
        (
            Ipv4 {
                ihl: Some(4),
                ..plain.clone()
            },
            Reason::BadIpHeader,
        ),
        (
            Ipv4 {
                total_length: Some(19),
                ..plain.clone()
            },
            Reason::BadIpHeader,
        ),
        (
            Ipv4 {
                total_length: Some(20),
                ..plain.clone()
            },
            Reason::Truncated,
        ),
        (
            Ipv4 {
                total_length: Some(39),
                ..plain.clone()
            },
            Reason::TcpTruncated,
        ),
        (
            Ipv4 {
                total_length: Some(0),
                ..plain.clone()
            },
            Reason::NotListed,
        ),
        (
            Ipv4 {
                options: vec![1; 40],
                ..plain.clone()
            },
            Reason::NotListed,
        ),
        (
            Ipv4 {
                protocol: packet::UDP,
                offset: 5,
                ..plain.clone()
            },
            Reason::NotTcp,
        ),
        (
            Ipv4 {
                offset: 1,
                ..plain.clone()
            },
            Reason::LaterFragment,
        ),
        (
            Ipv4 {
                more: true,
                ..plain.clone()
            },
            Reason::TcpSynData,
        ),
        (
            Ipv4 {
                more: true,
                payload: plain.payload[..16].to_vec(),
                ..plain.clone()
            },
            Reason::FragmentedHeader,
        ),
        (
            Ipv4 {
                more: true,
                payload: Vec::new(),
                ..plain.clone()
            },
            Reason::FragmentedHeader,
        ),
    ] {
        assert_eq!(judged_v4(&packet), reason, "{packet:?}");
    }
}

#[test]
fn ipv6_chains() {
    use Extension::{Authentication, DestinationOptions, Fragment, HopByHop, Routing};
    let first = Fragment {
        offset: 0,
        more: true,
        id: 1,
    };
    let later = Fragment {
        offset: 9,
        more: false,
        id: 1,
    };
    let eight = [HopByHop(0); 8];
    let nine = [Routing(1); 9];
    for (chain, reason) in [
        (&[][..], Reason::NotListed),
        (
            &[
                HopByHop(0),
                Routing(2),
                DestinationOptions(3),
                Authentication(4),
            ],
            Reason::NotListed,
        ),
        (&[Extension::ATOMIC], Reason::NotListed),
        (&[first], Reason::TcpSynData),
        (&[later], Reason::LaterFragment),
        (&[first, later], Reason::LaterFragment),
        (&eight, Reason::NotListed),
        (&nine, Reason::ExtensionsTooDeep),
    ] {
        assert_eq!(judged_v6(&v6(chain)), reason, "{chain:?}");
    }

    let cut = |chain: &[Extension], protocol| Ipv6 {
        payload: Vec::new(),
        protocol,
        ..v6(chain)
    };
    assert_eq!(judged_v6(&cut(&[], packet::TCP)), Reason::Truncated);
    assert_eq!(judged_v6(&cut(&[], 60)), Reason::Truncated);
    assert_eq!(
        judged_v6(&cut(&[first], packet::TCP)),
        Reason::FragmentedHeader
    );
    assert_eq!(judged_v6(&cut(&[first], 60)), Reason::FragmentedHeader);
    assert_eq!(
        judged_v6(&cut(&[first, Extension::ATOMIC], 60)),
        Reason::FragmentedHeader
    );
    assert_eq!(judged_v6(&cut(&[first], 59)), Reason::NotTcp);
    assert_eq!(
        judged_v6(&Ipv6 {
            version: 4,
            ..v6(&[])
        }),
        Reason::BadIpHeader
    );
    assert_eq!(
        judged_v6(&Ipv6 {
            payload_length: Some(19),
            ..v6(&[])
        }),
        Reason::TcpTruncated
    );
}

#[test]
fn tcp_headers() {
    let flags = |text: &str| text.parse::<TcpFlags>().unwrap();
    for (text, data, reason) in [
        ("none", 0, Reason::TcpNull),
        ("ece,cwr", 0, Reason::TcpNull),
        ("fin,psh,urg", 0, Reason::TcpXmas),
        ("fin,syn,rst,psh,ack,urg", 0, Reason::TcpXmas),
        ("syn,fin,rst", 0, Reason::TcpSynFin),
        ("syn,rst,ack", 0, Reason::TcpSynRst),
        ("syn", 1, Reason::TcpSynData),
        ("syn,ack", 1, Reason::NotListed),
        ("syn", 0, Reason::NotListed),
    ] {
        let mut segment = segment(21);
        segment.flags = flags(text);
        segment.payload = vec![0; data];
        let packet = Ipv4 {
            payload: segment.to_bytes(CLIENT.into(), SERVER.into()),
            ..v4(21)
        };
        assert_eq!(judged_v4(&packet), reason, "{text}");
    }
    for (offset, more, reason) in [
        (4, false, Reason::TcpBadOffset),
        (4, true, Reason::TcpBadOffset),
        (6, false, Reason::TcpBadOffset),
        (6, true, Reason::FragmentedHeader),
    ] {
        let mut segment = segment(21);
        segment.data_offset = Some(offset);
        let packet = Ipv4 {
            payload: segment.to_bytes(CLIENT.into(), SERVER.into()),
            more,
            ..v4(21)
        };
        assert_eq!(judged_v4(&packet), reason, "data offset {offset}");
    }
}

#[test]
fn the_longest_prefix_that_has_not_expired_decides() {
    let past = NOW as u32;
    let future = past + 1;
    let nested = |expired: u8, outer: Option<EntryKind>| {
        let mut policy = Policy::new();
        for length in 0..expired {
            let prefix = format!("198.51.100.7/{}", 32 - length).parse().unwrap();
            policy.entry(prefix, EntryKind::Allow, past);
        }
        if let Some(kind) = outer {
            policy.entry("198.0.0.0/8".parse().unwrap(), kind, future);
        }
        judged(&[], packet::IPV4, &v4(21).to_bytes(), &policy)
    };
    assert_eq!(nested(0, None), Reason::NotListed);
    assert_eq!(nested(0, Some(EntryKind::Allow)), Reason::Listed);
    assert_eq!(nested(0, Some(EntryKind::Exclude)), Reason::Excluded);
    assert_eq!(nested(1, None), Reason::Expired);
    assert_eq!(nested(4, Some(EntryKind::Allow)), Reason::Listed);
    assert_eq!(nested(4, Some(EntryKind::Exclude)), Reason::Excluded);
    assert_eq!(nested(20, None), Reason::Expired);
    assert_eq!(nested(20, Some(EntryKind::Allow)), Reason::Listed);
}

#[test]
fn nobody_opens_a_connection_to_an_active_data_port() {
    let policy = Policy::new().allowing("198.51.100.0/24");
    let bytes = v4(20).to_bytes();
    assert_eq!(
        judged(&[], packet::IPV4, &bytes, &policy),
        Reason::ActiveDataSyn
    );
    assert_eq!(
        judged(&[], packet::IPV4, &bytes, &Policy::new()),
        Reason::NotListed
    );
}

#[test]
fn monitor_mode_passes_and_says_what_it_would_drop() {
    let frame = ethernet(Macs::default(), &[], packet::IPV4, &v4(21).to_bytes());
    let policy = Policy::new();
    let enforced = judge(&frame, &policy, NOW);
    let monitored = judge(&frame, &policy.monitoring(), NOW);
    assert_eq!(enforced.key.verdict, Verdict::Drop);
    assert!(!enforced.passes());
    assert_eq!(monitored.key.verdict, Verdict::WouldDrop);
    assert!(monitored.passes());
    assert_eq!(monitored.key.reason, enforced.key.reason);
}
