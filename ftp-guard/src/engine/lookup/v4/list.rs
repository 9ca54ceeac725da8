//! Lists of the pool: records, two to a word, behind their number.

use super::super::Pool;

/// Words of a list of so many records.
pub const fn words(count: u32) -> u32 {
    1 + count.div_ceil(2)
}

/// Number of records of the list at a place.
pub fn count(pool: &Pool, place: u32) -> u32 {
    pool.read(place) as u32 & 0x1ff
}

/// The records of the list at a place.
pub fn read(pool: &Pool, place: u32) -> impl Iterator<Item = u32> {
    let half = move |at: u32| (pool.read(place + 1 + at / 2) >> (at % 2 * 32)) as u32;
    (0..count(pool, place)).map(half)
}

/// Writes a list that no program knows yet.
pub fn write(pool: &Pool, place: u32, records: &[u32]) {
    pool.write(place, &[records.len() as u64]);
    for (at, two) in (1..).zip(records.chunks(2)) {
        let second = two.get(1).copied().unwrap_or(0);
        pool.write(place + at, &[u64::from(second) << 32 | u64::from(two[0])]);
    }
}
