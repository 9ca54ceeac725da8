//! Mistakes in files, named the way compilers name them, so that editors can jump to them.

use std::fmt;
use std::path::{Path, PathBuf};

/// U+FEFF at the start of a file: some editors write it; it is no part of the text.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// One mistake in a file. Displayed as `file:line:column: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file; empty when the text did not come from one.
    pub file: PathBuf,
    /// Line, from 1. 0: the mistake is no place in the file (the file cannot be read).
    pub line: u32,
    /// Column in characters, from 1. 0: as `line`.
    pub column: u32,
    /// What is wrong, what was expected, what to do. One line.
    pub message: String,
}

impl Diagnostic {
    /// A mistake at byte `offset` of `text`, which is the whole content of `file`.
    #[must_use]
    pub fn at(file: &Path, text: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = position(text, offset);
        Self {
            file: file.to_owned(),
            line,
            column,
            message: message.into(),
        }
    }

    /// A mistake that is no place in the file, such as a file that cannot be read.
    #[must_use]
    pub fn whole_file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.as_os_str().is_empty() {
            write!(f, "{}:", self.file.display())?;
        }
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        if !self.file.as_os_str().is_empty() || self.line > 0 {
            write!(f, " ")?;
        }
        write!(f, "{}", self.message)
    }
}

/// All mistakes that were found, in the order of the files. Displayed one a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.0.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

/// Line and column, both from 1, of byte `offset` in `text`. The column counts characters and not a
/// byte order mark, as editors do. An offset beyond the end is the end.
#[must_use]
pub fn position(text: &str, offset: usize) -> (u32, u32) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let mut column = before[line_start..].chars().count() + 1;
    if line == 1 && before.starts_with(BYTE_ORDER_MARK) {
        column -= 1;
    }
    (saturate(line), saturate(column))
}

fn saturate(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// `text` as part of a message: quoted, control characters escaped, cut when long. A file may hold
/// anything, a terminal escape or a line of a megabyte included.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        None => format!("{text:?}"),
        Some((cut, _)) => format!("{:?}...", &text[..cut]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let text = "ab\näö x\r\n\nlast";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, 2), (1, 3));
        assert_eq!(position(text, 3), (2, 1));
        assert_eq!(position(text, text.find('x').unwrap()), (2, 4));
        assert_eq!(position(text, text.find("last").unwrap()), (4, 1));
        assert_eq!(position(text, 1000), (4, 5));
        // The second byte of a two-byte character.
        assert_eq!(position(text, 4), (2, 1));
    }

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        assert_eq!(position("\u{feff}ab\ncd", 4), (1, 2));
        assert_eq!(position("\u{feff}ab\ncd", 6), (2, 1));
        assert_eq!(position("\u{feff}ab", 0), (1, 1));
    }

    #[test]
    fn displays_as_compilers_do() {
        let one = Diagnostic::at(Path::new("/etc/x.list"), "a\nb c", 4, "wrong");
        assert_eq!(one.to_string(), "/etc/x.list:2:3: wrong");
        let nowhere = Diagnostic::at(Path::new(""), "a", 0, "wrong");
        assert_eq!(nowhere.to_string(), "1:1: wrong");
        let whole = Diagnostic::whole_file(Path::new("/etc/x.list"), "cannot be read");
        assert_eq!(whole.to_string(), "/etc/x.list: cannot be read");
        let all = Diagnostics(vec![one, whole]);
        assert_eq!(
            all.to_string(),
            "/etc/x.list:2:3: wrong\n/etc/x.list: cannot be read"
        );
    }

    #[test]
    fn quotes_cut_and_escape() {
        assert_eq!(quoted("a\u{1b}[31m"), r#""a\u{1b}[31m""#);
        assert_eq!(
            quoted(&"ä".repeat(61)),
            format!("\"{}\"...", "ä".repeat(60))
        );
        assert_eq!(quoted(&"ä".repeat(60)), format!("\"{}\"", "ä".repeat(60)));
    }
}
