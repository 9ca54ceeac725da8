//! Times on the command line.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

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
    let span: Span = text.parse().map_err(|_| expected.to_owned())?;
    let ago = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| expected.to_owned())?;
    if ago < SignedDuration::ZERO {
        return Err(expected.to_owned());
    }
    now.checked_sub(ago)
        .map_err(|_| format!("{text} ago is before all time"))
}

/// Reads a duration such as `90m`, `2h` or `7d`, or a number of seconds: in seconds, rounded up.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn parse_seconds(text: &str) -> Result<u64, String> {
    let expected = "expected a duration such as 90m, 2h or 7d, or a number of seconds";
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text
            .parse()
            .map_err(|_| "the duration is too long".to_owned());
    }
    let span: Span = text.parse().map_err(|_| expected.to_owned())?;
    let time = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|error| format!("{error}; {expected}"))?;
    let time = Duration::try_from(time).map_err(|_| "the duration is negative".to_owned())?;
    Ok(time
        .as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0)))
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
