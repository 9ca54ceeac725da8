use std::net::Ipv4Addr;

use super::{TCP, checksum};

/// An IPv4 packet or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// Upper protocol.
    pub protocol: u8,
    /// Identification, by which fragments find each other.
    pub identification: u16,
    /// Fragment offset in units of 8 bytes.
    pub offset: u16,
    /// The "more fragments" flag.
    pub more: bool,
    /// The "don't fragment" flag.
    pub dont_fragment: bool,
    /// Option bytes, a multiple of 4.
    pub options: Vec<u8>,
    /// Version field.
    pub version: u8,
    /// Header length field in words, when it is to differ from the truth.
    pub ihl: Option<u8>,
    /// Total length field, when it is to differ from the truth.
    pub total_length: Option<u16>,
    /// What follows the header.
    pub payload: Vec<u8>,
}

impl Ipv4 {
    /// A plain TCP packet.
    #[must_use]
    pub fn new(source: Ipv4Addr, destination: Ipv4Addr, payload: Vec<u8>) -> Self {
        Self {
            source,
            destination,
            protocol: TCP,
            identification: 1,
            offset: 0,
            more: false,
            dont_fragment: false,
            options: Vec::new(),
            version: 4,
            ihl: None,
            total_length: None,
            payload,
        }
    }

    /// The bytes of the packet, with a valid header checksum.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = 20 + self.options.len();
        let ihl = self.ihl.unwrap_or((header / 4) as u8);
        let total_length = self
            .total_length
            .unwrap_or_else(|| u16::try_from(header + self.payload.len()).unwrap_or(0));
        let flags = u16::from(self.dont_fragment) << 14 | u16::from(self.more) << 13;

        let mut bytes = vec![self.version << 4 | ihl & 0x0f, 0];
        bytes.extend(total_length.to_be_bytes());
        bytes.extend(self.identification.to_be_bytes());
        bytes.extend((flags | self.offset & 0x1fff).to_be_bytes());
        bytes.extend([64, self.protocol, 0, 0]);
        bytes.extend(self.source.octets());
        bytes.extend(self.destination.octets());
        bytes.extend(&self.options);
        let sum = checksum(&[&bytes]);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}
