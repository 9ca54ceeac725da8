//! Detections: what of all that is seen deserves somebody's attention, and whom it bans.
//!
//! Sans-IO. [`Detector::take`] and [`Detector::take_event`] return findings at once, so that a ban follows
//! within the moment; what goes on is told once in a while, with a count. What is remembered of sources is
//! bounded: whoever was not seen for the longest time is forgotten first.
//!
//! [`rule`] is the table of rules; each family of them has a file.

mod addresses;
mod commands;
mod lines;
mod logins;
mod memory;
mod packets;
mod paths;
pub mod patterns;
mod report;
pub mod rule;
mod servers;
mod settings;
#[cfg(test)]
mod tests;
pub mod version;
pub mod vulnerabilities;

use std::net::SocketAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use self::{
    commands::Activity,
    logins::{Guessing, Spread, Target},
    memory::{Clock, Ms, Recent},
    report::{Hit, Reports, Subject},
    rule::Rule,
};
pub use self::{report::Finding, settings::Rules};
use super::{
    events::{Event, Severity},
    monitor::observation::{About, Observation, Seen},
};

/// Sources, and sessions, that something is remembered of.
const MOST_SOURCES: usize = 16_384;

/// Users and servers at which failures are counted over all sources.
const MOST_TARGETS: usize = 2_048;

/// Longest part of a name or line that a message shows, in characters.
const LONGEST_SHOWN: usize = 100;

/// The detector.
#[derive(Debug)]
pub struct Detector {
    rules: Rules,
    clock: Clock,
    /// Failed logins, by source.
    guessing: Recent<IpNet, Guessing>,
    /// What sources do, by source.
    activity: Recent<IpNet, Activity>,
    /// Sessions that have sent a password.
    passwords: Recent<u64, ()>,
    /// Failures over all sources.
    targets: Recent<Target, Spread>,
    reports: Reports,
}

/// What the detector has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How often each rule applied, in the order of [`Rule::ALL`].
    pub seen: Vec<(Rule, u64)>,
    /// Bans that were asked for.
    pub bans: u64,
    /// Sources of which something is remembered.
    pub sources: u64,
    /// Sources, sessions and what was told of them that were forgotten for want of room.
    pub forgotten: u64,
}

impl Detector {
    /// A detector that has seen nothing yet.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            clock: Clock::default(),
            guessing: Recent::new(MOST_SOURCES),
            activity: Recent::new(MOST_SOURCES),
            passwords: Recent::new(MOST_SOURCES),
            targets: Recent::new(MOST_TARGETS),
            reports: Reports::new(),
        }
    }

    /// Other rules from now on; what was counted stays.
    pub fn set(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Takes what was seen in a session, and adds what the rules find to `out`.
    pub fn take(&mut self, seen: &Observation, out: &mut Vec<Finding>) {
        let about = &seen.about;
        if !self.rules.enabled || self.rules.ignores(about.client.ip()) {
            return;
        }
        let mut look = Look {
            when: (self.clock.at(seen.time), seen.time),
            about,
            out,
        };
        match &seen.seen {
            Seen::Command(command) => self.command(command, &mut look),
            Seen::Reply { code, to } => self.reply(*code, *to, &mut look),
            Seen::Login { accepted, code } => self.login(*accepted, *code, &mut look),
            Seen::Software { software, .. } => self.software(software, &mut look),
            Seen::OddPort { text } => self.odd_port(text, &mut look),
            Seen::Foreign { side, protocol } => self.foreign(*side, *protocol, &mut look),
            Seen::Overlong(side) => self.overlong(*side, &mut look),
            Seen::Binary(side) => self.binary(*side, &mut look),
            Seen::Ended(record) => self.ended(record, &mut look),
            Seen::Began
            | Seen::ClientSoftware(_)
            | Seen::Tls(_)
            | Seen::Transferred(_)
            | Seen::Lost { .. } => {}
        }
    }

    /// Takes an event that is none of the monitor's: dropped packets, sessions that the guard ended.
    pub fn take_event(&mut self, event: &Event, out: &mut Vec<Finding>) {
        if self.rules.enabled {
            let when = (self.clock.at(event.time), event.time);
            if let Some(hit) = packets::hit(&self.rules, &event.kind) {
                self.reports.hit(&self.rules, when, hit, out);
            }
        }
    }

    /// Tells of what was counted meanwhile. To be called every second or so.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        if self.rules.enabled {
            let when = (self.clock.at(now), now);
            self.reports.tick(&self.rules, when, out);
        }
    }

    /// What was counted.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let seen = Rule::ALL
            .iter()
            .map(|rule| (*rule, self.reports.seen[*rule as usize]));
        Figures {
            seen: seen.collect(),
            bans: self.reports.bans,
            sources: self.guessing.len().max(self.activity.len()) as u64,
            forgotten: self.guessing.forgotten()
                + self.activity.forgotten()
                + self.passwords.forgotten()
                + self.targets.forgotten()
                + self.reports.forgotten(),
        }
    }

    fn hit(&mut self, hit: Hit, look: &mut Look<'_>) {
        self.reports.hit(&self.rules, look.when, hit, look.out);
    }

    /// What a rule has seen of the client.
    fn of_client(&self, rule: Rule, about: &About, message: String) -> Hit {
        Hit {
            rule,
            severity: rule.severity(),
            subject: Subject::Source(self.rules.source_of(about.client.ip())),
            source: Some(about.client.ip()),
            server: Some(about.server),
            session: about.session,
            user: about.user.as_deref().map(shown),
            message,
            count: 1,
            // A control connection on which something is said has ended its handshake.
            proven: true,
        }
    }

    /// What a rule has seen of the server.
    fn of_server(&self, rule: Rule, server: SocketAddr, message: String) -> Hit {
        Hit {
            rule,
            severity: rule.severity(),
            subject: Subject::Server(server),
            source: None,
            server: Some(server),
            session: 0,
            user: None,
            message,
            count: 1,
            proven: false,
        }
    }
}

/// One look at something that was seen.
struct Look<'a> {
    when: (Ms, Timestamp),
    about: &'a About,
    out: &'a mut Vec<Finding>,
}

impl Look<'_> {
    fn now(&self) -> Ms {
        self.when.0
    }
}

impl Hit {
    fn severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    fn count(self, count: u64) -> Self {
        Self { count, ..self }
    }
}

/// A text of a peer as messages show it: no control characters, not too long.
fn shown(text: &str) -> String {
    let clean = text.chars().filter(|c| !c.is_control());
    clean.take(LONGEST_SHOWN).collect()
}

/// A duration in words.
fn words(time: std::time::Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        s if s > 0 && s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s > 0 && s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s > 0 && s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}
