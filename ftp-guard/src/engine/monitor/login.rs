//! Logins: USER, PASS and ACCT, RFC 959 section 5.4.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    dialogue::{Asked, Detail},
    record::{LoginState, SessionRecord},
    text::{cut, shown},
    verb::Verb,
};

/// Who is logged in, or wants to be.
#[derive(Debug, Default)]
pub(super) struct Login {
    /// The name of the last login.
    pub(super) user: Option<Arc<str>>,
    /// What became of it.
    pub(super) state: LoginState,
    /// Whether that name is one for everybody.
    pub(super) is_anonymous: bool,
    /// The server has been given a name, and waits for the rest. Unlike `state` this follows replies alone,
    /// so that it is the same however far ahead of them a client speaks.
    awaits: bool,
}

/// Something came of a login: whether it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tried(pub(super) bool);

impl Login {
    /// What a name becomes: `None` for none at all.
    pub(super) fn name(argument: &[u8]) -> Option<Arc<str>> {
        let name = shown(argument, SessionRecord::MOST_NAME);
        (!name.is_empty()).then(|| cut(&name, SessionRecord::MOST_NAME).into())
    }

    /// USER was sent. Who is logged in stays so until the server says otherwise.
    pub(super) fn ask(&mut self, name: &Arc<str>) {
        if self.state != LoginState::Accepted {
            self.take_name(name);
            self.state = LoginState::Asked;
        }
    }

    /// A final reply has come to one of the commands of a login.
    pub(super) fn answer(&mut self, asked: &Asked, code: u16) -> Option<Tried> {
        let verb = asked.verb;
        if let Detail::User(name) = &asked.detail {
            // A name that is refused while another one is logged in changes nothing.
            if self.state == LoginState::Accepted && code >= 400 {
                return None;
            }
            self.take_name(name);
            self.state = LoginState::Asked;
            self.awaits = true;
        } else if verb.is(&["REIN"]) {
            if (200..300).contains(&code) {
                *self = Self::default();
            }
            return None;
        } else if !verb.is(&["PASS", "ACCT", "ADAT"]) {
            return None;
        }
        match code {
            230 | 232 => self.accept(),
            // Superfluous: RFC 959 section 4.2.2. Nobody is logged in by ACCT to whom the server says so.
            202 if verb.is(&["PASS"]) && self.awaits => self.accept(),
            // Not asked for, or out of order.
            500..=504 if !self.awaits => None,
            400..=599 if verb == Verb::of(b"ADAT") => None,
            400..=599 => {
                let was_accepted = self.state == LoginState::Accepted;
                if was_accepted {
                    return None;
                }
                self.state = LoginState::Failed;
                self.awaits = false;
                Some(Tried(false))
            }
            _ => None,
        }
    }

    fn accept(&mut self) -> Option<Tried> {
        let is_new = self.state != LoginState::Accepted;
        self.state = LoginState::Accepted;
        self.awaits = false;
        is_new.then_some(Tried(true))
    }

    /// TLS has begun: what is said from now on cannot be read, and a login before it is no more (RFC 2228
    /// section 3).
    pub(super) fn hide(&mut self) {
        self.state = LoginState::Hidden;
    }

    /// Text can be read that could not be.
    pub(super) fn show(&mut self) {
        if self.state == LoginState::Hidden {
            self.state = LoginState::None;
        }
    }

    /// Writes what is known into a record.
    pub(super) fn write(&self, record: &mut SessionRecord, now: Timestamp) {
        if record.user.as_deref() != self.user.as_deref() {
            record.user = self.user.as_deref().map(str::to_owned);
        }
        if self.state == LoginState::Accepted && record.login != LoginState::Accepted {
            record.logged_in = Some(now);
        }
        record.login = self.state;
        record.anonymous = self.is_anonymous;
    }

    fn take_name(&mut self, name: &Arc<str>) {
        self.is_anonymous = ["anonymous", "ftp"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
        self.user = Some(Arc::clone(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `VERB ARGUMENT` and the codes that answer them.
    fn run(lines: &[(&str, u16)]) -> (Login, Vec<bool>) {
        let mut login = Login::default();
        let mut tried = Vec::new();
        for (line, code) in lines {
            let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
            let verb = Verb::of(verb.as_bytes());
            let detail = match Login::name(argument.as_bytes()) {
                Some(name) if verb.is(&["USER"]) => {
                    login.ask(&name);
                    Detail::User(name)
                }
                _ => Detail::None,
            };
            let asked = Asked::new(verb, detail, true);
            tried.extend(login.answer(&asked, *code).map(|Tried(accepted)| accepted));
        }
        (login, tried)
    }

    fn after(lines: &[(&str, u16)]) -> (Option<String>, LoginState, Vec<bool>) {
        let (login, tried) = run(lines);
        (login.user.as_deref().map(str::to_owned), login.state, tried)
    }

    #[test]
    fn the_last_name_counts_and_what_the_server_says_of_it() {
        use LoginState::{Accepted, Asked, Failed, None as Nobody};
        let name = |name: &str| Some(name.to_owned());
        let table: [(&[(&str, u16)], _); 14] = [
            (&[("USER a", 331)], (name("a"), Asked, vec![])),
            (
                &[("USER a", 331), ("PASS x", 230)],
                (name("a"), Accepted, vec![true]),
            ),
            (&[("USER a", 230)], (name("a"), Accepted, vec![true])),
            (
                &[("USER a", 230), ("PASS x", 230)],
                (name("a"), Accepted, vec![true]),
            ),
            (
                &[("USER a", 230), ("PASS x", 503)],
                (name("a"), Accepted, vec![true]),
            ),
            (
                &[("USER a", 331), ("PASS x", 332), ("ACCT y", 230)],
                (name("a"), Accepted, vec![true]),
            ),
            (
                &[("USER a", 331), ("PASS x", 202)],
                (name("a"), Accepted, vec![true]),
            ),
            (
                &[("USER a", 331), ("PASS x", 530)],
                (name("a"), Failed, vec![false]),
            ),
            (&[("USER a", 530)], (name("a"), Failed, vec![false])),
            (
                &[("USER a", 331), ("PASS x", 421)],
                (name("a"), Failed, vec![false]),
            ),
            (&[("PASS x", 503)], (None, Nobody, vec![])),
            (
                &[("USER a", 230), ("USER b", 530)],
                (name("a"), Accepted, vec![true]),
            ),
            (
                &[("USER a", 230), ("USER b", 331), ("PASS x", 530)],
                (name("b"), Failed, vec![true, false]),
            ),
            (
                &[("USER a", 230), ("REIN", 220)],
                (None, Nobody, vec![true]),
            ),
        ];
        for (lines, wanted) in table {
            assert_eq!(after(lines), wanted, "{lines:?}");
        }
    }

    #[test]
    fn names_for_everybody_are_so_in_any_case() {
        for (name, wanted) in [
            ("Anonymous", true),
            ("FTP", true),
            ("ftpd", false),
            ("bob", false),
        ] {
            assert_eq!(
                run(&[(&format!("USER {name}"), 331)]).0.is_anonymous,
                wanted,
                "{name}"
            );
        }
    }

    #[test]
    fn a_name_is_cut_and_controls_no_terminal() {
        assert_eq!(Login::name(b"a\x1b[2Jb").as_deref(), Some("a[2Jb"));
        assert_eq!(Login::name(&[b'x'; 999]).map(|name| name.len()), Some(256));
        assert_eq!(Login::name(b""), None);
    }
}
