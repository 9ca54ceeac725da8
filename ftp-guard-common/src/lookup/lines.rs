//! Tables of lines: entries that are found by what names them, at a place that the name alone tells, with one load from
//! memory as long as the line is not full.
//!
//! A line is 64 bytes and has [`LANES`] entries, of which each has a key above its other bits. An entry that finds its
//! line full stands in one of the others at its [`Place`]. No entry is 0.

/// Entries of a line.
pub const LANES: usize = 8;
/// How many lines are looked into at most. They are far apart: neighbours fill up together, and with two thirds of
/// all lanes in use four neighbours are full for every two hundredth unit, but eight others for one in millions.
pub const PROBES: u32 = 1 << PROBE_BITS;
/// Bits of the number of a line among those of a place.
pub const PROBE_BITS: u32 = 3;
/// Fewest lines of a table.
pub const FEWEST_LINES: u32 = 64;
/// Most lines of a table.
pub const MOST_LINES: u32 = 1 << 22;
/// What an entry has below its key where it has gone from a line that was full, so that the search still goes on to the
/// next one. Nothing is in a line after one that has its name.
pub const GONE: u64 = 1;

/// The size of a table of lines.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Its first line.
    pub first: u32,
    /// How many lines it has, [`FEWEST_LINES`] to [`MOST_LINES`]; 0: there is none.
    pub count: u32,
    /// The binary logarithm of `count`, rounded down: the verifier follows each way to reckon it by itself.
    pub scale: u32,
}

/// Words of 32 bits of [`Lines`].
pub const LINES_WORDS: u32 = size_of::<Lines>() as u32 / 4;

impl Lines {
    /// So many lines, from `first` on.
    #[must_use]
    pub const fn new(first: u32, count: u32) -> Self {
        Self {
            first,
            count,
            scale: scale(count),
        }
    }
}

/// Where an entry may be. Line and number of the line tell what the tag names: the stride follows from the tag, and the
/// home from the stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The first line.
    pub home: u32,
    /// How far it is from each line to the next.
    pub stride: u32,
    /// What the home does not tell.
    pub tag: u64,
}

impl Place {
    /// In a table of so many lines.
    #[inline(always)]
    #[must_use]
    pub const fn new(home: u32, tag: u64, lines: u32) -> Self {
        let spread = tag.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        Self {
            home,
            // The last line is less than once around the table away from the first.
            stride: 1 + ((spread * (lines / PROBES) as u64) >> 16) as u32,
            tag,
        }
    }

    /// The line of a number below [`PROBES`], counted from the table's first.
    #[inline(always)]
    #[must_use]
    pub const fn line(self, probe: u32, lines: u32) -> u32 {
        let at = self.home.wrapping_add(self.stride.wrapping_mul(probe));
        if at < lines {
            at
        } else {
            at.wrapping_sub(lines)
        }
    }

    /// What an entry has highest in the line of that number: the tag and the number.
    #[inline(always)]
    #[must_use]
    pub const fn key(self, probe: u32) -> u64 {
        self.tag << PROBE_BITS | probe as u64
    }
}

/// The binary logarithm of a number of lines, rounded down; 0 of none.
pub(super) const fn scale(lines: u32) -> u32 {
    match lines {
        0 => 0,
        _ => lines.ilog2(),
    }
}

/// What a program reads.
pub trait LineMemory {
    /// Eight entries, on a cache line of their own.
    type Line;

    /// A line; nothing out of range.
    fn line(&self, index: u32) -> Option<&Self::Line>;
    /// One of the [`LANES`] entries of a line.
    fn lane(line: &Self::Line, lane: usize) -> u64;
}

/// What is sought in the lines.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The line to look into first.
    pub at: u32,
    /// How far it is from each line to the next.
    pub stride: u32,
    /// The first line behind the table.
    pub end: u32,
    /// Lines of the table.
    pub count: u32,
    /// The key in the first line, where an entry has it.
    pub name: u64,
    /// The bits of the key.
    pub mask: u64,
}

impl Search {
    /// For the entry of a place. `shift`: bits of an entry below its key.
    #[inline(always)]
    #[must_use]
    pub const fn of(lines: Lines, place: Place, shift: u32) -> Self {
        Self {
            at: lines.first.wrapping_add(place.home),
            stride: place.stride,
            end: lines.first.wrapping_add(lines.count),
            count: lines.count,
            name: place.key(0) << shift,
            mask: u64::MAX << shift,
        }
    }
}

/// The entry that is sought, packed; 0: there is none. Lines are looked into until the last lane of one is empty.
#[inline(always)]
pub fn entry_of<M: LineMemory>(memory: &M, search: Search) -> u64 {
    let Search {
        mut at,
        mut name,
        mask,
        ..
    } = search;
    let mut probe = 0;
    while probe < PROBES {
        let Some(line) = memory.line(at) else {
            return 0;
        };
        let mut lane = 0;
        while lane < LANES {
            let word = M::lane(line, lane);
            if word & mask == name && word != 0 {
                return word;
            }
            // Lanes are filled in their order. Where one before the last is empty, going on finds nothing either.
            if lane == LANES - 1 && word == 0 {
                return 0;
            }
            lane += 1;
        }
        // The lowest bit of the key.
        name = name.wrapping_add(mask.wrapping_neg());
        at = at.wrapping_add(search.stride);
        if at >= search.end {
            at = at.wrapping_sub(search.count);
        }
        probe += 1;
    }
    0
}
