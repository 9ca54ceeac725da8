//! The way to the writer.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    mpsc::{Receiver, SyncSender, sync_channel},
};

use super::{ExportSettings, line::Subject};
use crate::engine::{events::Event, monitor::record::SessionRecord};

/// Lines that wait for the writer at most.
const QUEUE: usize = 8192;

/// What became of what was to be exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportFigures {
    /// Lines that were written: to the file, to the journal, or to both.
    pub written: u64,
    /// Lines that were not, to one of the two at least.
    pub lost: u64,
}

/// Where what is to be exported goes. Clones lead to the same writer.
#[derive(Clone, Debug)]
pub struct ExportSink(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: SyncSender<Subject>,
    settings: Mutex<ExportSettings>,
    wanted: AtomicBool,
    /// How often the settings were given.
    changes: AtomicU64,
    closed: AtomicBool,
    written: AtomicU64,
    lost: AtomicU64,
}

impl ExportSink {
    pub(super) fn new(settings: ExportSettings) -> (Self, Receiver<Subject>) {
        let (queue, receiver) = sync_channel(QUEUE);
        let shared = Shared {
            queue,
            wanted: AtomicBool::new(wanted(&settings)),
            settings: Mutex::new(settings),
            changes: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            written: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        };
        (Self(Arc::new(shared)), receiver)
    }

    /// Exports an event. Never waits.
    pub fn event(&self, event: &Event) {
        if self.0.wanted.load(Relaxed) {
            self.put(Subject::Event(event.clone()));
        }
    }

    /// Exports a session that has ended. Never waits. Its transfers are events of their own.
    pub fn session(&self, record: &SessionRecord) {
        if self.0.wanted.load(Relaxed) {
            let mut record = record.clone();
            record.transfers.clear();
            self.put(Subject::Session(Box::new(record)));
        }
    }

    /// Changes the settings, and opens the file anew even if they are the same.
    pub fn set(&self, settings: ExportSettings) {
        self.0.wanted.store(wanted(&settings), Relaxed);
        *self.lock() = settings;
        self.0.changes.fetch_add(1, Relaxed);
    }

    /// What became of what was to be exported.
    #[must_use]
    pub fn figures(&self) -> ExportFigures {
        ExportFigures {
            written: self.0.written.load(Relaxed),
            lost: self.0.lost.load(Relaxed),
        }
    }

    fn put(&self, subject: Subject) {
        if self.0.queue.try_send(subject).is_err() {
            self.lose(1);
        }
    }

    pub(super) fn settings(&self) -> (u64, ExportSettings) {
        let settings = self.lock();
        (self.0.changes.load(Relaxed), settings.clone())
    }

    pub(super) fn changes(&self) -> u64 {
        self.0.changes.load(Relaxed)
    }

    pub(super) fn close(&self) {
        self.0.closed.store(true, Relaxed);
    }

    pub(super) fn closed(&self) -> bool {
        self.0.closed.load(Relaxed)
    }

    pub(super) fn lose(&self, lines: u64) {
        self.0.lost.fetch_add(lines, Relaxed);
    }

    pub(super) fn wrote(&self, lines: u64) {
        self.0.written.fetch_add(lines, Relaxed);
    }

    /// Settings are replaced in one step: what a thread that panicked left is whole.
    fn lock(&self) -> MutexGuard<'_, ExportSettings> {
        self.0
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn wanted(settings: &ExportSettings) -> bool {
    settings.file.is_some() || settings.journal
}
