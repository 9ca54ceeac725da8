//! The way to the writer.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed},
    mpsc::{Receiver, SyncSender, sync_channel},
};

use super::{HistorySettings, base::Entry};
use crate::engine::{events::Event, monitor::record::SessionRecord};

/// Entries that wait for the writer at most.
const QUEUE: usize = 16_384;

/// Bytes that they weigh at most, about.
const QUEUE_WEIGHT: usize = 32 << 20;

/// How the writer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriterState {
    /// The configuration wants no history.
    #[default]
    Off,
    /// It writes.
    Working,
    /// It cannot write, and tries again.
    Failing,
}

impl WriterState {
    const ALL: [Self; 3] = [Self::Off, Self::Working, Self::Failing];

    /// The name in JSON, metrics and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Working => "working",
            Self::Failing => "failing",
        }
    }
}

/// What became of what was to be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryFigures {
    /// How the writer is.
    pub state: WriterState,
    /// Events and sessions that were written; a session counts each time.
    pub written: u64,
    /// Those that were not: the queue was full, or the file could not be written.
    pub lost: u64,
    /// How often writing or opening failed.
    pub failures: u64,
    /// Damaged files that were set aside.
    pub set_aside: u64,
    /// Bytes of the database that hold something.
    pub bytes: u64,
}

/// Where what is to be kept goes. Clones lead to the same writer.
#[derive(Clone, Debug)]
pub struct HistorySink(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: SyncSender<Queued>,
    weight: AtomicUsize,
    settings: Mutex<HistorySettings>,
    enabled: AtomicBool,
    closed: AtomicBool,
    state: AtomicU8,
    written: AtomicU64,
    lost: AtomicU64,
    failures: AtomicU64,
    set_aside: AtomicU64,
    bytes: AtomicU64,
}

/// An entry, and what it weighs.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) entry: Entry,
    weight: usize,
}

impl HistorySink {
    pub(super) fn new(settings: HistorySettings) -> (Self, Receiver<Queued>) {
        let (queue, receiver) = sync_channel(QUEUE);
        let shared = Shared {
            queue,
            weight: AtomicUsize::new(0),
            enabled: AtomicBool::new(settings.enabled),
            settings: Mutex::new(settings),
            closed: AtomicBool::new(false),
            state: AtomicU8::new(0),
            written: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            set_aside: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        };
        (Self(Arc::new(shared)), receiver)
    }

    /// Keeps an event. Never waits.
    pub fn event(&self, event: &Event) {
        if self.takes() {
            // The longest are detections and transfers, whose texts are cut.
            self.put(Entry::Event(event.clone()), 1024);
        }
    }

    /// Keeps what is known of a session now, in the place of what was known before. Never waits.
    pub fn session(&self, record: &SessionRecord) {
        if self.takes() {
            let weight = 2048 + 1024 * record.transfers.len();
            self.put(Entry::Session(Box::new(record.clone())), weight);
        }
    }

    /// Says which sessions live: what is kept of others as living has ended, nobody saw when. To be called
    /// when the daemon has found what lives at its start. Never waits.
    pub fn living(&self, sessions: &[u64]) {
        if self.takes() {
            self.put(Entry::Living(sessions.to_vec()), 8 * sessions.len());
        }
    }

    /// Changes the settings; another file is begun or continued at once.
    pub fn set(&self, settings: HistorySettings) {
        self.0.enabled.store(settings.enabled, Relaxed);
        *self.lock() = settings;
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> HistorySettings {
        self.lock().clone()
    }

    /// What became of what was to be kept.
    #[must_use]
    pub fn figures(&self) -> HistoryFigures {
        let shared = &self.0;
        let state = WriterState::ALL.get(usize::from(shared.state.load(Relaxed)));
        HistoryFigures {
            state: state.copied().unwrap_or_default(),
            written: shared.written.load(Relaxed),
            lost: shared.lost.load(Relaxed),
            failures: shared.failures.load(Relaxed),
            set_aside: shared.set_aside.load(Relaxed),
            bytes: shared.bytes.load(Relaxed),
        }
    }

    fn takes(&self) -> bool {
        self.0.enabled.load(Relaxed)
    }

    fn put(&self, entry: Entry, weight: usize) {
        let before = self.0.weight.fetch_add(weight, Relaxed);
        let fits = before.saturating_add(weight) <= QUEUE_WEIGHT;
        if !fits || self.0.queue.try_send(Queued { entry, weight }).is_err() {
            self.0.weight.fetch_sub(weight, Relaxed);
            self.lose(1);
        }
    }

    pub(super) fn taken(&self, queued: Queued) -> Entry {
        self.0.weight.fetch_sub(queued.weight, Relaxed);
        queued.entry
    }

    pub(super) fn close(&self) {
        self.0.closed.store(true, Relaxed);
    }

    pub(super) fn closed(&self) -> bool {
        self.0.closed.load(Relaxed)
    }

    pub(super) fn lose(&self, entries: u64) {
        self.0.lost.fetch_add(entries, Relaxed);
    }

    pub(super) fn wrote(&self, entries: u64) {
        self.0.written.fetch_add(entries, Relaxed);
    }

    pub(super) fn failed(&self) {
        self.0.failures.fetch_add(1, Relaxed);
        self.now(WriterState::Failing);
    }

    pub(super) fn has_set_aside(&self) {
        self.0.set_aside.fetch_add(1, Relaxed);
    }

    pub(super) fn now(&self, state: WriterState) {
        self.0.state.store(state as u8, Relaxed);
    }

    pub(super) fn holds(&self, bytes: u64) {
        self.0.bytes.store(bytes, Relaxed);
    }

    /// Settings are replaced in one step: what a thread that panicked left is whole.
    fn lock(&self) -> MutexGuard<'_, HistorySettings> {
        self.0
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
