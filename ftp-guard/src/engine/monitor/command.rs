//! Command lines: RFC 959 section 5.3.

use super::{
    line::{Line, SECRET},
    observation::Command,
    text::{MOST_SHOWN, shown, trim},
    verb::Verb,
};

/// Reads a line. `None`: it is empty, and servers have no reply to it that could be relied upon.
pub(super) fn command<'a>(line: &Line<'a>) -> Option<(Command, &'a [u8])> {
    let text = trim(line.bytes);
    if text.is_empty() && !line.has_controls {
        return None;
    }
    let end = text.iter().position(|byte| *byte <= b' ');
    let (word, argument) = text.split_at(end.unwrap_or(text.len()));
    let verb = Verb::of(word);
    let is_kept = verb != Verb::UNKNOWN && !verb.is(&SECRET);
    let argument = if is_kept { trim(argument) } else { b"" };
    let command = Command {
        verb,
        argument: shown(argument, MOST_SHOWN),
        length: line.length,
    };
    Some((command, argument))
}

/// Whether a client's bytes begin with a command: what is no verb is none.
pub(super) fn is_command(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|byte| *byte <= b' ');
    end.is_some_and(|end| Verb::of(&bytes[..end]) != Verb::UNKNOWN)
}
