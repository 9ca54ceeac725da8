//! One direction of a control connection, in the order of its sequence numbers: RFC 9293 section 3.4.
//!
//! The first copy of a byte counts. Bytes behind a hole are held until it is filled, or until it is known
//! that it never will be: the other side has acknowledged what is in it, or too much is held.

use std::hash::{BuildHasher, RandomState};

use super::scrub::Scrubbed;

/// Bytes that are held behind a hole.
pub(super) const MOST_HELD: usize = 8 * 1024;
/// Pieces that are held behind holes.
const MOST_PIECES: usize = 64;
/// Pieces whose check sums are kept.
const RECENT: usize = 8;
/// Shorter ones are not remembered: their check sums would tell what they were.
const SHORTEST_RECENT: usize = 8;

/// What a segment has brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// The next bytes.
    Bytes(&'a [u8]),
    /// So many bytes were not seen.
    Lost(u64),
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Sequence number of the byte that is due; `None`: the next segment says it.
    next: Option<u32>,
    /// What came too early: in order, without overlap.
    early: Vec<Early>,
    held: usize,
    /// Where the last hole begins that was given up, as long as nothing behind it was handed out.
    given_up: Option<u32>,
    recent: [Recent; RECENT],
    turn: usize,
}

#[derive(Debug)]
struct Early {
    sequence: u32,
    bytes: Scrubbed,
}

/// What was read before, by its check sum under a key that is made anew with each start.
#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    sequence: u32,
    length: u32,
    sum: u64,
}

impl Stream {
    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether a first byte is known.
    pub(super) fn is_synchronised(&self) -> bool {
        self.next.is_some()
    }

    /// Whether a segment has not come before.
    pub(super) fn is_new(&self, sequence: u32) -> bool {
        self.next.is_none_or(|next| distance(next, sequence) >= 0)
    }

    /// The first byte has this sequence number, if none is known.
    pub(super) fn begin_at(&mut self, sequence: u32) {
        self.next.get_or_insert(sequence);
    }

    /// Takes a segment of `length` bytes, of which `bytes` were told. At most `room` bytes are held. Returns
    /// how many bytes differ from what came before with the same sequence numbers.
    pub(super) fn push(
        &mut self,
        sequence: u32,
        length: u32,
        bytes: &[u8],
        room: usize,
        key: &RandomState,
        out: &mut dyn FnMut(Piece<'_>),
    ) -> u64 {
        let mut next = *self.next.get_or_insert(sequence);
        // Whoever acknowledges what was never sent must not make this side deaf.
        if let Some(hole) = self.given_up
            && distance(hole, sequence) >= 0
            && distance(sequence, next) > 0
        {
            next = sequence;
            self.next = Some(next);
        }
        let length = length.max(bytes.len() as u32);
        let mut conflicting = 0;
        let (mut sequence, mut bytes, mut length) = (sequence, bytes, length);
        let ahead = distance(next, sequence);
        if ahead < 0 {
            let known = ahead.unsigned_abs().min(length);
            let (old, new) = bytes.split_at(bytes.len().min(known as usize));
            conflicting += self.differing(sequence, old, key);
            (sequence, bytes, length) = (sequence.wrapping_add(known), new, length - known);
            if length == 0 {
                return conflicting;
            }
        }
        let untold = length - bytes.len() as u32;
        if sequence == next && self.early.is_empty() {
            self.remember(sequence, bytes, key);
            self.next = Some(next.wrapping_add(length));
            self.given_up = None;
            if !bytes.is_empty() {
                out(Piece::Bytes(bytes));
            }
            if untold > 0 {
                out(Piece::Lost(untold.into()));
            }
            return conflicting;
        }
        conflicting += self.hold(sequence, bytes);
        self.drain(key, out);
        while self.held > room || self.early.len() > MOST_PIECES {
            self.skip_hole(None, key, out);
        }
        conflicting
    }

    /// The other side has everything before `acknowledgement`: what is missing of it does not come again.
    pub(super) fn acknowledged(
        &mut self,
        acknowledgement: u32,
        key: &RandomState,
        out: &mut dyn FnMut(Piece<'_>),
    ) {
        while let Some(next) = self.next {
            let behind = distance(next, acknowledgement);
            // One number more is that of a FIN.
            if behind <= 0 || (behind == 1 && self.early.is_empty()) {
                return;
            }
            self.skip_hole(Some(acknowledgement), key, out);
        }
    }

    /// Gives up the bytes up to what is held next, or up to `end` if that comes before.
    fn skip_hole(&mut self, end: Option<u32>, key: &RandomState, out: &mut dyn FnMut(Piece<'_>)) {
        let Some(next) = self.next else {
            return;
        };
        let held = self.early.first().map(|early| early.sequence);
        let lengths = [held, end].into_iter().flatten();
        let missing = lengths.map(|to| to.wrapping_sub(next)).min().unwrap_or(0);
        self.next = Some(next.wrapping_add(missing));
        self.given_up.get_or_insert(next);
        out(Piece::Lost(missing.into()));
        self.drain(key, out);
    }

    /// Keeps what of a segment is not held yet; returns how many bytes differ from what is.
    fn hold(&mut self, sequence: u32, bytes: &[u8]) -> u64 {
        let Some(next) = self.next else {
            return 0;
        };
        let mut conflicting = 0;
        let (mut start, mut rest) = (sequence, bytes);
        let mut place = 0;
        while !rest.is_empty() {
            let Some(early) = self.early.get(place) else {
                self.insert(place, start, rest);
                break;
            };
            let (from, length) = (early.sequence.wrapping_sub(next), early.bytes.len() as u32);
            let at = start.wrapping_sub(next);
            if at >= from.saturating_add(length) {
                place += 1;
                continue;
            }
            if at < from {
                let (new, behind) = rest.split_at(rest.len().min((from - at) as usize));
                self.insert(place, start, new);
                start = start.wrapping_add(new.len() as u32);
                rest = behind;
            } else {
                let known = &early.bytes.bytes()[(at - from) as usize..];
                let (again, behind) = rest.split_at(rest.len().min(known.len()));
                let pairs = again.iter().zip(known);
                conflicting += pairs.filter(|(one, other)| one != other).count() as u64;
                start = start.wrapping_add(again.len() as u32);
                rest = behind;
            }
            place += 1;
        }
        conflicting
    }

    fn insert(&mut self, place: usize, sequence: u32, bytes: &[u8]) {
        self.held += bytes.len();
        let bytes = Scrubbed::of(bytes);
        self.early.insert(place, Early { sequence, bytes });
    }

    /// Hands out what is due of what is held.
    fn drain(&mut self, key: &RandomState, out: &mut dyn FnMut(Piece<'_>)) {
        while let (Some(next), Some(first)) = (self.next, self.early.first())
            && first.sequence == next
        {
            let early = self.early.remove(0);
            let bytes = early.bytes.bytes();
            self.held -= bytes.len();
            self.given_up = None;
            self.remember(next, bytes, key);
            self.next = Some(next.wrapping_add(bytes.len() as u32));
            out(Piece::Bytes(bytes));
        }
    }

    fn remember(&mut self, sequence: u32, bytes: &[u8], key: &RandomState) {
        if bytes.len() < SHORTEST_RECENT {
            return;
        }
        self.recent[self.turn % RECENT] = Recent {
            sequence,
            length: bytes.len() as u32,
            sum: key.hash_one(bytes),
        };
        self.turn = self.turn.wrapping_add(1);
    }

    /// How many of these bytes belong to pieces that were other ones when they came first.
    fn differing(&self, sequence: u32, bytes: &[u8], key: &RandomState) -> u64 {
        let mut differing = 0;
        for recent in self.recent.iter().filter(|recent| recent.length > 0) {
            let start = recent.sequence.wrapping_sub(sequence) as usize;
            let again = start
                .checked_add(recent.length as usize)
                .and_then(|end| bytes.get(start..end));
            if again.is_some_and(|again| key.hash_one(again) != recent.sum) {
                differing += u64::from(recent.length);
            }
        }
        differing
    }
}

/// How far `to` is ahead of `from`, modulo 2^32.
fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

#[cfg(test)]
#[path = "tests/stream.rs"]
mod tests;
