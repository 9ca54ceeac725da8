//! Allowlist entries, as the daemon writes them into the [lookup structure](crate::lookup).

/// What an entry says of its prefix.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// Sources inside may use FTP.
    Allow = 0,
    /// Sources inside may not, although a wider entry allows them (`!` in the file).
    Exclude = 1,
}

/// What an entry says, under its prefix.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AllowValue {
    /// Unix time in seconds from which on the entry is as good as absent; 0 is never.
    pub expires_s: u32,
    /// Number of the entry's profile; 0 is the default profile.
    pub profile: u16,
    /// Length of the entry's prefix in bits, 0 to 32 or 0 to 128.
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

/// How many entries the lookup structure was made of, exclusions included: the structure itself does not tell.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllowCounts {
    /// Of IPv4.
    pub v4: u32,
    /// Of IPv6.
    pub v6: u32,
}
