//! The thread that writes.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    HistorySettings, Tables,
    base::{Base, Entry, set_aside},
    error::HistoryError,
    sink::{HistorySink, Queued, WriterState},
};

/// How long the writer waits for company of the first entry: a transaction for many is hardly dearer.
const GATHER: Duration = Duration::from_millis(50);

/// Entries in a transaction at most.
const BATCH: usize = 1024;

/// Time between two looks at settings, bounds and the end, when there is nothing to write.
const LOOK: Duration = Duration::from_millis(200);

/// Time between two looks at the bounds when they are held.
const BOUNDS: Duration = Duration::from_secs(5);

/// Steps towards the bounds behind one batch.
const STEPS: u32 = 16;

/// First and longest time between two attempts to open a file that cannot be written.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

pub(super) struct Writer {
    sink: HistorySink,
    queue: Receiver<Queued>,
    tables: Tables,
    settings: HistorySettings,
    base: Option<Base>,
    /// When the file is tried again, and how long it is waited after that.
    retry: Option<(Instant, Duration)>,
    bounds: Instant,
    /// What was lost when the last gap was noted.
    noted: u64,
}

impl Writer {
    pub(super) fn new(sink: HistorySink, queue: Receiver<Queued>, tables: Tables) -> Self {
        Self {
            settings: sink.settings(),
            sink,
            queue,
            tables,
            base: None,
            retry: None,
            bounds: Instant::now(),
            noted: 0,
        }
    }

    /// Writes until it is closed and the queue is empty.
    pub(super) fn run(mut self) {
        loop {
            self.follow_settings();
            if self.settings.enabled {
                self.open();
            }
            let batch = self.gather();
            if batch.is_empty() && self.sink.closed() {
                break;
            }
            self.write(batch);
            self.keep_bounds();
        }
        if let Some(base) = self.base.take() {
            // What fails here the next start does.
            let _ = base.connection.close();
        }
    }

    fn gather(&mut self) -> Vec<Entry> {
        let mut batch = Vec::new();
        match self.queue.recv_timeout(LOOK) {
            Ok(first) => batch.push(self.sink.taken(first)),
            Err(RecvTimeoutError::Timeout) => return batch,
            Err(RecvTimeoutError::Disconnected) => {
                // The sink holds a sender, so that it does not come to this.
                self.sink.close();
                return batch;
            }
        }
        if !self.sink.closed() {
            thread::sleep(GATHER);
        }
        while batch.len() < BATCH
            && let Ok(next) = self.queue.try_recv()
        {
            batch.push(self.sink.taken(next));
        }
        batch
    }

    fn follow_settings(&mut self) {
        let now = self.sink.settings();
        if now == self.settings {
            return;
        }
        if now.file != self.settings.file || !now.enabled {
            self.base = None;
        }
        self.settings = now;
        self.retry = None;
        self.bounds = Instant::now();
    }

    fn open(&mut self) {
        if self.base.is_some() || self.retry.is_some_and(|(at, _)| Instant::now() < at) {
            return;
        }
        match Base::open(&self.settings.file, &self.tables, Timestamp::now()) {
            Ok(base) => {
                self.base = Some(base);
                // Behind a failure the first write tells.
                if self.retry.is_none() {
                    self.sink.now(WriterState::Working);
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    fn write(&mut self, batch: Vec<Entry>) {
        if !self.settings.enabled {
            self.sink.now(WriterState::Off);
            return;
        }
        let count = batch.len() as u64;
        let lost = self.sink.figures().lost;
        let unnoted = lost - self.noted;
        if count == 0 && unnoted == 0 {
            return;
        }
        let Some(base) = &mut self.base else {
            self.sink.lose(count);
            return;
        };
        match base.write(&batch, unnoted, Timestamp::now()) {
            Ok(()) => {
                self.noted = lost;
                self.sink.wrote(count);
                self.sink.now(WriterState::Working);
                if self.retry.take().is_some() {
                    tracing::info!(
                        "history {}: written again; {lost} entries were lost so far",
                        self.settings.file.display()
                    );
                }
            }
            Err(error) => {
                self.sink.lose(count);
                self.fail(&error);
            }
        }
    }

    fn keep_bounds(&mut self) {
        let Some(base) = &mut self.base else { return };
        let full = base
            .used()
            .is_ok_and(|bytes| bytes > self.settings.max_size);
        if !full && Instant::now() < self.bounds {
            return;
        }
        let mut result = Ok(true);
        for _ in 0..STEPS {
            result = base.shrink(self.settings.keep, self.settings.max_size, Timestamp::now());
            if !matches!(result, Ok(true)) {
                break;
            }
        }
        if let Ok(bytes) = base.used() {
            self.sink.holds(bytes);
        }
        match result {
            Ok(true) => {}
            Ok(false) => self.bounds = Instant::now() + BOUNDS,
            Err(error) => self.fail(&error),
        }
    }

    /// Closes the file until it is tried again. The log hears of it the first time.
    fn fail(&mut self, error: &HistoryError) {
        self.base = None;
        self.sink.failed();
        let file = &self.settings.file;
        if error.damaged() {
            match set_aside(file, Timestamp::now()) {
                Ok(aside) => {
                    self.sink.has_set_aside();
                    tracing::warn!(
                        "history {}: {error}; it is now {}, and a new one is begun",
                        file.display(),
                        aside.display()
                    );
                    // The first time at once; but a disk may damage whatever is written.
                    if self.retry.is_none() {
                        self.retry = Some((Instant::now(), PATIENCE.0 / 2));
                        return;
                    }
                }
                Err(failed) => tracing::debug!("cannot set {} aside: {failed}", file.display()),
            }
        }
        let patience = match self.retry {
            None => {
                tracing::warn!(
                    "history {}: {error}; events and sessions are lost until it can be written, \
                     nothing else changes",
                    file.display()
                );
                PATIENCE.0
            }
            Some((_, patience)) => (patience * 2).min(PATIENCE.1),
        };
        self.retry = Some((Instant::now() + patience, patience));
    }
}
