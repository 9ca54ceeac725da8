//! A session: its two streams, what was made of them, and its record.

mod reading;
mod speech;

use std::{hash::RandomState, mem};

use ftp_guard_common::{
    reason::Reason,
    session::{FlowKind, Tls},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Losses, Settings,
    dialogue::Dialogue,
    line::LineReader,
    login::Login,
    observation::{About, Observation, Seen},
    pending::Opening,
    record::{LoginState, SessionRecord, TlsMode, TransferRecord},
    reply::ReplyReader,
    scrub::Scrubbed,
    stream::{MOST_HELD, Stream},
    tls::{Hello, HelloReader},
    told::{Segment, Side, Told, Totals},
    transfer::{PATIENCE, Transfers},
};

/// What a session needs of the monitor, and where it puts what it sees.
pub(super) struct Context<'a> {
    pub(super) time: Timestamp,
    pub(super) settings: &'a Settings,
    pub(super) key: &'a RandomState,
    /// Bytes that may be held behind holes, beyond those that are.
    pub(super) room: usize,
    /// Transfers that a record may keep.
    pub(super) most_transfers: usize,
    pub(super) losses: &'a mut Losses,
    pub(super) seen: &'a mut Vec<Observation>,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) record: SessionRecord,
    streams: [Stream; 2],
    lines: [LineReader; 2],
    modes: [Mode; 2],
    /// First bytes, as long as it is not decided what they are.
    starts: [Option<Scrubbed>; 2],
    hellos: [HelloReader; 2],
    /// What the client offers before it is known that TLS begins.
    offered: Option<Hello>,
    replies: ReplyReader,
    dialogue: Dialogue,
    login: Login,
    transfers: Transfers,
    is_greeted: bool,
    has_asked_auth: bool,
    /// PROT P: RFC 2228 section 3.
    is_protected: bool,
    /// When the control connection ended, if something is still waited for.
    closing: Option<Timestamp>,
}

/// What a side's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Lines.
    Text,
    /// TLS.
    Tls,
    /// Another protocol: they are not looked at.
    Foreign,
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

const fn index(side: Side) -> usize {
    match side {
        Side::Client => CLIENT,
        Side::Server => SERVER,
    }
}

impl Session {
    /// A session that has just begun; or whose beginning was not seen, if it is `partial`.
    pub(super) fn new(told: &Told<'_>, tls: Tls, partial: bool) -> Self {
        let mut record = SessionRecord::new(told.session, told.client, told.server, told.time);
        record.partial = partial;
        let mode = match (tls, partial) {
            (Tls::Clear, _) => TlsMode::Clear,
            (Tls::Encrypted, false) => TlsMode::Implicit,
            (Tls::Encrypted, true) | (Tls::Unknown, _) => TlsMode::Unknown,
        };
        record.tls.mode = mode;
        let start = (mode == TlsMode::Clear && !partial).then(Scrubbed::default);
        let mut session = Self {
            record,
            streams: Default::default(),
            lines: [LineReader::commands(), LineReader::replies()],
            modes: [if mode == TlsMode::Clear {
                Mode::Text
            } else {
                Mode::Tls
            }; 2],
            starts: [
                start,
                (mode == TlsMode::Clear && !partial).then(Scrubbed::default),
            ],
            hellos: Default::default(),
            offered: None,
            replies: ReplyReader::default(),
            dialogue: Dialogue::default(),
            login: Login::default(),
            transfers: Transfers::default(),
            is_greeted: partial,
            has_asked_auth: false,
            is_protected: false,
            closing: None,
        };
        if mode != TlsMode::Clear {
            session.login.hide();
            session.record.login = LoginState::Hidden;
        }
        session
    }

    /// Bytes that are held behind holes.
    pub(super) fn held(&self) -> usize {
        self.streams.iter().map(Stream::held).sum()
    }

    /// Whether it only waits for the end of a transfer.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Notes that it began.
    pub(super) fn announce(&self, context: &mut Context<'_>) {
        self.observe(Seen::Began, context);
        if self.record.tls.mode != TlsMode::Clear {
            self.observe(Seen::Tls(self.record.tls.clone()), context);
        }
    }

    /// Takes what its client said before the greeting.
    pub(super) fn join(&mut self, opening: &Opening, context: &mut Context<'_>) {
        if opening.is_foreign {
            self.starts[CLIENT] = None;
            self.modes[CLIENT] = Mode::Foreign;
            return;
        }
        let tls = match self.record.tls.mode {
            TlsMode::Clear => Tls::Clear,
            _ => Tls::Encrypted,
        };
        for (sequence, acknowledgement, bytes) in opening.segments() {
            let segment = Segment {
                side: Side::Client,
                tls,
                sequence,
                acknowledgement,
                length: bytes.len() as u32,
                bytes,
            };
            self.said(&segment, context);
        }
    }

    /// Takes a segment.
    pub(super) fn said(&mut self, segment: &Segment<'_>, context: &mut Context<'_>) {
        if self.closing.is_some() {
            return;
        }
        let side = index(segment.side);
        let other = 1 - side;
        self.follow(segment, context);
        if !self.record.partial {
            self.streams[other].begin_at(segment.acknowledgement);
        }
        if self.is_read(other) && self.streams[other].is_synchronised() {
            let mut stream = mem::take(&mut self.streams[other]);
            stream.acknowledged(segment.acknowledgement, context.key, &mut |piece| {
                self.piece(other, &piece, context);
            });
            self.streams[other] = stream;
        }
        if !self.is_read(side) {
            return;
        }
        let mut stream = mem::take(&mut self.streams[side]);
        let room = MOST_HELD.min(stream.held() + context.room);
        let key = context.key;
        let conflicting = stream.push(
            segment.sequence,
            segment.length,
            segment.bytes,
            room,
            key,
            &mut |piece| self.piece(side, &piece, context),
        );
        self.streams[side] = stream;
        context.losses.conflicting_bytes += conflicting;
    }

    /// Notes whether its client may be here.
    pub(super) fn witness(&mut self, witnessed: Option<Reason>) {
        self.record.would_drop = witnessed.map(|reason| reason.as_str().to_owned());
    }

    /// Takes a data connection that is established.
    pub(super) fn data_began(&mut self, told: &Told<'_>, kind: FlowKind) {
        self.connect(told, kind, told.time);
        self.show_transfer();
    }

    /// Takes the end of a data connection.
    pub(super) fn data_ended(
        &mut self,
        told: &Told<'_>,
        kind: FlowKind,
        totals: Totals,
        context: &mut Context<'_>,
    ) {
        if !self.transfers.knows(told.client, told.server) {
            let lived = SignedDuration::from_nanos(i64::try_from(totals.lived_ns).unwrap_or(0));
            let began = told.time.checked_sub(lived).unwrap_or(told.time);
            self.connect(told, kind, began);
        }
        let record = &mut self.record;
        record.bytes_up = record.bytes_up.saturating_add(totals.bytes_in);
        record.bytes_down = record.bytes_down.saturating_add(totals.bytes_out);
        let is_hidden = self.is_hidden();
        let mut done = Vec::new();
        self.transfers.disconnect(
            told.client,
            told.server,
            totals,
            told.time,
            is_hidden,
            &mut done,
        );
        self.transferred(done, context);
    }

    /// The control connection has ended. Whether that is all.
    pub(super) fn ended(&mut self, totals: Totals, context: &Context<'_>) -> bool {
        if totals.killed && self.record.end_reason.is_none() {
            self.record.end_reason = Some("killed".to_owned());
        }
        // A client that was listed meanwhile is nobody who would be kept out.
        self.witness(totals.witnessed);
        self.closing = Some(context.time);
        self.record.ended = Some(context.time);
        self.transfers.are_over()
    }

    /// Whether a session whose control connection has ended waits for nothing any more at `now`.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.closing
            .is_some_and(|since| self.transfers.are_over() || now.duration_since(since) >= PATIENCE)
    }

    /// Gives up transfers that were waited for long enough.
    pub(super) fn expire(&mut self, context: &mut Context<'_>) {
        let mut done = Vec::new();
        self.transfers.expire(Some(context.time), &mut done);
        self.transferred(done, context);
    }

    /// Ends it.
    pub(super) fn finish(mut self, context: &mut Context<'_>) {
        let mut done = Vec::new();
        self.transfers.expire(None, &mut done);
        self.transferred(done, context);
        self.record.transferring = None;
        let ended = *self.record.ended.get_or_insert(context.time);
        let about = self.about();
        context.seen.push(Observation {
            time: ended,
            about,
            seen: Seen::Ended(Box::new(self.record)),
        });
    }

    fn is_hidden(&self) -> bool {
        self.record.tls.mode != TlsMode::Clear && !self.record.tls.cleared
    }

    /// Whether more bytes of a side would tell anything.
    fn is_read(&self, side: usize) -> bool {
        match self.modes[side] {
            Mode::Text => true,
            Mode::Tls => !self.hellos[side].is_done(),
            Mode::Foreign => false,
        }
    }

    fn connect(&mut self, told: &Told<'_>, kind: FlowKind, began: Timestamp) {
        self.record.data_connections += 1;
        self.transfers
            .connect(told.client, told.server, kind, began);
    }

    fn transferred(&mut self, done: Vec<TransferRecord>, context: &mut Context<'_>) {
        for transfer in done {
            let kept = &mut self.record.transfers;
            let most = context
                .most_transfers
                .clamp(1, SessionRecord::MOST_TRANSFERS);
            if kept.len() >= most {
                kept.drain(..=kept.len() - most);
            }
            kept.push(transfer.clone());
            self.record.transfer_count += 1;
            self.observe(Seen::Transferred(transfer), context);
        }
        self.show_transfer();
    }

    fn show_transfer(&mut self) {
        self.record.transferring = if self.is_hidden() {
            self.transfers.current_hidden()
        } else {
            self.transfers.current().cloned()
        };
    }

    fn observe(&self, seen: Seen, context: &mut Context<'_>) {
        context.seen.push(Observation {
            time: context.time,
            about: self.about(),
            seen,
        });
    }

    fn about(&self) -> About {
        About {
            session: self.record.id,
            client: self.record.client,
            server: self.record.server,
            user: self.login.user.clone(),
            logged_in: self.login.state == LoginState::Accepted,
            anonymous: self.login.is_anonymous,
            tls: self.record.tls.mode,
        }
    }
}
