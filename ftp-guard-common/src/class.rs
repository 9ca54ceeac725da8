//! What a destination port and an IP version mean to the guard.

/// The class of a TCP destination port. Numbers are append-only.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortClass {
    /// No FTP port of this guard, or a port that the packet does not show.
    #[default]
    Other = 0,
    /// Control connections (RFC 959: 21; implicit TLS: 990).
    Control = 1,
    /// Data connections that the server opens (active mode: 20, implicit TLS: 989).
    ActiveData = 2,
    /// Data connections that the client opens (passive mode).
    PassiveData = 3,
}

impl PortClass {
    /// All classes, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::Other,
        Self::Control,
        Self::ActiveData,
        Self::PassiveData,
    ];

    /// The name in metrics, JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Control => "control",
            Self::ActiveData => "active_data",
            Self::PassiveData => "passive_data",
        }
    }

    /// The class of a number in the port table; unknown numbers are [`PortClass::Other`].
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Control,
            2 => Self::ActiveData,
            3 => Self::PassiveData,
            _ => Self::Other,
        }
    }
}

/// The network protocol of a packet.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Neither IPv4 nor IPv6.
    #[default]
    Other = 0,
    /// IPv4.
    Ipv4 = 1,
    /// IPv6.
    Ipv6 = 2,
}

impl Family {
    /// All families, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Other, Self::Ipv4, Self::Ipv6];

    /// The family of a stored number.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Ipv4,
            2 => Self::Ipv6,
            _ => Self::Other,
        }
    }

    /// The name in metrics, JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}
