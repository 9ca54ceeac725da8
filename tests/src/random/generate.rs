use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::ports::PORTS;
use ipnet::IpNet;
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

use crate::{
    packet::{
        C_TAG, Extension, IPV4, IPV6, Ipv4, Ipv6, Macs, OLD_S_TAG, S_TAG, Segment, UDP, ethernet,
    },
    policy::Policy,
};

/// Makes frames that are mostly valid, with the rare things of the wire made common.
pub struct Generator {
    sources: Vec<IpAddr>,
    ports: Vec<u16>,
}

impl Generator {
    /// A generator whose sources lie in and beside the policy's prefixes, and whose ports lie on and
    /// beside the borders of its classes.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let mut sources: Vec<IpAddr> =
            vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into()];
        for prefix in policy.allow.keys() {
            match prefix {
                IpNet::V4(prefix) => {
                    let (first, last) = (prefix.network().to_bits(), prefix.broadcast().to_bits());
                    for address in [first, last, first.wrapping_sub(1), last.wrapping_add(1)] {
                        sources.push(Ipv4Addr::from(address).into());
                        sources.push(Ipv4Addr::from(address).to_ipv6_mapped().into());
                    }
                }
                IpNet::V6(prefix) => {
                    let (first, last) = (prefix.network().to_bits(), prefix.broadcast().to_bits());
                    for address in [first, last, first.wrapping_sub(1), last.wrapping_add(1)] {
                        sources.push(Ipv6Addr::from(address).into());
                    }
                }
            }
        }
        let mut ports = vec![0, 22, u16::MAX];
        for port in 1..PORTS {
            if policy.ports[port] != policy.ports[port - 1] {
                ports.extend([port as u16 - 1, port as u16]);
            }
        }
        Self { sources, ports }
    }

    /// One frame, at least 14 bytes long.
    ///
    /// # Panics
    ///
    /// Never: the lists are not empty.
    #[must_use]
    pub fn frame(&self, rng: &mut StdRng) -> Vec<u8> {
        let source = *self.sources.choose(rng).expect("there are sources");
        let port = if rng.random_bool(0.9) {
            *self.ports.choose(rng).expect("there are ports")
        } else {
            rng.random()
        };
        let tags: Vec<u16> = (0..tag_count(rng))
            .map(|_| *[C_TAG, S_TAG, OLD_S_TAG].choose(rng).expect("not empty"))
            .collect();
        let (ethertype, packet) = match source {
            IpAddr::V4(source) => (IPV4, ipv4(rng, source, port)),
            IpAddr::V6(source) => (IPV6, ipv6(rng, source, port)),
        };
        let ethertype = if rng.random_bool(0.02) {
            *[0x0806, 0x8847, 0x86dd, 0x0800, 0x9200]
                .choose(rng)
                .expect("not empty")
        } else {
            ethertype
        };
        let mut frame = ethernet(Macs::default(), &tags, ethertype, &packet);
        if rng.random_bool(0.2) {
            // Padding behind the packet, as in frames below 60 bytes.
            frame.resize(frame.len() + rng.random_range(1..40), rng.random());
        }
        frame
    }
}

fn tag_count(rng: &mut StdRng) -> usize {
    match rng.random_range(0..100) {
        0..70 => 0,
        70..96 => rng.random_range(1..=4),
        _ => rng.random_range(5..=6),
    }
}

fn ipv4(rng: &mut StdRng, source: Ipv4Addr, port: u16) -> Vec<u8> {
    let destination = Ipv4Addr::new(192, 0, 2, 1);
    let mut packet = Ipv4::new(
        source,
        destination,
        segment(rng, port, source.into(), destination.into()),
    );
    packet.dont_fragment = rng.random();
    if rng.random_bool(0.3) {
        packet.options = (0..rng.random_range(0..=10) * 4)
            .map(|_| rng.random())
            .collect();
    }
    if rng.random_bool(0.05) {
        packet.protocol = protocol(rng);
    }
    if rng.random_bool(0.25) {
        (packet.offset, packet.more) = fragment(rng);
        cut_fragment(rng, &mut packet.payload);
    }
    if rng.random_bool(0.05) {
        packet.total_length = Some(rng.random_range(0..100));
    }
    packet.to_bytes()
}

fn ipv6(rng: &mut StdRng, source: Ipv6Addr, port: u16) -> Vec<u8> {
    let destination = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let mut packet = Ipv6::new(
        source,
        destination,
        segment(rng, port, source.into(), destination.into()),
    );
    if rng.random_bool(0.6) {
        packet.chain = (0..rng.random_range(0..=10))
            .map(|_| extension(rng))
            .collect();
    }
    if rng.random_bool(0.05) {
        packet.protocol = protocol(rng);
    }
    if rng.random_bool(0.15) {
        cut_fragment(rng, &mut packet.payload);
    }
    if rng.random_bool(0.05) {
        packet.payload_length = Some(rng.random_range(0..200));
    }
    packet.to_bytes()
}

fn extension(rng: &mut StdRng) -> Extension {
    // Mostly short, so that a long chain is not always a long frame.
    let length = if rng.random_bool(0.9) {
        rng.random_range(0..4)
    } else {
        rng.random()
    };
    match rng.random_range(0..9) {
        0 | 1 => Extension::HopByHop(length),
        2 | 3 => Extension::Routing(length),
        4 | 5 => Extension::DestinationOptions(length),
        6 => Extension::Authentication(length),
        7 => Extension::ATOMIC,
        _ => {
            let (offset, more) = fragment(rng);
            Extension::Fragment {
                offset,
                more,
                id: rng.random(),
            }
        }
    }
}

fn fragment(rng: &mut StdRng) -> (u16, bool) {
    let offset = match rng.random_range(0..6) {
        0..4 => 0,
        4 => rng.random_range(1..4),
        _ => rng.random_range(0..0x2000),
    };
    (offset, rng.random_bool(0.7))
}

fn cut_fragment(rng: &mut StdRng, payload: &mut Vec<u8>) {
    let longest = payload.len().min(40);
    payload.truncate(rng.random_range(0..=longest));
}

fn protocol(rng: &mut StdRng) -> u8 {
    // UDP, ICMP, ICMPv6, ESP, "no next header", IPIP, mobility, or any.
    *[UDP, 1, 58, 50, 59, 4, 41, 135, rng.random()]
        .choose(rng)
        .expect("not empty")
}

fn segment(rng: &mut StdRng, port: u16, source: IpAddr, destination: IpAddr) -> Vec<u8> {
    let flags = match rng.random_range(0..4) {
        0 => TcpFlags::SYN,
        1 => TcpFlags::ACK,
        2 => TcpFlags::PSH | TcpFlags::ACK,
        _ => TcpFlags(rng.random()),
    };
    let mut segment = Segment::new(rng.random(), port, flags);
    segment.sequence = rng.random();
    segment.acknowledgement = rng.random();
    if rng.random_bool(0.3) {
        segment.options = (0..rng.random_range(0..=10) * 4)
            .map(|_| rng.random())
            .collect();
    }
    if rng.random_bool(0.5) {
        let length = match rng.random_range(0..400) {
            // Beyond a page, so that the buffer has several parts.
            0 => rng.random_range(1400..9000),
            1..40 => rng.random_range(40..1400),
            _ => rng.random_range(1..40),
        };
        segment.payload = vec![rng.random(); length];
    }
    if rng.random_bool(0.15) {
        segment.data_offset = Some(rng.random_range(0..16));
    }
    segment.to_bytes(source, destination)
}
