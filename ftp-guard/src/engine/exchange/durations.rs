//! Durations as nft and ipset write them, and labels that can be kept.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

/// Reads `90`, `90s`, `1d2h3m4s5ms`; seconds, rounded up.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total_ms: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let ms = match &rest[..unit] {
            "ms" => 1,
            "s" | "" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        total_ms = total_ms.checked_add(number.checked_mul(ms)?)?;
        rest = &rest[unit..];
    }
    Some(total_ms.div_ceil(1_000))
}

/// `from` and so many seconds, in whole seconds; `None`: no clock goes so far.
pub(super) fn after(from: Timestamp, seconds: u64) -> Option<Timestamp> {
    let from = Timestamp::from_second(from.as_second()).ok()?;
    let seconds = i64::try_from(seconds).ok()?;
    from.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// A comment as a label: without control characters, none if nothing is left.
pub(super) fn label(comment: &str) -> Option<Arc<str>> {
    let label: String = comment.chars().filter(|c| !c.is_control()).collect();
    let label = label.trim();
    (!label.is_empty()).then(|| label.into())
}
