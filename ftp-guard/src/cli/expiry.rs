//! `--expires`: a time, or a duration from now on.

use jiff::{Span, Timestamp, tz::TimeZone};

use crate::engine::allowlist::parse_expiry;

/// Reads an RFC 3339 time or a duration such as `90m`, `2h` or `7d`.
///
/// # Errors
///
/// What is wrong, for the user.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    parse_at(text, Timestamp::now())
}

fn parse_at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let expires = match text.parse::<Span>() {
        Ok(span) => now
            .to_zoned(TimeZone::UTC)
            .checked_add(span)
            .map_err(|error| format!("the duration is too long: {error}"))?
            .timestamp(),
        Err(_) => parse_expiry(text)
            .map_err(|error| format!("{error}, or a duration such as 90m, 2h or 7d"))?,
    };
    if expires <= now {
        return Err(format!("{expires} is over; nothing would be allowed"));
    }
    // What a file would refuse is refused here; whole seconds, as one would write them.
    let expires = Timestamp::from_second(expires.as_second())
        .map_err(|error| format!("the time is out of range: {error}"))?;
    parse_expiry(&expires.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<String, String> {
        parse_at(text, "2026-01-31T12:00:00.5Z".parse().unwrap()).map(|time| time.to_string())
    }

    #[test]
    fn times_and_durations() {
        for (text, expected) in [
            ("2h", "2026-01-31T14:00:00Z"),
            ("90m", "2026-01-31T13:30:00Z"),
            ("1h 30m", "2026-01-31T13:30:00Z"),
            ("7d", "2026-02-07T12:00:00Z"),
            ("P1D", "2026-02-01T12:00:00Z"),
            ("2026-02-01T00:00:00+01:00", "2026-01-31T23:00:00Z"),
        ] {
            assert_eq!(at(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn neither_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2h ago",
            "-2h",
            "2020-01-01T00:00:00Z",
            "900y",
            "2026-02-01",
        ] {
            assert!(at(text).is_err(), "{text}");
        }
        assert!(
            at("soon")
                .unwrap_err()
                .contains("or a duration such as 90m")
        );
    }
}
