//! Where mistakes are gathered while a configuration is read.

use std::ops::Range;
use std::path::Path;

use toml_edit::Item;

use crate::diagnostic::{Diagnostic, Diagnostics};

/// The mistakes found so far in one text.
pub(super) struct Problems<'a> {
    path: &'a Path,
    text: &'a str,
    found: Vec<(usize, Diagnostic)>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        Self {
            path,
            text,
            found: Vec::new(),
        }
    }

    /// Notes a mistake at `span`; without a span, at the start of the file.
    pub(super) fn note(&mut self, span: Option<Range<usize>>, message: impl Into<String>) {
        let offset = span.map_or(0, |span| span.start);
        let diagnostic = Diagnostic::at(self.path, self.text, offset, message);
        self.found.push((offset, diagnostic));
    }

    /// Notes that a value has the wrong type.
    pub(super) fn wrong_type(
        &mut self,
        key: &str,
        span: Option<Range<usize>>,
        expected: &str,
        found: &str,
    ) {
        let article = match found.starts_with(['a', 'e', 'i', 'o', 'u']) {
            true => "an",
            false => "a",
        };
        self.note(
            span,
            format!("{key} must be {expected}, not {article} {found}"),
        );
    }

    /// The line, from 1, of a span.
    pub(super) fn line(&self, span: &Range<usize>) -> u32 {
        crate::diagnostic::position(self.text, span.start).0
    }

    /// All mistakes, by place in the file; `None`: there were none.
    pub(super) fn finish(mut self) -> Option<Diagnostics> {
        if self.found.is_empty() {
            return None;
        }
        self.found.sort_by_key(|(offset, _)| *offset);
        let in_order = self.found.into_iter().map(|(_, diagnostic)| diagnostic);
        Some(Diagnostics(in_order.collect()))
    }
}

/// What people call the type of an item.
pub(super) fn type_name(item: &Item) -> &'static str {
    match item.type_name() {
        "array of tables" => "list of tables",
        "array" => "list",
        "inline table" => "table",
        other => other,
    }
}
