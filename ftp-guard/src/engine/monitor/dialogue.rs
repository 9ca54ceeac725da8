//! Which reply answers which command: in order, RFC 959 section 5.4, but for what servers really do.

use std::{collections::VecDeque, sync::Arc};

use super::verb::Verb;

/// Commands that may be without an answer at one time.
const MOST_UNANSWERED: usize = 256;
/// Capacity that an empty queue keeps.
const KEPT: usize = 16;

/// A command that waits for its final reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Its verb.
    pub(super) verb: Verb,
    /// What has to be known of it when the reply comes.
    pub(super) detail: Detail,
    /// Whether it has an argument.
    pub(super) has_argument: bool,
    /// Whether a preliminary reply has come.
    pub(super) has_begun: bool,
}

/// What has to be known of a command when its reply comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Nothing.
    None,
    /// The name that USER gave.
    User(Arc<str>),
    /// Whether PROT asked for encryption.
    Protection(bool),
    /// The number of the transfer.
    Transfer(u64),
}

impl Asked {
    pub(super) fn new(verb: Verb, detail: Detail, has_argument: bool) -> Self {
        Self {
            verb,
            detail,
            has_argument,
            has_begun: false,
        }
    }

    fn moves_data(&self) -> bool {
        matches!(self.detail, Detail::Transfer(_))
    }

    /// Whether a reply with this code can answer it, as far as the code says.
    fn fits(&self, code: u16) -> bool {
        match telling(code) {
            Some(verbs) => self.verb.is(verbs),
            None => true,
        }
    }
}

/// The commands that wait for their replies.
#[derive(Debug, Default)]
pub(super) struct Dialogue {
    asked: VecDeque<Asked>,
    /// Commands behind those that were too many.
    beyond: u32,
}

/// What a reply answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answered {
    /// The command; `None`: none that is known.
    pub(super) to: Option<Asked>,
    /// Transfers whose replies will not come any more.
    pub(super) given_up: Vec<u64>,
}

impl Dialogue {
    /// Notes a command.
    pub(super) fn ask(&mut self, asked: Asked) {
        if self.asked.len() < MOST_UNANSWERED && self.beyond == 0 {
            self.asked.push_back(asked);
        } else {
            self.beyond = self.beyond.saturating_add(1);
        }
    }

    /// The command that the next reply should answer.
    pub(super) fn front(&self) -> Option<&Asked> {
        self.asked.front()
    }

    /// Whether a command with this verb waits.
    pub(super) fn waits_for(&self, verb: &str) -> bool {
        self.asked.iter().any(|asked| asked.verb.is(&[verb]))
    }

    /// Takes a preliminary reply (1xx); returns the command that has begun.
    pub(super) fn begin(&mut self, code: u16) -> Answered {
        let given_up = self.drop_before(code);
        let to = self.asked.front_mut().map(|asked| {
            asked.has_begun = true;
            asked.clone()
        });
        Answered { to, given_up }
    }

    /// Takes a final reply.
    pub(super) fn answer(&mut self, code: u16) -> Answered {
        // STAT and NOOP are answered while a transfer runs: RFC 959 section 4.1.3.
        let amid = match code {
            200 => &["NOOP"][..],
            211..=213 => &["STAT"],
            _ => &[],
        };
        if self
            .asked
            .front()
            .is_some_and(|front| front.moves_data() && front.has_begun)
            && let Some(place) = self.asked.iter().position(|asked| asked.verb.is(amid))
        {
            return Answered {
                to: self.asked.remove(place),
                given_up: Vec::new(),
            };
        }
        let given_up = self.drop_before(code);
        let to = self.asked.pop_front();
        if to.is_none() {
            self.beyond = self.beyond.saturating_sub(1);
        }
        if self.asked.is_empty() && self.asked.capacity() > KEPT {
            self.asked.shrink_to(KEPT);
        }
        Answered { to, given_up }
    }

    /// Replies or the order of things are lost: nothing waits any more. Returns the transfers among it.
    pub(super) fn reset(&mut self) -> Vec<u64> {
        self.beyond = 0;
        std::mem::take(&mut self.asked)
            .iter()
            .filter_map(transfer)
            .collect()
    }

    /// Drops the commands in front that a server has left without an answer: when the code says which command
    /// it answers and that is not the first one, or when the first one is of those that servers pass over.
    fn drop_before(&mut self, code: u16) -> Vec<u64> {
        let mut given_up = Vec::new();
        let place = match self.asked.front() {
            Some(front) if !front.fits(code) => {
                self.asked.iter().position(|asked| asked.fits(code))
            }
            Some(front) if is_passed_over(front, code) => (self.asked.len() > 1).then_some(1),
            _ => None,
        };
        for asked in self.asked.drain(..place.unwrap_or(0)) {
            given_up.extend(transfer(&asked));
        }
        given_up
    }
}

fn transfer(asked: &Asked) -> Option<u64> {
    match asked.detail {
        Detail::Transfer(number) => Some(number),
        _ => None,
    }
}

/// Some servers say nothing to what they do not know, and one thing only to ABOR and what it ends.
fn is_passed_over(asked: &Asked, code: u16) -> bool {
    if asked.verb == Verb::UNKNOWN {
        return !matches!(code, 200 | 202 | 400..=699);
    }
    asked.verb.is(&["ABOR"]) && !matches!(code, 225 | 226 | 400..=699)
}

/// The commands that a reply with this code answers, where the code says it: RFC 959 section 5.4, RFC 2228,
/// RFC 2428.
fn telling(code: u16) -> Option<&'static [&'static str]> {
    Some(match code {
        125 | 150 => &[
            "APPE", "LIST", "MLSD", "NLST", "RETR", "STOR", "STOU", "THMB", "COMB",
        ],
        215 => &["SYST"],
        221 => &["QUIT"],
        227..=229 => &["PASV", "EPSV", "LPSV", "CPSV", "SPSV", "P@SW"],
        230 | 232 | 331 | 332 => &[
            "USER", "PASS", "ACCT", "AUTH", "ADAT", "REIN", "XRSQ", "HOST",
        ],
        234 | 334 => &["AUTH", "ADAT"],
        257 => &["PWD", "XPWD", "MKD", "XMKD", "CWD", "XCWD"],
        350 => &["REST", "RNFR", "RANG", "APPE", "MFMT", "CSID"],
        _ => return None,
    })
}

#[cfg(test)]
#[path = "tests/dialogue.rs"]
mod tests;
