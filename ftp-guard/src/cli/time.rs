//! Times on the command line.

use jiff::{SignedDuration, SpanRelativeTo, Timestamp};

/// A time: RFC 3339, or how long ago, such as `2h` or `3d`.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    before(text, Timestamp::now())
}

fn before(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let expected =
        "expected a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h or 3d";
    let span: jiff::Span = text.parse().map_err(|_| expected.to_owned())?;
    let ago = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| expected.to_owned())?;
    if ago < SignedDuration::ZERO {
        return Err(expected.to_owned());
    }
    now.checked_sub(ago)
        .map_err(|_| format!("{text} ago is before all time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_points_or_spans() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2h", "2026-11-22T10:00:00Z"),
            ("3d", "2026-11-19T12:00:00Z"),
            ("72h", "2026-11-19T12:00:00Z"),
            ("1h 30m", "2026-11-22T10:30:00Z"),
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z"),
        ] {
            assert_eq!(before(text, now), Ok(expected.parse().unwrap()), "{text}");
        }
        for text in ["", "yesterday", "2", "-2h", "1y", "999999999999h"] {
            assert!(before(text, now).is_err(), "{text}");
        }
    }
}
