//! The entries of a /18, and where they stand.

use ftp_guard_common::lookup::v4::PLACE_BITS;

use super::super::Pool;

/// Place and number of entries of a group's word; nothing: it has none.
pub fn unpack(word: u32) -> Option<(u32, u32)> {
    (word != 0).then(|| (word & ((1 << PLACE_BITS) - 1), (word >> PLACE_BITS) + 1))
}

/// The word of a group.
pub const fn pack(place: u32, count: u32) -> u32 {
    (count - 1) << PLACE_BITS | place
}

/// Words of so many entries or records.
pub const fn words(count: u32) -> u32 {
    count.div_ceil(2)
}

/// Reads entries or records.
pub fn read(pool: &Pool, place: u32, count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(move |at| (pool.read(place + at / 2) >> (at % 2 * 32)) as u32)
}

/// Writes entries or records, two to a word.
pub fn write(pool: &Pool, place: u32, halves: &[u32]) {
    for (at, two) in (0..).zip(halves.chunks(2)) {
        let second = two.get(1).copied().unwrap_or(0);
        pool.write(place + at, &[u64::from(second) << 32 | u64::from(two[0])]);
    }
}

/// Number of records of the list at a place.
pub fn list_count(pool: &Pool, place: u32) -> u32 {
    pool.read(place) as u32 & 0x1ff
}

/// Words of a list of so many records.
pub const fn list_words(count: u32) -> u32 {
    1 + words(count)
}
