//! From bytes to lines and hellos: what a side's bytes are, and when that changes.

use std::mem;

use ftp_guard_common::session::Tls;

use super::{
    super::{
        command::is_command,
        line::{LineEvent, LineReader},
        observation::{Protocol, Seen},
        protocol::{ENOUGH, Spoken, spoken},
        record::TlsMode,
        reply::is_reply,
        stream::Piece,
        tls::{Hello, is_handshake, is_record_type},
        told::{Segment, Side},
    },
    CLIENT, Context, Mode, SERVER, Session, index,
};

impl Session {
    /// Goes from text to TLS and back with what the programs know.
    pub(super) fn follow(&mut self, segment: &Segment<'_>, context: &mut Context<'_>) {
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

    pub(super) fn encrypt(&mut self, mode: TlsMode, context: &mut Context<'_>) {
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

    pub(super) fn piece(&mut self, side: usize, piece: &Piece<'_>, context: &mut Context<'_>) {
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

    pub(super) fn orphan(&mut self, transfers: &[u64], context: &mut Context<'_>) {
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
}
