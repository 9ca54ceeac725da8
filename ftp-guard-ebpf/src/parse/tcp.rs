//! TCP (RFC 9293): the ports, and for FTP ports the rest of what the rules ask for.

use ftp_guard_common::reason::Reason;

use super::Datagram;
use crate::{
    access::Access,
    wire::{Port, TcpFlags},
};

const PORTS_LEN: usize = 4;
const HEADER_LEN: usize = 20;
const OFFSET_AND_FLAGS: usize = 12;

/// What the rules ask of a TCP header.
pub struct Segment {
    /// The flag byte.
    pub flags: TcpFlags,
    /// Whether bytes follow the header, in this packet or in later fragments of it.
    pub has_payload: bool,
}

/// The destination port.
#[inline(always)]
pub fn ports<A: Access>(frame: &A, datagram: &Datagram) -> Result<Port, Reason> {
    let cut_off = datagram.cut_off(Reason::Truncated);
    if datagram.transport + PORTS_LEN > datagram.end {
        return Err(cut_off);
    }
    let [_, _, high, low]: [u8; PORTS_LEN] = frame.load(datagram.transport).ok_or(cut_off)?;
    Ok(Port(u16::from_be_bytes([high, low])))
}

/// The rest of the header, which must be whole.
#[inline(always)]
pub fn segment<A: Access>(frame: &A, datagram: &Datagram) -> Result<Segment, Reason> {
    let cut_off = datagram.cut_off(Reason::TcpTruncated);
    if datagram.transport + HEADER_LEN > datagram.end {
        return Err(cut_off);
    }
    let [offset, flags]: [u8; 2] = frame
        .load(datagram.transport + OFFSET_AND_FLAGS)
        .ok_or(cut_off)?;
    let header_len = ((offset >> 4) as usize) << 2;
    if header_len < HEADER_LEN {
        return Err(Reason::TcpBadOffset);
    }
    let payload = datagram.transport + header_len;
    if payload > datagram.end {
        return Err(datagram.cut_off(Reason::TcpBadOffset));
    }
    Ok(Segment {
        flags: TcpFlags(flags),
        // More fragments mean more bytes: without any the packet does not reassemble.
        has_payload: payload < datagram.end || datagram.first_fragment,
    })
}
