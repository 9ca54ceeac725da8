//! A session: its two streams, what was made of them, and its record.

use std::{hash::RandomState, mem};

use ftp_guard_common::session::{FlowKind, Tls};
use jiff::{SignedDuration, Timestamp};

use super::{
    Losses, Settings,
    command::{command, is_command},
    dialogue::{Answered, Asked, Detail, Dialogue},
    line::{LineEvent, LineReader},
    login::{Login, Tried},
    observation::{About, Observation, Protocol, Seen},
    pending::Opening,
    protocol::{ENOUGH, Spoken, spoken},
    record::{Direction, LoginState, SessionRecord, TlsMode, TransferRecord},
    reply::{ReplyLine, ReplyReader, is_reply, message},
    scrub::Scrubbed,
    software::{may_say, says_more, software},
    stream::{MOST_HELD, Piece, Stream},
    text::{MOST_SHOWN, shown, trim},
    tls::{Hello, HelloReader, is_handshake, is_record_type},
    told::{Segment, Side, Told, Totals},
    transfer::{PATIENCE, Transfers, direction, path},
    verb::Verb,
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

    /// Goes from text to TLS and back with what the programs know.
    fn follow(&mut self, segment: &Segment<'_>, context: &mut Context<'_>) {
        let begins_record = segment
            .bytes
            .first()
            .is_some_and(|byte| is_record_type(*byte));
        if !self.is_hidden() {
            let is_at_start = self.lines[index(segment.side)].is_at_start();
            if segment.tls == Tls::Encrypted && begins_record && is_at_start {
                let mode = if self.is_greeted {
                    TlsMode::Explicit
                } else {
                    TlsMode::Implicit
                };
                self.encrypt(mode, context);
            }
            return;
        }
        // The server decides; commands that were sent before it had said 234 do not.
        let speaks = match segment.side {
            Side::Server => is_reply(segment.bytes),
            Side::Client => self.hellos[CLIENT].has_begun() && is_command(segment.bytes),
        };
        let may_be_clear = segment.tls == Tls::Clear
            || segment.tls == Tls::Unknown && self.record.tls.mode == TlsMode::Unknown;
        let is_new = self.streams[index(segment.side)].is_new(segment.sequence);
        if may_be_clear && speaks && !begins_record && is_new {
            self.clear(context);
        }
    }

    fn encrypt(&mut self, mode: TlsMode, context: &mut Context<'_>) {
        self.modes = [Mode::Tls; 2];
        if let [Some(start), _] = &self.starts {
            let _ = self.hellos[CLIENT].push(start.bytes());
        }
        self.starts = [None, None];
        for lines in &mut self.lines {
            lines.finish();
        }
        self.replies.reset();
        self.forget_asked(context);
        self.login.hide();
        self.login.write(&mut self.record, context.time);
        self.record.tls.mode = mode;
        self.record.tls.cleared = false;
        if let Some(hello) = self.offered.take() {
            self.learn(Side::Client, hello);
        }
        self.observe(Seen::Tls(self.record.tls.clone()), context);
    }

    /// Back to clear text: CCC (RFC 4217 section 9); or a session that was taken over in its middle and is not
    /// encrypted.
    fn clear(&mut self, context: &mut Context<'_>) {
        self.modes = [Mode::Text; 2];
        self.streams = Default::default();
        self.lines = [LineReader::commands(), LineReader::replies()];
        self.replies.reset();
        self.hellos = Default::default();
        self.is_greeted = true;
        self.has_asked_auth = false;
        if self.record.tls.mode == TlsMode::Unknown {
            self.record.tls.mode = TlsMode::Clear;
            self.login.show();
            self.login.write(&mut self.record, context.time);
        } else {
            self.record.tls.cleared = true;
        }
        self.observe(Seen::Tls(self.record.tls.clone()), context);
    }

    fn piece(&mut self, side: usize, piece: &Piece<'_>, context: &mut Context<'_>) {
        match (piece, self.modes[side]) {
            (Piece::Bytes(bytes), _) => self.bytes(side, bytes, context),
            (Piece::Lost(_), Mode::Tls) => self.hellos[side].give_up(),
            (Piece::Lost(_), Mode::Foreign) => {}
            (Piece::Lost(count), Mode::Text) => self.lost(side, *count, context),
        }
    }

    fn lost(&mut self, side: usize, count: u64, context: &mut Context<'_>) {
        self.lines[side].skip();
        self.starts[side] = None;
        self.record.lost_bytes = self.record.lost_bytes.saturating_add(count);
        let (side, lost) = if side == SERVER {
            self.replies.reset();
            self.forget_asked(context);
            self.is_greeted = true;
            (Side::Server, &mut context.losses.server_bytes)
        } else {
            (Side::Client, &mut context.losses.client_bytes)
        };
        *lost = lost.saturating_add(count);
        self.observe(Seen::Lost { side, bytes: count }, context);
    }

    /// No reply is waited for any more.
    fn forget_asked(&mut self, context: &mut Context<'_>) {
        let transfers = self.dialogue.reset();
        self.orphan(&transfers, context);
    }

    fn orphan(&mut self, transfers: &[u64], context: &mut Context<'_>) {
        let mut done = Vec::new();
        for number in transfers {
            self.transfers.orphan(*number, context.time, &mut done);
        }
        self.transferred(done, context);
    }

    fn bytes(&mut self, side: usize, bytes: &[u8], context: &mut Context<'_>) {
        let Some(mut start) = self.starts[side].take() else {
            return self.read(side, bytes, context);
        };
        let (first, rest) = bytes.split_at(bytes.len().min(ENOUGH - start.len()));
        start.extend(first);
        let side_of = if side == CLIENT {
            Side::Client
        } else {
            Side::Server
        };
        let found = spoken(side_of, start.bytes());
        if found == Spoken::Undecided {
            self.starts[side] = Some(start);
            return;
        }
        self.begin(side_of, found, start.bytes(), context);
        self.read(side, start.bytes(), context);
        self.read(side, rest, context);
    }

    /// Now it is known what the first bytes of a side are.
    fn begin(&mut self, side: Side, found: Spoken, bytes: &[u8], context: &mut Context<'_>) {
        match (found, side) {
            // Before the greeting it is the server that decides what this is.
            (Spoken::Foreign(Protocol::Tls), Side::Client) if !self.is_greeted => {
                self.modes[CLIENT] = Mode::Tls;
                return;
            }
            (Spoken::Foreign(Protocol::Tls), Side::Server)
                if !self.is_greeted && is_handshake(bytes) =>
            {
                return self.encrypt(TlsMode::Implicit, context);
            }
            (Spoken::Foreign(protocol), _) => {
                self.observe(Seen::Foreign { side, protocol }, context);
                if protocol != Protocol::Binary {
                    self.modes[index(side)] = Mode::Foreign;
                }
            }
            (Spoken::Text | Spoken::Undecided, _) => {}
        }
        if side == Side::Server && self.modes[CLIENT] == Mode::Tls && !self.is_hidden() {
            self.modes[CLIENT] = Mode::Foreign;
            self.offered = None;
            let (side, protocol) = (Side::Client, Protocol::Tls);
            self.observe(Seen::Foreign { side, protocol }, context);
        }
    }

    fn read(&mut self, side: usize, bytes: &[u8], context: &mut Context<'_>) {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if self.modes[side] == Mode::Text
                && side == CLIENT
                && *first == 0x16
                && self.lines[CLIENT].is_at_start()
                && self.dialogue.waits_for("AUTH")
            {
                // The reply to AUTH is on its way.
                self.modes[CLIENT] = Mode::Tls;
            }
            match self.modes[side] {
                Mode::Foreign => return,
                Mode::Tls => return self.hello(side, rest, context),
                Mode::Text => {}
            }
            let (read, event) = self.lines[side].read(rest);
            rest = &rest[read..];
            match event {
                LineEvent::Nothing => {}
                LineEvent::Overlong => {
                    let side = if side == CLIENT {
                        Side::Client
                    } else {
                        Side::Server
                    };
                    self.observe(Seen::Overlong(side), context);
                }
                LineEvent::Line => {
                    let mut reader = mem::take(&mut self.lines[side]);
                    if side == CLIENT {
                        self.command(&reader, context);
                    } else {
                        self.reply(&reader, context);
                    }
                    reader.finish();
                    self.lines[side] = reader;
                }
            }
        }
    }

    fn hello(&mut self, side: usize, bytes: &[u8], context: &mut Context<'_>) {
        let Some(hello) = self.hellos[side].push(bytes) else {
            return;
        };
        if !self.is_hidden() {
            self.offered = Some(hello);
            return;
        }
        self.learn(
            if side == CLIENT {
                Side::Client
            } else {
                Side::Server
            },
            hello,
        );
        self.observe(Seen::Tls(self.record.tls.clone()), context);
    }

    fn learn(&mut self, side: Side, hello: Hello) {
        let version = hello.version.map(str::to_owned);
        match side {
            Side::Client => {
                self.record.tls.server_name = hello.server_name;
                if self.record.tls.version.is_none() {
                    self.record.tls.version = version;
                }
            }
            Side::Server => self.record.tls.version = version,
        }
    }

    fn command(&mut self, reader: &LineReader, context: &mut Context<'_>) {
        let line = reader.line();
        let Some((command, argument)) = command(&line) else {
            return;
        };
        let verb = command.verb;
        self.record.commands += 1;
        if verb == Verb::UNKNOWN {
            self.record.unknown_commands += 1;
            if line.has_controls {
                self.observe(Seen::Binary(Side::Client), context);
            }
        }
        if line.is_overlong {
            self.dialogue.ask(Asked::new(verb, Detail::None, true));
            return;
        }
        let mut done = Vec::new();
        let detail = self.detail(verb, argument, context, &mut done);
        self.dialogue
            .ask(Asked::new(verb, detail, !argument.is_empty()));
        self.login.write(&mut self.record, context.time);
        self.observe(Seen::Command(command), context);
        self.transferred(done, context);
        if verb.is(&["CLNT"]) && !argument.is_empty() {
            let software = shown(argument, SessionRecord::MOST_NAME);
            self.record.client_software = Some(software.clone());
            self.observe(Seen::ClientSoftware(software), context);
        }
    }

    /// What has to be known of a command when its reply comes.
    fn detail(
        &mut self,
        verb: Verb,
        argument: &[u8],
        context: &Context<'_>,
        done: &mut Vec<TransferRecord>,
    ) -> Detail {
        match verb.as_str() {
            "USER" => {
                let Some(name) = Login::name(argument) else {
                    return Detail::None;
                };
                self.login.ask(&name);
                Detail::User(name)
            }
            "AUTH" => {
                self.has_asked_auth = true;
                Detail::None
            }
            "PROT" => Detail::Protection(argument.eq_ignore_ascii_case(b"P")),
            "PASV" | "EPSV" | "LPSV" | "CPSV" | "SPSV" | "P@SW" | "PORT" | "EPRT" | "LPRT" => {
                self.transfers.negotiate(done);
                Detail::None
            }
            _ => {
                let Some(direction) = direction(verb) else {
                    return Detail::None;
                };
                let mut record = TransferRecord::new(context.time, direction);
                record.command = Some(verb.as_str().to_owned());
                let is_file = direction != Direction::Listing;
                (record.path, record.file_type) = path(argument, is_file, context.settings);
                record.encrypted = Some(self.is_protected);
                Detail::Transfer(self.transfers.begin(record, done))
            }
        }
    }

    fn reply(&mut self, reader: &LineReader, context: &mut Context<'_>) {
        let line = reader.line();
        let (code, is_end) = match self.replies.take(line.bytes) {
            ReplyLine::Other => {
                if line.has_controls {
                    self.observe(Seen::Binary(Side::Server), context);
                }
                return;
            }
            ReplyLine::Inner(code) => (code, false),
            ReplyLine::End(code) => (code, true),
        };
        self.learn_software(code, line.bytes, context);
        if !is_end {
            return;
        }
        if code < 200 {
            return self.preliminary(code, message(line.bytes), context);
        }
        self.record.replies += 1;
        let answered = if self.is_greeted {
            self.dialogue.answer(code)
        } else {
            self.is_greeted = true;
            Answered {
                to: None,
                given_up: Vec::new(),
            }
        };
        let to = answered.to.as_ref().map(|asked| asked.verb);
        let tried = answered
            .to
            .as_ref()
            .and_then(|asked| self.login.answer(asked, code));
        self.login.write(&mut self.record, context.time);
        self.observe(Seen::Reply { code, to }, context);
        if let Some(Tried(accepted)) = tried {
            if !accepted {
                self.record.failed_logins = self.record.failed_logins.saturating_add(1);
            }
            self.observe(Seen::Login { accepted, code }, context);
        }
        self.orphan(&answered.given_up, context);
        match &answered.to {
            Some(asked) => self.answer(asked, code, context),
            None => {
                self.transfers.adopt(code);
                if code == 234 && (self.has_asked_auth || self.record.partial) {
                    self.encrypt(TlsMode::Explicit, context);
                }
            }
        }
    }

    /// What a final reply to a command changes.
    fn answer(&mut self, asked: &Asked, code: u16, context: &mut Context<'_>) {
        let is_accepted = (200..300).contains(&code);
        match &asked.detail {
            Detail::Transfer(number) => {
                let mut done = Vec::new();
                self.transfers
                    .answer(*number, code, context.time, &mut done);
                self.transferred(done, context);
            }
            Detail::Protection(is_private) if is_accepted => self.is_protected = *is_private,
            Detail::Protection(_) | Detail::User(_) | Detail::None => {}
        }
        if asked.verb.is(&["REIN"]) && is_accepted {
            self.is_protected = false;
        }
        if asked.verb.is(&["AUTH"]) {
            if code == 234 {
                self.encrypt(TlsMode::Explicit, context);
            } else if self.modes[CLIENT] == Mode::Tls && !self.is_hidden() {
                // It began without waiting for the answer.
                self.modes[CLIENT] = Mode::Text;
                self.lines[CLIENT].skip();
                self.hellos[CLIENT] = HelloReader::default();
                self.offered = None;
            }
        }
    }

    fn preliminary(&mut self, code: u16, message: &[u8], context: &mut Context<'_>) {
        let answered = if self.is_greeted {
            self.dialogue.begin(code)
        } else {
            Answered {
                to: None,
                given_up: Vec::new(),
            }
        };
        let to = answered.to.as_ref().map(|asked| asked.verb);
        self.observe(Seen::Reply { code, to }, context);
        self.orphan(&answered.given_up, context);
        if let Some(Asked {
            detail: Detail::Transfer(number),
            ..
        }) = answered.to
        {
            let named = message
                .get(..5)
                .is_some_and(|word| word.eq_ignore_ascii_case(b"FILE:"));
            let file = named.then(|| path(trim(&message[5..]), true, context.settings));
            let file = file.and_then(|(path, file_type)| Some((path?, file_type)));
            self.transfers.answer_preliminary(number, file);
            self.show_transfer();
        }
    }

    fn learn_software(&mut self, code: u16, line: &[u8], context: &mut Context<'_>) {
        if !may_say(code) {
            return;
        }
        // The state of files is a list of names that may be anything.
        if self
            .dialogue
            .front()
            .is_some_and(|asked| asked.verb.is(&["STAT"]) && asked.has_argument)
        {
            return;
        }
        let text = message(line);
        let Some(software) = software(text) else {
            return;
        };
        if says_more(self.record.server_software.as_ref(), &software) {
            self.record.server_software = Some(software.clone());
            let text = shown(text, MOST_SHOWN);
            self.observe(Seen::Software { software, text }, context);
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
