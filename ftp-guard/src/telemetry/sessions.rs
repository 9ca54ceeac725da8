//! What the monitor understands, counted. Plain numbers: whoever counts needs no registry, and a scrape
//! copies them.
//!
//! Nothing that a peer sends makes it grow: names that come from outside, those of rules and of server
//! software, have a fixed number of places, and what finds none is counted together.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{
    events::{DetectionEvent, Severity},
    monitor::{
        Losses,
        observation::{Observation, Protocol, Seen},
        record::{Direction, Software, TlsMode, TransferRecord},
        told::Side,
    },
};

use super::kinds::{TypeClass, VerbClass};

/// Rules that are told apart. The others count as [`OTHER_RULE`].
pub const MOST_RULES: usize = 64;
/// Server software that is told apart: products, each with its versions.
pub const MOST_SOFTWARE: usize = 64;
/// The rule that further rules are counted as, and those whose names are none.
pub const OTHER_RULE: &str = "other";
/// Longest name of a rule, product or version, in bytes.
const MOST_NAME: usize = 64;

/// Ways of encryption, in the order of their numbers.
pub const TLS_MODES: [TlsMode; 4] = [
    TlsMode::Clear,
    TlsMode::Explicit,
    TlsMode::Implicit,
    TlsMode::Unknown,
];
/// Upper ends of the classes of durations, seconds; the last class has none.
pub const DURATIONS: [f64; 11] = [
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0,
];
/// First digits of replies, and anything else.
pub const REPLIES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];
/// The two ends of a control connection, in the order of their numbers.
pub const SIDES: [&str; 2] = ["client", "server"];

/// Counters of what sessions do, since the daemon started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionFigures {
    /// Sessions that have begun, by how they are encrypted then.
    pub begun: [u64; TLS_MODES.len()],
    /// Sessions that have ended, by how they were encrypted.
    pub ended: [u64; TLS_MODES.len()],
    /// Logins by encryption: refused, accepted.
    pub logins: [[u64; 2]; TLS_MODES.len()],
    /// Logins under a name for everybody: refused, accepted.
    pub anonymous: [u64; 2],
    /// Transfers by direction and what they move.
    pub transfers: [[u64; TypeClass::ALL.len()]; Direction::ALL.len()],
    /// Transfers that the server did not call complete, by direction.
    pub incomplete: [u64; Direction::ALL.len()],
    /// Bytes of transfers, by direction.
    pub bytes: [u64; Direction::ALL.len()],
    /// How long transfers took, by direction.
    pub durations: [Durations; Direction::ALL.len()],
    /// Commands by what they are for.
    pub commands: [u64; VerbClass::ALL.len()],
    /// Replies, in the order of [`REPLIES`].
    pub replies: [u64; REPLIES.len()],
    /// What was spoken instead of FTP, by side.
    pub foreign: [[u64; Protocol::ALL.len()]; SIDES.len()],
    /// Servers that were seen to speak FTP on a port that is not configured for it.
    pub odd_ports: u64,
    /// Lines that were longer than any that FTP has, by side.
    pub overlong: [u64; SIDES.len()],
    /// Bytes that are no text where text belongs, by side.
    pub binary: [u64; SIDES.len()],
    /// Detections by rule and severity.
    detections: BTreeMap<String, [u64; Severity::ALL.len()]>,
    /// What servers say that they are: product and version.
    software: BTreeSet<(String, String)>,
    /// Times that a server said something else and there was no place for it.
    pub software_overflow: u64,
}

/// Durations, in classes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Durations {
    /// Durations of each class of [`DURATIONS`], those before it left out; the last: longer ones.
    pub classes: [u64; DURATIONS.len() + 1],
    /// Their sum, seconds.
    pub sum: f64,
}

impl Durations {
    fn add(&mut self, seconds: f64) {
        // A clock that was set back makes no negative time.
        let seconds = if seconds.is_finite() {
            seconds.max(0.0)
        } else {
            0.0
        };
        self.classes[DURATIONS.partition_point(|end| *end < seconds)] += 1;
        self.sum += seconds;
    }
}

impl SessionFigures {
    /// Counts what was seen.
    pub fn observe(&mut self, observation: &Observation) {
        let about = &observation.about;
        match &observation.seen {
            Seen::Began => self.begun[about.tls as usize] += 1,
            Seen::Ended(record) => self.ended[record.tls.mode as usize] += 1,
            Seen::Software { software, .. } => self.software(software),
            Seen::Command(command) => self.commands[VerbClass::of(command.verb) as usize] += 1,
            Seen::Reply { code, .. } => {
                let class = usize::from(code / 100);
                self.replies[if class < REPLIES.len() { class } else { 0 }] += 1;
            }
            Seen::Login { accepted, .. } => {
                self.logins[about.tls as usize][usize::from(*accepted)] += 1;
                if about.anonymous {
                    self.anonymous[usize::from(*accepted)] += 1;
                }
            }
            Seen::Transferred(transfer) => self.transferred(transfer),
            Seen::Foreign { side, protocol } => {
                self.foreign[number(*side)][*protocol as usize] += 1;
            }
            Seen::OddPort { .. } => self.odd_ports += 1,
            Seen::Overlong(side) => self.overlong[number(*side)] += 1,
            Seen::Binary(side) => self.binary[number(*side)] += 1,
            // The monitor counts what is lost; what clients call themselves has no end.
            Seen::Lost { .. } | Seen::ClientSoftware(_) | Seen::Tls(_) => {}
        }
    }

    /// Counts a detection.
    pub fn detected(&mut self, event: &DetectionEvent) {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let named = !event.rule.is_empty()
            && event.rule.len() <= MOST_NAME
            && event.rule.bytes().all(is_name);
        let room = self.detections.contains_key(&event.rule) || self.rules() < MOST_RULES;
        let rule = match named && room {
            true => event.rule.as_str(),
            false => OTHER_RULE,
        };
        let severity = event.severity as usize;
        match self.detections.get_mut(rule) {
            Some(counts) => counts[severity] += 1,
            None => {
                let mut counts = [0; Severity::ALL.len()];
                counts[severity] = 1;
                self.detections.insert(rule.to_owned(), counts);
            }
        }
    }

    /// Detections: rule, severity, how many; those that there were none of are left out.
    pub fn detections(&self) -> impl Iterator<Item = (&str, Severity, u64)> {
        self.detections.iter().flat_map(|(rule, counts)| {
            let counts = Severity::ALL.into_iter().zip(*counts);
            counts
                .filter(|(_, count)| *count > 0)
                .map(move |(severity, count)| (rule.as_str(), severity, count))
        })
    }

    /// Server software: product and version, which may be empty.
    pub fn server_software(&self) -> impl Iterator<Item = (&str, &str)> {
        let each = self.software.iter();
        each.map(|(product, version)| (product.as_str(), version.as_str()))
    }

    fn rules(&self) -> usize {
        let others = usize::from(self.detections.contains_key(OTHER_RULE));
        self.detections.len() - others
    }

    fn software(&mut self, software: &Software) {
        let key = (
            cut(&software.product),
            cut(software.version.as_deref().unwrap_or_default()),
        );
        if self.software.contains(&key) {
            return;
        }
        if self.software.len() < MOST_SOFTWARE {
            self.software.insert(key);
        } else {
            self.software_overflow += 1;
        }
    }

    fn transferred(&mut self, transfer: &TransferRecord) {
        let direction = transfer.direction as usize;
        self.transfers[direction][TypeClass::of(transfer) as usize] += 1;
        // Whether a hidden one was complete only the two ends know.
        if !transfer.complete && transfer.direction != Direction::Hidden {
            self.incomplete[direction] += 1;
        }
        let bytes = &mut self.bytes[direction];
        *bytes = bytes.saturating_add(transfer.bytes.unwrap_or(0));
        self.durations[direction].add(transfer.seconds);
    }
}

/// What the monitor tells of itself at a scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MonitorFigures {
    /// What sessions do.
    pub sessions: SessionFigures,
    /// What was not seen, or not twice the same.
    pub losses: Losses,
    /// Records that the programs had no room for, by the number of a
    /// [`TextKind`](ftp_guard_common::text::TextKind).
    pub told_lost: [u64; ftp_guard_common::text::TEXT_LOSS_SLOTS as usize],
    /// Sessions that are watched now.
    pub watched: u64,
}

const fn number(side: Side) -> usize {
    match side {
        Side::Client => 0,
        Side::Server => 1,
    }
}

/// A text as a label: no control characters, and not long.
fn cut(text: &str) -> String {
    let mut label = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if label.len() + c.len_utf8() > MOST_NAME {
            break;
        }
        label.push(c);
    }
    label
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
pub(super) mod tests;
