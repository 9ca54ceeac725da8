//! IPv6 (RFC 8200).

use ftp_guard_common::reason::Reason;

use super::{Datagram, extensions};
use crate::{access::Access, wire::IpProto};

const HEADER_LEN: usize = 40;
const SOURCE_OFFSET: usize = 8;

/// The TCP datagram whose IPv6 header is at `network`.
#[inline(always)]
pub fn datagram<A: Access>(frame: &A, network: usize) -> Result<Datagram, Reason> {
    let start: [u16; SOURCE_OFFSET / 2] = frame.load(network).ok_or(Reason::Truncated)?;
    let [version, _, payload, next_and_hops] = start;
    if network + HEADER_LEN > frame.len() {
        return Err(Reason::Truncated);
    }
    if version.to_ne_bytes()[0] >> 4 != 6 {
        return Err(Reason::BadIpHeader);
    }
    let end = match u16::from_be(payload) as usize {
        // A jumbogram (RFC 2675) or BIG TCP (kernel 5.19).
        0 => frame.len(),
        payload => frame.len().min(network + HEADER_LEN + payload),
    };
    let mut datagram = Datagram {
        network,
        source: network + SOURCE_OFFSET,
        transport: network + HEADER_LEN,
        end,
        first_fragment: false,
    };
    let mut next = IpProto(next_and_hops.to_ne_bytes()[0]);
    if next.is_extension() {
        next = extensions::walk(frame.scattered(), &mut datagram, next)?;
    }
    if next != IpProto::TCP {
        return Err(Reason::NotTcp);
    }
    Ok(datagram)
}
