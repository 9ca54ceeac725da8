//! Packets with every field in the open, right or wrong: what the suites feed the guard and send to
//! real stacks.

mod ipv4;
mod ipv6;
mod segment;

pub use ipv4::Ipv4;
pub use ipv6::{Extension, Ipv6};
pub use segment::Segment;

/// TPID of a C-tag (IEEE 802.1Q).
pub const C_TAG: u16 = 0x8100;
/// TPID of an S-tag (IEEE 802.1ad).
pub const S_TAG: u16 = 0x88a8;
/// TPID that devices used for outer tags before 802.1ad.
pub const OLD_S_TAG: u16 = 0x9100;
/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;

/// Destination and source of an Ethernet frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Macs {
    /// Where the frame goes.
    pub destination: [u8; 6],
    /// Where it comes from.
    pub source: [u8; 6],
}

impl Default for Macs {
    /// Two locally administered addresses, which no real card has.
    fn default() -> Self {
        Self {
            destination: [0x02, 0, 0, 0, 0, 1],
            source: [0x02, 0, 0, 0, 0, 2],
        }
    }
}

/// Wraps `payload` of type `ethertype` into VLAN tags with the given TPIDs, the outermost first, and
/// an Ethernet header. The VLANs are 100, 101 and so on.
#[must_use]
pub fn ethernet(macs: Macs, tags: &[u16], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let tags: Vec<_> = tags.iter().copied().zip(100..).collect();
    tagged(macs, &tags, ethertype, payload)
}

/// As [`ethernet`], each tag with its tag control information (the VLAN in its low 12 bits).
#[must_use]
pub fn tagged(macs: Macs, tags: &[(u16, u16)], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(14 + 4 * tags.len() + payload.len());
    frame.extend(macs.destination);
    frame.extend(macs.source);
    for (tpid, tci) in tags {
        frame.extend(tpid.to_be_bytes());
        frame.extend(tci.to_be_bytes());
    }
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The Internet checksum (RFC 1071) of the concatenated `parts`; all but the last have an even length.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u64::from(u16::from_be_bytes([
                pair[0],
                pair.get(1).copied().unwrap_or(0),
            ]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The bytes in hexadecimal, without separators, as `xxd -r -p` reads them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
