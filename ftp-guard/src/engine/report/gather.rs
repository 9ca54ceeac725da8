//! From events and sessions to the report.

use std::{collections::HashMap, net::IpAddr};

use jiff::Timestamp;

use super::{
    Bans, Coverage, Detected, Finding, Logins, Posture, Report, Sessions, SoftwareUse, Transfers,
    tally::{Tally, Volume},
};
use crate::engine::{
    events::{DetectionEvent, Event, EventKind, LoginEvent, Packet, Severity, TransferEvent},
    monitor::record::{Direction, SessionRecord, TlsMode},
};

/// Members of a list of names.
pub const TOP: usize = 20;

/// Findings of a kind that are told one by one.
const MOST_FINDINGS: usize = 200;

/// Servers of one software that are told.
const MOST_SERVERS: usize = 50;

/// Takes what was, and makes the report of it.
#[derive(Debug, Default)]
pub struct Gatherer {
    coverage: Coverage,
    sessions: Sessions,
    tls_versions: Tally<String, u64>,
    ended: Tally<String, u64>,
    clients: Tally<IpAddr, u64>,
    logins: Logins,
    users: Tally<String, u64>,
    sources: Tally<IpAddr, u64>,
    anonymous_sources: Tally<IpAddr, u64>,
    refused_sources: Tally<IpAddr, u64>,
    refused_users: Tally<String, u64>,
    software: Tally<(String, Option<String>), (Vec<String>, u64)>,
    findings: HashMap<&'static str, Found>,
    transfers: Transfers,
    file_types: Tally<String, Volume>,
    moving_users: Tally<String, Volume>,
    moving_sources: Tally<IpAddr, Volume>,
    detections: Tally<(String, Severity), Rule>,
    bans: Bans,
    banned_by: Tally<String, u64>,
    drops: Tally<String, u64>,
    attacks: u64,
}

#[derive(Debug, Default)]
struct Rule {
    count: u64,
    banned: u64,
    sources: Tally<IpAddr, u64>,
}

/// Rules of detection that have a list of their own.
const LISTED: [&str; 3] = ["vulnerable_software", "odd_port", "foreign_protocol"];

impl Gatherer {
    /// Takes an event.
    pub fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Drop(packet) => self.drop(packet),
            EventKind::TableFull(full) => self.drop(&full.packet),
            EventKind::BanAdded(ban) => {
                self.bans.added += 1;
                self.banned_by.add(format!("{} {}", ban.origin, ban.by), 1);
            }
            EventKind::BanProlonged(_) => self.bans.prolonged += 1,
            EventKind::BanRemoved(_) => self.bans.removed += 1,
            EventKind::BanExpired(_) => self.bans.expired += 1,
            EventKind::AttackBegin(_) => self.attacks += 1,
            EventKind::SessionEnded(ended) => self.ended.add(ended.reason.clone(), 1),
            EventKind::Login(login) => self.login(login),
            EventKind::Transfer(transfer) => self.transfer(transfer),
            EventKind::Detection(detection) => self.detection(event.time, detection),
            EventKind::Lost(lost) => self.coverage.missed_events += lost.count,
            EventKind::AttackEnd(_)
            | EventKind::CookiesOn(_)
            | EventKind::CookiesOff(_)
            | EventKind::NameChanged(_)
            | EventKind::ModeFellBack(_) => {}
        }
    }

    /// Takes a session.
    pub fn session(&mut self, record: &SessionRecord) {
        let sessions = &mut self.sessions;
        sessions.total += 1;
        match record.tls.mode {
            TlsMode::Clear => sessions.clear += 1,
            TlsMode::Explicit => sessions.explicit_tls += 1,
            TlsMode::Implicit => sessions.implicit_tls += 1,
            TlsMode::Unknown => sessions.unknown += 1,
        }
        if let Some(version) = &record.tls.version {
            self.tls_versions.add(version.clone(), 1);
        }
        self.clients.add(record.client.ip(), 1);
        self.coverage.unseen_bytes = self.coverage.unseen_bytes.saturating_add(record.lost_bytes);
        self.coverage.partial_sessions += u64::from(record.partial);
        if let Some(software) = &record.server_software {
            let name = (software.product.clone(), software.version.clone());
            if let Some((servers, sessions)) = self.software.at(name) {
                *sessions += 1;
                let server = record.server.to_string();
                if servers.len() < MOST_SERVERS && !servers.contains(&server) {
                    servers.push(server);
                }
            }
        }
    }

    fn drop(&mut self, packet: &Packet) {
        let packets = packet.suppressed.saturating_add(1);
        self.drops.add(packet.reason.clone(), packets);
    }

    fn login(&mut self, login: &LoginEvent) {
        let source = login.client.ip();
        let user = || login.user.clone().unwrap_or_else(|| "-".to_owned());
        match (login.accepted, login.anonymous) {
            (true, true) => {
                self.logins.anonymous += 1;
                self.anonymous_sources.add(source, 1);
            }
            (true, false) => {
                self.logins.accepted += 1;
                self.users.add(user(), 1);
                self.sources.add(source, 1);
            }
            (false, anonymous) => {
                match anonymous {
                    true => self.logins.anonymous_refused += 1,
                    false => self.logins.refused += 1,
                }
                self.refused_sources.add(source, 1);
                self.refused_users.add(user(), 1);
            }
        }
    }

    fn transfer(&mut self, event: &TransferEvent) {
        let transfer = &event.transfer;
        let bytes = transfer.bytes.unwrap_or(0);
        let sums = &mut self.transfers;
        let (up, down) = match transfer.direction {
            Direction::Upload => {
                sums.uploads += 1;
                sums.bytes_up = sums.bytes_up.saturating_add(bytes);
                (bytes, 0)
            }
            Direction::Download => {
                sums.downloads += 1;
                sums.bytes_down = sums.bytes_down.saturating_add(bytes);
                (0, bytes)
            }
            Direction::Listing => {
                sums.listings += 1;
                return;
            }
            Direction::Hidden => {
                sums.hidden += 1;
                sums.bytes_hidden = sums.bytes_hidden.saturating_add(bytes);
                return;
            }
        };
        sums.incomplete += u64::from(!transfer.complete);
        let file_type = transfer.file_type.clone();
        let file_type = file_type.unwrap_or_else(|| "none".to_owned());
        self.file_types.moved(file_type, up, down);
        let user = event.user.clone().unwrap_or_else(|| "-".to_owned());
        self.moving_users.moved(user, up, down);
        self.moving_sources.moved(event.client.ip(), up, down);
    }

    fn detection(&mut self, time: Timestamp, detection: &DetectionEvent) {
        let name = (detection.rule.clone(), detection.severity);
        if let Some(rule) = self.detections.at(name) {
            rule.count += 1;
            rule.banned += u64::from(detection.banned);
            if let Some(source) = detection.source {
                rule.sources.add(source, 1);
            }
        }
        let Some(listed) = LISTED.into_iter().find(|rule| *rule == detection.rule) else {
            return;
        };
        let message = once(&detection.message).to_owned();
        let server = detection.server.map(|server| server.to_string());
        let tally = self.findings.entry(listed).or_default();
        if let Some(finding) = tally.at((message, server)) {
            let (severity, count, last) = finding.get_or_insert((detection.severity, 0, time));
            *severity = (*severity).max(detection.severity);
            *count += 1;
            *last = (*last).max(time);
        }
    }

    /// The report of a time. `coverage` says what is known of it otherwise.
    #[must_use]
    pub fn finish(
        mut self,
        (since, until): (Timestamp, Timestamp),
        made: Timestamp,
        coverage: Coverage,
        posture: Posture,
    ) -> Report {
        let [vulnerabilities, odd_ports, foreign_protocols] =
            LISTED.map(|rule| findings(self.findings.remove(rule).unwrap_or_default()));
        let cut = self.cut();
        let encrypted = self.sessions.explicit_tls + self.sessions.implicit_tls;
        let known = self.sessions.clear + encrypted;
        let clear_share = (known > 0).then(|| self.sessions.clear as f64 / known as f64);
        Report {
            made,
            since,
            until,
            coverage: Coverage {
                missed_events: self.coverage.missed_events,
                unseen_bytes: self.coverage.unseen_bytes,
                partial_sessions: self.coverage.partial_sessions,
                cut,
                ..coverage
            },
            posture,
            sessions: Sessions {
                clear_share,
                clients: self.clients.names(),
                tls_versions: self.tls_versions.top(TOP),
                ended: self.ended.top(TOP),
                ..self.sessions
            },
            logins: Logins {
                users: self.users.top(TOP),
                sources: self.sources.top(TOP),
                anonymous_sources: self.anonymous_sources.top(TOP),
                refused_sources: self.refused_sources.top(TOP),
                refused_users: self.refused_users.top(TOP),
                ..self.logins
            },
            software: software(self.software),
            vulnerabilities,
            odd_ports,
            foreign_protocols,
            transfers: Transfers {
                file_types: self.file_types.most(TOP),
                users: self.moving_users.most(TOP),
                sources: self.moving_sources.most(TOP),
                ..self.transfers
            },
            detections: detections(self.detections),
            bans: Bans {
                by: self.banned_by.top(TOP),
                ..self.bans
            },
            drops: self.drops.top(usize::MAX),
            attacks: self.attacks,
        }
    }

    fn cut(&self) -> bool {
        self.clients.cut()
            || self.users.cut()
            || self.sources.cut()
            || self.anonymous_sources.cut()
            || self.refused_sources.cut()
            || self.refused_users.cut()
            || self.software.cut()
            || self.file_types.cut()
            || self.moving_users.cut()
            || self.moving_sources.cut()
    }
}

/// A message without how often it was repeated.
fn once(message: &str) -> &str {
    const REPEATED: &str = " times since it was last told";
    message
        .strip_suffix(REPEATED)
        .and_then(|rest| rest.rsplit_once("; "))
        .map_or(message, |(message, _)| message)
}

type Found = Tally<(String, Option<String>), Option<(Severity, u64, Timestamp)>>;

/// Those that matter most first.
fn findings(found: Found) -> Vec<Finding> {
    let mut findings: Vec<Finding> = found
        .into_iter()
        .filter_map(|((message, server), found)| {
            let (severity, count, last) = found?;
            Some(Finding {
                severity,
                message,
                server,
                count,
                last,
            })
        })
        .collect();
    findings.sort_by(|a, b| {
        (b.severity, &a.message, &a.server).cmp(&(a.severity, &b.message, &b.server))
    });
    findings.truncate(MOST_FINDINGS);
    findings
}

fn software(found: Tally<(String, Option<String>), (Vec<String>, u64)>) -> Vec<SoftwareUse> {
    let mut software: Vec<SoftwareUse> = found
        .into_iter()
        .map(|((product, version), (mut servers, sessions))| {
            servers.sort();
            SoftwareUse {
                product,
                version,
                servers,
                sessions,
            }
        })
        .collect();
    software.sort_by(|a, b| (&a.product, &a.version).cmp(&(&b.product, &b.version)));
    software.truncate(MOST_FINDINGS);
    software
}

fn detections(found: Tally<(String, Severity), Rule>) -> Vec<Detected> {
    let mut detections: Vec<Detected> = found
        .into_iter()
        .map(|((rule, severity), found)| Detected {
            rule,
            severity,
            count: found.count,
            banned: found.banned,
            sources: found.sources.top(5),
        })
        .collect();
    detections.sort_by(|a, b| (b.severity, b.count, &a.rule).cmp(&(a.severity, a.count, &b.rule)));
    detections
}
