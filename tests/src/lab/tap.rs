//! Ethernet frames, sent and received below the stack.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use anyhow::{Context, Result};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use super::Host;

/// Longest frame that is kept whole.
const LONGEST: usize = 65_600;

/// A packet socket on one interface. It sees what comes after XDP, and what its own host sends.
pub struct Tap {
    socket: Socket,
}

impl Tap {
    /// Opens a socket on an interface of `host`.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn open(host: &Host, interface: &str) -> Result<Self> {
        let index = nix::net::if_::if_nametoindex;
        let socket = host.enter(|| -> Result<Socket> {
            let all = i32::from(u16::try_from(libc::ETH_P_ALL)?.to_be());
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(all)))?;
            socket.bind(&link_address(index(interface)?)?)?;
            Ok(socket)
        });
        let socket =
            socket.with_context(|| format!("cannot tap {interface} of {}", host.name()))?;
        // Enough for what a suite sends while nothing is read, whatever `net.core.rmem_max` says.
        setsockopt(&socket, sockopt::RcvBufForce, &(32 << 20))?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// As `send(2)`; a full queue is waited for.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        loop {
            match self.socket.send(frame) {
                Ok(_) => return Ok(()),
                Err(error) if is_full(&error) => std::thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the next frame, if one has come.
    ///
    /// # Errors
    /// As `recv(2)`.
    pub fn receive(&self) -> io::Result<Option<Vec<u8>>> {
        let mut frame = Vec::with_capacity(LONGEST);
        match self.socket.recv(frame.spare_capacity_mut()) {
            Ok(length) => {
                // SAFETY: the kernel has written the first `length` bytes.
                unsafe { frame.set_len(length) };
                frame.shrink_to_fit();
                Ok(Some(frame))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes all frames that have come.
    ///
    /// # Errors
    /// As `recv(2)`.
    pub fn drain(&self) -> io::Result<Vec<Vec<u8>>> {
        std::iter::from_fn(|| self.receive().transpose()).collect()
    }

    /// Takes all frames that have come and counts the TCP segments from one of `sources`.
    ///
    /// # Errors
    /// As `recv(2)`.
    pub fn tcp_segments_from(&self, sources: &[IpAddr]) -> io::Result<usize> {
        let frames = self.drain()?;
        let from = frames.iter().filter_map(|frame| tcp_source(frame));
        Ok(from.filter(|source| sources.contains(&source.ip())).count())
    }
}

/// The source of the TCP segment in a frame, VLAN tags stepped over; none for anything else.
#[must_use]
pub fn tcp_source(frame: &[u8]) -> Option<SocketAddr> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(TransportSlice::Tcp(segment)) = packet.transport else {
        return None;
    };
    let address = match packet.net? {
        NetSlice::Ipv4(packet) => IpAddr::V4(packet.header().source_addr()),
        NetSlice::Ipv6(packet) => IpAddr::V6(packet.header().source_addr()),
        NetSlice::Arp(_) => return None,
    };
    Some(SocketAddr::new(address, segment.source_port()))
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS)
}

/// The address of an interface as packet(7) wants it for `bind`.
fn link_address(index: u32) -> Result<SockAddr> {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is one of the types that the storage is made for.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = u16::try_from(libc::AF_PACKET)?;
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL)?.to_be();
    address.sll_ifindex = i32::try_from(index)?;
    let length = u32::try_from(size_of::<libc::sockaddr_ll>())?;
    // SAFETY: family and length say what was written.
    Ok(unsafe { SockAddr::new(storage, length) })
}
