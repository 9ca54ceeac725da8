//! The history: events and sessions in an SQLite database.
//!
//! One thread writes, behind a queue of bounded length and weight. Who has something to keep never waits:
//! what does not fit is counted. When the file cannot be written (a full disk, a folder that is not there), the
//! log says so once, what is missed is counted, and the writer tries again, ever more rarely; a damaged file
//! is set aside. Nothing but the history takes notice.

mod base;
mod bounds;
mod error;
mod key;
mod merge;
mod past;
mod query;
mod schema;
mod sink;
#[cfg(test)]
mod tests;
mod writer;

use std::{io, thread::JoinHandle, time::Duration};

pub use self::{
    error::HistoryError,
    past::{PastSession, SessionState},
    query::{EventQuery, Extent, MOST_ROWS, Reader, SessionQuery},
    sink::{HistoryFigures, HistorySink, WriterState},
};
pub use crate::config::HistorySettings;

/// The kernel's tables, by whose numbers sessions go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// A name that no others had, for new ones; it names this start of the daemon as well.
    pub name: String,
    /// If they were found: how the name that they have already begins, if an earlier start of the daemon has
    /// given them one.
    pub known: Option<String>,
}

/// The history's writer.
#[derive(Debug)]
pub struct History {
    sink: HistorySink,
    thread: Option<JoinHandle<()>>,
}

impl History {
    /// Starts the writer. What an earlier daemon wrote of sessions of the same tables is continued.
    ///
    /// # Errors
    ///
    /// When the system has no room for a thread. What is wrong with the file shows later, in the log.
    pub fn start(settings: HistorySettings, tables: Tables) -> io::Result<Self> {
        let (sink, queue) = HistorySink::new(settings);
        let writer = writer::Writer::new(sink.clone(), queue, tables);
        let thread = std::thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || writer.run())?;
        Ok(Self {
            sink,
            thread: Some(thread),
        })
    }

    /// The way to the writer.
    #[must_use]
    pub fn sink(&self) -> HistorySink {
        self.sink.clone()
    }

    /// Writes what is in the queue and ends, unless that takes longer than `patience`.
    pub fn stop(mut self, patience: Duration) {
        self.sink.close();
        if let Some(thread) = self.thread.take() {
            super::ending::wait(&thread, patience, "history");
        }
    }
}
