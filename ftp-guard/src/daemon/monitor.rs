//! The monitor as the daemon has it: fed by one task, asked by others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::monitor::{Monitor, record::SessionRecord};

/// The way to the monitor. Clones lead to the same one.
#[derive(Clone, Debug, Default)]
pub struct MonitorHandle(Arc<Mutex<Monitor>>);

impl MonitorHandle {
    /// What is known of a session that lives.
    #[must_use]
    pub fn record(&self, session: u64) -> Option<SessionRecord> {
        self.lock().record(session).cloned()
    }

    /// What is known of all sessions that live.
    #[must_use]
    pub fn records(&self) -> Vec<SessionRecord> {
        self.lock().live().cloned().collect()
    }

    /// A panic while it was held left a record half changed at worst, which is shown as it is.
    fn lock(&self) -> MutexGuard<'_, Monitor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
