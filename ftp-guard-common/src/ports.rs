//! The port table: one byte, the number of a [`PortClass`](crate::class::PortClass), for each TCP port.

/// Entries of the port table: every 16-bit port.
pub const PORTS: usize = 1 << 16;

/// The single value of the port map, indexed by the destination port in host order.
pub type PortTable = [u8; PORTS];
