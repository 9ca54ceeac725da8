//! IPv6 headers: chains of extension headers, lengths that lie, other protocols.

use ftp_guard_common::{
    class::{Family, PortClass},
    reason::Reason,
};
use ftp_guard_tests::packet::{
    Extension::{self, Authentication, DestinationOptions, Fragment, HopByHop, Routing},
    IPV6, Ipv6, Macs, TCP, ethernet,
};

use crate::{
    cases::{Case, Flow, V6, judged_by_source, not_ftp, policy},
    row::{Row, Table, Wanted, drop, pass},
    tcp::{flags, segment, syn},
};

const FIRST: Extension = Fragment {
    offset: 0,
    more: true,
    id: 7,
};
const LATER: Extension = Fragment {
    offset: 100,
    more: false,
    id: 7,
};

/// A case to the control port with an IPv6 header after `change`.
fn case(
    name: impl Into<String>,
    (unlisted, listed, other_port): (Wanted, Wanted, Wanted),
    change: impl Fn(&mut Ipv6) + 'static,
) -> Case {
    Case {
        name: name.into(),
        port: 21,
        families: V6,
        packet: Box::new(move |flow| {
            // No SYN: as a first fragment that would be one with payload to come.
            let tcp = segment(flow, |segment| segment.flags = flags("ack"));
            let mut packet = flow.ipv6(tcp);
            change(&mut packet);
            packet.to_bytes()
        }),
        unlisted,
        listed,
        other_port,
    }
}

fn with_chain(fate: (Wanted, Wanted, Wanted), chain: Vec<Extension>) -> Case {
    case(format!("a segment behind {chain:?}"), fate, move |packet| {
        packet.chain = chain.clone();
    })
}

const fn all(wanted: Wanted) -> (Wanted, Wanted, Wanted) {
    (wanted, wanted, wanted)
}

const UNREADABLE: (Wanted, Wanted, Wanted) = all(pass(Reason::Truncated, PortClass::Other));
const HIDDEN: (Wanted, Wanted, Wanted) = all(drop(Reason::FragmentedHeader, PortClass::Other));

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = chains();
    cases.extend(deep_chains());
    cases.extend(cut_chains());
    cases.extend(headers());
    cases
}

fn chains() -> Vec<Case> {
    let kinds = [
        HopByHop(0),
        Routing(2),
        DestinationOptions(1),
        Authentication(4),
        Extension::ATOMIC,
        FIRST,
    ];
    let mut cases = Vec::new();
    for a in kinds {
        cases.push(with_chain(judged_by_source(), vec![a]));
        for b in kinds {
            cases.push(with_chain(judged_by_source(), vec![a, b]));
            for c in kinds {
                cases.push(with_chain(judged_by_source(), vec![a, b, c]));
            }
        }
        let later = all(pass(Reason::LaterFragment, PortClass::Other));
        cases.push(with_chain(later, vec![a, LATER]));
        cases.push(with_chain(later, vec![LATER, a]));
        cases.push(with_chain(later, vec![a, LATER, a]));
    }
    for length in [3, 7, 31, 127, 255] {
        for kind in [HopByHop, Routing, DestinationOptions, Authentication] {
            cases.push(with_chain(judged_by_source(), vec![kind(length)]));
        }
    }
    // The recommended order of RFC 8200, section 4.1.
    cases.push(with_chain(
        judged_by_source(),
        vec![
            HopByHop(0),
            DestinationOptions(0),
            Routing(2),
            Extension::ATOMIC,
            Authentication(4),
            DestinationOptions(0),
        ],
    ));
    cases
}

fn deep_chains() -> Vec<Case> {
    let too_deep = all(drop(Reason::ExtensionsTooDeep, PortClass::Other));
    let not_tcp = all(pass(Reason::NotTcp, PortClass::Other));
    let kinds = [
        HopByHop(0),
        Routing(0),
        DestinationOptions(0),
        Authentication(1),
        Extension::ATOMIC,
        FIRST,
    ];
    let mut cases = Vec::new();
    for kind in kinds {
        for depth in 4..=8 {
            cases.push(with_chain(judged_by_source(), vec![kind; depth]));
        }
        for depth in [9, 10, 16] {
            cases.push(with_chain(too_deep, vec![kind; depth]));
        }
        cases.push(case(
            format!("UDP behind eight of {kind:?}"),
            not_tcp,
            move |packet| {
                packet.chain = vec![kind; 8];
                packet.protocol = 17;
            },
        ));
        // The ninth header is too deep by its mere announcement.
        cases.push(case(
            format!("a packet that announces a ninth header behind eight of {kind:?} and ends"),
            too_deep,
            move |packet| {
                packet.chain = vec![kind; 8];
                packet.protocol = 60;
                packet.payload.clear();
            },
        ));
    }
    let mut mixed: Vec<Extension> = kinds.to_vec();
    mixed.extend([HopByHop(1), Routing(3)]);
    for turn in 0..mixed.len() {
        mixed.rotate_left(1);
        cases.push(case(
            format!("a SYN behind eight different headers, turned by {turn}"),
            judged_by_source(),
            {
                let chain = mixed.clone();
                move |packet| packet.chain = chain.clone()
            },
        ));
        cases.push(case(
            format!("a SYN behind nine different headers, turned by {turn}"),
            too_deep,
            {
                let mut chain = mixed.clone();
                chain.push(DestinationOptions(2));
                move |packet| packet.chain = chain.clone()
            },
        ));
    }
    cases
}

/// Chains that the end of the packet cuts off.
fn cut_chains() -> Vec<Case> {
    let mut cases = Vec::new();
    for (before, fate) in [
        (vec![], UNREADABLE),
        (vec![HopByHop(0)], UNREADABLE),
        (vec![Extension::ATOMIC], UNREADABLE),
        (vec![FIRST], HIDDEN),
        (vec![FIRST, Extension::ATOMIC], HIDDEN),
        (vec![HopByHop(0), FIRST, DestinationOptions(0)], HIDDEN),
    ] {
        for next in [0, 43, 44, 51, 60] {
            // One byte less than the shortest header of the kind; an AH of length 0 has 8 bytes too.
            for length in [1, 2, 7] {
                let chain = before.clone();
                cases.push(case(
                    format!("a header of type {next} cut after {length} bytes behind {before:?}"),
                    fate,
                    move |packet| {
                        packet.chain = chain.clone();
                        packet.protocol = next;
                        packet.payload = vec![0; length];
                        packet.payload[0] = TCP;
                    },
                ));
            }
        }
        for next in [0, 43, 60, 51] {
            let chain = before.clone();
            cases.push(case(
                format!("a header of type {next} longer than the packet behind {before:?}"),
                fate,
                move |packet| {
                    packet.chain = chain.clone();
                    packet.protocol = next;
                    packet.payload = [vec![TCP, 200], vec![0; 60]].concat();
                },
            ));
        }
    }
    cases.push(case(
        "a first fragment that ends with its fragment header",
        HIDDEN,
        |packet| {
            packet.chain = vec![FIRST];
            packet.payload.clear();
        },
    ));
    cases.push(case(
        "a first fragment of a packet without upper layer",
        all(pass(Reason::NotTcp, PortClass::Other)),
        |packet| {
            packet.chain = vec![FIRST];
            packet.protocol = 59;
            packet.payload.clear();
        },
    ));
    cases
}

fn headers() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in (0..16).filter(|version| *version != 6) {
        cases.push(case(
            format!("a packet of EtherType IPv6 and version {version}"),
            all(pass(Reason::BadIpHeader, PortClass::Other)),
            move |packet| packet.version = version,
        ));
    }
    for length in 1..4 {
        cases.push(case(
            format!("a packet with a payload length of {length}"),
            UNREADABLE,
            move |packet| packet.payload_length = Some(length),
        ));
    }
    for length in 4..20 {
        let cut = drop(Reason::TcpTruncated, PortClass::Control);
        cases.push(case(
            format!("a SYN with a payload length of {length}"),
            (cut, cut, not_ftp()),
            move |packet| packet.payload_length = Some(length),
        ));
    }
    for length in [0, 21, 1500, 65_535] {
        cases.push(case(
            format!("a SYN of 20 bytes with a payload length of {length}"),
            judged_by_source(),
            move |packet| packet.payload_length = Some(length),
        ));
    }
    cases.push(case(
        "a SYN with padding behind its payload length",
        judged_by_source(),
        |packet| {
            packet.payload.extend([0xff; 6]);
            packet.payload_length = Some(20);
        },
    ));
    for (name, protocol) in [
        ("UDP", 17),
        ("ICMPv6", 58),
        ("IPv4 in IPv6", 4),
        ("IPv6 in IPv6", 41),
        ("GRE", 47),
        ("ESP", 50),
        ("no next header", 59),
        ("SCTP", 132),
        ("mobility", 135),
        ("protocol 255", 255),
    ] {
        cases.push(case(
            format!("a packet of {name} that looks like a SYN"),
            all(pass(Reason::NotTcp, PortClass::Other)),
            move |packet| packet.protocol = protocol,
        ));
    }
    cases
}

/// Frames that end inside the IPv6 header.
pub(crate) fn table() -> Table {
    let flow = Flow {
        family: Family::Ipv6,
        listed: false,
        port: 21,
    };
    let bytes = flow.ipv6(syn(&flow)).to_bytes();
    let rows = (0..44)
        .map(|length| Row {
            name: format!("a frame that ends after {length} bytes of an IPv6 packet"),
            frame: ethernet(Macs::default(), &[], IPV6, &bytes[..length]),
            family: Family::Ipv6,
            wanted: pass(Reason::Truncated, PortClass::Other),
        })
        .collect();
    Table {
        policy: policy(),
        rows,
    }
}
