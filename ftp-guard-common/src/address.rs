//! Addresses and connections as keys of the tables. Keys are aligned so that the programs copy them by words:
//! the BPF target has no unaligned ones.

#[cfg(any(doc, feature = "user"))]
use crate::class::Family;

/// An address in 16 bytes, network order. IPv4 fills the last four, the others are 0; the family
/// beside it in each key tells the two apart.
pub type Address = [u8; 16];

/// The address of an IPv4 host.
#[inline(always)]
#[must_use]
pub const fn v4([a, b, c, d]: [u8; 4]) -> Address {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]
}

/// A TCP connection, control or data, whoever opened it.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// The remote end: the FTP client.
    pub client: Address,
    /// The guarded end: the FTP server.
    pub server: Address,
    /// Port of the remote end, big-endian.
    pub client_port: [u8; 2],
    /// Port of the guarded end, big-endian.
    pub server_port: [u8; 2],
    /// Number of a [`Family`].
    pub family: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

/// A port that a session has negotiated, as seen from one address.
///
/// For a pinhole `address` is the client's and `port` the server's passive port; for a named
/// destination (PORT, EPRT) both are the destination's.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointKey {
    /// The remote address.
    pub address: Address,
    /// The server's address on a router, zeros on a host ([`Role::scope`](crate::config::Role::scope)).
    pub server: Address,
    /// The port, big-endian.
    pub port: [u8; 2],
    /// Number of a [`Family`].
    pub family: u8,
    /// Zero.
    pub reserved: u8,
}

/// A client of a server.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey {
    /// The client's address.
    pub client: Address,
    /// The server's address on a router, zeros on a host.
    pub server: Address,
    /// Number of a [`Family`].
    pub family: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

/// A socket that listens on this host. The address may be the wildcard of its family, all zeros.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenKey {
    /// The local address.
    pub address: Address,
    /// The port, big-endian.
    pub port: [u8; 2],
    /// Number of a [`Family`]. A socket of IPv6 that is bound to an IPv4-mapped address is one of IPv4;
    /// one on the IPv6 wildcard may take IPv4 as well and then is in the table under both families.
    pub family: u8,
    /// Zero.
    pub reserved: u8,
}

impl FlowKey {
    /// The client of this connection, for a table of that `scope` (see [`ClientKey::server`]).
    #[inline(always)]
    #[must_use]
    pub const fn client_key(&self, scope: Address) -> ClientKey {
        ClientKey {
            client: self.client,
            server: scope,
            family: self.family,
            reserved: [0; 3],
        }
    }

    /// The server's port as this client reaches it.
    #[inline(always)]
    #[must_use]
    pub const fn pinhole_key(&self, scope: Address) -> EndpointKey {
        self.endpoint(scope, self.server_port)
    }

    /// The client's port as the server reaches it.
    #[inline(always)]
    #[must_use]
    pub const fn named_key(&self, scope: Address) -> EndpointKey {
        self.endpoint(scope, self.client_port)
    }

    /// The client's address with a port.
    #[inline(always)]
    #[must_use]
    pub const fn endpoint(&self, scope: Address, port: [u8; 2]) -> EndpointKey {
        EndpointKey {
            address: self.client,
            server: scope,
            port,
            family: self.family,
            reserved: 0,
        }
    }
}

#[cfg(feature = "user")]
mod user {
    extern crate std;
    use std::net::{IpAddr, Ipv6Addr, SocketAddr};

    use super::{Address, Family, FlowKey, v4};

    /// An address and its family as keys have them. IPv4-mapped IPv6 becomes IPv4.
    #[must_use]
    pub fn from_ip(address: IpAddr) -> (Address, Family) {
        match address.to_canonical() {
            IpAddr::V4(address) => (v4(address.octets()), Family::Ipv4),
            IpAddr::V6(address) => (address.octets(), Family::Ipv6),
        }
    }

    /// The address of a key.
    #[must_use]
    pub fn to_ip(address: Address, family: u8) -> IpAddr {
        match address {
            [.., a, b, c, d] if family == Family::Ipv4 as u8 => IpAddr::from([a, b, c, d]),
            _ => IpAddr::V6(Ipv6Addr::from(address)),
        }
    }

    impl FlowKey {
        /// The connection between a client and a server, both of one family.
        #[must_use]
        pub fn new(client: SocketAddr, server: SocketAddr) -> Self {
            let (client_address, family) = from_ip(client.ip());
            Self {
                client: client_address,
                server: from_ip(server.ip()).0,
                client_port: client.port().to_be_bytes(),
                server_port: server.port().to_be_bytes(),
                family: family as u8,
                reserved: [0; 3],
            }
        }

        /// The client's end.
        #[must_use]
        pub fn client(&self) -> SocketAddr {
            SocketAddr::new(
                to_ip(self.client, self.family),
                u16::from_be_bytes(self.client_port),
            )
        }

        /// The server's end.
        #[must_use]
        pub fn server(&self) -> SocketAddr {
            SocketAddr::new(
                to_ip(self.server, self.family),
                u16::from_be_bytes(self.server_port),
            )
        }
    }
}

#[cfg(feature = "user")]
pub use user::{from_ip, to_ip};
