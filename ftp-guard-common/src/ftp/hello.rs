//! How TLS begins.

use crate::text::HELLO_BYTES;

/// Reads one side of TLS from its first byte on, as long as it is in clear text: the records of its
/// handshake (RFC 8446 section 5.1) before the first record of another kind, at most
/// [`HELLO_BYTES`]. What has no such form is no TLS, and none of it may be told: it may be anything,
/// a password among it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HelloReader {
    /// Bytes that have been read.
    pub(crate) told: u16,
    /// Bytes of the record that are still to come.
    pub(crate) left: u16,
    /// Where in a record: bytes of its header that have been read, or [`IN_RECORD`] or [`OVER`].
    pub(crate) place: u8,
    /// Zero.
    pub(crate) reserved: [u8; 3],
}

const HEADER: u8 = 5;
/// Behind a header.
const IN_RECORD: u8 = HEADER;
/// Behind all that is to be told.
const OVER: u8 = 255;

/// The type of a record of a handshake, and the first byte of every version.
const HANDSHAKE: u8 = 22;
const VERSION: u8 = 3;
/// The longest record (RFC 8446 section 5.2, RFC 5246 section 6.2.3).
const LONGEST: u16 = (1 << 14) + 2048;

impl HelloReader {
    /// Whether there is nothing more to be told.
    #[inline(always)]
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.place == OVER
    }

    /// Ends it: bytes are missing.
    #[inline(always)]
    pub const fn end(&mut self) {
        self.place = OVER;
    }

    /// Reads the next byte; whether it is to be told.
    #[inline(always)]
    pub const fn feed(&mut self, byte: u8) -> bool {
        let next = match (self.place, byte) {
            (0, HANDSHAKE) => 1,
            (1, VERSION) => 2,
            (2, _) => 3,
            (3, _) => {
                self.left = (byte as u16) << 8;
                4
            }
            (4, _) => {
                self.left |= byte as u16;
                match self.left {
                    1..=LONGEST => IN_RECORD,
                    _ => OVER,
                }
            }
            (IN_RECORD, _) => {
                self.left = self.left.wrapping_sub(1);
                if self.left == 0 { 0 } else { IN_RECORD }
            }
            _ => OVER,
        };
        self.place = next;
        if next == OVER {
            return false;
        }
        self.told = self.told.wrapping_add(1);
        if self.told >= HELLO_BYTES {
            self.place = OVER;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    fn told(bytes: &[u8]) -> Vec<u8> {
        let mut reader = HelloReader::default();
        bytes
            .iter()
            .copied()
            .filter(|byte| reader.feed(*byte))
            .collect()
    }

    #[test]
    fn handshake_records_are_told_up_to_the_first_other_one() {
        let hello = [22, 3, 1, 0, 2, 7, 8, 22, 3, 3, 0, 1, 9];
        assert_eq!(told(&hello), hello);
        let mut more = hello.to_vec();
        more.extend([20, 3, 3, 0, 1, 1]);
        assert_eq!(told(&more), hello);
        more.extend(b"PASS secret\r\n");
        assert_eq!(told(&more), hello);
    }

    #[test]
    fn what_is_no_tls_is_not_told() {
        for bytes in [
            &b"PASS secret\r\n"[..],
            b"\x16PASS secret\r\n",
            b"\x17\x03\x03\0\x10PASS secret\r\n",
            // A record of no byte, and one that is too long.
            b"\x16\x03\x03\0\0PASS secret\r\n",
            b"\x16\x03\x03\xff\xffPASS secret\r\n",
        ] {
            let told = told(bytes);
            assert!(!told.windows(6).any(|six| six == b"secret"), "{told:?}");
            assert!(told.len() <= 4);
        }
    }

    #[test]
    fn no_more_is_told_than_was_promised() {
        let mut bytes = std::vec![22, 3, 3, 0x40, 0];
        bytes.resize(5 + (1 << 14), 1);
        assert_eq!(told(&bytes).len(), usize::from(HELLO_BYTES));
    }
}
