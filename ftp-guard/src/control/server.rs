//! The server side of the control socket.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::StreamExt;
use nix::unistd::{Gid, Uid};
use serde::Serialize;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

use super::{
    IDLE_TIMEOUT, MAX_CONNECTIONS, MAX_REQUEST_LINE, PART_BYTES, VERSION,
    ban_view::BanView,
    credentials::Peer,
    feed::EventSink,
    following::MAX_FOLLOWERS,
    import::Collector,
    past::{MAX_ASKING, Past, Question},
    protocol::{EXIT_NOT_PERMITTED, Failure, Reply, Request, decode_request, encode},
    session_view::{SessionMember, SourceView},
    suggest_view::SuggestedEntry,
    view::EntryView,
};

/// A list, sent in parts ahead of the result.
#[derive(Clone, Debug, PartialEq)]
pub enum Members {
    /// Of allowlist entries.
    Entries(Vec<EntryView>),
    /// Of sessions and data connections.
    Sessions(Vec<SessionMember>),
    /// Of sources.
    Sources(Vec<SourceView>),
    /// Of bans.
    Bans(Vec<BanView>),
    /// Of entries that are proposed.
    Suggested(Vec<SuggestedEntry>),
}

/// What a request that was done answers with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The list that it asked for.
    pub members: Option<Members>,
    /// The result.
    pub result: Value,
}

impl Answer {
    /// An answer without a list.
    ///
    /// # Errors
    ///
    /// When the result cannot be written as JSON: a path that is no UTF-8.
    pub fn of(result: &impl Serialize) -> Result<Self, Failure> {
        Ok(Self {
            members: None,
            result: serde_json::to_value(result)
                .map_err(|error| Failure::failed(format!("cannot write the answer: {error}")))?,
        })
    }
}

/// What the server asks to do the work.
pub trait Service: Clone + Send + Sync + 'static {
    /// Does what `request` says.
    fn call(&self, request: Request) -> impl Future<Output = Result<Answer, Failure>> + Send;
}

/// Limits of the server; [`Limits::default`] is what the daemon uses.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Time for a whole request to arrive, and for a piece of a reply to be taken.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: MAX_CONNECTIONS,
            idle: IDLE_TIMEOUT,
        }
    }
}

/// A server on a listening socket.
#[derive(Debug)]
pub struct Server<S> {
    service: S,
    limits: Limits,
    group: Option<Gid>,
    importing: Arc<Semaphore>,
    events: EventSink,
    followers: Arc<Semaphore>,
    past: Option<Arc<dyn Past>>,
    asking: Arc<Semaphore>,
}

impl<S: Service> Server<S> {
    /// A server that hands requests to `service`, answers those for events from `events`, and, beside
    /// root and the daemon's own user, serves members of `group`.
    pub fn new(service: S, events: EventSink, group: Option<Gid>, limits: Limits) -> Self {
        Self {
            service,
            events,
            followers: Arc::new(Semaphore::new(MAX_FOLLOWERS)),
            limits,
            group,
            importing: Arc::new(Semaphore::new(1)),
            past: None,
            asking: Arc::new(Semaphore::new(MAX_ASKING)),
        }
    }

    /// The same server, which answers requests for what was from `past`.
    #[must_use]
    pub fn with_past(mut self, past: Arc<dyn Past>) -> Self {
        self.past = Some(past);
        self
    }

    /// Serves until `stop` turns true, then lets requests under way finish, for two seconds at
    /// most.
    pub async fn run(self, listener: UnixListener, mut stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        let room = Arc::new(Semaphore::new(self.limits.connections));
        loop {
            let accepted = tokio::select! {
                // An error means that the other end is gone: that ends the daemon as well.
                _ = stop.wait_for(|stop| *stop) => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: trying at once would only spin.
                    tracing::warn!("control socket: cannot accept: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let permit = Arc::clone(&room).try_acquire_owned().ok();
            let connection = self.connection(stream);
            let stop = stop.clone();
            connections.spawn(async move {
                match connection {
                    Ok(connection) if permit.is_some() => connection.serve(stop).await,
                    Ok(connection) => connection.refuse_crowd().await,
                    Err(refused) => refused.await,
                }
                drop(permit);
            });
        }
        drop(listener);
        let finished = async { while connections.join_next().await.is_some() {} };
        if timeout(Duration::from_secs(2), finished).await.is_err() {
            tracing::warn!("control socket: requests under way were cut off");
        }
    }

    fn connection(
        &self,
        stream: UnixStream,
    ) -> Result<Connection<S>, impl Future<Output = ()> + use<S>> {
        let permitted = Peer::of(&stream)
            .map(|peer| peer.permitted(Uid::effective(), self.group))
            .unwrap_or(false);
        let (reader, writer) = stream.into_split();
        let connection = Connection {
            service: self.service.clone(),
            reader: FramedRead::new(reader, LinesCodec::new_with_max_length(MAX_REQUEST_LINE)),
            writer,
            idle: self.limits.idle,
            import: Collector::new(Arc::clone(&self.importing)),
            events: self.events.clone(),
            followers: Arc::clone(&self.followers),
            past: self.past.clone(),
            asking: Arc::clone(&self.asking),
        };
        if permitted {
            Ok(connection)
        } else {
            Err(connection.refuse_stranger())
        }
    }
}

/// A connection to the control socket.
pub(super) struct Connection<S> {
    pub(super) service: S,
    pub(super) reader: FramedRead<OwnedReadHalf, LinesCodec>,
    pub(super) writer: OwnedWriteHalf,
    idle: Duration,
    import: Collector,
    pub(super) events: EventSink,
    pub(super) followers: Arc<Semaphore>,
    pub(super) past: Option<Arc<dyn Past>>,
    pub(super) asking: Arc<Semaphore>,
}

/// The connection is to be closed: the peer is gone, slow, or not understood.
pub(super) struct Close;

impl<S: Service> Connection<S> {
    async fn serve(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let line = tokio::select! {
                // What arrived is answered even if the daemon is about to end.
                biased;
                line = timeout(self.idle, self.reader.next()) => line,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let Ok(Some(line)) = line else { return };
            if self.answer(line, &mut stop).await.is_err() {
                return;
            }
        }
    }

    async fn answer(
        &mut self,
        line: Result<String, LinesCodecError>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Close> {
        let request = match line {
            Ok(line) => decode_request(&line),
            Err(LinesCodecError::MaxLineLengthExceeded) => Err(Failure::usage(format!(
                "the request is longer than {MAX_REQUEST_LINE} bytes"
            ))),
            Err(LinesCodecError::Io(error)) => Err(Failure::usage(format!(
                "the request is unreadable: {error}"
            ))),
        };
        let request = match request {
            Ok(request) => request,
            Err(failure) => return Err(self.last_words(failure).await),
        };
        match self.import.take(request) {
            Ok(None) => Ok(()),
            Ok(Some(Request::Events(wanted))) => self.events(wanted, stop).await,
            Ok(Some(Request::HistoryEvents(wanted))) => self.past(Question::Events(wanted)).await,
            Ok(Some(Request::SessionsPast(wanted))) => self.past(Question::Sessions(wanted)).await,
            Ok(Some(Request::Report(wanted))) => self.report(wanted).await,
            Ok(Some(Request::AllowSuggest(wanted))) => self.suggest(wanted).await,
            Ok(Some(request)) => match self.service.call(request).await {
                Ok(answer) => self.send(answer).await,
                Err(failure) => self.send_line(&Reply::Error(failure)).await,
            },
            Err(failure) => Err(self.last_words(failure).await),
        }
    }

    pub(super) async fn send(&mut self, answer: Answer) -> Result<(), Close> {
        match answer.members {
            Some(Members::Entries(entries)) => self.parts(entries).await?,
            Some(Members::Sessions(sessions)) => self.parts(sessions).await?,
            Some(Members::Sources(sources)) => self.parts(sources).await?,
            Some(Members::Bans(bans)) => self.parts(bans).await?,
            Some(Members::Suggested(entries)) => self.parts(entries).await?,
            None => {}
        }
        self.send_line(&Reply::Result(answer.result)).await
    }

    pub(super) async fn parts(&mut self, members: Vec<impl Serialize + Send>) -> Result<(), Close> {
        let mut members = members.into_iter();
        while let Some(part) = next_part(&mut members) {
            self.write(part).await?;
        }
        Ok(())
    }

    pub(super) async fn send_line(&mut self, reply: &Reply) -> Result<(), Close> {
        let line = encode(reply).map_err(|_| Close)?;
        self.write(Bytes::from(line + "\n")).await
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), Close> {
        match timeout(self.idle, self.writer.write_all(&bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Close),
        }
    }

    /// Answers with a failure after which the connection closes.
    ///
    /// What the peer still sends is read and thrown away for a moment: a socket closed with unread
    /// bytes would break the peer's write before it reads the answer.
    async fn last_words(&mut self, failure: Failure) -> Close {
        if self.send_line(&Reply::Error(failure)).await.is_ok()
            && self.writer.shutdown().await.is_ok()
        {
            let reader = self.reader.get_mut();
            let drained = async {
                let mut scratch = [0_u8; 16 * 1024];
                while reader.read(&mut scratch).await.is_ok_and(|read| read > 0) {}
            };
            // Nothing hangs on it: the peer had its time.
            let _ = timeout(Duration::from_secs(1), drained).await;
        }
        Close
    }

    async fn refuse_stranger(mut self) {
        let failure = Failure::new(
            EXIT_NOT_PERMITTED,
            format!(
                "not permitted: the control socket serves root and members of the group `{}`",
                super::socket::GROUP
            ),
        );
        self.last_words(failure).await;
    }

    async fn refuse_crowd(mut self) {
        let failure = Failure::failed("too many connections to the control socket; try again");
        self.last_words(failure).await;
    }
}

/// The line of the next part of a list, of about [`PART_BYTES`].
pub(super) fn next_part(members: &mut impl Iterator<Item = impl Serialize>) -> Option<Bytes> {
    let mut line = BytesMut::with_capacity(PART_BYTES + PART_BYTES / 4);
    let mut any = false;
    line.put_slice(format!("{{\"version\":{VERSION},\"part\":[").as_bytes());
    for member in members {
        // Only a path that is no UTF-8 cannot be written, and the store refuses such paths.
        let Ok(text) = serde_json::to_vec(&member) else {
            continue;
        };
        if any {
            line.put_u8(b',');
        }
        any = true;
        line.put_slice(&text);
        if line.len() >= PART_BYTES {
            break;
        }
    }
    line.put_slice(b"]}\n");
    any.then(|| line.freeze())
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
