//! Turns a frame into a small typed summary, once. Nothing here decides who may use FTP; a parser
//! stops with the reason for which the frame is none of the guard's business or hides too much.

mod eth;
mod extensions;
mod ipv4;
mod ipv6;
mod tcp;

use ftp_guard_common::{class::Family, reason::Reason};

pub use tcp::{Ports, Segment, ports, segment};

use crate::{access::Access, wire::EtherType};

/// An IP packet that carries TCP, or the beginning of one.
pub struct Datagram {
    /// Offset of the IP header in the frame.
    pub network: usize,
    /// Offset of the source address in the frame; the destination address follows it.
    pub source: usize,
    /// Offset of the TCP header in the frame.
    pub transport: usize,
    /// Offset at which the packet ends in the frame: padding behind it is not payload.
    pub end: usize,
    /// Whether more fragments follow and this one is the first.
    pub first_fragment: bool,
}

impl Datagram {
    /// The reason for a header that ends beyond the packet: a first fragment hides what follows.
    #[inline(always)]
    pub fn cut_off(&self, unfragmented: Reason) -> Reason {
        if self.first_fragment {
            Reason::FragmentedHeader
        } else {
            unfragmented
        }
    }
}

/// Finds the TCP header of a frame. `family` tells how far the parser came, also when it stops.
#[inline(always)]
pub fn datagram<A: Access>(frame: &A, family: &mut Family) -> Result<Datagram, Reason> {
    let (ether_type, network) = eth::payload(frame)?;
    match ether_type {
        EtherType::IPV4 => {
            *family = Family::Ipv4;
            ipv4::datagram(frame, network)
        }
        EtherType::IPV6 => {
            *family = Family::Ipv6;
            ipv6::datagram(frame, network)
        }
        _ => Err(Reason::NotIp),
    }
}
