//! Allowlist entries as the lookup tables hold them.

/// What an entry says of its prefix.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// Sources inside may use FTP.
    Allow = 0,
    /// Sources inside may not, although a wider entry allows them (`!` in the file).
    Exclude = 1,
}

/// Value of the allowlist tables, stored under the entry's prefix.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AllowValue {
    /// Unix time in seconds from which on the entry is as good as absent; 0 is never. (An LPM trie
    /// stores a value right behind its 4-byte key, so that 8-byte integers would be misaligned.)
    pub expires_s: u32,
    /// Number of the entry's profile; 0 is the default profile.
    pub profile: u16,
    /// Length of the entry's prefix in bits, 0 to 32 or 0 to 128. A longest-prefix lookup does not
    /// tell it, and the search goes on with the next shorter prefix when the entry has expired.
    pub prefix_len: u8,
    /// Number of an [`EntryKind`].
    pub kind: u8,
}

impl AllowValue {
    /// Whether the entry carries an expiry time.
    #[inline(always)]
    #[must_use]
    pub const fn expires(&self) -> bool {
        self.expires_s != 0
    }

    /// Whether the entry no longer counts at `now_s` (Unix time, seconds).
    #[inline(always)]
    #[must_use]
    pub const fn expired(&self, now_s: u64) -> bool {
        self.expires() && self.expires_s as u64 <= now_s
    }

    /// Whether the entry is an exclusion.
    #[inline(always)]
    #[must_use]
    pub const fn excludes(&self) -> bool {
        self.kind == EntryKind::Exclude as u8
    }
}

/// How many expired entries, one inside the other, a lookup steps over before it gives the source up
/// as expired. The daemon sweeps expired entries every second, so that more than one is rare.
pub const MAX_EXPIRED_NESTING: u32 = 4;
