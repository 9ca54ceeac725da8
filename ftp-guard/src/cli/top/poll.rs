//! Asks the daemon, on threads of its own: neither a slow daemon nor none at all holds up the keys.

use std::{
    ops::ControlFlow,
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::snapshot::Snapshot;
use crate::{
    control::{
        ban_view::BanAddReport,
        client::{Client, ClientError},
        event_view::EventsReport,
        protocol::{EventsWanted, Failure, Request},
        session_view::{KillView, SessionMember, SessionsReport, SourcesReport},
    },
    engine::events::Event,
};

/// Time until the next try when nobody answers.
const RETRY: Duration = Duration::from_secs(1);

/// What the threads tell.
#[derive(Clone, Debug)]
pub enum Update {
    /// What the guard does now.
    Snapshot(Box<Snapshot>),
    /// Nobody answers, and why.
    Down(String),
    /// Events, oldest first.
    Events(Vec<Event>),
    /// There are no events, and why; `None`: there are again.
    EventsDown(Option<String>),
    /// A request was carried out, in words.
    Done(String),
    /// A request failed.
    Failed(String),
}

/// Starts the threads. Requests that are sent to what is returned are carried out one after the other.
///
/// # Errors
///
/// When the system has no room for threads.
pub fn spawn(
    socket: &Path,
    interval: Duration,
    updates: &SyncSender<Update>,
) -> std::io::Result<Sender<Request>> {
    let (orders, waiting) = channel();
    let (path, tell) = (socket.to_owned(), updates.clone());
    thread::Builder::new()
        .name("poll".to_owned())
        .spawn(move || poll(&path, interval, &waiting, &tell))?;
    let (path, tell) = (socket.to_owned(), updates.clone());
    thread::Builder::new()
        .name("events".to_owned())
        .spawn(move || follow(&path, &tell))?;
    Ok(orders)
}

/// Takes a snapshot.
///
/// # Errors
///
/// As [`Client::call`].
pub fn take(client: &mut Client, since: Instant) -> Result<Snapshot, ClientError> {
    let guard = client.ask(&Request::Counters)?;
    let (mut sessions, mut other_data) = (Vec::new(), Vec::new());
    let request = Request::Sessions { client: None };
    let _: SessionsReport = client.call(&request, |member| match member {
        SessionMember::Session(session) => sessions.push(session),
        SessionMember::Data(data) => other_data.push(data),
    })?;
    let taken = since.elapsed();
    let mut sources = Vec::new();
    let request = Request::Sources { client: None };
    let _: SourcesReport = client.call(&request, |source| sources.push(source))?;
    Ok(Snapshot {
        taken,
        guard,
        sessions,
        other_data,
        sources,
    })
}

/// The events that the daemon remembers, oldest first.
///
/// # Errors
///
/// As [`Client::call`].
pub fn remembered(client: &mut Client) -> Result<Vec<Event>, ClientError> {
    let mut events = Vec::new();
    let request = Request::Events(EventsWanted::default());
    let _: EventsReport = client.call(&request, |event: serde_json::Value| {
        // Those of a later version are left out.
        events.extend(serde_json::from_value::<Event>(event).ok());
    })?;
    Ok(events)
}

/// Until nobody listens any more.
fn poll(path: &Path, interval: Duration, orders: &Receiver<Request>, tell: &SyncSender<Update>) {
    let since = Instant::now();
    let mut client = None;
    let mut due = Instant::now();
    loop {
        let wait = due.saturating_duration_since(Instant::now());
        let update = match orders.recv_timeout(wait) {
            Ok(order) => {
                // What was asked for shows at once.
                due = Instant::now();
                carry_out(&mut client, path, &order)
            }
            Err(RecvTimeoutError::Timeout) => {
                let taken = with(&mut client, path, |client| take(client, since));
                due = Instant::now() + if taken.is_ok() { interval } else { RETRY };
                match taken {
                    Ok(snapshot) => Update::Snapshot(Box::new(snapshot)),
                    Err(error) => Update::Down(Failure::from(error).message),
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if tell.send(update).is_err() {
            return;
        }
    }
}

/// Does something over the connection there is, or a new one; one that failed is given up.
fn with<T>(
    client: &mut Option<Client>,
    path: &Path,
    act: impl FnOnce(&mut Client) -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    let connected = match client {
        Some(connected) => connected,
        None => client.insert(Client::connect(path)?),
    };
    let result = act(connected);
    if result.is_err() {
        *client = None;
    }
    result
}

fn carry_out(client: &mut Option<Client>, path: &Path, order: &Request) -> Update {
    // A connection that the daemon has closed meanwhile is noticed here at the latest; an order must not
    // be lost with it, nor be given twice.
    if client.is_none()
        || with(client, path, |client| {
            client.ask::<serde_json::Value>(&Request::Mode { set: None })
        })
        .is_err()
    {
        *client = None;
    }
    let done = with(client, path, |client| match order {
        Request::BanAdd { .. } => client.ask(order).map(|report: BanAddReport| {
            let bans: Vec<String> = report.bans.iter().map(banned).collect();
            bans.join("; ")
        }),
        _ => client
            .call(order, |_: serde_json::Value| {})
            .map(|report: KillView| match report.absent.is_empty() {
                true => format!(
                    "ended {} sessions and {} data connections",
                    report.sessions, report.data_connections
                ),
                false => format!("{}: no session any more", report.absent.join(", ")),
            }),
    });
    match done {
        Ok(text) => Update::Done(text),
        Err(error) => Update::Failed(Failure::from(error).message),
    }
}

fn banned(added: &crate::control::ban_view::BanAddedView) -> String {
    let ban = &added.ban;
    let until = match ban.until {
        Some(until) => format!("until {}", until.strftime("%FT%TZ")),
        None => "until removed".to_owned(),
    };
    format!("{} {} {until}", ban.prefix, added.outcome)
}

/// Events as they come, over a connection of their own, which is made anew when it ends.
fn follow(path: &Path, tell: &SyncSender<Update>) {
    let mut last = Timestamp::MIN;
    loop {
        let ended = follow_once(path, tell, &mut last);
        let why = match ended {
            Ok(()) => "the daemon has ended".to_owned(),
            Err(error) => Failure::from(error).message,
        };
        if tell.send(Update::EventsDown(Some(why))).is_err() {
            return;
        }
        thread::sleep(RETRY);
    }
}

fn follow_once(
    path: &Path,
    tell: &SyncSender<Update>,
    last: &mut Timestamp,
) -> Result<(), ClientError> {
    let mut client = Client::connect(path)?;
    let mut before = remembered(&mut client)?;
    before.retain(|event| event.time > *last);
    *last = before
        .iter()
        .map(|event| event.time)
        .fold(*last, Timestamp::max);
    // Whether anybody listens shows when the next event is told.
    let _ = tell.send(Update::Events(before));
    let _ = tell.send(Update::EventsDown(None));
    let request = Request::Events(EventsWanted {
        follow: true,
        ..EventsWanted::default()
    });
    let _: Option<EventsReport> = client.follow(&request, |event| {
        let Ok(event) = serde_json::from_value::<Event>(event) else {
            return ControlFlow::Continue(());
        };
        *last = event.time.max(*last);
        match tell.send(Update::Events(vec![event])) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    Ok(())
}
