//! IPv4 with options and fragments (RFC 791).

use ftp_guard_common::reason::Reason;

use super::Datagram;
use crate::{access::Access, wire::IpProto};

const HEADER_LEN: usize = 20;
const SOURCE_OFFSET: usize = 12;
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// The TCP datagram whose IPv4 header is at `network`.
#[inline(always)]
pub fn datagram<A: Access>(frame: &A, network: usize) -> Result<Datagram, Reason> {
    let header: [u16; HEADER_LEN / 2] = frame.load(network).ok_or(Reason::Truncated)?;
    let [start, total, _, fragment, time_and_protocol, ..] = header;
    let [version, _] = start.to_ne_bytes();
    let [_, protocol] = time_and_protocol.to_ne_bytes();
    let header_len = ((version & 0xf) as usize) << 2;
    if version >> 4 != 4 || header_len < HEADER_LEN {
        return Err(Reason::BadIpHeader);
    }
    let end = match u16::from_be(total) as usize {
        // BIG TCP: segments that GRO has made larger than the field can say (kernel 6.3).
        0 => frame.len(),
        total if total < header_len => return Err(Reason::BadIpHeader),
        total => frame.len().min(network + total),
    };
    let transport = network + header_len;
    if transport > end {
        return Err(Reason::Truncated);
    }
    if IpProto(protocol) != IpProto::TCP {
        return Err(Reason::NotTcp);
    }
    let fragment = u16::from_be(fragment);
    if fragment & FRAGMENT_OFFSET != 0 {
        return Err(Reason::LaterFragment);
    }
    Ok(Datagram {
        network,
        source: network + SOURCE_OFFSET,
        transport,
        end,
        first_fragment: fragment & MORE_FRAGMENTS != 0,
    })
}
