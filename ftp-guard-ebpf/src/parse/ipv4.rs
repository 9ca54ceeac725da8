//! IPv4 with options and fragments (RFC 791).

use core::mem::offset_of;

use ftp_guard_common::reason::Reason;
use network_types::ip::Ipv4Hdr;

use super::Datagram;
use crate::{access::Access, wire::IpProto};

const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// The TCP datagram whose IPv4 header is at `network`.
#[inline(always)]
pub fn datagram<A: Access>(frame: &A, network: usize) -> Result<Datagram, Reason> {
    let header: Ipv4Hdr = frame.load(network).ok_or(Reason::Truncated)?;
    let header_len = ((header.vihl & 0xf) as usize) << 2;
    if header.vihl >> 4 != 4 || header_len < Ipv4Hdr::LEN {
        return Err(Reason::BadIpHeader);
    }
    let end = match u16::from_be_bytes(header.tot_len) as usize {
        // BIG TCP: segments that GRO has made larger than the field can say (kernel 6.3).
        0 => frame.len(),
        total if total < header_len => return Err(Reason::BadIpHeader),
        total => frame.len().min(network + total),
    };
    let transport = network + header_len;
    if transport > end {
        return Err(Reason::Truncated);
    }
    if IpProto(header.proto) != IpProto::TCP {
        return Err(Reason::NotTcp);
    }
    let fragment = u16::from_be_bytes(header.frags);
    if fragment & FRAGMENT_OFFSET != 0 {
        return Err(Reason::LaterFragment);
    }
    Ok(Datagram {
        network,
        source: network + offset_of!(Ipv4Hdr, src_addr),
        transport,
        end,
        first_fragment: fragment & MORE_FRAGMENTS != 0,
    })
}
