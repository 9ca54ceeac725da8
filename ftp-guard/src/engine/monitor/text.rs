//! Bytes of a peer as text that can be shown.

/// Most bytes of a line that are shown.
pub(super) const MOST_SHOWN: usize = 512;

/// The text without control characters, of at most `most` bytes. What is no UTF-8 becomes U+FFFD.
pub(super) fn shown(bytes: &[u8], most: usize) -> String {
    let mut text = String::new();
    for character in String::from_utf8_lossy(bytes).chars() {
        if character.is_control() {
            continue;
        }
        if text.len() + character.len_utf8() > most {
            break;
        }
        text.push(character);
    }
    text
}

/// The text, cut to `most` bytes at the end of a character.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Without blanks, CR and the like at both ends.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| *byte > b' ';
    let start = bytes.iter().position(is_text).unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(is_text)
        .map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// Whether `text` has `word` in it, in any case of letters.
pub(super) fn has(text: &[u8], word: &[u8]) -> bool {
    find(text, word).is_some()
}

/// Where `word` begins in `text`, in any case of letters.
pub(super) fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len())
        .position(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_shown_controls_no_terminal() {
        assert_eq!(shown(b"a\x1b[31mb\0\x7f\xc2\x9bc", 99), "a[31mbc");
        assert_eq!(shown(b"\xff\xe9", 99), "\u{fffd}\u{fffd}");
        assert_eq!(shown("äöü".as_bytes(), 5), "äö");
        assert_eq!(cut("äöü", 3), "ä");
        assert_eq!(cut("ä", 30), "ä");
    }

    #[test]
    fn ends_are_trimmed() {
        assert_eq!(trim(b" \ta b\r"), b"a b");
        assert_eq!(trim(b" \r"), b"");
        assert_eq!(find(b"an FTP server", b"ftp"), Some(3));
        assert!(!has(b"ft", b"ftp"));
    }
}
