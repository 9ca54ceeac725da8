//! Detections in the daemon: from findings to events, bans and the end of sessions.

use std::mem;

use super::{guard::Guard, inputs::Inputs, kernel::Kernel, owner::Owner};
use crate::{
    control::feed::EventSink,
    engine::{
        bans::{BanRequest, Outcome},
        detect::{Finding, Rules},
        events::{Event, EventKind},
        monitor::FileNames,
        sessions::view::KillTarget,
    },
};

/// The rules that are configured.
#[must_use]
pub fn rules(inputs: &Inputs) -> Rules {
    let config = &inputs.config;
    let detect = &config.detect;
    Rules {
        enabled: detect.enabled,
        disable: detect.disable,
        ban: detect.ban,
        end: detect.end_sessions,
        ban_time: detect.ban_time,
        max_failures: detect.max_failures,
        max_failures_all: detect.max_failures_all,
        max_tls_failures: detect.max_tls_failures,
        max_deletes: detect.max_deletes,
        max_renames: detect.max_renames,
        max_commands: detect.max_commands,
        window: detect.window,
        repeat: detect.repeat,
        ignore: detect.ignore.clone(),
        never_ban: config.bans.never_ban.clone(),
        ipv6_source_prefix: config.limits.ipv6_source_prefix,
        fxp: config.ftp.fxp,
        file_names: config.inspect.file_names == FileNames::Full,
        vulnerabilities: inputs.vulnerabilities.clone(),
    }
}

/// What follows from findings. Never waits: what the owner has no room for is kept, up to a bound, and
/// given to it with the next call.
#[derive(Debug)]
pub struct Consequences {
    owner: Owner,
    events: EventSink,
    bans: Vec<BanRequest>,
    sessions: Vec<u64>,
    /// Bans and ends that there was no room to keep.
    lost: u64,
}

impl Consequences {
    /// Bans, and sessions to end, that are kept while the owner is busy.
    pub const MOST_WAITING: usize = 4_096;

    /// Consequences that `owner` draws, told in `events`.
    #[must_use]
    pub fn new(owner: Owner, events: EventSink) -> Self {
        Self {
            owner,
            events,
            bans: Vec::new(),
            sessions: Vec::new(),
            lost: 0,
        }
    }

    /// Tells of findings, and asks for what they ask for.
    pub fn draw(&mut self, findings: impl IntoIterator<Item = Finding>) {
        let mut events = Vec::new();
        for finding in findings {
            if let Some(ban) = finding.ban {
                self.want_ban(ban);
            }
            if let Some(session) = finding.end_session {
                self.want_end(session);
            }
            events.push(Event {
                time: finding.time,
                kind: EventKind::Detection(finding.event),
            });
        }
        // Before the log and the feed take their time.
        self.flush();
        if !events.is_empty() {
            self.events.publish_all(events);
        }
    }

    /// Gives the owner what waits. To be called every second, too.
    pub fn flush(&mut self) {
        if !self.bans.is_empty()
            && let Err(back) = self.owner.ban_by_rule(mem::take(&mut self.bans))
        {
            self.bans = back;
        }
        if !self.sessions.is_empty()
            && let Err(back) = self.owner.end_by_rule(mem::take(&mut self.sessions))
        {
            self.sessions = back;
        }
    }

    /// Bans and ends of sessions that were given up, as too many waited.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn want_ban(&mut self, ban: BanRequest) {
        let same = |other: &BanRequest| other.prefix == ban.prefix && other.by == ban.by;
        if self.bans.iter().any(same) {
            return;
        }
        match self.bans.len() < Self::MOST_WAITING {
            true => self.bans.push(ban),
            false => self.lost += 1,
        }
    }

    fn want_end(&mut self, session: u64) {
        if self.sessions.contains(&session) {
            return;
        }
        match self.sessions.len() < Self::MOST_WAITING {
            true => self.sessions.push(session),
            false => self.lost += 1,
        }
    }
}

impl<K: Kernel> Guard<K> {
    /// Bans for rules: each by itself, whatever becomes of the others. What cannot be done is logged; the
    /// rule asks again when its source goes on.
    pub(super) fn ban_by_rule(&mut self, requests: &[BanRequest]) {
        let outcomes = self.ban(requests, false);
        if let Ok(outcomes) = &outcomes {
            for (request, outcome) in requests.iter().zip(outcomes) {
                if let Outcome::Refused(refusal) = outcome {
                    tracing::warn!("{} cannot ban: {refusal}", request.by);
                }
            }
        }
        self.note("bans by rule", outcomes.map(drop));
    }

    /// Ends sessions for rules.
    pub(super) fn end_by_rule(&mut self, sessions: &[u64]) {
        for session in sessions {
            let ended = self.kill(KillTarget::Session(*session));
            self.note("sessions that a rule ends", ended.map(drop));
        }
    }
}
