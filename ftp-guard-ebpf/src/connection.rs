//! Which connection a segment belongs to.

use ftp_guard_common::{
    address::{Address, FlowKey, v4},
    class::Family,
    reason::Reason,
};

use crate::{
    access::Access,
    parse::{Datagram, Ports},
};

/// Where a segment comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a client.
    Inbound,
    /// From a server.
    Outbound,
}

/// Fills in the connection of a segment, seen from the server.
#[inline(always)]
pub fn read<A: Access>(
    key: &mut FlowKey,
    frame: &A,
    family: Family,
    datagram: &Datagram,
    ports: Ports,
    direction: Direction,
) -> Result<(), Reason> {
    let (source, destination) = addresses(frame, family, datagram)?;
    match direction {
        Direction::Inbound => {
            (key.client, key.client_port) = (source, ports.source.to_key());
            (key.server, key.server_port) = (destination, ports.destination.to_key());
        }
        Direction::Outbound => {
            (key.client, key.client_port) = (destination, ports.destination.to_key());
            (key.server, key.server_port) = (source, ports.source.to_key());
        }
    }
    key.family = family as u8;
    key.reserved = [0; 3];
    Ok(())
}

#[inline(always)]
fn addresses<A: Access>(
    frame: &A,
    family: Family,
    datagram: &Datagram,
) -> Result<(Address, Address), Reason> {
    match family {
        Family::Ipv4 => {
            let [source, destination]: [[u8; 4]; 2] =
                frame.load(datagram.source).ok_or(Reason::Truncated)?;
            Ok((v4(source), v4(destination)))
        }
        _ => {
            let [source, destination]: [[u8; 16]; 2] =
                frame.load(datagram.source).ok_or(Reason::Truncated)?;
            Ok((source, destination))
        }
    }
}
