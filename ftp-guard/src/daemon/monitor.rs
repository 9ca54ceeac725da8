//! The monitor as the daemon has it: fed by one task, asked by others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    engine::{
        events::DetectionEvent,
        monitor::{Monitor, observation::Observation, record::SessionRecord},
    },
    telemetry::sessions::{MonitorFigures, SessionFigures},
};

/// The way to the monitor. Clones lead to the same one.
#[derive(Clone, Debug, Default)]
pub struct MonitorHandle {
    monitor: Arc<Mutex<Monitor>>,
    figures: Arc<Mutex<SessionFigures>>,
}

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

    /// Looks at what is known of each session that lives, without a copy. It waits meanwhile.
    pub fn each(&self, look: impl FnMut(&SessionRecord)) {
        self.lock().live().for_each(look);
    }

    /// How many sessions live.
    #[must_use]
    pub fn watched(&self) -> u64 {
        self.lock().live().count() as u64
    }

    /// Counts what was seen.
    pub fn observe(&self, observation: &Observation) {
        figures(&self.figures).observe(observation);
    }

    /// Counts a detection.
    pub fn detected(&self, event: &DetectionEvent) {
        figures(&self.figures).detected(event);
    }

    /// What a scrape tells.
    #[must_use]
    pub fn figures(&self) -> MonitorFigures {
        let (watched, losses) = {
            let monitor = self.lock();
            (monitor.live().count() as u64, monitor.losses())
        };
        MonitorFigures {
            sessions: figures(&self.figures).clone(),
            losses,
            watched,
            ..MonitorFigures::default()
        }
    }

    /// A panic while it was held left a record half changed at worst, which is shown as it is.
    fn lock(&self) -> MutexGuard<'_, Monitor> {
        self.monitor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As with the monitor: one count may be missing.
fn figures(figures: &Mutex<SessionFigures>) -> MutexGuard<'_, SessionFigures> {
    figures.lock().unwrap_or_else(PoisonError::into_inner)
}
