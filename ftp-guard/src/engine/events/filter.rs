//! Which events a reader wants.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Event, EventKind, Severity};

/// What an event must be like. An empty filter takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// It has one of these reasons; empty: any, or none.
    pub reasons: Vec<String>,
    /// It concerns a remote address in this prefix, or a ban that overlaps it.
    pub source: Option<IpNet>,
    /// It is a detection that matters at least so much; `None`: it may be anything.
    pub severity: Option<Severity>,
}

impl Filter {
    /// Whether the reader wants the event.
    #[must_use]
    pub fn takes(&self, event: &Event) -> bool {
        let reason = self.reasons.is_empty()
            || reason_of(&event.kind)
                .is_some_and(|reason| self.reasons.iter().any(|wanted| wanted == reason));
        let severity = self
            .severity
            .is_none_or(|least| severity_of(&event.kind).is_some_and(|severity| severity >= least));
        reason
            && severity
            && self
                .source
                .is_none_or(|source| concerns(&event.kind, source))
    }
}

/// The reason that events are filtered by. That of a ban is free text.
fn reason_of(kind: &EventKind) -> Option<&str> {
    match kind {
        EventKind::Drop(packet) => Some(&packet.reason),
        EventKind::TableFull(full) => Some(&full.packet.reason),
        EventKind::SessionEnded(ended) => Some(&ended.reason),
        EventKind::Detection(detection) => Some(&detection.rule),
        _ => None,
    }
}

fn severity_of(kind: &EventKind) -> Option<Severity> {
    match kind {
        EventKind::Detection(detection) => Some(detection.severity),
        _ => None,
    }
}

fn concerns(kind: &EventKind, prefix: IpNet) -> bool {
    let inside = |address: Option<IpAddr>| address.is_some_and(|ip| prefix.contains(&ip));
    match kind {
        EventKind::Drop(packet) => inside(packet.remote()),
        EventKind::TableFull(full) => inside(full.packet.remote()),
        EventKind::SessionEnded(ended) => inside(Some(ended.client.ip())),
        EventKind::Login(login) => inside(Some(login.client.ip())),
        EventKind::Transfer(transfer) => inside(Some(transfer.client.ip())),
        EventKind::Detection(detection) => inside(detection.source),
        EventKind::BanAdded(ban)
        | EventKind::BanProlonged(ban)
        | EventKind::BanRemoved(ban)
        | EventKind::BanExpired(ban) => {
            prefix.contains(&ban.prefix) || ban.prefix.contains(&prefix)
        }
        _ => false,
    }
}
