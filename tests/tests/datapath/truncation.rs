//! Every good packet, cut at every length: by the end of the frame, and by an IP length that admits
//! the cut.

use ftp_guard_common::{
    class::{Family, PortClass},
    reason::Reason,
};
use ftp_guard_tests::{
    agree::Agreement,
    packet::{C_TAG, Extension, Macs, OLD_S_TAG, S_TAG, ethernet},
    program::Guard,
};

use crate::{
    cases::{Flow, OTHER_PORT, policy},
    tcp::{flags, segment, syn},
};

const STACKS: [&[u16]; 4] = [
    &[],
    &[C_TAG],
    &[S_TAG, C_TAG],
    &[OLD_S_TAG, S_TAG, C_TAG, C_TAG],
];

/// A sound packet to be cut.
struct Whole {
    name: String,
    ip: Vec<u8>,
    flow: Flow,
    /// Where TCP begins in `ip`.
    tcp: usize,
    first_fragment: bool,
}

fn wholes() -> Vec<Whole> {
    let mut wholes = Vec::new();
    for family in [Family::Ipv4, Family::Ipv6] {
        for listed in [false, true] {
            for port in [21, 20, 50_000, OTHER_PORT] {
                let flow = Flow {
                    family,
                    listed,
                    port,
                };
                wholes.extend(of_flow(flow));
            }
        }
    }
    wholes
}

fn of_flow(flow: Flow) -> Vec<Whole> {
    let segments = [
        ("SYN", syn(&flow)),
        (
            "SYN with options",
            segment(&flow, |segment| segment.options = vec![1; 40]),
        ),
        (
            "data segment",
            segment(&flow, |segment| {
                segment.flags = flags("psh,ack");
                segment.options = vec![1; 12];
                segment.payload = b"RETR a\r\n".to_vec();
            }),
        ),
    ];
    let mut wholes = Vec::new();
    for (name, tcp) in segments {
        let length = tcp.len();
        let mut push = |how: &str, ip: Vec<u8>, first_fragment| {
            wholes.push(Whole {
                name: format!("{name}, {how}, {flow:?}"),
                tcp: ip.len() - length,
                ip,
                flow,
                first_fragment,
            });
        };
        if flow.family == Family::Ipv4 {
            for words in [0, 1, 10] {
                for more in [false, true] {
                    let mut packet = flow.ipv4(tcp.clone());
                    packet.options = vec![1; words * 4];
                    packet.more = more;
                    push(
                        &format!("{words} words of options, more {more}"),
                        packet.to_bytes(),
                        more,
                    );
                }
            }
        } else {
            let first = Extension::Fragment {
                offset: 0,
                more: true,
                id: 7,
            };
            for chain in [
                vec![],
                vec![Extension::HopByHop(0), Extension::Routing(2)],
                vec![Extension::ATOMIC],
                vec![
                    Extension::DestinationOptions(0),
                    Extension::Authentication(4),
                ],
                vec![Extension::HopByHop(0); 8],
                vec![first],
                vec![
                    Extension::HopByHop(0),
                    first,
                    Extension::DestinationOptions(1),
                ],
            ] {
                let mut packet = flow.ipv6(tcp.clone());
                packet.chain = chain.clone();
                push(
                    &format!("{chain:?}"),
                    packet.to_bytes(),
                    chain.contains(&first),
                );
            }
        }
    }
    wholes
}

/// Cuts at a length of the IP packet, with an IP length that says so.
fn shortened(whole: &Whole, length: usize) -> Option<Vec<u8>> {
    let mut ip = whole.ip[..length].to_vec();
    if whole.flow.family == Family::Ipv4 {
        ip.get_mut(2..4)?
            .copy_from_slice(&(length as u16).to_be_bytes());
    } else {
        // A payload length of 0 would mean "to the end of the frame".
        let payload = u16::try_from(length.checked_sub(40)?)
            .ok()
            .filter(|length| *length > 0)?;
        ip.get_mut(4..6)?.copy_from_slice(&payload.to_be_bytes());
    }
    Some(ip)
}

#[test]
fn good_packets_cut_at_every_length() {
    let policy = policy();
    let guard = Guard::with(&policy).unwrap();
    let mut agreement = Agreement::new(&guard, &policy).unwrap();
    for whole in wholes().into_iter().step_by(crate::speed::stride()) {
        for tags in STACKS {
            let macs = Macs::default();
            let frame = ethernet(macs, tags, whole.flow.ethertype(), &whole.ip);
            for end in 14..frame.len() {
                let ip_length = end.saturating_sub(14 + 4 * tags.len());
                check(&mut agreement, &whole, &frame[..end], ip_length);
            }
            for length in 0..whole.ip.len() {
                if let Some(ip) = shortened(&whole, length) {
                    let mut frame = ethernet(macs, tags, whole.flow.ethertype(), &ip);
                    check(&mut agreement, &whole, &frame, length);
                    // The same with bytes behind the packet that would complete it.
                    frame.extend(&whole.ip[length..]);
                    check(&mut agreement, &whole, &frame, length);
                }
            }
        }
    }
    ftp_guard_tests::report!("datapath: {} truncated frames", agreement.finish().unwrap());
}

/// Besides agreeing with the model: an unlisted packet to an FTP port never passes once its ports
/// are there, and before that only as truncated or as a bad header.
fn check(agreement: &mut Agreement<'_>, whole: &Whole, frame: &[u8], ip_length: usize) {
    let judgement = agreement
        .check(frame)
        .unwrap_or_else(|error| panic!("{}: {error:#}", whole.name));
    let key = judgement.key;
    if whole.flow.port == OTHER_PORT || whole.flow.listed {
        return;
    }
    if ip_length >= whole.tcp + 4 {
        assert!(
            !judgement.passes(),
            "{} passes at {ip_length}: {key:?}",
            whole.name
        );
        assert_ne!(
            key.class,
            PortClass::Other,
            "{} at {ip_length}: {key:?}",
            whole.name
        );
    } else if judgement.passes() {
        assert!(
            [Reason::Truncated, Reason::BadIpHeader].contains(&key.reason),
            "{} at {ip_length}: {key:?}",
            whole.name
        );
    } else {
        assert!(
            whole.first_fragment && key.reason == Reason::FragmentedHeader,
            "{} at {ip_length}: {key:?}",
            whole.name
        );
    }
}
