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

/// A time, to two units.
pub(super) fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A time that runs down, to two units.
pub(super) fn countdown(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (1..60, rest) if rest > 0 => format!("{} min {rest} s", seconds / 60),
        _ => duration(seconds),
    }
}

/// A time in at most seven characters, for tables: `59s`, `12m`, `3h05m`, `115d17h`.
pub(super) fn compact(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h{minutes:02}m"),
        (days @ ..1_000, hours, _) => format!("{days}d{hours:02}h"),
        (days, ..) => format!("{days}d"),
    }
}

/// A number of bytes, to three digits, in units of 1024.
pub(super) fn bytes(count: u64) -> String {
    let mut unit = "B";
    let mut amount = count as f64;
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        // From here on it would be shown as four digits.
        if amount < 999.5 {
            break;
        }
        amount /= 1024.0;
        unit = larger;
    }
    let digits = match (unit, amount) {
        ("B", _) => 0,
        (_, ..9.995) => 2,
        (_, ..99.95) => 1,
        _ => 0,
    };
    format!("{amount:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration(59), "59 s");
        assert_eq!(duration(3_660), "1 h 1 min");
        assert_eq!(duration(90_061), "1 d 1 h");
        assert_eq!(countdown(59), "59 s");
        assert_eq!(countdown(60), "1 min");
        assert_eq!(countdown(3_599), "59 min 59 s");
        assert_eq!(countdown(3_661), "1 h 1 min");
        for (seconds, text) in [
            (59, "59s"),
            (720, "12m"),
            (11_100, "3h05m"),
            (9_997_200, "115d17h"),
            (86_400_000, "1000d"),
        ] {
            assert_eq!(compact(seconds), text);
        }
    }

    #[test]
    fn amounts_of_bytes() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "0.98 KiB"),
            (1536, "1.50 KiB"),
            (10 << 20, "10.0 MiB"),
            (123 << 30, "123 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
