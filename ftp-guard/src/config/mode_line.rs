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
