//! The thread that writes.

use std::{
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    ExportFormat, ExportSettings,
    file::Lines,
    journal::{Journal, SOCKET},
    line::{Subject, line},
    sink::ExportSink,
    zeek,
};

/// How long the writer waits for company of the first line.
const GATHER: Duration = Duration::from_millis(50);

/// Lines that are written at once.
const BATCH: usize = 512;

/// Time between two looks at settings and the end, when there is nothing to write.
const LOOK: Duration = Duration::from_millis(200);

/// First and longest time between two attempts at what cannot be written.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

pub(super) struct Writer {
    sink: ExportSink,
    queue: Receiver<Subject>,
    settings: ExportSettings,
    changes: u64,
    file: Way<Lines>,
    journal: Way<Journal>,
    journal_socket: PathBuf,
}

impl Writer {
    pub(super) fn new(sink: ExportSink, queue: Receiver<Subject>) -> Self {
        let (changes, settings) = sink.settings();
        Self {
            sink,
            queue,
            settings,
            changes,
            file: Way::default(),
            journal: Way::default(),
            journal_socket: SOCKET.into(),
        }
    }

    /// Writes until it is closed and the queue is empty.
    pub(super) fn run(mut self) {
        loop {
            if self.sink.changes() != self.changes {
                (self.changes, self.settings) = self.sink.settings();
                self.file = Way::default();
                self.journal = Way::default();
            }
            let batch = self.gather();
            if batch.is_empty() && self.sink.closed() {
                return;
            }
            let lines: Vec<String> = batch
                .iter()
                .filter_map(|subject| line(subject, self.settings.format))
                .collect();
            if !lines.is_empty() {
                self.write(&lines);
            }
        }
    }

    fn gather(&mut self) -> Vec<Subject> {
        let mut batch = Vec::new();
        match self.queue.recv_timeout(LOOK) {
            Ok(first) => batch.push(first),
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
            batch.push(next);
        }
        batch
    }

    fn write(&mut self, lines: &[String]) {
        let mut lost = 0;
        if let Some(path) = &self.settings.file {
            if self.file.open.as_ref().is_some_and(Lines::moved) {
                self.file.open = None;
            }
            let format = self.settings.format;
            let text = lines.join("\n") + "\n";
            let written = self.file.with(
                &format!("export {}", path.display()),
                || Lines::open(path),
                |file| append(file, &text, format),
            );
            if !written {
                lost = lines.len() as u64;
            }
        }
        if self.settings.journal {
            let socket: &Path = &self.journal_socket;
            let mut refused = 0;
            let sent = self.journal.with(
                "export to the journal",
                || Journal::open(socket),
                |journal| {
                    for line in lines {
                        match journal.send(line) {
                            Ok(()) => {}
                            // journald is slow, or the line too long: the next one may fit.
                            Err(error) if crowded(&error) => refused += 1,
                            Err(error) => return Err(error),
                        }
                    }
                    Ok(())
                },
            );
            lost = match sent {
                true => lost.max(refused),
                false => lines.len() as u64,
            };
        }
        self.sink.lose(lost);
        self.sink.wrote(lines.len() as u64 - lost);
    }
}

fn append(file: &mut Lines, text: &str, format: ExportFormat) -> io::Result<()> {
    if file.new && format == ExportFormat::ZeekTsv {
        file.append(&zeek::header(Timestamp::now()))?;
    }
    file.new = false;
    file.append(text)
}

fn crowded(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || matches!(error.raw_os_error(), Some(libc::EMSGSIZE | libc::ENOBUFS))
}

/// Something that is opened when it is needed, and anew when it failed.
struct Way<T> {
    open: Option<T>,
    /// When it is tried again, and how long it is waited after that.
    retry: Option<(Instant, Duration)>,
}

impl<T> Default for Way<T> {
    fn default() -> Self {
        Self {
            open: None,
            retry: None,
        }
    }
}

impl<T> Way<T> {
    /// Does `work` with what is open; whether it was done. The log hears of the first failure, and of the end of
    /// failures.
    fn with(
        &mut self,
        name: &str,
        open: impl FnOnce() -> io::Result<T>,
        work: impl FnOnce(&mut T) -> io::Result<()>,
    ) -> bool {
        if self.open.is_none() && self.retry.is_some_and(|(at, _)| Instant::now() < at) {
            return false;
        }
        let result = match self.open.take() {
            Some(way) => Ok(way),
            None => open(),
        }
        .and_then(|mut way| work(&mut way).map(|()| way));
        match result {
            Ok(way) => {
                self.open = Some(way);
                if self.retry.take().is_some() {
                    tracing::info!("{name}: written again");
                }
                true
            }
            Err(error) => {
                let patience = match self.retry {
                    None => {
                        tracing::warn!("{name}: {error}; lines are lost until it can be written");
                        PATIENCE.0
                    }
                    Some((_, patience)) => (patience * 2).min(PATIENCE.1),
                };
                self.retry = Some((Instant::now() + patience, patience));
                false
            }
        }
    }
}
