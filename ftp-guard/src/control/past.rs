//! Requests for what was: events and sessions of the history, and the report. They are answered on a
//! thread that may wait for the disk, and sent as they are read.

use std::{fmt::Debug, ops::ControlFlow, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    sync::{OwnedSemaphorePermit, mpsc},
    task::JoinError,
    time::timeout,
};

use super::{
    event_view::EventsReport,
    protocol::{Failure, Prefix, Reply, Request},
    server::{Answer, Close, Connection, Service, next_part},
    suggest_view::{SuggestPast, SuggestWanted},
};
use crate::{
    engine::events::{Event, Severity},
    store::history::PastSession,
};

/// Requests of this kind that are answered at one time.
pub const MAX_ASKING: usize = 4;

/// How long a peer may stop in the middle of an answer: somebody reads it page by page.
const PATIENCE: Duration = Duration::from_secs(600);

/// Members that are read before they are sent.
const BATCH: usize = 128;

/// Which events of the history. Without arguments all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastEventsWanted {
    /// From then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Until then, included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Only those of these names; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Only those of these reasons; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Only those that concern a remote address in this prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Prefix>,
    /// Only detections that matter at least so much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Only those that bear this name of a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The last so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Which sessions of the history. Without arguments all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastSessionsWanted {
    /// Those that lived then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Those that began until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Those of clients in this prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Prefix>,
    /// Those whose last login was by this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The last so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Which time a report is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportWanted {
    /// From then on; 72 hours if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Until then; now if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Result of `sessions-past`, behind its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastSessionsReport {
    /// How many sessions the parts held.
    pub sessions: u64,
}

/// Where what was is asked for, on a thread that may wait.
pub trait Past: Debug + Send + Sync + 'static {
    /// Gives events, oldest first, until `take` has enough; how many there were.
    ///
    /// # Errors
    ///
    /// There is no history, or it cannot be read.
    fn events(
        &self,
        wanted: PastEventsWanted,
        take: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<u64, Failure>;

    /// Gives sessions, by their beginning, until `take` has enough; how many there were.
    ///
    /// # Errors
    ///
    /// As [`Past::events`].
    fn sessions(
        &self,
        wanted: PastSessionsWanted,
        take: &mut dyn FnMut(PastSession) -> ControlFlow<()>,
    ) -> Result<u64, Failure>;

    /// A report, from the history and from `posture`, what the guard itself answered.
    ///
    /// # Errors
    ///
    /// As [`Past::events`].
    fn report(&self, wanted: ReportWanted, posture: Value) -> Result<Value, Failure>;

    /// The clients that would have been kept out.
    ///
    /// # Errors
    ///
    /// As [`Past::events`].
    fn suggest(&self, wanted: &SuggestWanted) -> Result<SuggestPast, Failure>;
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Question {
    /// Events.
    Events(PastEventsWanted),
    /// Sessions.
    Sessions(PastSessionsWanted),
    /// The report, with the guard's posture.
    Report(ReportWanted, Value),
}

impl<S: Service> Connection<S> {
    /// Answers `report`: the guard says how it stands, the history what was.
    pub(super) async fn report(&mut self, wanted: ReportWanted) -> Result<(), Close> {
        match self.service.call(Request::Report(wanted.clone())).await {
            Ok(answer) => self.past(Question::Report(wanted, answer.result)).await,
            Err(failure) => self.send_line(&Reply::Error(failure)).await,
        }
    }

    /// Answers `allow-suggest`: the history says what was, the guard what follows from it.
    pub(super) async fn suggest(&mut self, wanted: SuggestWanted) -> Result<(), Close> {
        let result = match self.seen(&wanted).await {
            Ok(past) => {
                let past = Some(Arc::new(past));
                let request = Request::AllowSuggest(SuggestWanted { past, ..wanted });
                self.service.call(request).await
            }
            Err(failure) => Err(failure),
        };
        match result {
            Ok(answer) => self.send(answer).await,
            Err(failure) => self.send_line(&Reply::Error(failure)).await,
        }
    }

    async fn seen(&self, wanted: &SuggestWanted) -> Result<SuggestPast, Failure> {
        let (past, permit) = self.may_ask()?;
        let wanted = wanted.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            past.suggest(&wanted)
        });
        work.await.unwrap_or_else(|error| Err(broken(&error)))
    }

    /// The history, and the right to read it.
    fn may_ask(&self) -> Result<(Arc<dyn Past>, OwnedSemaphorePermit), Failure> {
        let past = self.past.clone();
        let past = past.ok_or_else(|| Failure::failed("this daemon keeps no history"))?;
        let permit = Arc::clone(&self.asking).try_acquire_owned();
        let crowd = || {
            Failure::failed(format!(
                "{MAX_ASKING} requests of the history are under way; try again"
            ))
        };
        Ok((past, permit.map_err(|_| crowd())?))
    }

    /// Answers a question about the past.
    pub(super) async fn past(&mut self, question: Question) -> Result<(), Close> {
        let (past, permit) = match self.may_ask() {
            Ok(may) => may,
            Err(failure) => return self.send_line(&Reply::Error(failure)).await,
        };
        let (parts, mut ready) = mpsc::channel(4);
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            answer(past.as_ref(), question, &parts)
        });
        while let Some(part) = ready.recv().await {
            // Without a receiver the work ends.
            match timeout(PATIENCE, self.writer.write_all(&part)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Close),
            }
        }
        match work.await {
            Ok(Ok(answer)) => self.send(answer).await,
            Ok(Err(failure)) => self.send_line(&Reply::Error(failure)).await,
            Err(error) => self.send_line(&Reply::Error(broken(&error))).await,
        }
    }
}

fn broken(error: &JoinError) -> Failure {
    Failure::failed(format!("the history was not read: {error}"))
}

fn answer(
    past: &dyn Past,
    question: Question,
    parts: &mpsc::Sender<Bytes>,
) -> Result<Answer, Failure> {
    match question {
        Question::Events(wanted) => {
            let mut batch = Batch::new(parts);
            let events = past.events(wanted, &mut |event| batch.add(event))?;
            let _ = batch.flush();
            Answer::of(&EventsReport { events, lost: 0 })
        }
        Question::Sessions(wanted) => {
            let mut batch = Batch::new(parts);
            let sessions = past.sessions(wanted, &mut |session| batch.add(session))?;
            let _ = batch.flush();
            Answer::of(&PastSessionsReport { sessions })
        }
        Question::Report(wanted, posture) => Ok(Answer {
            members: None,
            result: past.report(wanted, posture)?,
        }),
    }
}

/// Members on their way.
struct Batch<'a, T> {
    members: Vec<T>,
    parts: &'a mpsc::Sender<Bytes>,
}

impl<'a, T: Serialize> Batch<'a, T> {
    fn new(parts: &'a mpsc::Sender<Bytes>) -> Self {
        Self {
            members: Vec::with_capacity(BATCH),
            parts,
        }
    }

    fn add(&mut self, member: T) -> ControlFlow<()> {
        self.members.push(member);
        match self.members.len() < BATCH {
            true => ControlFlow::Continue(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> ControlFlow<()> {
        let mut members = self.members.drain(..);
        while let Some(part) = next_part(&mut members) {
            // The peer has gone.
            if self.parts.blocking_send(part).is_err() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
#[path = "past_tests.rs"]
mod tests;
