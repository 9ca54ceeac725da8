//! The monitor: what sessions do, understood from what passes on their control connections.
//!
//! Sans-IO: it takes what the programs told ([`told`]) and the time, keeps a [`record`] of each session,
//! and returns what it has understood, one [`observation`] after the other. What a client says is never kept
//! as it is: `docs/monitor.md` has what becomes of it.

mod command;
mod dialogue;
pub mod fuzz;
mod line;
mod login;
pub mod observation;
mod path;
mod pending;
mod protocol;
pub mod record;
mod reply;
mod scrub;
mod session;
mod software;
mod stream;
mod text;
mod tls;
pub mod told;
mod transfer;
pub mod verb;

use std::{
    collections::{HashMap, VecDeque},
    fmt::{self, Debug, Formatter},
    hash::RandomState,
};

use ftp_guard_common::{
    reason::Reason,
    session::{FlowKind, Tls},
};
use jiff::{SignedDuration, Timestamp};

use self::{
    observation::{About, Observation, Seen},
    pending::Pending,
    record::{SessionRecord, TlsMode},
    session::{Context, Session},
    text::{MOST_SHOWN, shown},
    told::{Side, Told, What},
};

/// Bytes that are held behind holes, in all sessions together.
const MOST_HELD: usize = 16 << 20;
/// Transfers that the records of all sessions keep together. Beyond it each keeps
/// [`FEW_TRANSFERS`].
const MOST_TRANSFERS: usize = 1 << 17;
/// Transfers that a record keeps when there are too many.
const FEW_TRANSFERS: usize = 4;
/// Numbers of sessions that have ended and are remembered.
const MOST_OVER: usize = 1024;
/// A session that has begun so lately may be missing in a look at the kernel's table.
const YOUNG: SignedDuration = SignedDuration::from_secs(10);

/// What becomes of names of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileNames {
    /// They are kept.
    #[default]
    Full,
    /// A hash of them is kept: the same name gives the same one until the daemon ends.
    Hash,
    /// They are left out.
    Omit,
}

/// How the monitor is set up.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// What becomes of names of files. Their types are kept in any case.
    pub file_names: FileNames,
    /// A secret for hashes.
    pub secret: [u8; 16],
}

impl Debug for Settings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("file_names", &self.file_names)
            .finish_non_exhaustive()
    }
}

/// What has not been seen, in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Bytes from clients.
    pub client_bytes: u64,
    /// Bytes from servers.
    pub server_bytes: u64,
    /// Bytes of retransmissions that differed from what was read before.
    pub conflicting_bytes: u64,
    /// Sessions that were not watched, as there were too many.
    pub sessions: u64,
}

/// The monitor.
#[derive(Debug, Default)]
pub struct Monitor {
    settings: Settings,
    sessions: HashMap<u64, Session>,
    pending: Pending,
    /// Numbers of sessions that have ended, oldest first: what is told of them still makes no new one.
    over: VecDeque<u64>,
    /// Bytes that all sessions hold.
    held: usize,
    /// Transfers that all records keep.
    transfers: usize,
    losses: Losses,
    key: RandomState,
}

impl Monitor {
    /// Sessions that are watched at one time.
    pub const MOST_SESSIONS: usize = 1 << 16;

    /// A monitor that has seen nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// Changes the settings; what is kept already stays as it is.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Takes what the programs told, and adds to `seen` what that means.
    pub fn take(&mut self, told: &Told<'_>, seen: &mut Vec<Observation>) {
        match told.what {
            What::OddPort(text) => odd_port(told, text, seen),
            What::Said(ref segment) if told.session == 0 => {
                let ends = (told.client, told.server);
                if let Some(protocol) = self.pending.push(ends, segment, told.time) {
                    let side = Side::Client;
                    seen.push(of_none(told, Seen::Foreign { side, protocol }));
                }
            }
            _ if told.session == 0 => {}
            What::Began(tls, witnessed) => {
                self.begin(told, tls, tls == Tls::Unknown, seen);
                self.witness(told.session, witnessed);
            }
            What::Said(ref segment) => {
                if !self.sessions.contains_key(&told.session) {
                    if self.over.contains(&told.session) {
                        return;
                    }
                    self.begin(told, segment.tls, true, seen);
                }
                self.with(told.session, told.time, seen, |session, context| {
                    session.said(segment, context);
                });
            }
            What::Ended(totals) => {
                let is_over = self.with(told.session, told.time, seen, |session, context| {
                    !session.is_closing() && session.ended(totals, context)
                });
                if is_over == Some(true) {
                    self.end(told.session, told.time, seen);
                }
            }
            What::DataBegan(FlowKind::Outgoing) | What::DataEnded(FlowKind::Outgoing, _) => {}
            What::DataBegan(kind) => {
                self.with(told.session, told.time, seen, |session, _| {
                    session.data_began(told, kind);
                });
            }
            What::DataEnded(kind, totals) => {
                let is_over = self.with(told.session, told.time, seen, |session, context| {
                    session.data_ended(told, kind, totals, context);
                    session.is_over(context.time)
                });
                if is_over == Some(true) {
                    self.end(told.session, told.time, seen);
                }
            }
        }
    }

    /// Ends the sessions that are none of `live` any more, but for those that began within the last seconds:
    /// their end was not told. To be called every few seconds.
    pub fn sweep(
        &mut self,
        now: Timestamp,
        live: &dyn Fn(u64) -> bool,
        seen: &mut Vec<Observation>,
    ) {
        self.pending.expire(now);
        let numbers: Vec<u64> = self.sessions.keys().copied().collect();
        for number in numbers {
            let is_over = self.with(number, now, seen, |session, context| {
                session.expire(context);
                if session.is_closing() {
                    return session.is_over(now);
                }
                let age = now.duration_since(session.record.began);
                age >= YOUNG && !live(number)
            });
            if is_over == Some(true) {
                self.end(number, now, seen);
            }
        }
    }

    /// Notes why the guard ends a session.
    pub fn note_end(&mut self, session: u64, reason: &str) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.record.end_reason = Some(reason.to_owned());
        }
    }

    /// The sessions that live.
    pub fn live(&self) -> impl Iterator<Item = &SessionRecord> {
        let sessions = self.sessions.values();
        sessions
            .filter(|session| !session.is_closing())
            .map(|session| &session.record)
    }

    /// A session that lives.
    #[must_use]
    pub fn record(&self, session: u64) -> Option<&SessionRecord> {
        let session = self.sessions.get(&session)?;
        (!session.is_closing()).then_some(&session.record)
    }

    /// What has not been seen.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.losses
    }

    fn begin(&mut self, told: &Told<'_>, tls: Tls, partial: bool, seen: &mut Vec<Observation>) {
        if self.sessions.contains_key(&told.session) {
            return;
        }
        if self.sessions.len() >= Self::MOST_SESSIONS {
            self.losses.sessions = self.losses.sessions.saturating_add(1);
            return;
        }
        let session = Session::new(told, tls, partial);
        self.sessions.insert(told.session, session);
        let opening = self.pending.take((told.client, told.server));
        self.with(told.session, told.time, seen, |session, context| {
            session.announce(context);
            if let Some(opening) = opening.filter(|_| !partial) {
                session.join(&opening, context);
            }
        });
    }

    /// Notes whether the client of a session may be here.
    fn witness(&mut self, number: u64, witnessed: Option<Reason>) {
        if let Some(session) = self.sessions.get_mut(&number) {
            session.witness(witnessed);
        }
    }

    /// Does something with a session, and keeps count of what it holds. `None`: there is none.
    fn with<T>(
        &mut self,
        number: u64,
        time: Timestamp,
        seen: &mut Vec<Observation>,
        act: impl FnOnce(&mut Session, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let session = self.sessions.get_mut(&number)?;
        let (held, transfers) = (session.held(), session.record.transfers.len());
        let mut context = Context {
            time,
            settings: &self.settings,
            key: &self.key,
            room: MOST_HELD.saturating_sub(self.held),
            most_transfers: if self.transfers < MOST_TRANSFERS {
                SessionRecord::MOST_TRANSFERS
            } else {
                FEW_TRANSFERS
            },
            losses: &mut self.losses,
            seen,
        };
        let result = act(session, &mut context);
        self.held = (self.held + session.held()).saturating_sub(held);
        self.transfers =
            (self.transfers + session.record.transfers.len()).saturating_sub(transfers);
        Some(result)
    }

    fn end(&mut self, number: u64, time: Timestamp, seen: &mut Vec<Observation>) {
        let Some(session) = self.sessions.remove(&number) else {
            return;
        };
        self.held = self.held.saturating_sub(session.held());
        self.transfers = self
            .transfers
            .saturating_sub(session.record.transfers.len());
        if self.over.len() >= MOST_OVER {
            self.over.pop_front();
        }
        self.over.push_back(number);
        session.finish(&mut Context {
            time,
            settings: &self.settings,
            key: &self.key,
            room: 0,
            most_transfers: SessionRecord::MOST_TRANSFERS,
            losses: &mut self.losses,
            seen,
        });
    }
}

/// What a server on another port says: nothing is made of it unless it is FTP.
fn odd_port(told: &Told<'_>, text: &[u8], seen: &mut Vec<Observation>) {
    if !protocol::is_ftp(text) {
        return;
    }
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let said = shown(line, MOST_SHOWN);
    seen.push(of_none(told, Seen::OddPort { text: said }));
    for line in text.split(|byte| *byte == b'\n') {
        let text = reply::message(line);
        if let Some(software) = software::software(text) {
            let text = shown(text, MOST_SHOWN);
            seen.push(of_none(told, Seen::Software { software, text }));
            return;
        }
    }
}

/// Something that was seen outside of sessions.
fn of_none(told: &Told<'_>, seen: Seen) -> Observation {
    Observation {
        time: told.time,
        about: About {
            session: 0,
            client: told.client,
            server: told.server,
            user: None,
            logged_in: false,
            anonymous: false,
            tls: TlsMode::Clear,
        },
        seen,
    }
}

#[cfg(test)]
mod tests;
