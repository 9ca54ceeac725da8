//! Which events a reader wants.

use ipnet::IpNet;

use super::{Event, EventKind, Severity};

/// What an event must be like. An empty filter takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// It has one of these reasons; empty: any, or none.
    pub reasons: Vec<String>,
    /// It has one of these names; empty: any.
    pub kinds: Vec<String>,
    /// It concerns a remote address in this prefix, or a ban that overlaps it; a name, one of whose
    /// addresses came or went.
    pub source: Option<IpNet>,
    /// It is a detection that matters at least so much; `None`: it may be anything.
    pub severity: Option<Severity>,
}

impl Filter {
    /// Whether the reader wants the event.
    #[must_use]
    pub fn takes(&self, event: &Event) -> bool {
        let reason = self.reasons.is_empty()
            || event
                .kind
                .reason()
                .is_some_and(|reason| self.reasons.iter().any(|wanted| wanted == reason));
        let severity = self
            .severity
            .is_none_or(|least| severity_of(&event.kind).is_some_and(|severity| severity >= least));
        let kind =
            self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == event.kind.name());
        reason
            && kind
            && severity
            && self
                .source
                .is_none_or(|source| concerns(&event.kind, source))
    }
}

impl EventKind {
    /// The reason that events are filtered by. That of a ban is free text.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Drop(packet) => Some(&packet.reason),
            Self::TableFull(full) => Some(&full.packet.reason),
            Self::SessionEnded(ended) => Some(&ended.reason),
            Self::Detection(detection) => Some(&detection.rule),
            _ => None,
        }
    }

    /// The remote address that it concerns, as a prefix; of a ban, what is banned.
    #[must_use]
    pub fn remote(&self) -> Option<IpNet> {
        match self {
            Self::Drop(packet) => packet.remote().map(IpNet::from),
            Self::TableFull(full) => full.packet.remote().map(IpNet::from),
            Self::SessionEnded(ended) => Some(ended.client.ip().into()),
            Self::Login(login) => Some(login.client.ip().into()),
            Self::Transfer(transfer) => Some(transfer.client.ip().into()),
            Self::Detection(detection) => detection.source.map(IpNet::from),
            Self::BanAdded(ban)
            | Self::BanProlonged(ban)
            | Self::BanRemoved(ban)
            | Self::BanExpired(ban) => Some(ban.prefix.trunc()),
            _ => None,
        }
    }

    /// Whose name it bears.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Login(login) => login.user.as_deref(),
            Self::Transfer(transfer) => transfer.user.as_deref(),
            Self::Detection(detection) => detection.user.as_deref(),
            _ => None,
        }
    }

    /// The session that it is about.
    #[must_use]
    pub fn session(&self) -> Option<u64> {
        let id = match self {
            Self::SessionEnded(ended) => ended.id,
            Self::Login(login) => login.session,
            Self::Transfer(transfer) => transfer.session,
            Self::Detection(detection) => detection.session,
            _ => 0,
        };
        (id != 0).then_some(id)
    }
}

fn severity_of(kind: &EventKind) -> Option<Severity> {
    match kind {
        EventKind::Detection(detection) => Some(detection.severity),
        _ => None,
    }
}

fn concerns(kind: &EventKind, prefix: IpNet) -> bool {
    if let EventKind::NameChanged(changed) = kind {
        let mut addresses = changed.added.iter().chain(&changed.removed);
        return addresses.any(|address| prefix.contains(address));
    }
    kind.remote()
        .is_some_and(|remote| prefix.contains(&remote) || remote.contains(&prefix))
}
