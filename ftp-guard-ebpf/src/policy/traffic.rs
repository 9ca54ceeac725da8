//! What passes over a connection that is known, and when it ends.

use ftp_guard_common::{config::Role, front::Pending, reason::Reason, session::Traffic};

use super::allow::Admission;
use crate::{
    connection::Direction,
    maps::{self, atomic},
    parse::Segment,
    wire::TcpFlags,
};

/// Notes a segment; whether it was the one that ended the connection.
///
/// On a host its sockets tell when a connection ends, not what looks like a FIN or RST on the wire.
#[inline(always)]
pub fn note(
    traffic: &mut Traffic,
    segment: &Segment,
    direction: Direction,
    now: u64,
) -> Result<bool, Reason> {
    if traffic.killed != 0 {
        return Err(Reason::Killed);
    }
    traffic.seen_ns = now;
    let fin = segment.flags.has(TcpFlags::FIN);
    let mut reset = segment.flags.has(TcpFlags::RST);
    match direction {
        Direction::Inbound => {
            let counted = Pending {
                packets: 1,
                bytes: segment.payload_len as u64,
                seen_ns: now,
            };
            atomic::count(traffic, counted);
            if fin {
                traffic.fin_client = 1;
            }
            // RFC 5961 section 3: with another number the server asks again, and a stranger cannot know.
            reset = reset && segment.sequence == traffic.server_ack;
        }
        Direction::Outbound => {
            traffic.packets_out += 1;
            traffic.bytes_out += segment.payload_len as u64;
            if fin {
                traffic.fin_server = 1;
            }
            if segment.flags.has(TcpFlags::ACK) {
                traffic.server_ack = segment.acknowledgement;
            }
        }
    }
    if reset {
        traffic.fin_client = 1;
    }
    let ends = reset || (traffic.fin_client != 0 && traffic.fin_server != 0);
    if ends && traffic.closed_ns == 0 && maps::config::role() == Role::Router {
        traffic.closed_ns = now;
        return Ok(true);
    }
    Ok(false)
}

/// The state of a connection that begins now.
#[inline(always)]
pub fn begin(now: u64, admission: &Admission) -> Traffic {
    Traffic {
        created_ns: now,
        seen_ns: now,
        allow_generation: maps::config::allow_generation(),
        allow_expires_s: admission.entry.expires_s,
        witnessed: admission.witnessed,
        ..Traffic::default()
    }
}
