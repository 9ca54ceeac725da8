//! Token buckets of sources that have proven nothing: of fixed size, shared by hash, so that counting
//! allocates nothing and evicts nothing.
//!
//! An event has a bucket in each row, and fits when it fits into one of them: a source is wrongly refused
//! only when strangers have filled all of its buckets (a count-min sketch with conservative update, whose
//! counts run off with time). Two CPUs that count at the same moment may count one event for two.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ftp_guard_common::{
    address::Address,
    limits::{BUCKET_ROWS, BUCKET_SLOTS, Rate, SourceKey},
    reason::Reason,
};

use super::config;

const BUCKETS: usize = (BUCKET_ROWS * BUCKET_SLOTS) as usize;

#[btf_map]
static FTPG_BUCKETS: Array<u64, BUCKETS> = Array::new();

/// What is counted; each kind has buckets of its own.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Kind {
    /// Connection requests of a source.
    Requests = 1,
    /// Connection requests of a network.
    NetworkRequests = 2,
    /// Proven connections of a source.
    Proven = 3,
    /// Proven connections of a network.
    NetworkProven = 4,
    /// Segments of no connection, of a source.
    Strays = 5,
    /// Handshakes to a passive port, of a source.
    Handshakes = 6,
}

/// The two buckets of something that is counted.
#[derive(Clone, Copy)]
pub struct Pair(u64);

/// The buckets of a source. `extra` is what else distinguishes them: a port.
#[inline(always)]
pub fn of(kind: Kind, source: &SourceKey, extra: u16) -> Pair {
    Pair(hash(u64::from(kind as u8) | u64::from(extra) << 16, source))
}

impl Pair {
    /// The index of the bucket in each row.
    #[inline(always)]
    fn slots(self) -> [u32; BUCKET_ROWS as usize] {
        let mask = BUCKET_SLOTS - 1;
        [
            self.0 as u32 & mask,
            BUCKET_SLOTS + ((self.0 >> 32) as u32 & mask),
        ]
    }

    #[inline(always)]
    fn due(&self) -> u64 {
        let [first, second] = self.slots();
        let first = FTPG_BUCKETS.get(first).copied().unwrap_or(0);
        let second = FTPG_BUCKETS.get(second).copied().unwrap_or(0);
        first.min(second)
    }

    /// Whether one more event would fit.
    #[inline(always)]
    pub fn has_room(&self, rate: &Rate, now: u64) -> bool {
        rate.allows(self.due(), now)
    }

    /// Counts an event, whether it fits or not.
    #[inline(always)]
    pub fn charge(&self, rate: &Rate, now: u64) {
        if rate.interval_ns != 0 {
            self.raise(rate.after(self.due(), now));
        }
    }

    /// Counts an event if it fits; else it is of this reason.
    #[inline(always)]
    pub fn take(&self, rate: &Rate, now: u64, reason: Reason) -> Result<(), Reason> {
        if rate.interval_ns == 0 {
            return Ok(());
        }
        let due = self.due();
        if !rate.allows(due, now) {
            return Err(reason);
        }
        self.raise(rate.after(due, now));
        Ok(())
    }

    #[inline(always)]
    fn raise(&self, due: u64) {
        for slot in self.slots() {
            if let Some(bucket) = FTPG_BUCKETS.get_ptr_mut(slot) {
                // SAFETY: a word in a map value, which no reader can see torn.
                unsafe {
                    if *bucket < due {
                        *bucket = due;
                    }
                }
            }
        }
    }
}

/// A keyed hash: who does not know the secret cannot choose whose bucket to fill. A subprogram, since it is
/// asked for in many places.
#[inline(never)]
fn hash(label: u64, source: &SourceKey) -> u64 {
    let label = label | u64::from(source.family) << 8;
    let [high, low] = halves(&source.prefix);
    let hash = absorb(begin(label), high);
    absorb(hash, low)
}

/// The beginning of a hash, with the secret of this boot.
#[inline(always)]
pub fn begin(label: u64) -> u64 {
    let [first, second] = config::secret();
    mix(first ^ label) ^ second
}

/// An address in two halves.
#[inline(always)]
pub fn halves(address: &Address) -> [&[u8; 8]; 2] {
    let [high, low] = address.as_chunks().0 else {
        return [&[0; 8]; 2];
    };
    [high, low]
}

/// Mixes eight bytes into a hash. A subprogram: inlined, the bytes of a key would all be on the stack at
/// once.
#[inline(never)]
pub fn absorb(hash: u64, bytes: &[u8; 8]) -> u64 {
    mix(hash ^ u64::from_ne_bytes(*bytes))
}

/// A bijection of 64 bits in which each bit of the input reaches each of the output (the finaliser of
/// SplitMix64).
#[inline(always)]
fn mix(mut word: u64) -> u64 {
    word ^= word >> 30;
    word = word.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word ^= word >> 27;
    word = word.wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}
