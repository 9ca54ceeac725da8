//! The allowlist: the arrays of [`ftp_guard_common::lookup`], which the daemon maps into its memory and writes
//! while the programs read.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ftp_guard_common::{
    allow::AllowCounts,
    lookup::{Outcome, Row, lines, outcome::ROWS, v4, v6},
};

/// The daemon maps the arrays into its memory (kernel 5.5).
const BPF_F_MMAPABLE: usize = 1 << 10;

/// The loader sets the real size.
const POOL_WORDS: usize = 1024;
/// The loader sets the real size.
const LINES: usize = lines::FEWEST_LINES as usize;

// What has a fixed size is one value: array values take up at least 8 bytes each, and the index of a packet's
// is then a number behind one pointer.

#[btf_map]
static FTPG_A_ROWS: Array<[u64; ROWS as usize], 1, BPF_F_MMAPABLE> = Array::new();

/// Nothing for the programs: those look who have no daemon to ask.
#[btf_map]
static FTPG_A_COUNTS: Array<AllowCounts, 1, BPF_F_MMAPABLE> = Array::new();

#[btf_map]
static FTPG_A4_KNOWN: Array<[u64; v4::KNOWN_WORDS as usize], 1, BPF_F_MMAPABLE> = Array::new();

#[btf_map]
static FTPG_A4_ROOT: Array<[u32; v4::ROOTS as usize], 1, BPF_F_MMAPABLE> = Array::new();

#[btf_map]
static FTPG_A4_BITS: Array<[u64; v4::GROUPS as usize], 1, BPF_F_MMAPABLE> = Array::new();

#[btf_map]
static FTPG_A4_LINES: Array<[u64; lines::LANES], LINES, BPF_F_MMAPABLE> = Array::new();

#[btf_map]
static FTPG_A4_POOL: Array<u64, POOL_WORDS, BPF_F_MMAPABLE> = Array::new();

#[btf_map]
static FTPG_A4_HEAD: Array<lines::Lines, 1, BPF_F_MMAPABLE> = Array::new();

#[btf_map]
static FTPG_A6_ROOT: Array<[u64; v6::ROOTS as usize], 1, BPF_F_MMAPABLE> = Array::new();

#[btf_map]
static FTPG_A6_FILTER: Array<[u64; v6::FILTER_WORDS as usize], 1, BPF_F_MMAPABLE> = Array::new();

#[btf_map]
static FTPG_A6_LINES: Array<[u64; lines::LANES], LINES, BPF_F_MMAPABLE> = Array::new();

#[btf_map]
static FTPG_A6_POOL: Array<u64, POOL_WORDS, BPF_F_MMAPABLE> = Array::new();

#[btf_map]
static FTPG_A6_HEAD: Array<v6::Head, 1, BPF_F_MMAPABLE> = Array::new();

/// The row of an outcome that has one.
#[inline(always)]
pub fn row(outcome: Outcome) -> Row {
    Row::from_word(word(FTPG_A_ROWS.get_ptr(0), u32::from(outcome.0)))
}

/// The arrays of IPv4.
pub struct V4;

impl lines::LineMemory for V4 {
    type Line = [u64; lines::LANES];

    #[inline(always)]
    fn line(&self, index: u32) -> Option<&Self::Line> {
        FTPG_A4_LINES.get(index)
    }

    #[inline(always)]
    fn lane(line: &Self::Line, lane: usize) -> u64 {
        lane_of(line, lane)
    }
}

impl v4::Memory for V4 {
    #[inline(always)]
    fn known(&self, index: u32) -> u64 {
        word(FTPG_A4_KNOWN.get_ptr(0), index)
    }

    #[inline(always)]
    fn root(&self, index: u32) -> u32 {
        word(FTPG_A4_ROOT.get_ptr(0), index)
    }

    #[inline(always)]
    fn bits(&self, index: u32) -> u64 {
        word(FTPG_A4_BITS.get_ptr(0), index)
    }

    #[inline(always)]
    fn head(&self) -> lines::Lines {
        value(FTPG_A4_HEAD.get_ptr(0))
    }

    #[inline(always)]
    fn pool(&self, index: u32) -> u64 {
        value(FTPG_A4_POOL.get_ptr(index))
    }
}

/// The arrays of IPv6.
pub struct V6;

impl lines::LineMemory for V6 {
    type Line = [u64; lines::LANES];

    #[inline(always)]
    fn line(&self, index: u32) -> Option<&Self::Line> {
        FTPG_A6_LINES.get(index)
    }

    #[inline(always)]
    fn lane(line: &Self::Line, lane: usize) -> u64 {
        lane_of(line, lane)
    }
}

impl v6::Memory for V6 {
    #[inline(always)]
    fn head(&self) -> v6::Head {
        value(FTPG_A6_HEAD.get_ptr(0))
    }

    #[inline(always)]
    fn root(&self, index: u32) -> u64 {
        word(FTPG_A6_ROOT.get_ptr(0), index)
    }

    #[inline(always)]
    fn filter(&self, index: u32) -> u64 {
        word(FTPG_A6_FILTER.get_ptr(0), index)
    }

    #[inline(always)]
    fn pool(&self, index: u32) -> u64 {
        value(FTPG_A6_POOL.get_ptr(index))
    }

    #[inline(always)]
    fn entry(&self, search: lines::Search) -> u64 {
        let lines::Search {
            at,
            stride,
            end,
            count,
            name,
            mask,
        } = search;
        lines_entry(pack(at, stride), pack(end, count), name, mask)
    }

    #[inline(always)]
    fn list(&self, place: u32, high: u16, low: u64) -> Outcome {
        Outcome(list_outcome(place, u32::from(high), low) as u16)
    }
}

/// Two arguments in one: there are five at most.
#[inline(always)]
fn pack(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn lines_entry(at_and_stride: u64, end_and_count: u64, name: u64, mask: u64) -> u64 {
    let search = lines::Search {
        at: at_and_stride as u32,
        stride: (at_and_stride >> 32) as u32,
        end: end_and_count as u32,
        count: (end_and_count >> 32) as u32,
        name,
        mask,
    };
    lines::entry_of(&V6, search)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn list_outcome(place: u32, high: u32, low: u64) -> u32 {
    u32::from(v6::of_list(&V6, place, high as u16, low).0)
}

/// An entry of a line.
#[inline(always)]
fn lane_of(line: &[u64; lines::LANES], lane: usize) -> u64 {
    let lane = &raw const line[lane];
    // SAFETY: it is a reference's. Each is read once and in its turn, for want of room to keep them.
    unsafe { lane.read_volatile() }
}

/// A word of an array that is one value.
#[inline(always)]
fn word<T: Copy + Default, const WORDS: usize>(words: Option<*const [T; WORDS]>, index: u32) -> T {
    let Some(words) = words else {
        return T::default();
    };
    // Most indexes are shifted so far that optimiser and verifier know them to be within bounds.
    let index = index as usize;
    if index >= WORDS {
        return T::default();
    }
    // SAFETY: the index is below the array's length, and any bits are a value of these types. The daemon
    // writes at the same time, whole words.
    unsafe { words.cast::<T>().add(index).read_volatile() }
}

/// A value of an array of many.
#[inline(always)]
fn value<T: Copy + Default>(value: Option<*const T>) -> T {
    match value {
        // SAFETY: as in `word`; the pointer is the kernel's.
        Some(value) => unsafe { value.read_volatile() },
        None => T::default(),
    }
}
