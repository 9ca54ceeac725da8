//! The thread that owns the guard. Everything that reads or changes the kernel goes through its
//! queue, one after the other; it may block on files and on the kernel without delaying the rest
//! of the daemon.

use std::thread;

use jiff::Timestamp;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot, watch,
};

use super::{guard::Guard, kernel::Kernel, reload::Cause, watch::Watched};
use crate::{
    control::{
        protocol::{Failure, Request},
        server::{Answer, Members, Service},
        view::{Detached, ListReport},
    },
    engine::{
        bans::BanRequest,
        names::{Outcome, Question as NameQuestion},
    },
    telemetry::{exporter::Source, metrics::Snapshot},
};

/// Commands that may wait. Beyond that those who send them wait.
const QUEUE: usize = 64;

#[derive(Debug)]
enum Command {
    Call(Request, oneshot::Sender<Result<Answer, Failure>>),
    Snapshot(oneshot::Sender<Result<Snapshot, String>>),
    Probe(oneshot::Sender<Result<(), String>>),
    Reload(Cause),
    FilesChanged {
        at_once: bool,
        reply: oneshot::Sender<bool>,
    },
    InterfacesChanged,
    Tick,
    Look,
    BanByRule(Vec<BanRequest>),
    EndByRule(Vec<u64>),
    NamesAnswered(Vec<(NameQuestion, Outcome)>),
}

/// Why the owner's thread ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// The guard was taken out of the kernel, by command.
    Detached,
    /// That was tried, and the kernel refused.
    DetachFailed(Failure),
}

/// The way to the owner's thread.
#[derive(Clone, Debug)]
pub struct Owner {
    queue: mpsc::Sender<Command>,
}

/// What the owner's thread tells.
#[derive(Clone, Debug)]
pub struct Reports {
    /// Files to watch.
    pub watched: watch::Receiver<Watched>,
    /// Set when the thread ended by command; closed without it when the thread died.
    pub ended: watch::Receiver<Option<Ended>>,
}

impl Owner {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the system has no room for a thread.
    pub fn spawn<K: Kernel>(guard: Guard<K>) -> std::io::Result<(Self, Reports)> {
        let (queue, commands) = mpsc::channel(QUEUE);
        let (tell_watched, watched) = watch::channel(guard.watched());
        let (tell_ended, ended) = watch::channel(None);
        thread::Builder::new()
            .name("owner".to_owned())
            .spawn(move || {
                if let Some(end) = work(guard, commands, &tell_watched) {
                    tell_ended.send_replace(Some(end));
                }
            })?;
        Ok((Self { queue }, Reports { watched, ended }))
    }

    /// Reloads; the result is logged.
    pub async fn reload(&self, cause: Cause) {
        self.tell(Command::Reload(cause)).await;
    }

    /// Looks whether the files say something new, and does what they say. Whether that is done: not while
    /// somebody writes them, unless it is to be done at once.
    pub async fn files_changed(&self, at_once: bool) -> bool {
        let (reply, answer) = oneshot::channel();
        self.tell(Command::FilesChanged { at_once, reply }).await;
        // There is nothing to be done for a daemon that ends.
        answer.await.unwrap_or(true)
    }

    /// Looks for interfaces that came or went.
    pub async fn interfaces_changed(&self) {
        self.tell(Command::InterfacesChanged).await;
    }

    /// Asks whether the datapath answers; itself the sign that the thread works.
    ///
    /// # Errors
    ///
    /// What the kernel says instead; the daemon ends.
    pub async fn probe(&self) -> Result<(), String> {
        let (reply, answer) = oneshot::channel();
        self.tell(Command::Probe(reply)).await;
        answer.await.unwrap_or_else(|_| Err(GONE.to_owned()))
    }

    /// Does what is due every second. While the owner is busy ticks are left out.
    pub fn tick(&self) {
        // A full queue means that the owner is busy, a closed one that the daemon ends.
        let _ = self.queue.try_send(Command::Tick);
    }

    /// Looks whether there is an attack. As with [`Owner::tick`].
    pub fn look(&self) {
        let _ = self.queue.try_send(Command::Look);
    }

    /// Bans for a rule; what becomes of it is told as an event, and a refusal is logged. Does not wait.
    ///
    /// # Errors
    ///
    /// The owner is too busy to take them: all of them, back.
    pub fn ban_by_rule(&self, bans: Vec<BanRequest>) -> Result<(), Vec<BanRequest>> {
        match self.queue.try_send(Command::BanByRule(bans)) {
            Err(TrySendError::Full(Command::BanByRule(bans))) => Err(bans),
            // The daemon ends.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Ends sessions for a rule, as [`Owner::ban_by_rule`].
    ///
    /// # Errors
    ///
    /// The owner is too busy to take them: all of them, back.
    pub fn end_by_rule(&self, sessions: Vec<u64>) -> Result<(), Vec<u64>> {
        match self.queue.try_send(Command::EndByRule(sessions)) {
            Err(TrySendError::Full(Command::EndByRule(sessions))) => Err(sessions),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Tells what became of questions about names.
    pub async fn names_answered(&self, answers: Vec<(NameQuestion, Outcome)>) {
        self.tell(Command::NamesAnswered(answers)).await;
    }

    async fn tell(&self, command: Command) {
        if self.queue.send(command).await.is_err() {
            tracing::debug!("the guard is gone already");
        }
    }
}

const GONE: &str = "the daemon is ending";

impl Service for Owner {
    async fn call(&self, request: Request) -> Result<Answer, Failure> {
        let (reply, answer) = oneshot::channel();
        self.tell(Command::Call(request, reply)).await;
        answer.await.unwrap_or_else(|_| Err(Failure::failed(GONE)))
    }
}

impl Source for Owner {
    async fn snapshot(&self) -> Result<Snapshot, String> {
        let (reply, snapshot) = oneshot::channel();
        self.tell(Command::Snapshot(reply)).await;
        snapshot.await.unwrap_or_else(|_| Err(GONE.to_owned()))
    }
}

/// Works until all senders are gone, or the guard is detached.
fn work<K: Kernel>(
    mut guard: Guard<K>,
    mut commands: mpsc::Receiver<Command>,
    watched: &watch::Sender<Watched>,
) -> Option<Ended> {
    while let Some(command) = commands.blocking_recv() {
        // Those who asked may have gone meanwhile; what was done is done.
        match command {
            Command::Call(Request::Detach, reply) => {
                let result = guard.detach();
                let ended = match &result {
                    Ok(_) => Ended::Detached,
                    Err(error) => Ended::DetachFailed(Failure::failed(error.to_string())),
                };
                let answer = result
                    .map_err(Failure::from)
                    .and_then(|interfaces| Answer::of(&Detached { interfaces }));
                let _ = reply.send(answer);
                return Some(ended);
            }
            Command::Call(request, reply) => {
                let _ = reply.send(answer(&mut guard, request));
            }
            Command::Snapshot(reply) => {
                let _ = reply.send(guard.snapshot().map_err(|error| error.to_string()));
            }
            Command::Probe(reply) => {
                let _ = reply.send(guard.probe().map_err(|error| error.to_string()));
                continue;
            }
            Command::Reload(cause) => {
                // The result is logged, and `status` tells it.
                let _ = guard.reload(cause);
            }
            Command::FilesChanged { at_once, reply } => {
                let _ = reply.send(guard.files_changed(at_once));
            }
            Command::InterfacesChanged => guard.follow_interfaces(),
            Command::Tick => guard.tick(Timestamp::now()),
            Command::Look => {
                guard.look();
                continue;
            }
            Command::BanByRule(bans) => guard.ban_by_rule(&bans),
            Command::NamesAnswered(answers) => guard.names_answered(answers),
            Command::EndByRule(sessions) => guard.end_by_rule(&sessions),
        }
        watched.send_if_modified(|old| {
            let new = guard.watched();
            let changed = *old != new;
            *old = new;
            changed
        });
    }
    None
}

fn answer<K: Kernel>(guard: &mut Guard<K>, request: Request) -> Result<Answer, Failure> {
    match request {
        Request::Status => Answer::of(&guard.status()?),
        Request::Counters => Answer::of(&guard.counters()?),
        Request::Reload => Answer::of(&guard.reload(Cause::Command)?),
        Request::Mode { set } => Answer::of(&guard.mode(set)?),
        Request::ModeTrial { seconds } => Answer::of(&guard.mode_trial(seconds)?),
        Request::ModeConfirm => Answer::of(&guard.mode_confirm()?),
        Request::AllowAdd {
            prefixes,
            names,
            settings,
        } => Answer::of(&guard.allow_add_all(&prefixes, &names, &settings)?),
        Request::AllowRemove { prefixes, names } => {
            Answer::of(&guard.allow_remove_all(&prefixes, &names)?)
        }
        Request::AllowImport { name, text, .. } => Answer::of(&guard.allow_import(&name, &text)?),
        Request::AllowTest { address } => Answer::of(&guard.allow_test(address)?),
        Request::AllowSuggest(wanted) => guard.allow_suggest(&wanted),
        Request::Explain { packet } => Answer::of(&guard.explain(&packet)?),
        Request::Sessions { client } => guard.session_list(client),
        Request::Sources { client } => guard.source_list(client),
        Request::Kill { targets } => guard.kill_all(&targets),
        Request::BanAdd { prefixes, terms } => Answer::of(&guard.ban_add(&prefixes, &terms)?),
        Request::BanRemove { prefixes, forget } => {
            Answer::of(&guard.ban_remove(&prefixes, forget)?)
        }
        Request::BanList { history } => guard.ban_list(history),
        Request::AllowList => {
            let entries = guard.allow_list()?;
            let report = Answer::of(&ListReport {
                entries: entries.len() as u64,
                names: guard.host_views(),
            })?;
            Ok(Answer {
                members: Some(Members::Entries(entries)),
                ..report
            })
        }
        Request::Report(_) => Answer::of(&guard.posture()?),
        // The server answers them from the feed and the history.
        Request::Events(_) | Request::HistoryEvents(_) | Request::SessionsPast(_) => {
            Err(Failure::failed("no events here"))
        }
        Request::Detach => Err(Failure::failed(GONE)),
    }
}
