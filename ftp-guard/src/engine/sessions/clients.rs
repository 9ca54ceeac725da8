//! The figures of clients: how many live sessions each has.
//!
//! The programs keep them with the sessions. A reader may see a session and not yet its figure, so
//! that a difference is one only if the next look shows the very same.

use std::collections::BTreeMap;

use ftp_guard_common::{
    address::ClientKey,
    session::{Client, Session},
};

use super::{
    Command,
    tables::{Rules, Tables, is_encrypted, is_live},
};

/// By how much a client's figures change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    sessions: i64,
    encrypted: i64,
}

impl Delta {
    /// Notes a session more.
    pub fn add(&mut self, session: &Session) {
        self.count(session, 1);
    }

    /// Notes a session less.
    pub fn subtract(&mut self, session: &Session) {
        self.count(session, -1);
    }

    fn count(&mut self, session: &Session, by: i64) {
        if is_live(session) {
            self.sessions += by;
            self.encrypted += by * i64::from(is_encrypted(session));
        }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What becomes of `found`, a client's figures at `now_ns` (CLOCK_MONOTONIC, nanoseconds); nothing when it has
    /// no session.
    ///
    /// Nobody knows what was last said to a client without figures. It must not look older than a port that was named in it.
    #[must_use]
    pub fn applied(&self, found: Option<Client>, now_ns: u64) -> Option<Client> {
        let found = found.unwrap_or(Client {
            encrypted_reply_ns: now_ns,
            ..Client::default()
        });
        let sum = |figure: u32, by: i64| (i64::from(figure) + by).clamp(0, u32::MAX.into()) as u32;
        let sessions = sum(found.sessions, self.sessions);
        (sessions > 0).then(|| Client {
            sessions,
            encrypted: sum(found.encrypted, self.encrypted).min(sessions),
            ..found
        })
    }
}

/// How far a client's figures are from its sessions, and what both were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    delta: Delta,
    /// The sum of the live sessions' numbers: the same sessions have the same.
    sessions: u64,
    /// The figures, if there are any.
    found: Option<(u32, u32)>,
}

/// The clients whose figures are not right.
pub type Drift = BTreeMap<ClientKey, Gap>;

/// Compares figures and sessions. Figures of no session at all are not right either.
pub fn drift(rules: &Rules<'_>, tables: &Tables) -> Drift {
    let mut drift = Drift::new();
    for (key, session) in &tables.sessions {
        if is_live(session) {
            let gap = drift.entry(rules.client(key)).or_default();
            gap.delta.add(session);
            gap.sessions = gap.sessions.wrapping_add(session.id);
        }
    }
    for (key, client) in &tables.clients {
        let gap = drift.entry(*key).or_default();
        gap.delta.sessions -= i64::from(client.sessions);
        gap.delta.encrypted -= i64::from(client.encrypted);
        gap.found = Some((client.sessions, client.encrypted));
    }
    drift.retain(|_, gap| !gap.delta.is_none() || matches!(gap.found, Some((0, _))));
    drift
}

/// The steps for what two looks in a row have shown.
pub fn correct(before: &Drift, now: &Drift, commands: &mut Vec<Command>) {
    let confirmed = now
        .iter()
        .filter(|(key, gap)| before.get(*key) == Some(*gap));
    commands.extend(confirmed.map(|(key, gap)| Command::CountClient(*key, gap.delta)));
}
