//! Answers as another parser reads them.

use std::net::IpAddr;

use etherparse::{
    Ipv4HeaderSlice, Ipv6HeaderSlice, TcpHeaderSlice,
    TcpOptionElement::{
        MaximumSegmentSize, Noop, SelectiveAcknowledgementPermitted, Timestamp, WindowScale,
    },
};
use ftp_guard_common::class::Family;
use ftp_guard_tests::conversation::SYN_ACK;

use super::bench::{CLIENT_PORT, SEQUENCE};
use crate::cases::Flow;

/// A SYN-ACK as another parser reads it, from its IP header on. What is the same in all answers was checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) number: u32,
    pub(super) window: u16,
    pub(super) mss: u16,
    pub(super) timestamp: Option<(u32, u32)>,
    pub(super) sack: bool,
    pub(super) scale: Option<u8>,
}

/// The checksum of a TCP header in a packet.
type Checksum = fn(&[u8], &TcpHeaderSlice<'_>) -> u16;

impl Answer {
    pub(super) fn read(packet: &[u8], flow: &Flow) -> Self {
        let (ip_len, checksum): (usize, Checksum) = match flow.family {
            Family::Ipv6 => {
                let ip = Ipv6HeaderSlice::from_slice(packet).unwrap().to_header();
                assert_eq!(usize::from(ip.payload_length), packet.len() - 40);
                assert_eq!((ip.hop_limit, ip.next_header.0), (64, 6));
                assert_eq!((ip.traffic_class, ip.flow_label.value()), (0, 0));
                assert_eq!(flow.destination(), ip.source_addr());
                assert_eq!(flow.source(), ip.destination_addr());
                (40, |packet, tcp| {
                    let ip = Ipv6HeaderSlice::from_slice(packet).unwrap();
                    tcp.calc_checksum_ipv6(&ip, &[]).unwrap()
                })
            }
            _ => {
                let ip = Ipv4HeaderSlice::from_slice(packet).unwrap().to_header();
                assert_eq!(usize::from(ip.total_len), packet.len());
                assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                assert_eq!((ip.time_to_live, ip.protocol.0), (64, 6));
                assert_eq!((ip.identification, ip.dscp.value()), (0, 0));
                assert_eq!((ip.ecn.value(), ip.fragment_offset.value()), (0, 0));
                assert!(ip.dont_fragment && !ip.more_fragments && ip.options.is_empty());
                assert_eq!(flow.destination(), IpAddr::from(ip.source));
                assert_eq!(flow.source(), IpAddr::from(ip.destination));
                (20, |packet, tcp| {
                    let ip = Ipv4HeaderSlice::from_slice(packet).unwrap();
                    tcp.calc_checksum_ipv4(&ip, &[]).unwrap()
                })
            }
        };
        let tcp = TcpHeaderSlice::from_slice(&packet[ip_len..]).unwrap();
        assert_eq!(tcp.slice().len(), packet.len() - ip_len);
        assert_eq!(tcp.checksum(), checksum(packet, &tcp));
        assert_eq!(
            (tcp.source_port(), tcp.destination_port()),
            (flow.port, CLIENT_PORT)
        );
        assert_eq!(tcp.acknowledgment_number(), SEQUENCE.wrapping_add(1));
        assert_eq!(tcp.slice()[13], SYN_ACK.0);
        assert_eq!((tcp.slice()[12] & 0xf, tcp.urgent_pointer()), (0, 0));
        let mut answer = Self {
            number: tcp.sequence_number(),
            window: tcp.window_size(),
            mss: 0,
            timestamp: None,
            sack: false,
            scale: None,
        };
        // Each option once, and in the order in which this kernel writes them.
        let options: Result<Vec<_>, _> = tcp.options_iterator().collect();
        let options = options.unwrap();
        let mut rest = options.as_slice();
        if let [MaximumSegmentSize(mss), tail @ ..] = rest {
            (answer.mss, rest) = (*mss, tail);
        }
        if let [
            SelectiveAcknowledgementPermitted,
            Timestamp(value, echo),
            tail @ ..,
        ] = rest
        {
            answer.sack = true;
            (answer.timestamp, rest) = (Some((*value, *echo)), tail);
        } else if let [Noop, Noop, Timestamp(value, echo), tail @ ..] = rest {
            (answer.timestamp, rest) = (Some((*value, *echo)), tail);
        }
        if let [Noop, WindowScale(scale), tail @ ..] = rest {
            (answer.scale, rest) = (Some(*scale), tail);
        }
        assert!(rest.is_empty(), "{options:?}");
        answer
    }
}
