use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ftp_guard_common::reason::Reason;

use super::be16;
use crate::packet;

/// What the IP headers say of a TCP packet.
pub(super) struct Network<'a> {
    pub(super) source: IpAddr,
    /// From the TCP header to the end of the packet.
    pub(super) tcp: &'a [u8],
    /// More of this packet comes in other fragments.
    pub(super) first_fragment: bool,
}

/// IPv6 extension headers that are followed.
const MAX_EXTENSIONS: usize = 8;

/// Reads an IPv4 header; `bytes` ends with the frame.
pub(super) fn ipv4(bytes: &[u8]) -> Result<Network<'_>, Reason> {
    if bytes.len() < 20 {
        return Err(Reason::Truncated);
    }
    let version = bytes[0] >> 4;
    let header = usize::from(bytes[0] & 0x0f) * 4;
    let total = match u16::from_be_bytes([bytes[2], bytes[3]]) {
        // BIG TCP: the packet is as long as the frame says.
        0 => None,
        total => Some(usize::from(total)),
    };
    if version != 4 || header < 20 || total.is_some_and(|total| total < header) {
        return Err(Reason::BadIpHeader);
    }
    if bytes.len() < header {
        return Err(Reason::Truncated);
    }
    if bytes[9] != packet::TCP {
        return Err(Reason::NotTcp);
    }
    let fragment = u16::from_be_bytes([bytes[6], bytes[7]]);
    if fragment & 0x1fff != 0 {
        return Err(Reason::LaterFragment);
    }
    let end = total.unwrap_or(bytes.len()).min(bytes.len());
    Ok(Network {
        source: Ipv4Addr::new(bytes[12], bytes[13], bytes[14], bytes[15]).into(),
        tcp: &bytes[header..end],
        first_fragment: fragment & 0x2000 != 0,
    })
}

/// Reads an IPv6 header and the chain behind it; `bytes` ends with the frame.
pub(super) fn ipv6(bytes: &[u8]) -> Result<Network<'_>, Reason> {
    if bytes.len() < 40 {
        return Err(Reason::Truncated);
    }
    if bytes[0] >> 4 != 6 {
        return Err(Reason::BadIpHeader);
    }
    let end = match u16::from_be_bytes([bytes[4], bytes[5]]) {
        0 => bytes.len(),
        payload => bytes.len().min(40 + usize::from(payload)),
    };
    let mut source = [0; 16];
    source.copy_from_slice(&bytes[8..24]);

    let mut next = bytes[6];
    let mut rest = &bytes[40..end];
    let mut first_fragment = false;
    let mut extensions = 0;
    loop {
        if ![0, 43, 44, 51, 60].contains(&next) {
            break;
        }
        if extensions == MAX_EXTENSIONS {
            return Err(Reason::ExtensionsTooDeep);
        }
        extensions += 1;
        let cut_off = if first_fragment {
            Reason::FragmentedHeader
        } else {
            Reason::Truncated
        };
        let &[following, length, ..] = rest else {
            return Err(cut_off);
        };
        let length = match next {
            44 => 8,
            51 => (usize::from(length) + 2) * 4,
            _ => (usize::from(length) + 1) * 8,
        };
        if rest.len() < length {
            return Err(cut_off);
        }
        if next == 44 {
            let fragment = u16::from_be_bytes([rest[2], rest[3]]);
            if fragment >> 3 != 0 {
                return Err(Reason::LaterFragment);
            }
            first_fragment |= fragment & 1 != 0;
        }
        next = following;
        rest = &rest[length..];
    }
    if next != packet::TCP {
        return Err(Reason::NotTcp);
    }
    Ok(Network {
        source: Ipv6Addr::from(source).into(),
        tcp: rest,
        first_fragment,
    })
}

/// Checks the TCP header; returns whether the segment asks for a connection (SYN without ACK).
pub(super) fn tcp(network: &Network<'_>) -> Result<bool, Reason> {
    let bytes = network.tcp;
    let or_fragmented = |reason| {
        if network.first_fragment {
            Reason::FragmentedHeader
        } else {
            reason
        }
    };
    if be16(bytes, 18).is_none() {
        return Err(or_fragmented(Reason::TcpTruncated));
    }
    let header = usize::from(bytes[12] >> 4) * 4;
    if header < 20 {
        return Err(Reason::TcpBadOffset);
    }
    if header > bytes.len() {
        return Err(or_fragmented(Reason::TcpBadOffset));
    }
    let fin = bytes[13] & 0x01 != 0;
    let syn = bytes[13] & 0x02 != 0;
    let rst = bytes[13] & 0x04 != 0;
    let psh = bytes[13] & 0x08 != 0;
    let ack = bytes[13] & 0x10 != 0;
    let urg = bytes[13] & 0x20 != 0;
    if !(fin || syn || rst || psh || ack || urg) {
        Err(Reason::TcpNull)
    } else if fin && psh && urg {
        Err(Reason::TcpXmas)
    } else if syn && fin {
        Err(Reason::TcpSynFin)
    } else if syn && rst {
        Err(Reason::TcpSynRst)
    } else if syn && !ack && (bytes.len() > header || network.first_fragment) {
        Err(Reason::TcpSynData)
    } else {
        Ok(syn && !ack)
    }
}
