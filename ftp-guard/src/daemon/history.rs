//! History and export as the daemon has them: their writers, the task that feeds them, and the way to ask.

use std::{
    collections::HashMap,
    io,
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::monitor::MonitorHandle;
use crate::{
    config::Config,
    control::{
        feed,
        past::{Past, PastEventsWanted, PastSessionsWanted, ReportWanted},
        protocol::Failure,
        suggest_view::{SuggestPast, SuggestWanted},
    },
    engine::{
        events::Event,
        monitor::record::SessionRecord,
        report::{Coverage, Gatherer, Posture},
        suggest::Sightings,
    },
    store::{
        export::{Export, ExportSink},
        history::{
            EventQuery, History, HistoryError, HistorySink, PastSession, Reader, SessionQuery,
            Tables, WriterState,
        },
    },
    telemetry::kept::KeptFigures,
};

/// Time between two looks at the sessions that live.
const LOOK: Duration = Duration::from_secs(60);

/// Sessions that are written between two rests, so that a look at very many does not fill the queue.
const AT_ONCE: usize = 256;

/// Time between them.
const REST: Duration = Duration::from_millis(100);

/// Events that are taken from the feed at once.
const BATCH: usize = 256;

/// The time that a report is of when nothing is said.
const REPORTED: Duration = Duration::from_secs(72 * 60 * 60);

/// Time in which what is queued is written when the daemon ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to history and export. Clones lead to the same ones.
#[derive(Clone, Debug)]
pub struct HistoryHandle {
    history: HistorySink,
    export: ExportSink,
    writers: Arc<Mutex<Option<(History, Export)>>>,
}

impl HistoryHandle {
    /// Starts the writers. `tables` names the kernel's tables, see [`tables`].
    ///
    /// # Errors
    ///
    /// When the system has no room for threads. What is wrong with a file shows later, in the log.
    pub fn start(config: &Config, tables: Tables) -> io::Result<Self> {
        let history = History::start(config.history.clone(), tables)?;
        let export = Export::start(config.export.clone())?;
        Ok(Self {
            history: history.sink(),
            export: export.sink(),
            writers: Arc::new(Mutex::new(Some((history, export)))),
        })
    }

    /// Follows a configuration, after each reload. The file of the export is opened anew.
    pub fn set(&self, config: &Config) {
        self.history.set(config.history.clone());
        self.export.set(config.export.clone());
    }

    /// The way to the history.
    #[must_use]
    pub fn history(&self) -> &HistorySink {
        &self.history
    }

    /// The way to the export.
    #[must_use]
    pub fn export(&self) -> &ExportSink {
        &self.export
    }

    /// What a scrape tells.
    #[must_use]
    pub fn figures(&self) -> KeptFigures {
        let (history, export) = (self.history.figures(), self.export.figures());
        KeptFigures {
            works: history.state == WriterState::Working,
            bytes: history.bytes,
            entries: [history.written, history.lost],
            lines: [export.written, export.lost],
        }
    }

    /// What is wrong with the history, for `status`.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let figures = self.history.figures();
        (figures.state == WriterState::Failing).then(|| {
            let file = self.history.settings().file;
            format!(
                "the history cannot be written to {}: {} events and sessions are lost so far; the log \
                 says why",
                file.display(),
                figures.lost
            )
        })
    }

    /// Keeps and exports an event. Never waits.
    pub fn event(&self, event: &Event) {
        self.history.event(event);
        self.export.event(event);
    }

    /// Keeps a session, and exports it if it has ended. Never waits.
    pub fn session(&self, record: &SessionRecord) {
        self.history.session(record);
        if record.ended.is_some() {
            self.export.session(record);
        }
    }

    /// Writes what is queued, and ends the writers.
    pub fn stop(&self) {
        let writers = self.writers.lock();
        let writers = writers.unwrap_or_else(PoisonError::into_inner).take();
        if let Some((history, export)) = writers {
            history.stop(PATIENCE);
            export.stop(PATIENCE);
        }
    }

    fn reader(&self) -> Result<Reader, Failure> {
        let settings = self.history.settings();
        if !settings.enabled {
            return Err(Failure::failed(
                "no history is kept: set `enabled = true` in [history] of the configuration, and \
                 reload",
            ));
        }
        if !settings.file.exists() {
            return Err(Failure::failed(format!(
                "there is no history yet: {} is not there",
                settings.file.display()
            )));
        }
        Reader::open(&settings.file).map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &HistoryError) -> Failure {
        let file = self.history.settings().file;
        Failure::failed(format!("history {}: {error}", file.display()))
    }
}

/// The kernel's tables as the history knows them: they are those of the last start of the daemon when they
/// were found (`adopted`), and since the same start of the kernel.
#[must_use]
pub fn tables(adopted: bool) -> Tables {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let boot = boot.trim();
    Tables {
        name: format!("{boot}@{}", Timestamp::now().as_microsecond()),
        known: (adopted && !boot.is_empty()).then(|| format!("{boot}@")),
    }
}

/// Keeps and exports what is published, until the runtime ends.
pub async fn follow(mut events: feed::Reader, handle: HistoryHandle) {
    loop {
        events.wait().await;
        for event in events.take(BATCH) {
            handle.event(&event);
        }
    }
}

/// Writes the sessions that live and have changed, every minute, so that little is lost when the daemon is
/// killed.
pub async fn look(monitor: MonitorHandle, history: HistorySink) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut written: HashMap<u64, Mark> = HashMap::new();
    loop {
        looks.tick().await;
        let records = monitor.records();
        let before = std::mem::take(&mut written);
        for (number, record) in records.iter().enumerate() {
            let mark = Mark::of(record);
            if before.get(&record.id) != Some(&mark) {
                history.session(record);
            }
            written.insert(record.id, mark);
            if number % AT_ONCE == AT_ONCE - 1 {
                sleep(REST).await;
            }
        }
    }
}

/// What shows that a session has changed.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    commands: u64,
    replies: u64,
    bytes: u64,
    connections: u64,
}

impl Mark {
    fn of(record: &SessionRecord) -> Self {
        Self {
            commands: record.commands,
            replies: record.replies,
            bytes: record.bytes_up.wrapping_add(record.bytes_down),
            connections: record.data_connections,
        }
    }
}

impl Past for HistoryHandle {
    fn events(
        &self,
        wanted: PastEventsWanted,
        take: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<u64, Failure> {
        self.reader()?
            .events(&EventQuery::from(wanted), take)
            .map_err(|error| self.unreadable(&error))
    }

    fn sessions(
        &self,
        wanted: PastSessionsWanted,
        take: &mut dyn FnMut(PastSession) -> ControlFlow<()>,
    ) -> Result<u64, Failure> {
        self.reader()?
            .sessions(&SessionQuery::from(wanted), take)
            .map_err(|error| self.unreadable(&error))
    }

    fn report(&self, wanted: ReportWanted, posture: Value) -> Result<Value, Failure> {
        let posture: Posture = serde_json::from_value(posture)
            .map_err(|error| Failure::failed(format!("cannot read the posture: {error}")))?;
        let made = Timestamp::now();
        let until = wanted.until.unwrap_or(made);
        let since = wanted
            .since
            .unwrap_or_else(|| until.checked_sub(REPORTED).unwrap_or(Timestamp::MIN));
        let mut reader = self.reader()?;
        let mut gatherer = Gatherer::default();
        let extent = reader
            .extent(since)
            .and_then(|extent| {
                reader.every_event(since, until, |event| gatherer.event(&event))?;
                reader.every_session(since, until, |record| gatherer.session(&record))?;
                Ok(extent)
            })
            .map_err(|error| self.unreadable(&error))?;
        let coverage = Coverage {
            begins: extent.oldest.filter(|oldest| *oldest > since),
            starts: extent.starts,
            lost_entries: extent.lost,
            ..Coverage::default()
        };
        let report = gatherer.finish((since, until), made, coverage, posture);
        serde_json::to_value(report)
            .map_err(|error| Failure::failed(format!("cannot write the report: {error}")))
    }

    fn suggest(&self, wanted: &SuggestWanted) -> Result<SuggestPast, Failure> {
        let until = Timestamp::now();
        let since = wanted.since(until);
        let mut reader = self.reader()?;
        let mut sightings = Sightings::default();
        let extent = reader
            .extent(since)
            .and_then(|extent| {
                reader.every_session(since, until, |record| sightings.session(&record))?;
                Ok(extent)
            })
            .map_err(|error| self.unreadable(&error))?;
        Ok(SuggestPast {
            since,
            until,
            begins: extent.oldest.filter(|oldest| *oldest > since),
            sightings,
        })
    }
}

impl From<PastEventsWanted> for EventQuery {
    fn from(wanted: PastEventsWanted) -> Self {
        Self {
            since: wanted.since,
            until: wanted.until,
            kinds: wanted.kinds,
            reasons: wanted.reasons,
            source: wanted.source.map(|prefix| prefix.0),
            severity: wanted.severity,
            user: wanted.user,
            limit: wanted.limit,
        }
    }
}

impl From<PastSessionsWanted> for SessionQuery {
    fn from(wanted: PastSessionsWanted) -> Self {
        Self {
            since: wanted.since,
            until: wanted.until,
            client: wanted.client.map(|prefix| prefix.0),
            user: wanted.user,
            limit: wanted.limit,
        }
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
