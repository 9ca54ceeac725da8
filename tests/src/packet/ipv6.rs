use std::net::Ipv6Addr;

use super::TCP;

/// An IPv6 extension header (RFC 8200, section 4; RFC 4302).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Hop-by-hop options with this length field: `(n + 1) * 8` bytes.
    HopByHop(u8),
    /// Routing header of type 0 with no segment left, with this length field: `(n + 1) * 8` bytes.
    Routing(u8),
    /// Destination options with this length field: `(n + 1) * 8` bytes.
    DestinationOptions(u8),
    /// Fragment header: 8 bytes.
    Fragment {
        /// Offset in units of 8 bytes.
        offset: u16,
        /// The "more fragments" flag.
        more: bool,
        /// Identification, by which fragments find each other.
        id: u32,
    },
    /// Authentication header with this length field: `(n + 2) * 4` bytes.
    Authentication(u8),
}

impl Extension {
    /// A fragment header that fragments nothing (RFC 6946).
    pub const ATOMIC: Self = Self::Fragment {
        offset: 0,
        more: false,
        id: 7,
    };

    /// The protocol number by which the header before announces this one.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::HopByHop(_) => 0,
            Self::Routing(_) => 43,
            Self::DestinationOptions(_) => 60,
            Self::Fragment { .. } => 44,
            Self::Authentication(_) => 51,
        }
    }

    fn to_bytes(self, next: u8) -> Vec<u8> {
        match self {
            Self::HopByHop(length) | Self::DestinationOptions(length) => {
                let mut bytes = vec![next, length];
                let end = (usize::from(length) + 1) * 8;
                // Linux refuses more than 7 bytes of padding, so that the room is filled with
                // options of a type that RFC 4727 reserves for experiments and that nodes skip.
                while bytes.len() < end {
                    let data = (end - bytes.len() - 2).min(248);
                    bytes.extend([0x1e, data as u8]);
                    bytes.resize(bytes.len() + data, 0);
                }
                bytes
            }
            Self::Routing(length) => {
                let mut bytes = vec![next, length];
                bytes.resize((usize::from(length) + 1) * 8, 0);
                bytes
            }
            Self::Fragment { offset, more, id } => {
                let mut bytes = vec![next, 0];
                bytes.extend((offset << 3 | u16::from(more)).to_be_bytes());
                bytes.extend(id.to_be_bytes());
                bytes
            }
            Self::Authentication(length) => {
                let mut bytes = vec![next, length];
                bytes.resize((usize::from(length) + 2) * 4, 0);
                bytes
            }
        }
    }
}

/// An IPv6 packet or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// Source address.
    pub source: Ipv6Addr,
    /// Destination address.
    pub destination: Ipv6Addr,
    /// Extension headers, in order.
    pub chain: Vec<Extension>,
    /// What the last header announces.
    pub protocol: u8,
    /// Version field.
    pub version: u8,
    /// Payload length field, when it is to differ from the truth.
    pub payload_length: Option<u16>,
    /// What follows the last header.
    pub payload: Vec<u8>,
}

impl Ipv6 {
    /// A plain TCP packet.
    #[must_use]
    pub fn new(source: Ipv6Addr, destination: Ipv6Addr, payload: Vec<u8>) -> Self {
        Self {
            source,
            destination,
            chain: Vec::new(),
            protocol: TCP,
            version: 6,
            payload_length: None,
            payload,
        }
    }

    /// The bytes of the packet.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut rest = Vec::new();
        for (i, extension) in self.chain.iter().enumerate() {
            let next = self
                .chain
                .get(i + 1)
                .map_or(self.protocol, |extension| extension.number());
            rest.extend(extension.to_bytes(next));
        }
        rest.extend(&self.payload);

        let first = self
            .chain
            .first()
            .map_or(self.protocol, |extension| extension.number());
        let payload_length = self
            .payload_length
            .unwrap_or_else(|| u16::try_from(rest.len()).unwrap_or(0));
        let mut bytes = vec![self.version << 4, 0, 0, 0];
        bytes.extend(payload_length.to_be_bytes());
        bytes.extend([first, 64]);
        bytes.extend(self.source.octets());
        bytes.extend(self.destination.octets());
        bytes.extend(rest);
        bytes
    }
}
