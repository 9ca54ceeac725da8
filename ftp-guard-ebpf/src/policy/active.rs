//! Active mode: the server opens these connections, nobody else does (RFC 959 section 3.2).

use ftp_guard_common::{class::PortClass, reason::Reason};

use crate::parse::Segment;

/// Refuses a connection request to an active data port.
#[inline(always)]
pub fn check(class: PortClass, segment: &Segment) -> Result<(), Reason> {
    if class == PortClass::ActiveData && segment.flags.is_connection_request() {
        return Err(Reason::ActiveDataSyn);
    }
    Ok(())
}
