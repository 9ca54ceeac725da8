//! The port table: one byte, the number of a [`PortClass`](crate::class::PortClass), for each TCP port.

/// Entries of the port table: every 16-bit port.
pub const PORTS: usize = 1 << 16;

/// The single value of the port map, indexed by the destination port in host order.
pub type PortTable = [u8; PORTS];

/// The bits of an entry that hold the class; the others are the programs' own.
pub const CLASS_MASK: u8 = 0x0f;
/// Set by the egress program on a port that this host has opened an active data connection from.
pub const ACTIVE_BIT: u8 = 0x80;
/// Set by the egress program on a port of class `Other` that a session has negotiated, with
/// [`FLAG_GUARD_OUTSIDE`](crate::config::FLAG_GUARD_OUTSIDE).
pub const OUTSIDE_BIT: u8 = 0x40;
