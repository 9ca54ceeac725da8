//! Replies: RFC 959 section 4.2.
//!
//! A reply of several lines begins with a code and `-`, and ends with a line that has the same code and no `-`;
//! lines between may begin with anything, other codes among it.

/// Lines of one reply. Whoever sends more has forgotten to end it.
const MOST_LINES: u32 = 4096;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyLine {
    /// None of a reply.
    Other,
    /// The first or a middle one of a reply with this code.
    Inner(u16),
    /// The last one of a reply.
    End(u16),
}

/// Finds out where replies end.
#[derive(Debug, Default)]
pub(super) struct ReplyReader {
    open: Option<u16>,
    lines: u32,
}

impl ReplyReader {
    /// Takes the next line.
    pub(super) fn take(&mut self, line: &[u8]) -> ReplyLine {
        let head = head(line);
        let Some(open) = self.open else {
            return match head {
                None => ReplyLine::Other,
                Some((code, false)) => ReplyLine::End(code),
                Some((code, true)) => {
                    self.open = Some(code);
                    self.lines = 1;
                    ReplyLine::Inner(code)
                }
            };
        };
        self.lines += 1;
        if head == Some((open, false)) {
            self.open = None;
            return ReplyLine::End(open);
        }
        if self.lines >= MOST_LINES {
            self.open = None;
        }
        ReplyLine::Inner(open)
    }

    /// Bytes are missing here.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// A line's code, and whether lines follow. Codes are 100 to 659: RFC 959 section 4.2.1, RFC 2228 section 5.
fn head(line: &[u8]) -> Option<(u16, bool)> {
    let (code, rest) = line.split_at_checked(3)?;
    let [b'1'..=b'6', b'0'..=b'5', b'0'..=b'9'] = code else {
        return None;
    };
    let number = code
        .iter()
        .fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    match rest.first() {
        Some(b'-') => Some((number, true)),
        None | Some(0..=b' ') => Some((number, false)),
        Some(_) => None,
    }
}

/// Whether a server's bytes begin with a reply.
pub(super) fn is_reply(bytes: &[u8]) -> bool {
    bytes.len() > 3 && head(bytes).is_some()
}

/// What a reply line says behind its code; the whole line if it has none.
pub(super) fn message(line: &[u8]) -> &[u8] {
    match head(line) {
        Some(_) => super::text::trim(line.get(4..).unwrap_or_default()),
        None => super::text::trim(line),
    }
}

#[cfg(test)]
mod tests {
    use super::{ReplyLine::*, *};

    fn read(lines: &[&str]) -> Vec<ReplyLine> {
        let mut reader = ReplyReader::default();
        lines
            .iter()
            .map(|line| reader.take(line.as_bytes()))
            .collect()
    }

    #[test]
    fn lines_between_may_have_other_codes() {
        let lines = ["220-a", "221 b", " 220 c", "220-d", "", "220 e", "200 f"];
        let found = [
            Inner(220),
            Inner(220),
            Inner(220),
            Inner(220),
            Inner(220),
            End(220),
            End(200),
        ];
        assert_eq!(read(&lines), found);
    }

    #[test]
    fn a_code_needs_no_text_and_no_cr() {
        assert_eq!(
            read(&["200", "200\r", "200 ", "421\tx"]),
            [End(200), End(200), End(200), End(421)]
        );
    }

    #[test]
    fn what_has_no_code_is_no_reply() {
        assert_eq!(
            read(&[
                "SYST not supported",
                "230_x",
                "999 a",
                "700 b",
                "2a0 c",
                "22",
                "060 d",
                "",
                "670 e"
            ]),
            [Other; 9]
        );
    }

    #[test]
    fn a_reply_that_never_ends_is_given_up() {
        let mut reader = ReplyReader::default();
        assert_eq!(reader.take(b"220-a"), Inner(220));
        let ended = (0..=MOST_LINES).position(|_| reader.take(b"200 b") == End(200));
        assert_eq!(ended, Some(MOST_LINES as usize - 1));
    }

    #[test]
    fn a_message_is_what_follows_the_code() {
        assert_eq!(message(b"220-(vsFTPd 3.0.3)\r"), b"(vsFTPd 3.0.3)");
        assert_eq!(message(b"220"), b"");
        assert_eq!(message(b" vsFTPd 3.0.3 - secure"), b"vsFTPd 3.0.3 - secure");
    }
}
