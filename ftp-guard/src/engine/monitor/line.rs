//! Lines of a control connection.
//!
//! A line ends at LF. Telnet sequences (RFC 854) are taken out wherever they stand, except that LF always
//! ends a line: a program that does not know them reads one there. Of a line so much is kept as anybody
//! needs; of what may be a password nothing at all.

use super::{scrub::Scrubbed, verb::Verb};

/// Most bytes of a line that are kept.
const MOST_KEPT: usize = 1024;
/// No verb has more letters.
const LONGEST_VERB: usize = 12;
/// Verbs whose argument is a secret, or has one in it: RFC 959, RFC 2228.
pub(super) const SECRET: [&str; 6] = ["ACCT", "ADAT", "CONF", "ENC", "MIC", "PASS"];
/// The same behind SITE, as servers have them.
const SECRET_SITE: [&[u8]; 8] = [
    b"ADDUSER",
    b"CHPASS",
    b"CPWD",
    b"GADDUSER",
    b"PASS",
    b"PASSWD",
    b"PSWD",
    b"SETPASS",
];

/// What a reader has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEvent {
    /// The end of what was given.
    Nothing,
    /// The line is longer than any may be.
    Overlong,
    /// The end of a line: [`LineReader::line`] has it until [`LineReader::finish`].
    Line,
}

/// A line without its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// What is kept of it.
    pub(super) bytes: &'a [u8],
    /// Its bytes, all of them.
    pub(super) length: usize,
    /// Whether it is longer than any may be.
    pub(super) is_overlong: bool,
    /// Whether control characters are in it that text has not.
    pub(super) has_controls: bool,
}

/// Puts lines together.
#[derive(Debug, Default)]
pub(super) struct LineReader {
    kept: Scrubbed,
    /// Bytes since the last line's end.
    length: usize,
    most: usize,
    /// Whether verbs are looked at, to leave out what is secret.
    has_commands: bool,
    telnet: Telnet,
    word: Word,
    is_quiet: bool,
    is_overlong: bool,
    has_controls: bool,
    ends_with_cr: bool,
    /// Whether the rest of a line is left out whose beginning was not seen.
    is_skipping: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Telnet {
    #[default]
    None,
    /// Behind "interpret as command".
    Command,
    /// Behind WILL, WONT, DO or DONT.
    Option,
}

/// Which word of a command line comes next or is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Word {
    #[default]
    Verb,
    /// What follows SITE; where it begins.
    Site(usize),
    Rest,
}

impl LineReader {
    /// A reader of what clients say.
    pub(super) fn commands() -> Self {
        Self {
            most: 4096,
            has_commands: true,
            ..Self::default()
        }
    }

    /// A reader of what servers say.
    pub(super) fn replies() -> Self {
        Self {
            most: 8192,
            ..Self::default()
        }
    }

    /// Whether nothing of a line has come yet.
    pub(super) fn is_at_start(&self) -> bool {
        self.length == 0 && !self.is_skipping
    }

    /// Reads up to the next event, and returns how many bytes that took.
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, LineEvent) {
        for (place, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' {
                if self.is_skipping {
                    self.finish();
                    continue;
                }
                return (place + 1, LineEvent::Line);
            }
            if self.is_skipping {
                continue;
            }
            self.length = self.length.saturating_add(1);
            self.ends_with_cr = *byte == b'\r';
            self.byte(*byte);
            if self.length > self.most && !self.is_overlong {
                self.is_overlong = true;
                return (place + 1, LineEvent::Overlong);
            }
        }
        (bytes.len(), LineEvent::Nothing)
    }

    /// The line that has just ended.
    pub(super) fn line(&self) -> Line<'_> {
        Line {
            bytes: self.kept.bytes(),
            length: self.length - usize::from(self.ends_with_cr),
            is_overlong: self.is_overlong,
            has_controls: self.has_controls,
        }
    }

    /// Forgets the line.
    pub(super) fn finish(&mut self) {
        self.kept.clear();
        self.length = 0;
        self.telnet = Telnet::None;
        self.word = Word::Verb;
        self.is_quiet = false;
        self.is_overlong = false;
        self.has_controls = false;
        self.ends_with_cr = false;
        self.is_skipping = false;
    }

    /// Bytes are missing here: goes on behind the next LF.
    pub(super) fn skip(&mut self) {
        self.finish();
        self.is_skipping = true;
    }

    fn byte(&mut self, byte: u8) {
        match (self.telnet, byte) {
            (Telnet::None, 0xff) => self.telnet = Telnet::Command,
            (Telnet::Command, 0xfb..=0xfe) => self.telnet = Telnet::Option,
            // IAC twice is that byte; before what is no command it is one that a client has not doubled.
            (Telnet::Command, 0xff) => {
                self.telnet = Telnet::None;
                self.text(byte);
            }
            (Telnet::Command, 0..0xf0) => {
                self.telnet = Telnet::None;
                self.text(0xff);
                self.text(byte);
            }
            (Telnet::Command | Telnet::Option, _) => self.telnet = Telnet::None,
            (Telnet::None, _) => self.text(byte),
        }
    }

    fn text(&mut self, byte: u8) {
        self.has_controls |= matches!(byte, 0..=8 | 0x0e..=0x1f | 0x7f);
        if self.has_commands && !self.is_quiet {
            self.look(byte);
        }
        if !self.is_quiet && self.kept.len() < MOST_KEPT {
            let is_leading = self.has_commands && self.kept.len() == 0 && byte <= b' ';
            if !is_leading {
                self.kept.push(byte);
            }
        }
    }

    /// Decides whether what follows is kept.
    fn look(&mut self, byte: u8) {
        let kept = self.kept.bytes();
        match self.word {
            Word::Verb if kept.is_empty() => {}
            Word::Verb if byte <= b' ' => {
                let verb = Verb::of(kept);
                self.is_quiet = verb == Verb::UNKNOWN || verb.is(&SECRET);
                self.word = if verb.is(&["SITE"]) {
                    Word::Site(kept.len())
                } else {
                    Word::Rest
                };
            }
            Word::Verb if kept.len() >= LONGEST_VERB => {
                // It is no verb, and may be a password on the wrong line.
                self.is_quiet = true;
                self.kept.clear();
                self.kept.push(b'?');
            }
            Word::Site(start) if byte <= b' ' => {
                let word = super::text::trim(&kept[start..]);
                if !word.is_empty() {
                    let mut secret = SECRET_SITE.iter();
                    self.is_quiet = secret.any(|known| known.eq_ignore_ascii_case(word));
                    self.word = Word::Rest;
                }
            }
            Word::Verb | Word::Site(_) | Word::Rest => {}
        }
    }
}

#[cfg(test)]
#[path = "tests/line.rs"]
mod tests;
