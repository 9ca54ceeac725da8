//! What the server says.

use super::{PassiveReader, decimal};

/// How far the server's replies have been read.
///
/// A reply is a line `NNN text`, or the lines from `NNN-text` to the next `NNN text` of the same code
/// (RFC 959 section 4.2). Lines end at LF; a CR before it makes no difference. Lines between replies
/// that begin with no code are skipped: some servers send error texts without one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyParser {
    /// Code of the reply that has begun; 0: none has.
    pub(crate) code: u16,
    /// The digits that the line begins with, as a number.
    pub(crate) line_code: u16,
    /// How many those are, up to three; then [`TEXT`] or [`SKIPPED`].
    pub(crate) column: u8,
    /// 1 in the last line of a reply.
    pub(crate) is_last: u8,
    /// 1 once the reply has named its port.
    pub(crate) is_named: u8,
    /// Zero.
    pub(crate) reserved: [u8; 9],
    /// The search for the port.
    pub(crate) passive: PassiveReader,
}

/// The column of what follows the code, or of a line without one in a reply.
const TEXT: u8 = 4;
/// The column of what follows the beginning of a line that belongs to no reply.
const SKIPPED: u8 = 5;

/// What a byte of the server has completed.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyEvent {
    /// A 227, 228 or 229 reply has named a passive port. It goes on.
    Passive {
        /// The port, host order, not 0.
        port: u16,
    },
    /// A reply is complete (its last line has ended).
    End {
        /// The reply code, 100 to 699.
        code: u16,
    },
    /// Both at once: only the LF ended the port, and it ended the reply as well.
    PassiveEnd {
        /// As of [`ReplyEvent::Passive`].
        port: u16,
        /// As of [`ReplyEvent::End`].
        code: u16,
    },
}

impl ReplyEvent {
    /// The port that was named.
    #[inline(always)]
    #[must_use]
    pub const fn port(self) -> Option<u16> {
        match self {
            Self::Passive { port } | Self::PassiveEnd { port, .. } => Some(port),
            Self::End { .. } => None,
        }
    }

    /// The code of the reply that is complete.
    #[inline(always)]
    #[must_use]
    pub const fn code(self) -> Option<u16> {
        match self {
            Self::End { code } | Self::PassiveEnd { code, .. } => Some(code),
            Self::Passive { .. } => None,
        }
    }
}

impl ReplyParser {
    /// Reads the next byte.
    #[inline(always)]
    pub fn feed(&mut self, byte: u8) -> Option<ReplyEvent> {
        if byte == b'\n' {
            return self.end_line();
        }
        match self.column {
            0..=2 => match decimal(byte) {
                Some(digit) => {
                    self.line_code = self.line_code.wrapping_mul(10).wrapping_add(digit as u16);
                    self.column = self.column.wrapping_add(1);
                }
                None if self.code == 0 => self.column = SKIPPED,
                None => self.column = TEXT,
            },
            3 => {
                let is_code = self.take_code(byte);
                if is_code {
                    self.passive = PassiveReader::default();
                }
                if is_code && byte == b'-' {
                    return None;
                }
            }
            _ => {}
        }
        self.feed_passive(byte)
            .map(|port| ReplyEvent::Passive { port })
    }

    /// Decides on a line whose three digits are followed by this byte. Whether they are the reply's
    /// code.
    #[inline(always)]
    fn take_code(&mut self, byte: u8) -> bool {
        self.column = TEXT;
        if self.code != 0 {
            // A text that happens to begin with the code must not end the reply: only what RFC 959
            // puts behind it does, or nothing at all.
            self.is_last = matches!(byte, b' ' | b'\t' | b'\r') as u8;
            let is_code = self.line_code == self.code && (self.is_last == 1 || byte == b'-');
            self.is_last &= is_code as u8;
            return is_code;
        }
        if !is_reply_code(self.line_code) || byte.is_ascii_digit() {
            self.column = SKIPPED;
            return false;
        }
        // Without the blank (`230_no_space`) it still answers a command, and clients take it so.
        self.code = self.line_code;
        self.is_last = (byte != b'-') as u8;
        true
    }

    #[inline(always)]
    fn feed_passive(&mut self, byte: u8) -> Option<u16> {
        if self.is_named == 1 {
            return None;
        }
        let port = match self.code {
            227 => self.passive.feed_list(byte, false),
            228 => self.passive.feed_list(byte, true),
            229 => self.passive.feed_delimited(byte),
            _ => None,
        };
        if port.is_some() {
            self.is_named = 1;
        }
        port
    }

    #[inline(always)]
    fn end_line(&mut self) -> Option<ReplyEvent> {
        // `NNN` alone: a code without a text.
        if self.column == 3 {
            self.take_code(b'\r');
        }
        let port = self.feed_passive(b'\n');
        let (code, is_last) = (self.code, self.is_last == 1);
        self.passive = PassiveReader::default();
        self.line_code = 0;
        self.column = 0;
        if !is_last {
            return port.map(|port| ReplyEvent::Passive { port });
        }
        self.code = 0;
        self.is_last = 0;
        self.is_named = 0;
        Some(match port {
            Some(port) => ReplyEvent::PassiveEnd { port, code },
            None => ReplyEvent::End { code },
        })
    }
}

/// 1yz to 5yz (RFC 959 section 4.2), and 6yz, the protected replies of RFC 2228.
#[inline(always)]
const fn is_reply_code(code: u16) -> bool {
    matches!(code, 100..=699)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::{ReplyEvent, ReplyParser};

    fn read(text: &str) -> Vec<ReplyEvent> {
        let mut parser = ReplyParser::default();
        text.bytes().filter_map(|byte| parser.feed(byte)).collect()
    }

    #[test]
    fn names_the_port_where_its_digits_end() {
        let mut parser = ReplyParser::default();
        for byte in "227 Entering Passive Mode (10,231,0,1,195,85".bytes() {
            assert_eq!(parser.feed(byte), None);
        }
        assert_eq!(parser.feed(b')'), Some(ReplyEvent::Passive { port: 50005 }));
    }

    #[test]
    fn a_reply_of_many_lines_ends_once() {
        assert_eq!(
            read("213-x\r\n227 (1,2,3,4,5,6)\r\n213 end\r\n331 \r\n"),
            [ReplyEvent::End { code: 213 }, ReplyEvent::End { code: 331 }]
        );
    }

    #[test]
    fn a_line_feed_ends_port_and_reply_at_once() {
        assert_eq!(
            read("227 =10,231,0,1,195,85\n"),
            [ReplyEvent::PassiveEnd {
                port: 50005,
                code: 227
            }]
        );
    }

    #[test]
    fn extended_and_long_replies_name_their_port() {
        assert_eq!(
            read("229 ok (|||50005|)\r\n228 ok (4,4,10,231,0,1,2,195,85)\r\n"),
            [
                ReplyEvent::Passive { port: 50005 },
                ReplyEvent::End { code: 229 },
                ReplyEvent::Passive { port: 50005 },
                ReplyEvent::End { code: 228 },
            ]
        );
    }

    #[test]
    fn starts_again_after_every_reply() {
        let mut parser = ReplyParser::default();
        for byte in "227-a (1,2,3,4,5,6)\r\nb\r\n227 c\r\n".bytes() {
            parser.feed(byte);
        }
        assert_eq!(parser, ReplyParser::default());
    }
}
