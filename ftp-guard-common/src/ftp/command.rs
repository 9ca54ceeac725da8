//! What the client says.

use super::{
    HOST_AND_PORT, HostReader, LONG_IPV4, LONG_IPV6, TOO_LARGE, decimal, octet_with, port_with,
};
use crate::address::Address;

/// How far the client's commands have been read.
///
/// A command is a line; lines end at LF. Telnet sequences (RFC 854) are taken out wherever they stand,
/// except that LF always ends a line. Blanks around the verb and its argument make no difference, CR
/// being one of them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandParser {
    /// The verb in capital letters, flush left; 0 for none and for one of more than eight bytes.
    pub(crate) name: u64,
    /// The last eight bytes of the verb, of the first word of the argument of AUTH, EPSV, SITE and USER
    /// (in capital letters), or the number being read.
    pub(crate) word: u64,
    /// The destination of PORT, LPRT or EPRT.
    pub(crate) host: HostReader,
    /// How many bytes the word has; numbers of a list, or fields of EPRT, that are complete.
    pub(crate) count: u8,
    /// Where in the line: a `IN_*` constant.
    pub(crate) phase: u8,
    /// What the verb is: one of the constants below.
    pub(crate) verb: u8,
    /// What of a telnet sequence came last: a `TELNET_*` constant.
    pub(crate) telnet: u8,
    /// The first byte of the argument: the delimiter of EPRT.
    pub(crate) first: u8,
    /// Numbers that a list should have; the protocol of EPRT.
    pub(crate) form: u8,
    /// Where in a list or in the port of EPRT: one of the constants below.
    pub(crate) place: u8,
    /// The first byte of the port in a list.
    pub(crate) high: u8,
    /// Bytes since the last CR LF: more than what the parser calls a line, where lines end at LF alone.
    pub(crate) length: u16,
    /// `MARK_*` bits.
    pub(crate) marks: u8,
    /// Zero.
    pub(crate) reserved: u8,
}

/// The most bytes between one CR LF and the next that a command may have where commands are judged. A server
/// that reads up to CR LF and gives up a line that does not end takes what follows for a new one
/// (pyftpdlib: behind 2,048 bytes).
pub const MOST_LINE: u16 = 2048;

/// The verb, or the first word of SITE, has a byte that commands do not have.
const MARK_ODD: u8 = 1;
/// The last byte was CR.
const MARK_CR: u8 = 2;
/// MDTM names a time before the file.
const MARK_SETS_TIME: u8 = 4;

/// Before or in the verb.
const IN_VERB: u8 = 0;
/// Between the verb and its argument.
const IN_GAP: u8 = 1;
/// In the argument.
const IN_ARGUMENT: u8 = 2;
/// Behind what matters: the argument is complete.
const IN_REST: u8 = 3;
/// Behind something that makes the argument one that is not understood.
const IN_REFUSED: u8 = 4;

const VERB_OTHER: u8 = 0;
const VERB_AUTH: u8 = 1;
const VERB_PASSIVE: u8 = 2;
const VERB_EPSV: u8 = 3;
const VERB_PORT: u8 = 4;
const VERB_LPRT: u8 = 5;
const VERB_EPRT: u8 = 6;
const VERB_SITE: u8 = 7;
const VERB_USER: u8 = 8;
const VERB_MDTM: u8 = 9;
/// Ends with PASS or ACCT.
const VERB_SECRET: u8 = 10;

/// Outside of telnet sequences.
const TELNET_NONE: u8 = 0;
/// Behind "interpret as command".
const TELNET_IAC: u8 = 1;
/// Behind WILL, WONT, DO or DONT.
const TELNET_OPTION: u8 = 2;

/// Before a number.
const BEFORE: u8 = 0;
/// In a number.
const NUMBER: u8 = 1;
/// In blanks behind a number.
const BEHIND: u8 = 2;

/// Fields of EPRT that are complete: the protocol comes next, the address, the port, nothing.
const FIELD_PROTOCOL: u8 = 0;
const FIELD_ADDRESS: u8 = 1;
const FIELD_PORT: u8 = 2;
const FIELD_NONE: u8 = 3;

/// What a byte of the client has completed: a command line, and what of it matters.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandEvent {
    /// Any other command.
    Other,
    /// AUTH TLS, AUTH TLS-C, AUTH TLS-P or AUTH SSL.
    Auth,
    /// A command that asks for a passive port: a verb of four bytes that ends with SV or SW (PASV,
    /// EPSV, LPSV, SPSV, CPSV, P@SW), but not EPSV ALL.
    Passive,
    /// PORT, LPRT or EPRT.
    Active {
        /// The destination's address and family; `None`: its form is none that is understood. Some
        /// servers accept such forms and connect, so that it must not count as a harmless command.
        destination: Option<(Address, u8)>,
        /// The destination's port, host order; 0 without a destination.
        port: u16,
    },
}

/// A complete command line, as far as policies ask for it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The verb in capital letters, and zeros; all zeros when it is longer. Of a longer one that ends with ABOR,
    /// STAT or QUIT these four: servers look for them behind what may be left of a telnet sequence.
    pub verb: [u8; 8],
    /// The first word of the argument of SITE, in the same form.
    pub word: [u8; 8],
    /// Whether the verb, or the first word of SITE, has a byte that commands do not have, so that one server
    /// may take it for another command than the next one: quotes, control characters, anything beyond
    /// ASCII, telnet options.
    pub is_odd: bool,
    /// Whether it is USER, and its argument begins with the word `anonymous` or `ftp`.
    pub is_anonymous: bool,
    /// Whether it is MDTM with what looks like a time in front of the file: some servers set it.
    pub sets_time: bool,
}

impl CommandParser {
    /// Whether what comes next, to the end of the line, is nobody's business: the argument of PASS or
    /// ACCT (RFC 959 section 4.1.1). What stands before those letters makes no difference.
    #[inline(always)]
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        self.verb == VERB_SECRET
    }

    /// Reads the next byte.
    #[inline(always)]
    pub fn feed(&mut self, byte: u8) -> Option<CommandEvent> {
        self.read(byte, &mut Line::default())
    }

    /// Reads the next byte. When it completes a line that has a verb, `line` says of it what is not in the event.
    #[inline(always)]
    pub fn read(&mut self, byte: u8, line: &mut Line) -> Option<CommandEvent> {
        self.length = self.length.saturating_add(1);
        if byte == b'\n' {
            let event = self.end_line(line);
            *self = Self {
                length: if self.marks & MARK_CR != 0 {
                    0
                } else {
                    self.length
                },
                ..Self::default()
            };
            return event;
        }
        self.marks &= !MARK_CR;
        if byte == b'\r' {
            self.marks |= MARK_CR;
        }
        if self.is_data(byte) {
            self.feed_data(byte);
        }
        None
    }

    /// Whether more bytes than [`MOST_LINE`] have come without CR LF.
    #[inline(always)]
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.length > MOST_LINE
    }

    /// Whether a byte is no part of a telnet sequence.
    #[inline(always)]
    fn is_data(&mut self, byte: u8) -> bool {
        const IAC: u8 = 255;
        const DONT: u8 = 254;
        const WILL: u8 = 251;
        let (telnet, is_data) = match (self.telnet, byte) {
            (TELNET_NONE, IAC) => (TELNET_IAC, false),
            (TELNET_NONE, _) | (TELNET_IAC, IAC) => (TELNET_NONE, true),
            (TELNET_IAC, WILL..=DONT) => {
                // Two bytes here, three bytes of text elsewhere.
                if self.phase == IN_VERB {
                    self.marks |= MARK_ODD;
                }
                (TELNET_OPTION, false)
            }
            _ => (TELNET_NONE, false),
        };
        self.telnet = telnet;
        is_data
    }

    #[inline(always)]
    fn feed_data(&mut self, byte: u8) {
        match self.phase {
            IN_VERB if is_blank(byte) => self.end_verb(),
            IN_VERB => self.add_to_name(byte),
            IN_GAP if is_blank(byte) => {}
            IN_GAP => {
                self.phase = IN_ARGUMENT;
                self.first = byte;
                match self.verb {
                    VERB_EPRT if !byte.is_ascii_graphic() => self.phase = IN_REFUSED,
                    // The delimiter.
                    VERB_EPRT => {}
                    _ => self.feed_argument(byte),
                }
            }
            IN_ARGUMENT => self.feed_argument(byte),
            _ => {}
        }
    }

    #[inline(always)]
    fn add_to_word(&mut self, byte: u8) {
        self.word = self.word.wrapping_shl(8) | byte.to_ascii_uppercase() as u64;
        self.count = self.count.saturating_add(1);
    }

    /// Adds a byte to what is compared with the names of commands.
    #[inline(always)]
    fn add_to_name(&mut self, byte: u8) {
        if !is_of_name(byte) {
            self.marks |= MARK_ODD;
        }
        self.add_to_word(byte);
    }

    /// The word that has been read, flush left; 0 when it is longer than eight bytes.
    #[inline(always)]
    fn flush_word(&self) -> u64 {
        if self.count == 0 || self.count > 8 {
            return 0;
        }
        // At most 56 bits.
        let empty = 8_u8.wrapping_sub(self.count) as u32;
        self.word.wrapping_shl(empty.wrapping_mul(8))
    }

    /// The verb is complete, if there was any.
    #[inline(always)]
    fn end_verb(&mut self) {
        if self.count == 0 {
            return;
        }
        let last = (self.word as u32).to_be_bytes();
        let [_, _, third, fourth] = last;
        self.name = if self.count > 4 && matches!(&last, b"ABOR" | b"STAT" | b"QUIT") {
            self.word.wrapping_shl(32)
        } else {
            self.flush_word()
        };
        self.verb = match &last {
            b"PASS" | b"ACCT" => VERB_SECRET,
            _ if self.count != 4 => VERB_OTHER,
            b"AUTH" => VERB_AUTH,
            b"EPSV" => VERB_EPSV,
            b"PORT" => VERB_PORT,
            b"LPRT" => VERB_LPRT,
            b"EPRT" => VERB_EPRT,
            b"SITE" => VERB_SITE,
            b"USER" => VERB_USER,
            b"MDTM" => VERB_MDTM,
            _ if third == b'S' && matches!(fourth, b'V' | b'W') => VERB_PASSIVE,
            _ => VERB_OTHER,
        };
        self.phase = IN_GAP;
        self.word = 0;
        self.count = 0;
        self.form = match self.verb {
            VERB_PORT => HOST_AND_PORT,
            _ => 0,
        };
    }

    #[inline(always)]
    fn feed_argument(&mut self, byte: u8) {
        match self.verb {
            VERB_AUTH | VERB_EPSV => self.feed_word(byte),
            VERB_PORT | VERB_LPRT => self.feed_list(byte),
            VERB_EPRT => self.feed_field(byte),
            VERB_SITE | VERB_USER => self.feed_first_word(byte),
            VERB_MDTM => self.feed_time(byte),
            _ => {}
        }
    }

    /// Reads the first word of an argument; the rest makes no difference.
    #[inline(always)]
    fn feed_first_word(&mut self, byte: u8) {
        if self.place == BEHIND {
            return;
        }
        let ends = match self.verb {
            // A string of C ends there, and Pure-FTPd makes that of any control character.
            VERB_USER => byte.is_ascii_control() || byte == b' ',
            _ => is_blank(byte),
        };
        if ends {
            self.place = BEHIND;
        } else if self.verb == VERB_SITE {
            self.add_to_name(byte);
        } else {
            self.add_to_word(byte);
        }
    }

    /// Looks for a time in front of the file of MDTM: a word that begins with a digit and has eight bytes or more,
    /// and a space behind it.
    #[inline(always)]
    fn feed_time(&mut self, byte: u8) {
        if self.place == BEHIND {
            return;
        }
        if byte != b' ' {
            self.count = self.count.saturating_add(1);
            return;
        }
        self.place = BEHIND;
        if self.count >= 8 && self.first.is_ascii_digit() {
            self.marks |= MARK_SETS_TIME;
        }
    }

    /// Reads an argument that is one word.
    #[inline(always)]
    fn feed_word(&mut self, byte: u8) {
        if is_blank(byte) {
            self.place = BEHIND;
        } else if self.place == BEHIND {
            self.phase = IN_REFUSED;
        } else {
            self.add_to_word(byte);
        }
    }

    /// Reads the list of PORT and LPRT. Servers that take it apart with `sscanf` allow blanks and a
    /// sign before each number and anything behind the last one, so that this does as well.
    #[inline(always)]
    fn feed_list(&mut self, byte: u8) {
        if let Some(digit) = decimal(byte) {
            match self.place {
                BEFORE => self.word = digit as u64,
                NUMBER => self.word = octet_with(self.word as u16, digit) as u64,
                _ => self.phase = IN_REFUSED,
            }
            self.place = NUMBER;
            return;
        }
        let place = self.place;
        self.place = match (byte, place) {
            (b',', NUMBER | BEHIND) => BEFORE,
            (b'+', BEFORE) => BEFORE,
            (_, BEFORE) if is_blank(byte) => BEFORE,
            (_, NUMBER | BEHIND) if is_blank(byte) => BEHIND,
            _ => {
                self.phase = IN_REFUSED;
                BEHIND
            }
        };
        if place == NUMBER {
            self.end_number();
        }
    }

    /// A number of the list is complete.
    #[inline(always)]
    fn end_number(&mut self) {
        let number = self.word as u32;
        let count = self.count.wrapping_add(1);
        self.count = count;
        let is_long = self.verb == VERB_LPRT;
        if is_long && count == 1 {
            self.form = match number {
                4 => LONG_IPV4,
                6 => LONG_IPV6,
                _ => 0,
            };
        }
        let left = self.form.wrapping_sub(count);
        let is_consistent = match (is_long, count, left) {
            (true, 2, _) => number == self.form.wrapping_sub(5) as u32,
            (true, _, 2) => number == 2,
            _ => true,
        };
        if number >= TOO_LARGE as u32 || self.form < count || !is_consistent {
            self.phase = IN_REFUSED;
            return;
        }
        let number = number as u8;
        match left {
            0 => {
                self.word = u16::from_be_bytes([self.high, number]) as u64;
                self.phase = IN_REST;
            }
            1 => self.high = number,
            2 if is_long => {}
            _ if is_long && count <= 2 => {}
            _ => self.host.push_octet(number),
        }
    }

    /// Reads the fields of EPRT. What follows the last delimiter makes no difference.
    #[inline(always)]
    fn feed_field(&mut self, byte: u8) {
        if byte == self.first {
            let is_good = match self.count {
                FIELD_PROTOCOL => self.form != 0,
                FIELD_ADDRESS => self.end_address(),
                FIELD_PORT => self.place != BEFORE,
                _ => true,
            };
            self.count = self.count.wrapping_add(1);
            if !is_good {
                self.phase = IN_REFUSED;
            } else if self.count == FIELD_NONE {
                self.phase = IN_REST;
            }
            return;
        }
        match self.count {
            FIELD_PROTOCOL if self.form == 0 && matches!(byte, b'1' | b'2') => {
                self.form = byte.wrapping_sub(b'0');
            }
            FIELD_ADDRESS => self.host.feed(byte),
            FIELD_PORT => self.feed_port(byte),
            _ => self.phase = IN_REFUSED,
        }
    }

    #[inline(always)]
    fn end_address(&mut self) -> bool {
        if self.form == 2 {
            self.host.end_v6()
        } else {
            self.host.end_v4()
        }
    }

    /// Reads the port of EPRT, which may have blanks around it.
    #[inline(always)]
    fn feed_port(&mut self, byte: u8) {
        match decimal(byte) {
            Some(digit) if self.place != BEHIND => {
                self.place = NUMBER;
                self.word = port_with(self.word as u32, digit) as u64;
            }
            None if is_blank(byte) => {
                if self.place == NUMBER {
                    self.place = BEHIND;
                }
            }
            _ => self.phase = IN_REFUSED,
        }
    }

    /// The line is complete.
    #[inline(always)]
    fn end_line(&mut self, line: &mut Line) -> Option<CommandEvent> {
        if self.phase == IN_VERB {
            if self.count == 0 {
                return None;
            }
            self.end_verb();
        }
        let word = match self.verb {
            VERB_SITE => self.flush_word(),
            _ => 0,
        };
        line.is_anonymous = self.verb == VERB_USER
            && ((self.count == 3 && self.word == u64::from_be_bytes(*b"\0\0\0\0\0FTP"))
                || (self.count == 9
                    && self.first.eq_ignore_ascii_case(&b'A')
                    && self.word == u64::from_be_bytes(*b"NONYMOUS")));
        line.verb = self.name.to_be_bytes();
        line.word = word.to_be_bytes();
        line.is_odd = self.marks & MARK_ODD != 0;
        line.sets_time = self.marks & MARK_SETS_TIME != 0;
        Some(self.end_event())
    }

    #[inline(always)]
    fn end_event(&mut self) -> CommandEvent {
        match self.verb {
            VERB_AUTH if self.names_tls() => CommandEvent::Auth,
            VERB_PASSIVE => CommandEvent::Passive,
            VERB_EPSV if self.phase == IN_REFUSED || !self.is_word(b' ', b"\0ALL", 3) => {
                CommandEvent::Passive
            }
            VERB_PORT | VERB_LPRT | VERB_EPRT => self.end_active(),
            _ => CommandEvent::Other,
        }
    }

    #[inline(always)]
    fn end_active(&mut self) -> CommandEvent {
        if self.verb == VERB_EPRT {
            // The last delimiter may be missing.
            if self.phase == IN_ARGUMENT && self.count == FIELD_PORT && self.place != BEFORE {
                self.phase = IN_REST;
            }
        } else if self.phase == IN_ARGUMENT && self.place == NUMBER {
            self.end_number();
        }
        let is_v6 = match self.verb {
            VERB_EPRT => self.form == 2,
            _ => self.form == LONG_IPV6,
        };
        if self.phase != IN_REST || self.word == 0 || self.word > u16::MAX as u64 {
            return CommandEvent::Active {
                destination: None,
                port: 0,
            };
        }
        CommandEvent::Active {
            destination: Some(self.host.address(is_v6)),
            port: self.word as u16,
        }
    }

    #[inline(always)]
    fn names_tls(&self) -> bool {
        self.phase == IN_ARGUMENT
            && (self.is_word(b' ', b"\0TLS", 3)
                || self.is_word(b' ', b"\0SSL", 3)
                || self.is_word(b'T', b"LS-C", 5)
                || self.is_word(b'T', b"LS-P", 5))
    }

    /// Whether the argument is this word: its last four bytes, its length, and the first byte of one
    /// that is longer.
    #[inline(always)]
    fn is_word(&self, first: u8, end: &[u8; 4], length: u8) -> bool {
        self.word as u32 == u32::from_be_bytes(*end)
            && self.count == length
            && (length <= 4 || self.first.to_ascii_uppercase() == first)
    }
}

/// What C calls a space, but for LF. CR is one: it stands before LF, or nowhere.
#[inline(always)]
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x0b | 0x0c | b'\r' | b' ')
}

/// What names of commands are made of: letters, digits, and `@` for P@SW, which stands for PASV where routers
/// meddle with that.
#[inline(always)]
const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'@'
}

#[cfg(test)]
mod tests;
