//! Writing results to standard output.

use std::io::{self, Write};

use serde::Serialize;

use crate::control::protocol::Failure;

/// Writes a text. A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
///
/// When standard output takes nothing, for another reason.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    finish(io::stdout().lock().write_all(text.as_bytes()))
}

/// Writes a value as JSON for programs.
///
/// # Errors
///
/// As [`print`].
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))?;
    print(&(text + "\n"))
}

/// The result of writing to standard output as that of a verb.
pub(super) fn finish(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::failed(format!(
            "cannot write to standard output: {error}"
        ))),
    }
}

/// `count` and the noun, in the plural unless it is one.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
