//! TCP (RFC 9293): the ports, and for FTP ports the rest of what the rules ask for.

use ftp_guard_common::reason::Reason;

use super::Datagram;
use crate::{
    access::Access,
    wire::{Port, TcpFlags},
};

const PORTS_LEN: usize = 4;
const HEADER_LEN: usize = 20;

/// The ports of a segment.
#[derive(Clone, Copy)]
pub struct Ports {
    pub source: Port,
    pub destination: Port,
}

/// What the rules ask of a TCP header.
#[repr(C)]
pub struct Segment {
    /// The flag byte.
    pub flags: TcpFlags,
    /// Whether bytes follow the header, in this packet or in later fragments of it.
    pub has_payload: bool,
    /// Sequence number of the segment.
    pub sequence: u32,
    /// Acknowledgement number; means nothing without ACK.
    pub acknowledgement: u32,
    /// Offset of the payload in the frame.
    pub payload: usize,
    /// Bytes of payload in this packet.
    pub payload_len: usize,
    /// Whether more of it follows in later fragments.
    pub is_fragment: bool,
}

impl Segment {
    /// Sequence number of the byte behind the payload.
    #[inline(always)]
    pub fn end(&self) -> u32 {
        self.sequence.wrapping_add(self.payload_len as u32)
    }
}

/// The ports.
#[inline(always)]
pub fn ports<A: Access>(frame: &A, datagram: &Datagram) -> Result<Ports, Reason> {
    let cut_off = datagram.cut_off(Reason::Truncated);
    if datagram.transport + PORTS_LEN > datagram.end {
        return Err(cut_off);
    }
    let [source, destination]: [u16; PORTS_LEN / 2] =
        frame.load(datagram.transport).ok_or(cut_off)?;
    Ok(Ports {
        source: Port(u16::from_be(source)),
        destination: Port(u16::from_be(destination)),
    })
}

/// The rest of the header, which must be whole.
#[inline(always)]
pub fn segment<A: Access>(frame: &A, datagram: &Datagram) -> Result<Segment, Reason> {
    let cut_off = datagram.cut_off(Reason::TcpTruncated);
    if datagram.transport + HEADER_LEN > datagram.end {
        return Err(cut_off);
    }
    let [sequence, acknowledgement, offset_to_window]: [u32; 3] =
        frame.load(datagram.transport + PORTS_LEN).ok_or(cut_off)?;
    let [offset, flags, ..] = offset_to_window.to_ne_bytes();
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
        sequence: u32::from_be(sequence),
        acknowledgement: u32::from_be(acknowledgement),
        payload,
        payload_len: datagram.end - payload,
        is_fragment: datagram.first_fragment,
    })
}
