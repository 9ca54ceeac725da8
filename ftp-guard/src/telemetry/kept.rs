//! The metrics of what is kept and exported.

use prometheus::Registry;

use super::{
    catalogue::{EXPORT_LINES, HISTORY_BYTES, HISTORY_ENTRIES, HISTORY_WORKS},
    metrics::{counter, plain},
};

/// What a scrape tells of history and export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptFigures {
    /// Whether the history is written; `false` when that is switched off, or cannot be done.
    pub works: bool,
    /// Bytes of the history that hold something.
    pub bytes: u64,
    /// Events and sessions that were written, and that were not.
    pub entries: [u64; 2],
    /// Lines that were exported, and that were not.
    pub lines: [u64; 2],
}

const OUTCOMES: [&str; 2] = ["written", "lost"];

/// Writes them.
pub(super) fn fill(registry: &Registry, figures: &KeptFigures) -> prometheus::Result<()> {
    plain(registry, HISTORY_WORKS, f64::from(u8::from(figures.works)))?;
    plain(registry, HISTORY_BYTES, figures.bytes as f64)?;
    for (metric, counts) in [
        (HISTORY_ENTRIES, figures.entries),
        (EXPORT_LINES, figures.lines),
    ] {
        let family = counter(registry, metric)?;
        for (outcome, count) in OUTCOMES.iter().zip(counts) {
            family
                .get_metric_with_label_values(&[*outcome])?
                .inc_by(count);
        }
    }
    Ok(())
}
