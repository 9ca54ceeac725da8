//! Texts that peers chose, on a terminal: user names, paths, what servers say.
//!
//! What a terminal would obey, hide or draw elsewhere is written as an escape, so that a name looks like what
//! it is, and takes the room that was counted for it.

use ratatui::text::Span;

/// The text with what is no visible character escaped as in Rust: `\n`, `\u{1b}`.
#[must_use]
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_visible(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_default()),
        }
    }
    shown
}

/// The text escaped, in at most `width` columns; what is left out is shown as `…`.
#[must_use]
pub(super) fn cut(text: &str, width: usize) -> String {
    let text = plain(text);
    if columns(&text) <= width {
        return text;
    }
    let mut shown = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += columns_of(c);
        if used >= width {
            break;
        }
        shown.push(c);
    }
    if width > 0 {
        shown.push('…');
    }
    shown
}

/// The text escaped, in at most `width` columns; its end is what is kept, as it tells paths apart.
#[must_use]
pub(super) fn cut_front(text: &str, width: usize) -> String {
    let text = plain(text);
    if columns(&text) <= width {
        return text;
    }
    let mut used = 0;
    let mut from = text.len();
    for (place, c) in text.char_indices().rev() {
        used += columns_of(c);
        if used >= width {
            break;
        }
        from = place;
    }
    match width {
        0 => String::new(),
        _ => format!("…{}", &text[from..]),
    }
}

/// The text with blanks behind it, `width` columns in all if it has no more.
#[must_use]
pub(super) fn padded(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(columns(text));
    format!("{text}{}", " ".repeat(blanks))
}

/// How many columns an escaped text takes.
#[must_use]
pub(super) fn columns(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.chars().map(columns_of).sum(),
    }
}

fn columns_of(c: char) -> usize {
    if c.is_ascii() {
        return 1;
    }
    Span::raw(c.encode_utf8(&mut [0; 4]).to_owned()).width()
}

fn is_visible(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // A column of its own is what marks, joiners and changes of direction do not have; of those that
    // terminals do not agree on none is needed.
    !c.is_control()
        && columns_of(c) > 0
        && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        for (text, shown) in [
            ("anna", "anna"),
            ("Jürgen 漢字", "Jürgen 漢字"),
            ("\u{1b}[2J\n\r\t\0", "\\u{1b}[2J\\n\\r\\t\\u{0}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("gpj\u{202e}exe", "gpj\\u{202e}exe"),
            ("e\u{301}", "e\\u{301}"),
            ("a\u{200d}b\u{feff}", "a\\u{200d}b\\u{feff}"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn columns_are_those_of_a_terminal() {
        assert_eq!(columns("漢字"), 4);
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("漢字漢字", 4), "漢…");
        assert_eq!(cut("\u{1b}\u{1b}", 8), "\\u{1b}\\…");
        assert_eq!(cut("anna", 4), "anna");
        assert_eq!(cut("anna", 0), "");
        assert_eq!(cut_front("/a/very/long/path", 6), "…/path");
        assert_eq!(cut_front("x", 0), "");
        assert_eq!(padded("é漢", 5), "é漢  ");
        for width in 0..12 {
            for text in ["漢字漢字漢字", "a\u{301}bcdefghijklmnop", "\u{1b}[31mred"] {
                assert!(columns(&cut(text, width)) <= width);
                assert!(columns(&cut_front(text, width)) <= width);
            }
        }
    }
}
