//! The export: events and sessions as lines for other programs, in a file and in systemd's journal.
//!
//! As with the history one thread writes, behind a queue of bounded length; who has something to export never
//! waits, and what does not fit is counted. What a line says is made by the functions of [`ecs`] and [`zeek`],
//! which need nothing but the event.

pub mod ecs;
mod file;
mod journal;
mod line;
mod sink;
#[cfg(test)]
mod tests;
mod writer;
pub mod zeek;

use std::{io, thread::JoinHandle, time::Duration};

pub use self::{
    line::{Subject, line},
    sink::{ExportFigures, ExportSink},
};
pub use crate::config::{ExportFormat, ExportSettings};

/// The export's writer.
#[derive(Debug)]
pub struct Export {
    sink: ExportSink,
    thread: Option<JoinHandle<()>>,
}

impl Export {
    /// Starts the writer.
    ///
    /// # Errors
    ///
    /// When the system has no room for a thread. What is wrong with the file shows later, in the log.
    pub fn start(settings: ExportSettings) -> io::Result<Self> {
        let (sink, queue) = ExportSink::new(settings);
        let writer = writer::Writer::new(sink.clone(), queue);
        let thread = std::thread::Builder::new()
            .name("export".to_owned())
            .spawn(move || writer.run())?;
        Ok(Self {
            sink,
            thread: Some(thread),
        })
    }

    /// The way to the writer.
    #[must_use]
    pub fn sink(&self) -> ExportSink {
        self.sink.clone()
    }

    /// Writes what is in the queue and ends, unless that takes longer than `patience`.
    pub fn stop(mut self, patience: Duration) {
        self.sink.close();
        if let Some(thread) = self.thread.take() {
            super::ending::wait(&thread, patience, "export");
        }
    }
}
