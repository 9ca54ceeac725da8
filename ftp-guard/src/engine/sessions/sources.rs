//! The figures of sources: what their proven connections amount to.
//!
//! The programs keep them; as with those of [clients](super::clients), a difference is one only if the
//! next look shows the very same.

use std::collections::HashMap;

use ftp_guard_common::{
    limits::{Opening, Source, SourceKey},
    session::{Flow, Session},
};

use super::{
    Command,
    tables::{Rules, Tables, is_live, is_live_flow, is_outgoing},
};

/// By how much a source's figures change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceDelta {
    sessions: i64,
    opening: i64,
    data: i64,
}

impl SourceDelta {
    /// Notes a session more (1) or less (-1), if it counts.
    pub fn session(&mut self, session: &Session, by: i64) {
        if is_live(session) && !session.traffic.is_witnessed() {
            self.sessions += by;
        }
    }

    /// Notes a data connection more or less, if it counts.
    pub fn flow(&mut self, flow: &Flow, by: i64) {
        if counts(flow) {
            self.data += by;
        }
    }

    /// Notes a connection before its greeting more or less, if it counts.
    pub fn opening(&mut self, opening: &Opening, by: i64) {
        if opening.witnessed == 0 {
            self.opening += by;
        }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The step that brings `seen`, a source's figures now, up to date.
    #[must_use]
    pub fn applied(&self, key: SourceKey, seen: Option<Source>) -> Option<Command> {
        let found = seen.unwrap_or_default();
        let sum = |figure: u32, by: i64| (i64::from(figure) + by).clamp(0, u32::MAX.into()) as u32;
        let source = Source {
            sessions: sum(found.sessions, self.sessions),
            opening: sum(found.opening, self.opening),
            data: sum(found.data, self.data),
            ..found
        };
        (seen.unwrap_or_default() != source).then_some(Command::SetSource(key, seen, source))
    }
}

/// Whether a data connection counts among those of its source.
fn counts(flow: &Flow) -> bool {
    is_live_flow(flow) && !is_outgoing(flow) && !flow.traffic.is_witnessed()
}

/// How long a source's figures stay without a connection: removed while a program counts, the next end
/// would find a figure that is too low.
const REST_NS: u64 = 60_000_000_000;

/// Since when sources have had nothing, as the looks have shown.
pub type Resting = HashMap<SourceKey, u64>;

/// The steps that remove the figures of sources that have had nothing for long.
pub fn forget(now_ns: u64, tables: &Tables, resting: &mut Resting, commands: &mut Vec<Command>) {
    let idle = tables.sources.iter().filter(|(_, source)| is_idle(source));
    let now: Resting = idle
        .map(|(key, _)| (*key, *resting.get(key).unwrap_or(&now_ns)))
        .collect();
    let mut over: Vec<SourceKey> = now
        .iter()
        .filter(|(_, since)| now_ns.saturating_sub(**since) >= REST_NS)
        .map(|(key, _)| *key)
        .collect();
    over.sort_unstable();
    commands.extend(over.into_iter().map(Command::RemoveSource));
    *resting = now;
}

/// Whether nothing of a source is left.
fn is_idle(source: &Source) -> bool {
    source.sessions == 0 && source.opening == 0 && source.data == 0
}

/// How far a source's figures are from its connections, and what both were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    delta: SourceDelta,
    /// A sum over what tells the connections apart: the same ones have the same.
    connections: u64,
    /// The figures, if there are any.
    found: Option<Source>,
}

/// The sources whose figures are not right.
pub type SourceDrift = HashMap<SourceKey, Gap>;

/// Compares figures and connections.
pub fn drift(rules: &Rules<'_>, tables: &Tables) -> SourceDrift {
    let mut drift = SourceDrift::new();
    for (key, session) in tables
        .sessions
        .iter()
        .filter(|(_, session)| is_live(session))
    {
        let gap = drift.entry(rules.source(key)).or_default();
        gap.delta.session(session, 1);
        gap.connections = gap.connections.wrapping_add(session.id);
    }
    for (key, flow) in tables.flows.iter().filter(|(_, flow)| counts(flow)) {
        let gap = drift.entry(rules.source(key)).or_default();
        gap.delta.flow(flow, 1);
        gap.connections = gap.connections.wrapping_add(flow.traffic.created_ns);
    }
    for (key, opening) in &tables.opening {
        let gap = drift.entry(rules.source(key)).or_default();
        gap.delta.opening(opening, 1);
        gap.connections = gap.connections.wrapping_add(opening.since_ns);
    }
    for (key, source) in &tables.sources {
        let gap = drift.entry(*key).or_default();
        gap.delta.sessions -= i64::from(source.sessions);
        gap.delta.opening -= i64::from(source.opening);
        gap.delta.data -= i64::from(source.data);
        gap.found = Some(*source);
    }
    drift.retain(|_, gap| !gap.delta.is_none());
    drift
}

/// The steps for what two looks in a row have shown.
pub fn correct(before: &SourceDrift, now: &SourceDrift, commands: &mut Vec<Command>) {
    let mut confirmed: Vec<_> = now
        .iter()
        .filter(|(key, gap)| before.get(*key) == Some(*gap))
        .filter_map(|(key, gap)| Some((*key, gap.delta.applied(*key, gap.found)?)))
        .collect();
    confirmed.sort_by_key(|(key, _)| *key);
    commands.extend(confirmed.into_iter().map(|(_, command)| command));
}
