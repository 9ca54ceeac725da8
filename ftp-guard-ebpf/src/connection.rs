//! Which connection a segment belongs to.

use core::mem::{offset_of, transmute};

use ftp_guard_common::{
    address::{Address, FlowKey},
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
    let [from, to] = [ports.source.to_key(), ports.destination.to_key()];
    let (client, client_port, server, server_port) = match direction {
        Direction::Inbound => (source, from, destination, to),
        Direction::Outbound => (destination, to, source, from),
    };
    (key.client, key.client_port) = (client, client_port);
    (key.server, key.server_port) = (server, server_port);
    // The compiler would call a function to set three bytes.
    // SAFETY: the family and the zeros behind it are the last word of the key, which is aligned.
    unsafe {
        (&raw mut *key)
            .cast::<u32>()
            .add(offset_of!(FlowKey, family) / size_of::<u32>())
            .write(u32::from(family as u8).to_le());
    }
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
            let [source, destination]: [u32; 2] =
                frame.load(datagram.source).ok_or(Reason::Truncated)?;
            Ok((bytes([0, 0, 0, source]), bytes([0, 0, 0, destination])))
        }
        _ => {
            let [source, destination]: [[u32; 4]; 2] =
                frame.load(datagram.source).ok_or(Reason::Truncated)?;
            Ok((bytes(source), bytes(destination)))
        }
    }
}

/// An address that was read as words, in network order.
#[inline(always)]
fn bytes(address: [u32; 4]) -> Address {
    // SAFETY: both are 16 bytes, and any bytes are an address.
    unsafe { transmute::<[u32; 4], Address>(address) }
}
