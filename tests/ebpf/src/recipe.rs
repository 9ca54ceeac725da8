//! What the generator is told. The program and the harness share this file.

/// Longest frame, in words of 8 bytes.
pub const FRAME_WORDS: usize = 32;
/// Most destination ports.
pub const PORTS: usize = 16;
/// Most sources.
pub const SOURCES: u32 = 256;

/// IPv6 instead of IPv4.
pub const FLAG_V6: u32 = 1;
/// The acknowledgement number is random.
pub const FLAG_ACKNOWLEDGES: u32 = 2;
/// Addresses that no sender has (0/8, 10/8, 127/8, 224/3) are replaced by others of IPv4.
pub const FLAG_UNICAST: u32 = 4;
/// The sources are those of the pool, one after the other, instead of prefixes.
pub const FLAG_POOL: u32 = 8;

/// The frame as far as all are the same. What differs is zero, and the checksums are right for that.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Template {
    /// The frame.
    pub frame: [u64; FRAME_WORDS],
    /// The destination ports, host order.
    pub ports: [u16; PORTS],
}

/// Addresses that a source is taken from: `base`, with random bits where `mask` has ones. Words of
/// the address from the first to the last, host order; IPv4 has the first word alone.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Bits that all have.
    pub base: [u32; 4],
    /// Bits that are random.
    pub mask: [u32; 4],
}
