//! What the frames of a flood are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, ensure};
use ftp_guard::frame::TcpFlags;
use ipnet::IpNet;

use crate::packet::{IPV4, IPV6, Ipv4, Ipv6, Macs, Segment, ethernet};

#[path = "../../../ebpf/src/recipe.rs"]
pub(super) mod program;

use program::{FRAME_WORDS, Source, Template};

/// Options of a usual client's SYN: MSS 1460, SACK permitted, time stamps, window scale 7.
const SYN_OPTIONS: [u8; 20] = [
    2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0x5e, 0xed, 0xca, 0xfe, 0, 0, 0, 0, 1, 3, 3, 7,
];
/// What a data segment carries.
const DATA: &[u8] = b"NOOP\r\nNOOP\r\nNOOP\r\n";
/// Shortest frame: Ethernet's, in whole words.
const SHORTEST: usize = 64;

/// What a segment of a flood is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A connection request without options.
    Syn,
    /// A connection request with the options of a usual client.
    SynWithOptions,
    /// An acknowledgement of no connection.
    Ack,
    /// A reset of no connection.
    Rst,
    /// The end of no connection.
    Fin,
    /// Data of no connection.
    Data,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Syn,
        Self::SynWithOptions,
        Self::Ack,
        Self::Rst,
        Self::Fin,
        Self::Data,
    ];

    fn flags(self) -> TcpFlags {
        match self {
            Self::Syn | Self::SynWithOptions => TcpFlags::SYN,
            Self::Ack => TcpFlags::ACK,
            Self::Rst => TcpFlags::RST,
            Self::Fin => TcpFlags::FIN | TcpFlags::ACK,
            Self::Data => TcpFlags::PSH | TcpFlags::ACK,
        }
    }
}

/// What the frames of a flood are. Source port, sequence number and acknowledgement number are random.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The segments.
    pub kind: Kind,
    /// Where the sources lie: one of these prefixes, and in it any address.
    pub sources: Vec<IpNet>,
    /// Whom the flood is for.
    pub target: IpAddr,
    /// The destination ports.
    pub ports: Vec<u16>,
    /// TPIDs of the VLAN tags, the outermost first.
    pub tags: Vec<u16>,
    /// The Ethernet addresses.
    pub macs: Macs,
}

/// A recipe as the program takes it.
pub(super) struct Prepared {
    pub(super) template: Template,
    pub(super) sources: Vec<Source>,
    /// Length of a frame in words of 8 bytes.
    pub(super) words: u32,
    /// Offsets of the IP and the TCP header.
    pub(super) network: u32,
    pub(super) transport: u32,
    pub(super) port_count: u32,
    pub(super) flags: u32,
}

impl Recipe {
    /// A first frame, with all that is random zero.
    pub(super) fn prepare(&self) -> Result<Prepared> {
        let v6 = self.target.is_ipv6();
        ensure!(
            self.sources.iter().all(|net| net.addr().is_ipv6() == v6),
            "sources and target of a flood are of one IP version"
        );
        let count = u32::try_from(self.sources.len())?;
        ensure!((1..=program::SOURCES).contains(&count), "{count} sources");
        let port_count = self.ports.len();
        ensure!(
            (1..=program::PORTS).contains(&port_count),
            "{port_count} destination ports"
        );

        let frame = self.frame();
        let network = 14 + 4 * self.tags.len();
        let transport = network + if v6 { 40 } else { 20 };
        let length = frame.len().max(SHORTEST).next_multiple_of(8);
        ensure!(length <= 8 * FRAME_WORDS, "frames of {length} bytes");
        let mut padded = [0; 8 * FRAME_WORDS];
        padded[..frame.len()].copy_from_slice(&frame);
        let mut template = Template {
            frame: [0; FRAME_WORDS],
            ports: [0; program::PORTS],
        };
        for (word, bytes) in template.frame.iter_mut().zip(padded.as_chunks().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        template.ports[..port_count].copy_from_slice(&self.ports);

        let mut flags = 0;
        if v6 {
            flags |= program::FLAG_V6;
        }
        if self.kind.flags().contains(TcpFlags::ACK) {
            flags |= program::FLAG_ACKNOWLEDGES;
        }
        let sources: Vec<_> = self.sources.iter().map(source).collect();
        // A prefix within one /8 is taken as it is: whoever names it wants it.
        if !v6 && sources.iter().any(|source| source.mask[0] >> 24 != 0) {
            flags |= program::FLAG_UNICAST;
        }
        Ok(Prepared {
            template,
            sources,
            words: u32::try_from(length / 8)?,
            network: u32::try_from(network).context("too many tags")?,
            transport: u32::try_from(transport)?,
            port_count: u32::try_from(port_count)?,
            flags,
        })
    }

    fn frame(&self) -> Vec<u8> {
        let mut segment = Segment::new(0, 0, self.kind.flags());
        segment.sequence = 0;
        segment.acknowledgement = 0;
        match self.kind {
            Kind::SynWithOptions => segment.options = SYN_OPTIONS.to_vec(),
            Kind::Data => segment.payload = DATA.to_vec(),
            Kind::Syn | Kind::Ack | Kind::Rst | Kind::Fin => {}
        }
        let (ethertype, packet) = match self.target {
            IpAddr::V4(target) => {
                let source = Ipv4Addr::UNSPECIFIED;
                let segment = segment.to_bytes(source.into(), target.into());
                (IPV4, Ipv4::new(source, target, segment).to_bytes())
            }
            IpAddr::V6(target) => {
                let source = Ipv6Addr::UNSPECIFIED;
                let segment = segment.to_bytes(source.into(), target.into());
                (IPV6, Ipv6::new(source, target, segment).to_bytes())
            }
        };
        ethernet(self.macs, &self.tags, ethertype, &packet)
    }
}

fn source(net: &IpNet) -> Source {
    // IPv4 in the first word, as IPv6 begins there.
    let number = |address| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    };
    let words = |number: u128| [96, 64, 32, 0].map(|shift| (number >> shift) as u32);
    Source {
        base: words(number(net.network())),
        mask: words(number(net.hostmask())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_prefix_and_random_bits() {
        let of = |text: &str| source(&text.parse().unwrap());
        let found = of("198.18.0.0/15");
        assert_eq!(found.base, [0xc612_0000, 0, 0, 0]);
        assert_eq!(found.mask, [0x0001_ffff, 0, 0, 0]);
        let found = of("10.231.0.2/32");
        assert_eq!((found.base[0], found.mask), (0x0ae7_0002, [0; 4]));
        let found = of("2001:2::/48");
        assert_eq!(found.base, [0x2001_0002, 0, 0, 0]);
        assert_eq!(found.mask, [0, 0xffff, u32::MAX, u32::MAX]);
    }
}
