//! Ethernet and VLAN tags.

use ftp_guard_common::reason::Reason;

use crate::{access::Access, wire::EtherType};

/// Tags that are looked behind. Linux stacks VLAN devices deeper only by deliberate configuration.
const MAX_VLAN_TAGS: usize = 4;

/// Bytes of an Ethernet header, and where its EtherType is.
const HEADER_LEN: usize = 14;
const ETHER_TYPE: usize = 12;

/// Bytes of a VLAN tag behind its EtherType: tag control information and the next EtherType.
const VLAN_LEN: usize = 4;

/// The EtherType of the payload and its offset.
#[inline(always)]
pub fn payload<A: Access>(frame: &A) -> Result<(EtherType, usize), Reason> {
    let mut ether_type = EtherType(u16::from_be(
        frame.load(ETHER_TYPE).ok_or(Reason::Truncated)?,
    ));
    let mut offset = HEADER_LEN;
    for _ in 0..MAX_VLAN_TAGS {
        if !ether_type.is_vlan() {
            break;
        }
        let [_, next]: [u16; VLAN_LEN / 2] = frame.load(offset).ok_or(Reason::Truncated)?;
        ether_type = EtherType(u16::from_be(next));
        offset += VLAN_LEN;
    }
    if ether_type.is_vlan() {
        return Err(Reason::VlanTooDeep);
    }
    Ok((ether_type, offset))
}
