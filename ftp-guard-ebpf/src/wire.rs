//! Types of header fields that must not be mixed up, and which types may be read from a packet.

/// Types for which any bytes are a value, and without padding. Their numbers are in network order.
///
/// # Safety
///
/// The implementor promises what the sentence above says.
pub unsafe trait Plain: Copy {}

// SAFETY: a number.
unsafe impl Plain for u8 {}
// SAFETY: a number.
unsafe impl Plain for u16 {}
// SAFETY: a number.
unsafe impl Plain for u32 {}
// SAFETY: any bytes are a number.
unsafe impl Plain for u64 {}
// SAFETY: arrays have no padding between their elements.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// The EtherType of a frame or of what a VLAN tag precedes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EtherType(pub u16);

impl EtherType {
    pub const ARP: Self = Self(0x0806);
    pub const IPV4: Self = Self(0x0800);
    pub const IPV6: Self = Self(0x86dd);

    /// Whether a VLAN tag follows: 802.1Q, 802.1ad, and 0x9100 of switches older than 802.1ad.
    #[inline(always)]
    pub fn is_vlan(self) -> bool {
        matches!(self.0, 0x8100 | 0x88a8 | 0x9100)
    }
}

/// The protocol of an IP payload (IANA protocol numbers).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IpProto(pub u8);

impl IpProto {
    pub const HOP_BY_HOP: Self = Self(0);
    pub const TCP: Self = Self(6);
    pub const ROUTING: Self = Self(43);
    pub const FRAGMENT: Self = Self(44);
    pub const AUTHENTICATION: Self = Self(51);
    pub const DESTINATION_OPTIONS: Self = Self(60);

    /// Whether an IPv6 extension header follows that the guard can walk over.
    #[inline(always)]
    pub fn is_extension(self) -> bool {
        matches!(
            self,
            Self::HOP_BY_HOP
                | Self::ROUTING
                | Self::FRAGMENT
                | Self::AUTHENTICATION
                | Self::DESTINATION_OPTIONS
        )
    }
}

/// A TCP port in host order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Port(pub u16);

impl Port {
    /// As keys have it.
    #[inline(always)]
    pub fn to_key(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }

    /// Whether it is one that only services of the system use.
    #[inline(always)]
    pub fn is_low(self) -> bool {
        self.0 < 1024
    }
}

/// The flag byte of a TCP header; CWR and ECE are nobody's trick and left out of all tests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;
    pub const URG: u8 = 0x20;

    /// Whether all of `flags` are set.
    #[inline(always)]
    pub fn has(self, flags: u8) -> bool {
        self.0 & flags == flags
    }

    /// Whether none of the six flags of RFC 793 is set.
    #[inline(always)]
    pub fn is_null(self) -> bool {
        self.0 & 0x3f == 0
    }

    /// Whether this asks for a new connection.
    #[inline(always)]
    pub fn is_connection_request(self) -> bool {
        self.0 & (Self::SYN | Self::ACK) == Self::SYN
    }
}
