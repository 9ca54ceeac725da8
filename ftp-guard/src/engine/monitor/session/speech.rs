//! What commands and replies mean.

use super::{
    super::{
        command::command,
        dialogue::{Answered, Asked, Detail},
        line::LineReader,
        login::{Login, Tried},
        observation::Seen,
        path::path,
        record::{Direction, SessionRecord, TlsMode, TransferRecord},
        reply::{ReplyLine, message},
        software::{may_say, says_more, software},
        text::{MOST_SHOWN, shown, trim},
        tls::HelloReader,
        told::Side,
        transfer::direction,
        verb::Verb,
    },
    CLIENT, Context, Mode, Session,
};

impl Session {
    pub(super) fn command(&mut self, reader: &LineReader, context: &mut Context<'_>) {
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

    pub(super) fn reply(&mut self, reader: &LineReader, context: &mut Context<'_>) {
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
}
