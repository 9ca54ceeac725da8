//! IP addresses as text.

use super::{TOO_LARGE, decimal, octet_with};
use crate::{
    address::{Address, v4},
    class::Family,
};

/// How far an address has been read: IPv4 in dotted decimals, or IPv6 in the forms of RFC 4291
/// section 2.2. Zeros before a decimal number are refused: to some it would be an octal one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostReader {
    /// What has been read, at the low end of a number of 128 bits; the most significant word first.
    pub(crate) words: [u32; 4],
    /// The group being read, as a hexadecimal number.
    pub(crate) group: u16,
    /// The same digits as a decimal number; [`TOO_LARGE`] if they are none that fits a byte.
    pub(crate) octet: u16,
    /// Digits of the group so far.
    pub(crate) digits: u8,
    /// Groups that are complete, those behind `::` included.
    pub(crate) groups: u8,
    /// One more than the number of groups before `::`; 0: there was none.
    pub(crate) gap: u8,
    /// Dots so far.
    pub(crate) dots: u8,
    /// What the last byte was: one of the constants below.
    pub(crate) last: u8,
    /// Zero.
    pub(crate) reserved: [u8; 3],
}

/// A digit or a dot, or nothing yet.
const OTHER: u8 = 0;
/// A colon behind a group.
const COLON: u8 = 1;
/// A colon at the very beginning.
const FIRST_COLON: u8 = 2;
/// The second colon of `::`.
const DOUBLE_COLON: u8 = 3;
/// One that makes it no address.
const BAD: u8 = 4;

impl HostReader {
    /// Reads the next byte.
    #[inline(always)]
    pub(super) fn feed(&mut self, byte: u8) {
        if self.last == BAD {
            return;
        }
        let is_good = match byte {
            b':' => self.colon(),
            b'.' => self.dot(),
            _ => self.digit(byte),
        };
        if !is_good {
            self.last = BAD;
        }
    }

    /// Reads one of the four numbers of an address whose form is not of interest here.
    #[inline(always)]
    pub(super) fn push_octet(&mut self, octet: u8) {
        let [a, b, c, d] = self.words;
        self.words = [
            a.wrapping_shl(8) | b.wrapping_shr(24),
            b.wrapping_shl(8) | c.wrapping_shr(24),
            c.wrapping_shl(8) | d.wrapping_shr(24),
            d.wrapping_shl(8) | octet as u32,
        ];
    }

    /// The text is complete: the IPv4 address that it was.
    #[inline(always)]
    pub(super) fn end_v4(&mut self) -> bool {
        let is_plain = self.groups == 0 && self.gap == 0 && self.last != BAD;
        is_plain && self.dots == 3 && self.end_octet()
    }

    /// The text is complete: the IPv6 address that it was.
    #[inline(always)]
    pub(super) fn end_v6(&mut self) -> bool {
        let is_good = match (self.last, self.dots, self.digits) {
            (BAD, _, _) => false,
            (DOUBLE_COLON, _, _) => true,
            (_, 0, 0) => false,
            (_, 0, _) => {
                self.end_group();
                true
            }
            (_, 3, _) => {
                // The four numbers are two groups.
                self.groups = self.groups.wrapping_add(2);
                self.end_octet()
            }
            _ => false,
        };
        if !is_good {
            return false;
        }
        if self.gap == 0 {
            return self.groups == 8;
        }
        if self.groups > 7 {
            return false;
        }
        self.widen();
        true
    }

    /// The address, once `end_v4` or `end_v6` has said that it is one; an IPv4-mapped one as IPv4.
    #[inline(always)]
    pub(super) fn address(&self, is_v6: bool) -> (Address, u8) {
        let [a, b, c, d] = self.words;
        if !is_v6 || (a == 0 && b == 0 && c == 0xffff) {
            return (v4(d.to_be_bytes()), Family::Ipv4 as u8);
        }
        let (a, b, c, d) = (
            a.to_be_bytes(),
            b.to_be_bytes(),
            c.to_be_bytes(),
            d.to_be_bytes(),
        );
        let address = [
            a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[0], c[1], c[2], c[3], d[0], d[1],
            d[2], d[3],
        ];
        (address, Family::Ipv6 as u8)
    }

    #[inline(always)]
    fn colon(&mut self) -> bool {
        if self.dots != 0 {
            return false;
        }
        if self.digits != 0 {
            self.end_group();
            self.last = COLON;
            return self.groups < 8;
        }
        match self.last {
            COLON | FIRST_COLON if self.gap == 0 => {
                self.gap = self.groups.wrapping_add(1);
                self.last = DOUBLE_COLON;
                true
            }
            OTHER => {
                self.last = FIRST_COLON;
                true
            }
            _ => false,
        }
    }

    #[inline(always)]
    fn dot(&mut self) -> bool {
        if self.dots == 3 {
            return false;
        }
        self.dots = self.dots.wrapping_add(1);
        self.last = OTHER;
        self.end_octet()
    }

    #[inline(always)]
    fn digit(&mut self, byte: u8) -> bool {
        let digit = match byte {
            b'0'..=b'9' => byte.wrapping_sub(b'0'),
            b'a'..=b'f' => byte.wrapping_sub(b'a').wrapping_add(10),
            b'A'..=b'F' => byte.wrapping_sub(b'A').wrapping_add(10),
            _ => return false,
        };
        // A group behind a single colon at the very beginning has none before that colon.
        if self.last == FIRST_COLON || self.digits >= 4 {
            return false;
        }
        let is_padded = self.digits != 0 && self.octet == 0;
        self.octet = match decimal(byte) {
            Some(digit) if !is_padded => octet_with(self.octet, digit),
            _ => TOO_LARGE,
        };
        self.group = self.group.wrapping_shl(4) | digit as u16;
        self.digits = self.digits.wrapping_add(1);
        self.last = OTHER;
        true
    }

    #[inline(always)]
    fn end_group(&mut self) {
        let [high, low] = self.group.to_be_bytes();
        self.push_octet(high);
        self.push_octet(low);
        self.groups = self.groups.wrapping_add(1);
        self.begin_group();
    }

    #[inline(always)]
    fn end_octet(&mut self) -> bool {
        let is_good = self.digits != 0 && self.octet < TOO_LARGE;
        self.push_octet(self.octet as u8);
        self.begin_group();
        is_good
    }

    #[inline(always)]
    fn begin_group(&mut self) {
        self.group = 0;
        self.octet = 0;
        self.digits = 0;
    }

    /// Puts the zeros of `::` between the groups before it and those behind it.
    #[inline(always)]
    fn widen(&mut self) {
        let [a, b, c, d] = self.words;
        let (high, low) = (join(a, b), join(c, d));
        let behind = self.groups.wrapping_add(1).wrapping_sub(self.gap);
        let behind_bits = (behind as u32).wrapping_mul(16);
        let (behind_high, behind_low) = if behind_bits < 64 {
            (0, ones(behind_bits))
        } else {
            (ones(behind_bits.wrapping_sub(64)), u64::MAX)
        };
        let (before_high, before_low) = (high & !behind_high, low & !behind_low);
        let zeros = 8u32.wrapping_sub(self.groups as u32).wrapping_mul(16);
        // At least one group, so at least 16 bits; 128 when there are no groups at all.
        let (before_high, before_low) = if zeros < 64 {
            let carried = before_low.wrapping_shr(64u32.wrapping_sub(zeros));
            (
                before_high.wrapping_shl(zeros) | carried,
                before_low.wrapping_shl(zeros),
            )
        } else if zeros < 128 {
            (before_low.wrapping_shl(zeros.wrapping_sub(64)), 0)
        } else {
            (0, 0)
        };
        let high = before_high | (high & behind_high);
        let low = before_low | (low & behind_low);
        self.words = [
            high.wrapping_shr(32) as u32,
            high as u32,
            low.wrapping_shr(32) as u32,
            low as u32,
        ];
    }
}

/// A number of 64 bits from two words.
#[inline(always)]
const fn join(high: u32, low: u32) -> u64 {
    (high as u64).wrapping_shl(32) | low as u64
}

/// A number whose lowest `bits` are ones; `bits` is below 64.
#[inline(always)]
const fn ones(bits: u32) -> u64 {
    1u64.wrapping_shl(bits).wrapping_sub(1)
}
