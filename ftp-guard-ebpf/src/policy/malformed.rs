//! Combinations of flags that no TCP sends (RFC 9293 section 3.5) and that filters stumble over.

use ftp_guard_common::reason::Reason;

use crate::{parse::Segment, wire::TcpFlags};

/// Refuses a segment that is none.
#[inline(always)]
pub fn check(segment: &Segment) -> Result<(), Reason> {
    let flags = segment.flags;
    if flags.is_null() {
        return Err(Reason::TcpNull);
    }
    if flags.has(TcpFlags::FIN | TcpFlags::PSH | TcpFlags::URG) {
        return Err(Reason::TcpXmas);
    }
    if flags.has(TcpFlags::SYN | TcpFlags::FIN) {
        return Err(Reason::TcpSynFin);
    }
    if flags.has(TcpFlags::SYN | TcpFlags::RST) {
        return Err(Reason::TcpSynRst);
    }
    // TCP Fast Open (RFC 7413) would hand bytes to the server before the handshake proves a source.
    if flags.is_connection_request() && segment.has_payload {
        return Err(Reason::TcpSynData);
    }
    Ok(())
}
