//! Ethernet and VLAN tags.

use ftp_guard_common::reason::Reason;
use network_types::eth::EthHdr;

use crate::{access::Access, wire::EtherType};

/// Tags that are looked behind. Linux stacks VLAN devices deeper only by deliberate configuration.
const MAX_VLAN_TAGS: usize = 4;

/// Bytes of a VLAN tag behind its EtherType: tag control information and the next EtherType.
const VLAN_LEN: usize = 4;

/// The EtherType of the payload and its offset.
#[inline(always)]
pub fn payload<A: Access>(frame: &A) -> Result<(EtherType, usize), Reason> {
    let header: EthHdr = frame.load(0).ok_or(Reason::Truncated)?;
    let mut ether_type = EtherType(u16::from_be(header.ether_type));
    let mut offset = EthHdr::LEN;
    for _ in 0..MAX_VLAN_TAGS {
        if !ether_type.is_vlan() {
            break;
        }
        let tag: [u8; VLAN_LEN] = frame.load(offset).ok_or(Reason::Truncated)?;
        ether_type = EtherType(u16::from_be_bytes([tag[2], tag[3]]));
        offset += VLAN_LEN;
    }
    if ether_type.is_vlan() {
        return Err(Reason::VlanTooDeep);
    }
    Ok((ether_type, offset))
}
