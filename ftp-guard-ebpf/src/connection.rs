//! Which connection a segment belongs to.

use ftp_guard_common::{address::FlowKey, class::Family, front::KEY_WORDS, reason::Reason};

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
    let words = words(frame, family, datagram, ports, direction)?;
    // Whole words: a processor that is to load a word which two stores have written waits for both.
    // SAFETY: a key is five words, and any bytes are one.
    unsafe { (&raw mut *key).cast::<[u64; KEY_WORDS]>().write(words) };
    Ok(())
}

/// The connection of a segment, as [`read`], as the words of its key.
#[inline(always)]
pub fn words<A: Access>(
    frame: &A,
    family: Family,
    datagram: &Datagram,
    ports: Ports,
    direction: Direction,
) -> Result<[u64; KEY_WORDS], Reason> {
    let (source, destination) = addresses(frame, family, datagram)?;
    let [from, to] = [ports.source.to_key(), ports.destination.to_key()];
    let ([client_high, client_low], [a, b], [server_high, server_low], [c, d]) = match direction {
        Direction::Inbound => (source, from, destination, to),
        Direction::Outbound => (destination, to, source, from),
    };
    let rest = u64::from_ne_bytes([a, b, c, d, family as u8, 0, 0, 0]);
    Ok([client_high, client_low, server_high, server_low, rest])
}

/// Source and destination, as words in network order.
#[inline(always)]
fn addresses<A: Access>(
    frame: &A,
    family: Family,
    datagram: &Datagram,
) -> Result<([u64; 2], [u64; 2]), Reason> {
    match family {
        Family::Ipv4 => {
            let [source, destination]: [u32; 2] =
                frame.load(datagram.source).ok_or(Reason::Truncated)?;
            Ok((mapped(source), mapped(destination)))
        }
        _ => {
            let [source, destination]: [[u64; 2]; 2] =
                frame.load(datagram.source).ok_or(Reason::Truncated)?;
            Ok((source, destination))
        }
    }
}

/// An IPv4 address as keys have it.
#[inline(always)]
fn mapped(address: u32) -> [u64; 2] {
    [0, u64::from(u32::from_be(address)).to_be()]
}
