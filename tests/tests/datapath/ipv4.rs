//! IPv4 headers: options, lengths that lie, other protocols.

use ftp_guard_common::{
    class::{Family, PortClass},
    reason::Reason,
};
use ftp_guard_tests::packet::{IPV4, Ipv4, Macs, ethernet};

use crate::{
    cases::{Case, Flow, V4, judged_by_source, not_ftp, policy},
    row::{Row, Table, Wanted, drop, pass},
    tcp::syn,
};

/// A case to the control port with an IPv4 header after `change`.
fn case(
    name: impl Into<String>,
    (unlisted, listed, other_port): (Wanted, Wanted, Wanted),
    change: impl Fn(&mut Ipv4) + 'static,
) -> Case {
    Case {
        name: name.into(),
        port: 21,
        families: V4,
        packet: Box::new(move |flow| {
            let mut packet = flow.ipv4(syn(flow));
            change(&mut packet);
            packet.to_bytes()
        }),
        unlisted,
        listed,
        other_port,
    }
}

const fn all(wanted: Wanted) -> (Wanted, Wanted, Wanted) {
    (wanted, wanted, wanted)
}

pub(crate) fn cases() -> Vec<Case> {
    let bad = all(pass(Reason::BadIpHeader, PortClass::Other));
    let unreadable = all(pass(Reason::Truncated, PortClass::Other));
    let mut cases = Vec::new();
    for words in 1..=10_usize {
        cases.push(case(
            format!("a SYN behind {words} words of IPv4 options"),
            judged_by_source(),
            move |packet| packet.options = vec![1; words * 4],
        ));
        cases.push(case(
            format!("a SYN whose {words} words of IPv4 options look like TCP to port 22"),
            judged_by_source(),
            move |packet| packet.options = [0, 22, 0, 22].repeat(words),
        ));
        cases.push(case(
            format!("a packet of a total length inside its {words} words of options"),
            bad,
            move |packet| {
                packet.options = vec![1; words * 4];
                packet.total_length = Some(20 + words as u16 * 4 - 1);
            },
        ));
        cases.push(case(
            format!("a packet that ends with its {words} words of options"),
            unreadable,
            move |packet| {
                packet.options = vec![1; words * 4];
                packet.total_length = Some(20 + words as u16 * 4);
            },
        ));
    }
    for ihl in 0..5 {
        cases.push(case(
            format!("a packet with an IPv4 header length of {ihl} words"),
            bad,
            move |packet| packet.ihl = Some(ihl),
        ));
    }
    for version in (0..16).filter(|version| *version != 4) {
        cases.push(case(
            format!("a packet of EtherType IPv4 and version {version}"),
            bad,
            move |packet| packet.version = version,
        ));
    }
    for length in 1..20 {
        cases.push(case(
            format!("a packet with a total length of {length}"),
            bad,
            move |packet| packet.total_length = Some(length),
        ));
    }
    for length in 20..24 {
        cases.push(case(
            format!("a packet with a total length of {length}"),
            unreadable,
            move |packet| packet.total_length = Some(length),
        ));
    }
    for length in 24..40 {
        let cut = drop(Reason::TcpTruncated, PortClass::Control);
        cases.push(case(
            format!("a SYN with a total length of {length}"),
            (cut, cut, not_ftp()),
            move |packet| packet.total_length = Some(length),
        ));
    }
    for length in [0, 41, 1500, 65_535] {
        cases.push(case(
            format!("a SYN of 40 bytes with a total length of {length}"),
            judged_by_source(),
            move |packet| packet.total_length = Some(length),
        ));
    }
    let syn_data = drop(Reason::TcpSynData, PortClass::Control);
    for length in [0, 41, 46, 65_535] {
        cases.push(case(
            format!("a SYN with 6 bytes behind it and a total length of {length}"),
            (syn_data, syn_data, not_ftp()),
            move |packet| {
                packet.payload.extend([0; 6]);
                packet.total_length = Some(length);
            },
        ));
    }
    cases.push(case(
        "a SYN with padding behind its total length",
        judged_by_source(),
        |packet| {
            packet.payload.extend([0xff; 6]);
            packet.total_length = Some(40);
        },
    ));
    for (name, protocol) in [
        ("UDP", 17),
        ("ICMP", 1),
        ("IPIP", 4),
        ("IPv6 in IPv4", 41),
        ("GRE", 47),
        ("ESP", 50),
        ("AH", 51),
        ("SCTP", 132),
        ("protocol 0", 0),
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

/// Frames that end before their IPv4 header says so; a packet length cannot express them.
pub(crate) fn table() -> Table {
    let flow = Flow {
        family: Family::Ipv4,
        listed: false,
        port: 21,
    };
    let mut packet = flow.ipv4(syn(&flow));
    packet.options = vec![1; 40];
    let bytes = packet.to_bytes();
    let rows = (0..64)
        .map(|length| Row {
            name: format!("a frame that ends after {length} bytes of a 60-byte IPv4 header"),
            frame: ethernet(Macs::default(), &[], IPV4, &bytes[..length]),
            family: Family::Ipv4,
            wanted: pass(Reason::Truncated, PortClass::Other),
        })
        .collect();
    Table {
        policy: policy(),
        rows,
    }
}
