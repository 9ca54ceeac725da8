use std::{collections::BTreeSet, net::IpAddr};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use ftp_guard::frame::TcpFlags;
use ftp_guard_common::class::PortClass;

use crate::policy::Policy;

/// A TCP segment of a capture, as another parser than ours reads it.
pub(super) struct Segment<'a> {
    pub(super) source: (IpAddr, u16),
    pub(super) destination: (IpAddr, u16),
    pub(super) flags: TcpFlags,
    pub(super) sequence: u32,
    pub(super) payload: &'a [u8],
}

/// Who is who in a capture.
#[derive(Debug, Default)]
pub struct Roles {
    /// Address and port of each control listener.
    listeners: BTreeSet<(IpAddr, u16)>,
    /// Who talked to one.
    pub clients: BTreeSet<IpAddr>,
    /// Server ports to which a client opened data connections.
    passive_ports: BTreeSet<u16>,
}

impl Roles {
    /// Finds the FTP servers of a capture, by their well-known ports or their greeting (RFC 959, 220),
    /// their clients, and the ports of passive data connections.
    #[must_use]
    pub fn find(frames: &[Vec<u8>]) -> Self {
        let segments: Vec<_> = frames.iter().filter_map(|frame| segment(frame)).collect();
        let mut roles = Self::default();
        for segment in &segments {
            for end in [segment.source, segment.destination] {
                if [21, 990].contains(&end.1) {
                    roles.listeners.insert(end);
                }
            }
            // SMTP servers greet with the same code.
            let is_mail = [25, 465, 587, 2525].contains(&segment.source.1);
            if segment.payload.starts_with(b"220") && !is_mail {
                roles.listeners.insert(segment.source);
            }
        }
        for segment in &segments {
            if roles.listeners.contains(&segment.destination) {
                roles.clients.insert(segment.source.0);
            }
        }
        for segment in &segments {
            let opens =
                segment.flags.contains(TcpFlags::SYN) && !segment.flags.contains(TcpFlags::ACK);
            if opens
                && roles.is_client_to_server(segment)
                && !roles.listeners.contains(&segment.destination)
                && segment.destination.1 >= 1024
            {
                roles.passive_ports.insert(segment.destination.1);
            }
        }
        roles
    }

    /// A policy for the server side: its ports, and nobody listed.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let mut policy = Policy::new();
        for port in &self.passive_ports {
            policy.class(*port..=*port, PortClass::PassiveData);
        }
        for (_, port) in &self.listeners {
            policy.class(*port..=*port, PortClass::Control);
        }
        policy
    }

    /// Whether control connections are opened to this address and port.
    #[must_use]
    pub fn is_listener(&self, end: (IpAddr, u16)) -> bool {
        self.listeners.contains(&end)
    }

    /// Server ports to which a client opened data connections.
    #[must_use]
    pub fn passive_ports(&self) -> &BTreeSet<u16> {
        &self.passive_ports
    }

    /// Whether a frame goes from a client to an FTP port of a server.
    #[must_use]
    pub fn is_ftp_to_server(&self, frame: &[u8], policy: &Policy) -> bool {
        segment(frame).is_some_and(|segment| {
            self.is_client_to_server(&segment)
                && policy.ports[usize::from(segment.destination.1)] != PortClass::Other as u8
        })
    }

    /// Whether a frame comes from an FTP server, on whichever connection.
    #[must_use]
    pub fn is_from_server(&self, frame: &[u8]) -> bool {
        segment(frame).is_some_and(|segment| {
            let mut servers = self.listeners.iter();
            servers.any(|(server, _)| *server == segment.source.0)
        })
    }

    fn is_client_to_server(&self, segment: &Segment<'_>) -> bool {
        self.clients.contains(&segment.source.0)
            && self
                .listeners
                .iter()
                .any(|(server, _)| *server == segment.destination.0)
    }
}

pub(super) fn segment(frame: &[u8]) -> Option<Segment<'_>> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
        return None;
    };
    let (source, destination): (IpAddr, IpAddr) = match packet.net? {
        NetSlice::Ipv4(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Ipv6(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Arp(_) => return None,
    };
    Some(Segment {
        source: (source, tcp.source_port()),
        destination: (destination, tcp.destination_port()),
        flags: TcpFlags(*tcp.slice().get(13)?),
        sequence: tcp.sequence_number(),
        payload: tcp.payload(),
    })
}
