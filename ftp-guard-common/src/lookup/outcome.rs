//! What is said of an address: a number of 16 bits.

/// What the longest prefixes say of an address.
///
/// - 0: nothing.
/// - 1: it is excluded.
/// - 2 to 257: it is allowed for ever, by the profile of that number less 2.
/// - From 258 on: what the [`Row`] of that number says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Outcome(pub u16);

impl Outcome {
    /// No prefix says anything.
    pub const NONE: Self = Self(0);
    /// Excluded for ever.
    pub const EXCLUDED: Self = Self(1);
    /// The first number that has a row.
    pub const FIRST_ROW: u16 = 258;
    const FIRST_PROFILE: u16 = 2;

    /// Allowed for ever by a profile of at most 255.
    #[inline(always)]
    #[must_use]
    pub const fn allowed(profile: u8) -> Self {
        Self(Self::FIRST_PROFILE + profile as u16)
    }

    /// The profile of [`Outcome::allowed`].
    #[inline(always)]
    #[must_use]
    pub const fn profile(self) -> u16 {
        self.0.wrapping_sub(Self::FIRST_PROFILE)
    }

    /// Whether there is a row for it.
    #[inline(always)]
    #[must_use]
    pub const fn has_row(self) -> bool {
        self.0 >= Self::FIRST_ROW
    }
}

/// What an entry says that expires, and what counts from then on. 8 bytes, in an array by
/// [`Outcome`]; those below [`Outcome::FIRST_ROW`] are unused.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row {
    /// Unix time in seconds from which on `next` counts.
    pub expires_s: u32,
    /// The outcome by the next shorter prefix; [`Outcome::NONE`]: a table of shorter prefixes may know.
    pub next: u16,
    /// Number of the entry's profile.
    pub profile: u8,
    /// Number of an [`EntryKind`](crate::allow::EntryKind).
    pub kind: u8,
}

impl Row {
    /// As a word of the array.
    #[must_use]
    pub const fn to_word(self) -> u64 {
        let [a, b, c, d] = self.expires_s.to_ne_bytes();
        let [e, f] = self.next.to_ne_bytes();
        u64::from_ne_bytes([a, b, c, d, e, f, self.profile, self.kind])
    }

    /// Read from a word of the array.
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        let [a, b, c, d, e, f, profile, kind] = word.to_ne_bytes();
        Self {
            expires_s: u32::from_ne_bytes([a, b, c, d]),
            next: u16::from_ne_bytes([e, f]),
            profile,
            kind,
        }
    }
}

/// Numbers of outcomes.
pub const ROWS: u32 = 65_536;
