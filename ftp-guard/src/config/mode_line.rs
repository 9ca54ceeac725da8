//! Changing `mode` in the text of a configuration file.

use std::path::Path;

use ftp_guard_common::config::Mode;
use toml_edit::Item;

use super::parse::document;
use super::problems::Problems;
use super::schema;
use crate::diagnostic::{BYTE_ORDER_MARK, Diagnostics};

/// `text` with `mode = ..` set to `mode`; every other byte stays. Without such a line one is added
/// at the top, behind the comment that the file may begin with.
///
/// # Errors
/// A syntax error in `text`. The mistakes carry no file name.
pub fn with_mode(text: &str, mode: Mode) -> Result<String, Diagnostics> {
    let mut problems = Problems::new(Path::new(""), text);
    let Some(document) = document(text, &mut problems) else {
        return Err(problems.finish().unwrap_or_default());
    };
    let name = schema::MODE.name;
    let quoted = format!("{:?}", mode.as_str());
    let item = document.get(name);
    match item.filter(|item| item.is_value()).and_then(Item::span) {
        Some(span) => Ok([&text[..span.start], &quoted, &text[span.end..]].concat()),
        None if item.is_some() => {
            problems.wrong_type(name, item.and_then(Item::span), "a string", "table");
            Err(problems.finish().unwrap_or_default())
        }
        None => {
            let at = behind_leading_comment(text);
            let newline = match text.contains("\r\n") {
                true => "\r\n",
                false => "\n",
            };
            Ok([&text[..at], name, " = ", &quoted, newline, &text[at..]].concat())
        }
    }
}

/// Where the first block of comment lines ends, if a blank line separates it from what follows: a
/// comment right above a key belongs to that key.
fn behind_leading_comment(text: &str) -> usize {
    let start = match text.starts_with(BYTE_ORDER_MARK) {
        true => BYTE_ORDER_MARK.len_utf8(),
        false => 0,
    };
    let mut end = start;
    let mut in_comment = false;
    for line in text[start..].split_inclusive('\n') {
        let content = line.trim();
        end += line.len();
        if content.starts_with('#') {
            in_comment = true;
        } else if content.is_empty() && in_comment && line.ends_with('\n') {
            return end;
        } else if !content.is_empty() {
            break;
        }
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn becomes(text: &str, mode: Mode, expected: &str) {
        let changed = with_mode(text, mode).unwrap();
        assert_eq!(changed, expected);
        // What was said is what is read.
        let document = toml_edit::Document::parse(changed.as_str()).unwrap();
        assert_eq!(document["mode"].as_str(), Some(mode.as_str()));
    }

    #[test]
    fn only_the_value_changes() {
        becomes(
            "# c\n  mode   =  'monitor'   # why\r\nx=1 # mode = \"monitor\"\n\n",
            Mode::Enforce,
            "# c\n  mode   =  \"enforce\"   # why\r\nx=1 # mode = \"monitor\"\n\n",
        );
        becomes("mode = \"monitor\"", Mode::Monitor, "mode = \"monitor\"");
        becomes(
            "\u{feff}mode=\"x\"\n",
            Mode::Enforce,
            "\u{feff}mode=\"enforce\"\n",
        );
        becomes("mode = 7\n", Mode::Monitor, "mode = \"monitor\"\n");
        // The `mode` of another table is not ours.
        becomes(
            "\"mode\" = \"\"\n[a]\nmode = 1\n",
            Mode::Monitor,
            "\"mode\" = \"monitor\"\n[a]\nmode = 1\n",
        );
    }

    #[test]
    fn a_missing_line_is_added_at_the_top() {
        becomes("", Mode::Monitor, "mode = \"monitor\"\n");
        becomes("[ftp]\n", Mode::Monitor, "mode = \"monitor\"\n[ftp]\n");
        becomes(
            "# about x\nx = 1\n",
            Mode::Monitor,
            "mode = \"monitor\"\n# about x\nx = 1\n",
        );
        becomes(
            "# head\n# more\n\nx = 1\n",
            Mode::Monitor,
            "# head\n# more\n\nmode = \"monitor\"\nx = 1\n",
        );
        becomes(
            "\n# head\n\n[a]\nmode = 1\n",
            Mode::Monitor,
            "\n# head\n\nmode = \"monitor\"\n[a]\nmode = 1\n",
        );
        becomes(
            "\u{feff}# head\r\n\r\nx = 1\r\n",
            Mode::Enforce,
            "\u{feff}# head\r\n\r\nmode = \"enforce\"\r\nx = 1\r\n",
        );
        becomes(
            "\u{feff}x = 1",
            Mode::Enforce,
            "\u{feff}mode = \"enforce\"\nx = 1",
        );
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        let syntax = with_mode("x = 1\nmode =\n", Mode::Enforce).unwrap_err();
        assert_eq!((syntax.0[0].line, syntax.0.len()), (2, 1));
        let table = with_mode("[mode]\n", Mode::Enforce).unwrap_err();
        assert!(
            table
                .to_string()
                .contains("mode must be a string, not a table"),
            "{table}"
        );
    }
}
