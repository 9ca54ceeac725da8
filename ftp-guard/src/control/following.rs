//! `events`, the one request whose answer may have no end.

use std::{collections::VecDeque, sync::Arc};

use futures_util::StreamExt;
use tokio::{io::AsyncWriteExt, sync::watch};

use super::{
    event_view::EventsReport,
    feed::Reader,
    protocol::{EventsWanted, Failure, Reply},
    server::{Answer, Close, Connection, Service, next_part},
};
use crate::engine::events::{Event, EventKind, Filter};

/// Connections that may follow at one time: the others are for commands.
pub const MAX_FOLLOWERS: usize = 8;

/// Events that are taken from the feed at once.
const BATCH: usize = 256;

impl<S: Service> Connection<S> {
    /// Answers `events`.
    pub(super) async fn events(
        &mut self,
        wanted: EventsWanted,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Close> {
        let selection = Selection::of(&wanted);
        if !wanted.follow {
            let (events, report) = selection.remembered(self.events.from_oldest());
            let events: Vec<&Event> = events.iter().map(AsRef::as_ref).collect();
            self.parts(events).await?;
            return self.send_report(&report).await;
        }
        let Ok(_permit) = Arc::clone(&self.followers).try_acquire_owned() else {
            let crowd = format!("{MAX_FOLLOWERS} connections follow events already; end one");
            return self.send_line(&Reply::Error(Failure::failed(crowd))).await;
        };
        let report = self.follow(&selection, stop).await?;
        self.send_report(&report).await
    }

    async fn send_report(&mut self, report: &EventsReport) -> Result<(), Close> {
        let answer = Answer::of(report).map_err(|_| Close)?;
        self.send(answer).await
    }

    /// Sends what comes, until there was enough, the daemon ends, or the peer goes.
    async fn follow(
        &mut self,
        selection: &Selection,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<EventsReport, Close> {
        let mut feed = self.events.from_next();
        let mut report = EventsReport::default();
        while report.events < selection.limit {
            tokio::select! {
                () = feed.wait() => {}
                _ = stop.wait_for(|stop| *stop) => break,
                // The end of the connection, or a request where none is expected.
                _ = self.reader.next() => return Err(Close),
            }
            let events = selection.next(&mut feed, &mut report);
            let mut events = events.iter().map(AsRef::<Event>::as_ref);
            while let Some(part) = next_part(&mut events) {
                // However long the peer stops: what it misses it is told.
                tokio::select! {
                    written = self.writer.write_all(&part) => written.map_err(|_| Close)?,
                    _ = stop.wait_for(|stop| *stop) => return Err(Close),
                }
            }
        }
        Ok(report)
    }
}

/// What one request asks for.
struct Selection {
    filter: Filter,
    limit: u64,
}

impl Selection {
    fn of(wanted: &EventsWanted) -> Self {
        Self {
            filter: Filter {
                reasons: wanted.reasons.clone(),
                kinds: wanted.kinds.clone(),
                source: wanted.source.map(|prefix| prefix.0),
                severity: wanted.severity,
            },
            limit: wanted.limit.unwrap_or(u64::MAX),
        }
    }

    /// The last events that are wanted, of those that are remembered.
    fn remembered(&self, mut feed: Reader) -> (Vec<Arc<Event>>, EventsReport) {
        let mut last = VecDeque::new();
        for event in feed.take(usize::MAX) {
            if !self.filter.takes(&event) {
                continue;
            }
            last.push_back(event);
            if last.len() as u64 > self.limit {
                last.pop_front();
            }
        }
        let report = EventsReport {
            events: last.len() as u64,
            lost: 0,
        };
        (last.into(), report)
    }

    /// The next events that are wanted, no more than are still to come, and word of those that were
    /// missed.
    fn next(&self, feed: &mut Reader, report: &mut EventsReport) -> Vec<Arc<Event>> {
        let mut events = feed.take(BATCH);
        events.retain(|event| match &event.kind {
            EventKind::Lost(lost) => {
                report.lost += lost.count;
                true
            }
            _ => {
                let taken = report.events < self.limit && self.filter.takes(event);
                report.events += u64::from(taken);
                taken
            }
        });
        events
    }
}

#[cfg(test)]
#[path = "following_tests.rs"]
mod tests;
