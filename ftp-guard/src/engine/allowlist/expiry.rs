//! Expiry times: RFC 3339 in files, seconds of Unix time in the kernel.

use jiff::Timestamp;

use crate::diagnostic::quoted;

/// Reads an expiry time, `YYYY-MM-DDTHH:MM:SS[.fraction]` and `Z` or an offset (RFC 3339
/// section 5.6).
///
/// # Errors
/// What is wrong, as a sentence without a place: not of that form, no such date, or outside of what
/// the kernel's tables can hold (see [`expires_s`]).
pub fn parse_expiry(text: &str) -> Result<Timestamp, String> {
    let expected = "expected a time with its time zone as in RFC 3339, such as \
                    2026-12-31T23:59:59Z or 2026-12-31T23:59:59+01:00";
    if !has_rfc3339_form(text.as_bytes()) {
        return Err(format!("bad time {}: {expected}", quoted(text)));
    }
    let time: Timestamp = text
        .parse()
        .map_err(|_| format!("no such time {}: {expected}", quoted(text)))?;
    match expires_s(time) {
        Some(_) => Ok(time),
        None => Err(format!(
            "{text} is out of range: an entry can expire from 1970 to 2106-02-07T06:28:15Z; leave \
             expires= out for an entry that stays"
        )),
    }
}

/// The time as the kernel's tables hold it: seconds since 1970, rounded up, so that an entry never
/// ends before its time. `None` if it does not fit: not after 1970-01-01T00:00:00Z, whose number
/// means "never", or after 2106-02-07T06:28:15Z.
#[must_use]
pub fn expires_s(time: Timestamp) -> Option<u32> {
    let started = i64::from(time.subsec_nanosecond() > 0);
    u32::try_from(time.as_second() + started)
        .ok()
        .filter(|seconds| *seconds > 0)
}

/// Whether the form is that of RFC 3339. `jiff` reads more of ISO 8601, which other programs that
/// read these files would not.
fn has_rfc3339_form(text: &[u8]) -> bool {
    let Some((date_time, rest)) = text.split_at_checked(19) else {
        return false;
    };
    let fraction = match rest {
        [b'.', digits @ ..] => match digits.iter().take_while(|b| b.is_ascii_digit()).count() {
            0 => return false,
            count => count + 1,
        },
        _ => 0,
    };
    let zone = &rest[fraction..];
    matches_form(date_time, b"0000-00-00T00:00:00")
        && (matches_form(zone, b"Z") || matches_form(zone, b"+00:00"))
}

/// `0` stands for a digit, `+` for a sign, `T` and `Z` for themselves in both cases.
fn matches_form(text: &[u8], form: &[u8]) -> bool {
    text.len() == form.len()
        && text
            .iter()
            .zip(form)
            .all(|(byte, expected)| match expected {
                b'0' => byte.is_ascii_digit(),
                b'+' => matches!(byte, b'+' | b'-'),
                other => byte.eq_ignore_ascii_case(other),
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rfc3339() {
        for (text, second) in [
            ("1970-01-01T00:00:01Z", 1),
            ("2026-12-31T23:59:59Z", 1_798_761_599),
            ("2026-12-31t23:59:59z", 1_798_761_599),
            ("2027-01-01T00:59:59+01:00", 1_798_761_599),
            ("2026-12-31T23:29:59-00:30", 1_798_761_599),
            ("2106-02-07T06:28:15Z", i64::from(u32::MAX)),
        ] {
            let time = parse_expiry(text).unwrap_or_else(|message| panic!("{text}: {message}"));
            assert_eq!(time.as_second(), second, "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "tomorrow",
            "2026-12-31",
            "2026-12-31T23:59:59",
            "2026-12-31T23:59Z",
            "2026-12-31T23:59:59.Z",
            "2026-12-31T23:59:59+0100",
            "2026-12-31T23:59:59+01:00[Europe/Berlin]",
            "2026-12-31 23:59:59Z",
            "20261231T235959Z",
            "2026-12-31T23:59:59Zx",
            "2026-12-31T23:59:5\u{e9}Z",
        ] {
            let message = parse_expiry(text).unwrap_err();
            assert!(message.contains("RFC 3339"), "{text}: {message}");
        }
        for text in [
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
        ] {
            let message = parse_expiry(text).unwrap_err();
            assert!(message.starts_with("no such time"), "{text}: {message}");
        }
    }

    #[test]
    fn seconds_are_rounded_up_and_bounded() {
        let seconds = |text: &str| expires_s(text.parse().unwrap());
        assert_eq!(seconds("2026-12-31T23:59:59Z"), Some(1_798_761_599));
        assert_eq!(
            seconds("2026-12-31T23:59:59.000000001Z"),
            Some(1_798_761_600)
        );
        assert_eq!(seconds("1970-01-01T00:00:00.5Z"), Some(1));
        assert_eq!(seconds("1970-01-01T00:00:00Z"), None);
        assert_eq!(seconds("1969-12-31T23:59:59.5Z"), None);
        assert_eq!(seconds("1900-01-01T00:00:00Z"), None);
        assert_eq!(seconds("2106-02-07T06:28:15Z"), Some(u32::MAX));
        assert_eq!(seconds("2106-02-07T06:28:15.1Z"), None);
        for text in [
            "1970-01-01T00:00:00Z",
            "1900-01-01T00:00:00Z",
            "2106-02-07T06:28:16Z",
        ] {
            assert!(
                parse_expiry(text).unwrap_err().contains("out of range"),
                "{text}"
            );
        }
    }
}
