use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::*;

fn spec(source: &str, destination: &str) -> FrameSpec {
    FrameSpec {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        source_port: 40_000,
        destination_port: 21,
        flags: TcpFlags::SYN,
        vlans: Vec::new(),
        payload: Vec::new(),
    }
}

#[test]
fn flags_read_from_text_and_back() {
    for (text, flags) in [
        ("syn", TcpFlags::SYN),
        ("syn,ack", TcpFlags::SYN | TcpFlags::ACK),
        ("fin,psh,urg", TcpFlags::FIN | TcpFlags::PSH | TcpFlags::URG),
        ("none", TcpFlags::NONE),
        ("ece,cwr", TcpFlags::ECE | TcpFlags::CWR),
        ("rst", TcpFlags::RST),
    ] {
        assert_eq!(text.parse(), Ok(flags));
        assert_eq!(flags.to_string(), text);
    }
    assert_eq!("ACK , Syn".parse(), Ok(TcpFlags::SYN | TcpFlags::ACK));
}

#[test]
fn text_that_is_no_flag_is_refused_by_name() {
    for name in ["", "sin", "s"] {
        let error = name.parse::<TcpFlags>().unwrap_err();
        assert!(
            error.to_string().contains(&format!("\"{name}\"")),
            "{error}"
        );
    }
    assert_eq!(
        "syn,none".parse::<TcpFlags>(),
        Err(TcpFlagsError::NoneCombined)
    );
    assert!("syn,,ack".parse::<TcpFlags>().is_err());
}

#[test]
fn an_ipv4_segment_has_valid_lengths_and_checksums() {
    let mut spec = spec("198.51.100.7", "192.0.2.1");
    spec.payload = b"USER a\r\n".to_vec();
    spec.flags = TcpFlags::PSH | TcpFlags::ACK;
    let frame = tcp_frame(&spec);
    let packet = SlicedPacket::from_ethernet(&frame).unwrap();
    let Some(NetSlice::Ipv4(ip)) = &packet.net else {
        panic!("no IPv4: {packet:?}")
    };
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        panic!("no TCP: {packet:?}")
    };
    assert_eq!(frame.len(), 14 + 20 + 20 + 8);
    assert_eq!(usize::from(ip.header().total_len()), 20 + 20 + 8);
    assert_eq!(
        ip.header().header_checksum(),
        ip.header().to_header().calc_header_checksum()
    );
    assert_eq!(ip.header().source_addr(), spec.source);
    assert_eq!(
        tcp.checksum(),
        tcp.to_header()
            .calc_checksum_ipv4(&ip.header().to_header(), &spec.payload)
            .unwrap()
    );
    assert_eq!((tcp.source_port(), tcp.destination_port()), (40_000, 21));
    assert_eq!(tcp.slice()[13], spec.flags.0);
    assert_eq!(tcp.payload(), spec.payload);
}

#[test]
fn an_ipv6_segment_has_valid_lengths_and_checksums() {
    let frame = tcp_frame(&spec("2001:db8::7", "2001:db8::1"));
    let packet = SlicedPacket::from_ethernet(&frame).unwrap();
    let Some(NetSlice::Ipv6(ip)) = &packet.net else {
        panic!("no IPv6: {packet:?}")
    };
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        panic!("no TCP: {packet:?}")
    };
    assert_eq!(frame.len(), 14 + 40 + 20);
    assert_eq!(ip.header().payload_length(), 20);
    assert_eq!(
        tcp.checksum(),
        tcp.to_header()
            .calc_checksum_ipv6(&ip.header().to_header(), &[])
            .unwrap()
    );
    assert!(tcp.syn() && !tcp.ack());
}

#[test]
fn tags_stand_outermost_first_and_the_innermost_is_a_c_tag() {
    let mut spec = spec("198.51.100.7", "192.0.2.1");
    spec.vlans = vec![0x2064, 7];
    let frame = tcp_frame(&spec);
    assert_eq!(
        frame[12..22],
        [0x88, 0xa8, 0x20, 0x64, 0x81, 0x00, 0x00, 0x07, 0x08, 0x00]
    );
}

#[test]
fn mixed_families_make_an_ipv4_mapped_source() {
    let frame = tcp_frame(&spec("198.51.100.7", "2001:db8::1"));
    assert_eq!(frame[12..14], [0x86, 0xdd]);
    assert_eq!(
        frame[22..38],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 7]
    );
}

#[test]
fn a_payload_beyond_64_kib_makes_a_big_tcp_packet() {
    for (source, destination, length_at) in [
        ("198.51.100.7", "192.0.2.1", 16),
        ("2001:db8::7", "2001:db8::1", 18),
    ] {
        let mut spec = spec(source, destination);
        spec.payload = vec![0; 70_000];
        let frame = tcp_frame(&spec);
        assert!(frame.len() > 70_000);
        assert_eq!(frame[length_at..length_at + 2], [0, 0]);
    }
}
