//! A buffer that leaves nothing behind: what was in it is overwritten before its memory is used for anything
//! else or given back. Passwords may pass through it.

use std::{
    fmt::{self, Debug, Formatter},
    hint::black_box,
};

/// Capacity that an empty buffer keeps, in bytes.
const KEPT: usize = 256;

/// Bytes that are overwritten when they are no longer needed.
#[derive(Default)]
pub(super) struct Scrubbed {
    /// All of it is initialised; behind `used` it is zero.
    storage: Vec<u8>,
    used: usize,
}

impl Scrubbed {
    /// The same bytes, in a buffer of their own.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut buffer = Self::default();
        buffer.extend(bytes);
        buffer
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.storage[..self.used]
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.make_room(1);
        self.storage[self.used] = byte;
        self.used += 1;
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.storage[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }

    pub(super) fn clear(&mut self) {
        overwrite(&mut self.storage[..self.used]);
        self.used = 0;
        if self.storage.len() > KEPT {
            self.storage = Vec::new();
        }
    }

    /// A vector that grows by itself leaves a copy of what was in it.
    fn make_room(&mut self, more: usize) {
        let needed = self.used + more;
        if needed <= self.storage.len() {
            return;
        }
        let mut grown = vec![0; needed.next_power_of_two().max(32)];
        grown[..self.used].copy_from_slice(&self.storage[..self.used]);
        overwrite(&mut self.storage[..self.used]);
        self.storage = grown;
    }
}

impl Drop for Scrubbed {
    fn drop(&mut self) {
        overwrite(&mut self.storage[..self.used]);
    }
}

/// Tests look for secrets in what this prints; elsewhere it prints no bytes.
impl Debug for Scrubbed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if cfg!(test) {
            write!(f, "{:?}", String::from_utf8_lossy(&self.storage))
        } else {
            write!(f, "{} bytes", self.used)
        }
    }
}

fn overwrite(bytes: &mut [u8]) {
    bytes.fill(0);
    // The compiler must not leave it out because nobody reads it.
    black_box(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_behind() {
        let mut buffer = Scrubbed::of(b"secret");
        buffer.clear();
        assert!(!format!("{buffer:?}").contains("secret"));
        buffer.extend(b"ab");
        buffer.push(b'c');
        assert_eq!(buffer.bytes(), b"abc");
        assert_eq!(buffer.storage[3..], vec![0; buffer.storage.len() - 3]);
        buffer.extend(&[b'x'; 1000]);
        assert_eq!(buffer.len(), 1003);
        buffer.clear();
        assert_eq!(buffer.bytes(), b"");
        assert!(buffer.storage.is_empty(), "large ones are given back");
    }
}
