//! TCP packets made by hand, for `explain` and the test suites.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    ops::BitOr,
    str::FromStr,
};

use etherparse::{EtherType, IpNumber, Ipv4Header, Ipv6Header, TcpHeader};

/// The six flags of RFC 793 and the two of RFC 3168, as byte 13 of the TCP header holds them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No flag at all.
    pub const NONE: Self = Self(0);
    /// The sender has no more data.
    pub const FIN: Self = Self(0x01);
    /// Opens a connection.
    pub const SYN: Self = Self(0x02);
    /// Aborts a connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);
    /// Echo of congestion (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x80);

    const NAMES: [(&'static str, Self); 8] = [
        ("fin", Self::FIN),
        ("syn", Self::SYN),
        ("rst", Self::RST),
        ("psh", Self::PSH),
        ("ack", Self::ACK),
        ("urg", Self::URG),
        ("ece", Self::ECE),
        ("cwr", Self::CWR),
    ];

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for TcpFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Self::NAMES
            .iter()
            .filter(|(_, flag)| self.contains(*flag))
            .map(|(name, _)| *name)
            .collect();
        if names.is_empty() {
            f.write_str("none")
        } else {
            f.write_str(&names.join(","))
        }
    }
}

/// Why a text is no set of TCP flags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TcpFlagsError {
    /// A name that is no flag's.
    #[error(
        "unknown TCP flag \"{name}\": expected fin, syn, rst, psh, ack, urg, ece or cwr, \
         separated by commas, or none"
    )]
    Unknown {
        /// The name as given.
        name: String,
    },
    /// `none` beside other flags.
    #[error("\"none\" stands alone: it cannot be combined with other TCP flags")]
    NoneCombined,
}

impl FromStr for TcpFlags {
    type Err = TcpFlagsError;

    /// Reads names separated by commas, in any order and case, such as `syn` or `fin,psh,urg`;
    /// `none` is a segment without flags.
    ///
    /// # Errors
    ///
    /// A name that is no flag's (an empty one included), or `none` beside others.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().eq_ignore_ascii_case("none") {
            return Ok(Self::NONE);
        }
        let mut flags = Self::NONE;
        for name in text.split(',').map(str::trim) {
            if name.eq_ignore_ascii_case("none") {
                return Err(TcpFlagsError::NoneCombined);
            }
            let (_, flag) = Self::NAMES
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .ok_or_else(|| TcpFlagsError::Unknown {
                    name: name.to_owned(),
                })?;
            flags = flags | *flag;
        }
        Ok(flags)
    }
}

/// A TCP segment in one Ethernet frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameSpec {
    /// Source address. With a destination of the other family the packet is IPv6, and the IPv4
    /// address stands in it as an IPv4-mapped one (`::ffff:192.0.2.1`, RFC 4291, 2.5.5.2).
    pub source: IpAddr,
    /// Destination address; see `source` for mixed families.
    pub destination: IpAddr,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// TCP flags.
    pub flags: TcpFlags,
    /// Tag control information of each VLAN tag, the outermost first: the VLAN's number in the low
    /// 12 bits. The innermost tag is a C-tag (0x8100), the others are S-tags (0x88a8).
    pub vlans: Vec<u16>,
    /// What the segment carries. Beyond 64 KiB the packet is a BIG TCP one, as an interface hands it
    /// over after receive offload: IP length 0 and no valid checksum.
    pub payload: Vec<u8>,
}

// Locally administered addresses (IEEE 802, bit 1 of the first byte): no real card has them.
const SERVER_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
const CLIENT_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];

/// Builds the Ethernet frame of a segment, with valid lengths and checksums and without frame check
/// sequence.
#[must_use]
pub fn tcp_frame(spec: &FrameSpec) -> Vec<u8> {
    let mut frame = Vec::with_capacity(128 + spec.payload.len());
    frame.extend(SERVER_MAC);
    frame.extend(CLIENT_MAC);
    for (outer, tci) in spec.vlans.iter().enumerate() {
        let tag = if outer + 1 == spec.vlans.len() {
            EtherType::VLAN_TAGGED_FRAME
        } else {
            EtherType::PROVIDER_BRIDGING
        };
        frame.extend(tag.0.to_be_bytes());
        frame.extend(tci.to_be_bytes());
    }

    let mut tcp = TcpHeader::new(spec.source_port, spec.destination_port, 1, 65_535);
    tcp.fin = spec.flags.contains(TcpFlags::FIN);
    tcp.syn = spec.flags.contains(TcpFlags::SYN);
    tcp.rst = spec.flags.contains(TcpFlags::RST);
    tcp.psh = spec.flags.contains(TcpFlags::PSH);
    tcp.ack = spec.flags.contains(TcpFlags::ACK);
    tcp.urg = spec.flags.contains(TcpFlags::URG);
    tcp.ece = spec.flags.contains(TcpFlags::ECE);
    tcp.cwr = spec.flags.contains(TcpFlags::CWR);
    let segment = tcp.header_len() + spec.payload.len();

    match (spec.source, spec.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut ip = Ipv4Header {
                total_len: u16::try_from(Ipv4Header::MIN_LEN + segment).unwrap_or(0),
                dont_fragment: true,
                time_to_live: 64,
                protocol: IpNumber::TCP,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv4Header::default()
            };
            ip.header_checksum = ip.calc_header_checksum();
            tcp.checksum = tcp.calc_checksum_ipv4(&ip, &spec.payload).unwrap_or(0);
            frame.extend(EtherType::IPV4.0.to_be_bytes());
            frame.extend(ip.to_bytes());
        }
        (source, destination) => {
            let ip = Ipv6Header {
                payload_length: u16::try_from(segment).unwrap_or(0),
                next_header: IpNumber::TCP,
                hop_limit: 64,
                source: as_v6(source).octets(),
                destination: as_v6(destination).octets(),
                ..Ipv6Header::default()
            };
            tcp.checksum = tcp.calc_checksum_ipv6(&ip, &spec.payload).unwrap_or(0);
            frame.extend(EtherType::IPV6.0.to_be_bytes());
            frame.extend(ip.to_bytes());
        }
    }
    frame.extend(tcp.to_bytes());
    frame.extend(&spec.payload);
    frame
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
