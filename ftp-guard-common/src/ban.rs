//! Values of the ban tables.

/// How many expired entries, one inside the other, a lookup steps over before it says that there is no ban. The
/// daemon sweeps expired entries every second, so that more than one is rare.
pub const MAX_EXPIRED_NESTING: u32 = 4;

/// What an entry of the ban tables says of its prefix.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BanKind {
    /// Sources inside are banned.
    Ban = 0,
    /// Sources inside are never banned, whatever wider entry says so.
    Never = 1,
}

/// Value of the ban tables, longest-prefix tries of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BanValue {
    /// Unix time in seconds from which on the entry is as good as absent; 0 is never.
    pub expires_s: u32,
    /// Length of the entry's prefix in bits, 0 to 32 or 0 to 128: the search goes on with the next
    /// shorter prefix when the entry has expired.
    pub prefix_len: u8,
    /// Number of a [`BanKind`].
    pub kind: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

impl BanValue {
    /// Whether the entry no longer counts at `now_s` (Unix time, seconds).
    #[inline(always)]
    #[must_use]
    pub const fn expired(&self, now_s: u64) -> bool {
        self.expires_s != 0 && self.expires_s as u64 <= now_s
    }
}
