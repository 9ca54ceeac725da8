use std::net::IpAddr;

use ftp_guard::frame::TcpFlags;

use super::{TCP, checksum};

/// A TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// Option bytes, a multiple of 4.
    pub options: Vec<u8>,
    /// Data offset field in words, when it is to differ from the truth.
    pub data_offset: Option<u8>,
    /// What the segment carries.
    pub payload: Vec<u8>,
}

impl Segment {
    /// A segment without options or payload.
    #[must_use]
    pub fn new(source_port: u16, destination_port: u16, flags: TcpFlags) -> Self {
        Self {
            source_port,
            destination_port,
            sequence: 1,
            acknowledgement: 0,
            flags,
            options: Vec::new(),
            data_offset: None,
            payload: Vec::new(),
        }
    }

    /// The bytes of the segment with a valid checksum between these two hosts (of one family).
    #[must_use]
    pub fn to_bytes(&self, source: IpAddr, destination: IpAddr) -> Vec<u8> {
        let offset = self
            .data_offset
            .unwrap_or(((20 + self.options.len()) / 4) as u8);
        let mut bytes = Vec::with_capacity(60 + self.payload.len());
        bytes.extend(self.source_port.to_be_bytes());
        bytes.extend(self.destination_port.to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.acknowledgement.to_be_bytes());
        bytes.extend([offset << 4, self.flags.0, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.extend(&self.options);
        bytes.extend(&self.payload);

        let length = (bytes.len() as u32).to_be_bytes();
        let sum = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => checksum(&[
                &source.octets(),
                &destination.octets(),
                &[0, TCP],
                &length,
                &bytes,
            ]),
            (source, destination) => checksum(&[
                &octets(source),
                &octets(destination),
                &[0, TCP],
                &length,
                &bytes,
            ]),
        };
        bytes[16..18].copy_from_slice(&sum.to_be_bytes());
        bytes
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
