//! Results of `events`. The events themselves are [`Event`](crate::engine::events::Event). Fields are
//! only ever added.

use serde::{Deserialize, Serialize};

/// Result of `events`, behind its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsReport {
    /// How many events the parts held.
    pub events: u64,
    /// How many this connection was too slow for; the parts told where.
    pub lost: u64,
}
