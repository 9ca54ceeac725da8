//! Room for what entries point to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering::{Relaxed, Release},
};

use super::regions::Region64;

/// Blocks of words. What is given back is given out again only after [`Pool::settle`]: until then a program may
/// still read it. Word 0 is never given out.
pub struct Pool {
    words: Region64,
    /// Behind it nothing is in use.
    next: u32,
    /// Length of each free block below `next`. No two of them touch.
    free: BTreeMap<u32, u32>,
    /// The same, length and place.
    by_length: BTreeSet<(u32, u32)>,
    free_words: u64,
    /// Given back since the last [`Pool::settle`]: place and length.
    returned: Vec<(u32, u32)>,
}

impl Pool {
    /// All of a region.
    #[must_use]
    pub fn new(words: Region64) -> Self {
        Self {
            words,
            next: 1,
            free: BTreeMap::new(),
            by_length: BTreeSet::new(),
            free_words: 0,
            returned: Vec::new(),
        }
    }

    /// A block of `length` words, which are anything; nothing when there is none.
    pub fn take(&mut self, length: u32) -> Option<u32> {
        let found = self.by_length.range((length, 0)..).next().copied();
        if let Some((held, place)) = found {
            self.remove(place, held);
            if held > length {
                self.insert(place + length, held - length);
            }
            return Some(place);
        }
        let end = self.next.checked_add(length)?;
        if end as usize > self.words.len() {
            return None;
        }
        let place = self.next;
        self.next = end;
        Some(place)
    }

    /// Gives a block back.
    pub fn give_back(&mut self, place: u32, length: u32) {
        self.returned.push((place, length));
    }

    /// Gives a block back that no program was told of.
    pub fn undo(&mut self, place: u32, length: u32) {
        self.keep(place, length);
    }

    /// No program reads any more what was given back before.
    pub fn settle(&mut self) {
        let mut returned = std::mem::take(&mut self.returned);
        // In order most of them grow the one before.
        returned.sort_unstable();
        for (place, length) in returned {
            self.keep(place, length);
        }
    }

    /// Writes a block that no program knows yet.
    pub fn write(&self, place: u32, words: &[u64]) {
        let block = &self.words[place as usize..][..words.len()];
        for (word, value) in block.iter().zip(words) {
            word.store(*value, Release);
        }
    }

    /// A word; 0 out of range.
    #[must_use]
    pub fn read(&self, place: u32) -> u64 {
        self.words
            .get(place as usize)
            .map_or(0, |word| word.load(Relaxed))
    }

    /// Words that are in use, those given back and not settled included.
    #[must_use]
    pub fn used(&self) -> u64 {
        u64::from(self.next) - self.free_words
    }

    /// Joins a block with the free ones beside it.
    fn keep(&mut self, mut place: u32, mut length: u32) {
        let before = self.free.range(..place).next_back();
        if let Some((start, held)) = before.map(|(start, held)| (*start, *held))
            && start + held == place
        {
            self.remove(start, held);
            (place, length) = (start, length + held);
        }
        if let Some(held) = self.free.get(&(place + length)).copied() {
            self.remove(place + length, held);
            length += held;
        }
        if place + length == self.next {
            self.next = place;
        } else {
            self.insert(place, length);
        }
    }

    fn insert(&mut self, place: u32, length: u32) {
        self.free.insert(place, length);
        self.by_length.insert((length, place));
        self.free_words += u64::from(length);
    }

    fn remove(&mut self, place: u32, length: u32) {
        self.free.remove(&place);
        self.by_length.remove(&(length, place));
        self.free_words -= u64::from(length);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    fn pool(words: usize) -> Pool {
        Pool::new(Box::new(
            (0..words).map(|_| AtomicU64::new(0)).collect::<Vec<_>>(),
        ))
    }

    #[test]
    fn blocks_do_not_overlap_and_end_with_the_region() {
        let mut pool = pool(8);
        assert_eq!(pool.take(3), Some(1));
        assert_eq!(pool.take(4), Some(4));
        assert_eq!(pool.take(1), None);
        assert_eq!(pool.used(), 8);
    }

    #[test]
    fn what_is_given_back_is_used_again_when_nobody_reads_it() {
        let mut pool = pool(8);
        let place = pool.take(7).unwrap();
        pool.give_back(place, 7);
        assert_eq!(pool.take(1), None);
        pool.settle();
        assert_eq!(pool.take(2), Some(1));
        assert_eq!(pool.take(5), Some(3));
        assert_eq!(pool.take(1), None);
    }

    #[test]
    fn neighbours_become_one_block() {
        let mut pool = pool(17);
        let places: Vec<u32> = (0..8).map(|_| pool.take(2).unwrap()).collect();
        for place in [places[1], places[3], places[2], places[5]] {
            pool.give_back(place, 2);
        }
        assert_eq!(pool.used(), 17);
        pool.settle();
        assert_eq!(pool.used(), 9);
        assert_eq!(pool.take(6), Some(places[1]));
        assert_eq!(pool.take(2), Some(places[5]));
        for place in places {
            pool.undo(place, 2);
        }
        assert_eq!(pool.used(), 1);
        assert_eq!(pool.take(16), Some(1));
    }
}
