//! Who has which address in the usual topology.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both versions.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// The addresses of a host on the segment.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Ethernet address.
    pub mac: [u8; 6],
    /// IPv4 address, in a /24.
    pub v4: Ipv4Addr,
    /// IPv6 address, in a /64.
    pub v6: Ipv6Addr,
}

impl Addresses {
    /// The host with this number on the segment.
    #[must_use]
    pub const fn number(number: u8) -> Self {
        Self {
            mac: [0x02, 0, 0, 0, 0, number],
            v4: Ipv4Addr::new(10, 231, 0, number),
            v6: Ipv6Addr::new(0xfd00, 0x231, 0, 0, 0, 0, 0, number as u16),
        }
    }

    /// The host with this number on the far side of a router.
    #[must_use]
    pub const fn outside(number: u8) -> Self {
        Self {
            mac: [0x02, 0, 0, 0, 1, number],
            v4: Ipv4Addr::new(10, 232, 0, number),
            v6: Ipv6Addr::new(0xfd00, 0x232, 0, 0, 0, 0, 0, number as u16),
        }
    }

    /// The address of an IP version.
    #[must_use]
    pub const fn ip(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(self.v4),
            Family::V6 => IpAddr::V6(self.v6),
        }
    }

    /// The addresses of both IP versions.
    #[must_use]
    pub fn ips(&self) -> [IpAddr; 2] {
        Family::BOTH.map(|family| self.ip(family))
    }

    /// A port at the address of an IP version.
    #[must_use]
    pub const fn at(&self, family: Family, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip(family), port)
    }

    /// The Ethernet address in the notation of `ip`.
    #[must_use]
    pub fn mac_text(&self) -> String {
        self.mac.map(|byte| format!("{byte:02x}")).join(":")
    }
}

/// The FTP server.
pub const SERVER: Addresses = Addresses::number(1);
/// The client that suites put on the allowlist.
pub const CLIENT: Addresses = Addresses::number(2);
/// The client that is on no allowlist.
pub const STRANGER: Addresses = Addresses::number(3);
