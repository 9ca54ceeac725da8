//! The port in the text of a 227, 228 or 229 reply.

use super::{HOST_AND_PORT, LONG_IPV4, LONG_IPV6, decimal, octet_with, port_with};

/// How far a text has been searched for a passive port.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassiveReader {
    /// The number being read.
    pub(crate) number: u32,
    /// A `LIST_*` or `DELIMITED_*` state; 0: nothing of interest precedes.
    pub(crate) state: u8,
    /// 227, 228: numbers of the list so far, at most one more than it should have. 229: equal
    /// delimiters in a row, at most one more than three.
    pub(crate) count: u8,
    /// 228: numbers that the list should have.
    pub(crate) expected: u8,
    /// 227, 228: the first byte of the port. 229: the delimiter.
    pub(crate) held: u8,
}

/// In a number.
const LIST_NUMBER: u8 = 1;
/// In blanks behind a number.
const LIST_BLANK: u8 = 2;
/// Behind a comma, blanks included.
const LIST_COMMA: u8 = 3;

/// In delimiters.
const DELIMITED_BEGUN: u8 = 1;
/// In blanks between three delimiters and the number.
const DELIMITED_BLANK: u8 = 2;
/// In the number behind three delimiters.
const DELIMITED_NUMBER: u8 = 3;
/// In the number behind two delimiters: it counts only before a third.
const DELIMITED_SHORT: u8 = 4;

/// The count of a list that holds a number which it must not hold.
const SPOILED: u8 = 0xff;

impl PassiveReader {
    /// Reads the next byte of the text of a 227 or 228 reply. The port, if this byte ends the list
    /// that names it.
    #[inline(always)]
    pub(super) fn feed_list(&mut self, byte: u8, long: bool) -> Option<u16> {
        if let Some(digit) = decimal(byte) {
            if self.state == LIST_NUMBER {
                self.number = octet_with(self.number as u16, digit) as u32;
                return None;
            }
            if self.state != LIST_COMMA {
                self.count = 0;
            }
            self.number = digit as u32;
            self.state = LIST_NUMBER;
            return None;
        }
        let in_number = self.state == LIST_NUMBER;
        self.state = match byte {
            b',' if in_number || self.state == LIST_BLANK => LIST_COMMA,
            b' ' | b'\t' if in_number => LIST_BLANK,
            b' ' | b'\t' => self.state,
            _ => 0,
        };
        if in_number {
            self.end_number(long)
        } else {
            None
        }
    }

    /// A number of the list is complete. The port, if it was the last one.
    #[inline(always)]
    fn end_number(&mut self, long: bool) -> Option<u16> {
        if self.count == SPOILED {
            return None;
        }
        let number = self.number;
        let count = self.count.wrapping_add(1);
        self.count = count;
        if !long {
            self.expected = HOST_AND_PORT;
        } else if count == 1 {
            self.expected = match number {
                4 => LONG_IPV4,
                6 => LONG_IPV6,
                _ => 0,
            };
        }
        let left = self.expected.wrapping_sub(count);
        // Of 228: the length of the host behind the family, and that of the port before it.
        let is_consistent = !long
            || (count != 2 || number == self.expected.wrapping_sub(5) as u32)
                && (left != 2 || number == 2);
        if number > 255 || self.expected < count || !is_consistent {
            self.count = SPOILED;
            return None;
        }
        if left == 1 {
            self.held = number as u8;
        }
        let port = u16::from_be_bytes([self.held, number as u8]);
        if left == 0 && port != 0 {
            Some(port)
        } else {
            None
        }
    }

    /// Reads the next byte of the text of a 229 reply. The port, if this byte ends it.
    #[inline(always)]
    pub(super) fn feed_delimited(&mut self, byte: u8) -> Option<u16> {
        if let Some(digit) = decimal(byte) {
            match (self.state, self.count) {
                (DELIMITED_NUMBER | DELIMITED_SHORT, _) => {
                    self.number = port_with(self.number, digit);
                }
                (DELIMITED_BEGUN | DELIMITED_BLANK, 3) => {
                    self.state = DELIMITED_NUMBER;
                    self.number = digit as u32;
                }
                (DELIMITED_BEGUN, 2) => {
                    self.state = DELIMITED_SHORT;
                    self.number = digit as u32;
                }
                _ => self.state = 0,
            }
            return None;
        }
        let is_named = match self.state {
            DELIMITED_NUMBER => true,
            DELIMITED_SHORT => byte == self.held,
            _ => false,
        };
        if is_named && self.number != 0 && self.number <= u16::MAX as u32 {
            return Some(self.number as u16);
        }
        match byte {
            b' ' | b'\t' => {
                let may_follow = matches!(self.state, DELIMITED_BEGUN | DELIMITED_BLANK);
                self.state = if may_follow && self.count == 3 {
                    DELIMITED_BLANK
                } else {
                    0
                };
            }
            33..=126 if !byte.is_ascii_alphabetic() => {
                if self.state == DELIMITED_BEGUN && self.held == byte {
                    if self.count < 4 {
                        self.count = self.count.wrapping_add(1);
                    }
                } else {
                    self.count = 1;
                }
                self.state = DELIMITED_BEGUN;
                self.held = byte;
            }
            _ => self.state = 0,
        }
        None
    }
}
