//! What is shared by the tests.

mod aggregated;
mod detected;
mod hostile;
mod readers;
mod written;

use jiff::Timestamp;

use super::*;

pub(super) fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub(super) fn options() -> Options {
    Options {
        written: now(),
        now: now(),
        ..Options::default()
    }
}

/// The items as lines of a list.
pub(super) fn lines(imported: &Imported) -> Vec<String> {
    text_of(imported).lines().map(str::to_owned).collect()
}

/// Reads a text without mistakes.
pub(super) fn taken(text: &str, format: Format, options: &Options) -> Vec<String> {
    let imported = read(text, format, options).unwrap();
    assert_eq!(imported.mistakes, [], "{text}");
    lines(&imported)
}

/// The lines of a text that are not understood, and why.
pub(super) fn mistakes(text: &str, format: Format) -> Vec<(u32, String)> {
    let imported = read(text, format, &options()).unwrap();
    assert_eq!(imported.unknown, imported.mistakes.len() as u64);
    let mistakes = imported.mistakes.into_iter();
    mistakes
        .map(|mistake| (mistake.line, mistake.message))
        .collect()
}
