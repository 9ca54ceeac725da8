//! The arrays that the programs read, as the daemon writes them: mapped BPF arrays, or vectors.

use std::{
    ops::Deref,
    sync::atomic::{AtomicU32, AtomicU64},
};

/// Words of 32 bits that readers may look at while they are written.
pub type Region32 = Box<dyn Deref<Target = [AtomicU32]> + Send>;
/// Words of 64 bits that readers may look at while they are written.
pub type Region64 = Box<dyn Deref<Target = [AtomicU64]> + Send>;

/// How large the arrays are whose size depends on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Lines of IPv4.
    pub lines_v4: u32,
    /// Words of the pool for IPv4.
    pub pool_v4: u32,
    /// Lines of both tables of IPv6.
    pub lines_v6: u32,
    /// Words of the pool for IPv6.
    pub pool_v6: u32,
}

/// All arrays, of zeros at first. [`ftp_guard_common::lookup`] tells what they hold.
pub struct Regions {
    /// Rows of outcomes.
    pub rows: Region64,
    /// Two bits for each /16.
    pub known_v4: Region64,
    /// By /16.
    pub root_v4: Region32,
    /// By /18, a bit for each /24.
    pub bits_v4: Region64,
    /// Entries of /24s, eight words to a line.
    pub lines_v4: Region64,
    /// Lists.
    pub pool_v4: Region64,
    /// The [`LINES_WORDS`](ftp_guard_common::lookup::lines::LINES_WORDS) of [`Lines`](ftp_guard_common::lookup::lines::Lines).
    pub head_v4: Region32,
    /// By /16.
    pub root_v6: Region64,
    /// Bits of units.
    pub filter_v6: Region64,
    /// Entries of units, eight words to a line.
    pub lines_v6: Region64,
    /// Nodes.
    pub pool_v6: Region64,
    /// The [`HEAD_WORDS`](ftp_guard_common::lookup::v6::HEAD_WORDS) of [`Head`](ftp_guard_common::lookup::v6::Head).
    pub head_v6: Region32,
}

impl Regions {
    /// Bytes of all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let words_32 = [&self.root_v4, &self.head_v4, &self.head_v6];
        let words_64 = [
            &self.rows,
            &self.known_v4,
            &self.bits_v4,
            &self.root_v6,
            &self.filter_v6,
        ];
        let bytes_32: usize = words_32.iter().map(|words| words.len() * 4).sum();
        let bytes_64: usize = words_64.iter().map(|words| words.len() * 8).sum();
        (bytes_32 + bytes_64) as u64 + self.sized_bytes()
    }

    /// Bytes of those whose size depends on the list.
    #[must_use]
    pub fn sized_bytes(&self) -> u64 {
        let words = [&self.lines_v4, &self.pool_v4, &self.lines_v6, &self.pool_v6];
        words.iter().map(|words| words.len() as u64 * 8).sum()
    }

    /// Vectors, for tests.
    #[must_use]
    pub fn of_vectors(sizes: Sizes) -> Self {
        use ftp_guard_common::lookup::{lines, outcome, v4, v6};
        let words_32 = |count: u32| -> Region32 {
            Box::new((0..count).map(|_| AtomicU32::new(0)).collect::<Vec<_>>())
        };
        let words_64 = |count: u32| -> Region64 {
            Box::new((0..count).map(|_| AtomicU64::new(0)).collect::<Vec<_>>())
        };
        Self {
            rows: words_64(outcome::ROWS),
            known_v4: words_64(v4::KNOWN_WORDS),
            root_v4: words_32(v4::ROOTS),
            bits_v4: words_64(v4::GROUPS),
            lines_v4: words_64(sizes.lines_v4 * lines::LANES as u32),
            pool_v4: words_64(sizes.pool_v4),
            head_v4: words_32(lines::LINES_WORDS),
            root_v6: words_64(v6::ROOTS),
            filter_v6: words_64(v6::FILTER_WORDS),
            lines_v6: words_64(sizes.lines_v6 * lines::LANES as u32),
            pool_v6: words_64(sizes.pool_v6),
            head_v6: words_32(v6::HEAD_WORDS),
        }
    }
}
