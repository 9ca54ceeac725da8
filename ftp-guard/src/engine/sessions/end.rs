//! Connections that are to end: killed by command, overdue, or of clients that are no longer listed.
//!
//! On a host it takes two steps. First the sockets: each peer gets a reset, which the programs let
//! pass while the entries still say nothing against it, and the entries are closed by what the
//! programs see of the sockets. Then, with the tables read again, the entries that are left.

use std::{
    collections::{BTreeSet, HashSet},
    net::IpAddr,
};

use ftp_guard_common::{
    address::{EndpointKey, FlowKey, to_ip},
    limits::Opening,
    session::{Flow, Session},
};

use super::{
    Command, EndReason, Ending, Part, Socket,
    tables::{Listed, Tables, is_live, is_live_flow, is_outgoing, remote},
    view::{KillReport, KillTarget},
};

/// Which connections.
#[derive(Clone, Copy)]
pub enum Selection<'a> {
    /// Those of one target.
    Kill(KillTarget),
    /// Those of clients that are not listed.
    Unlisted(Listed<'a>),
    /// Some that were chosen one by one.
    Chosen(&'a Chosen),
}

/// Connections, and sessions with all that is their own.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    sessions: HashSet<u64>,
    connections: HashSet<FlowKey>,
}

impl Chosen {
    /// What these endings concern.
    #[must_use]
    pub fn of(endings: &[Ending]) -> Self {
        let mut chosen = Self::default();
        for ending in endings {
            match ending.part {
                Part::Session(id) => chosen.sessions.insert(id),
                Part::Opening | Part::Data(_) => chosen.connections.insert(ending.key),
            };
        }
        chosen
    }
}

impl Selection<'_> {
    fn takes_client(&self, address: IpAddr) -> bool {
        match self {
            Self::Kill(KillTarget::Session(_)) | Self::Chosen(_) => false,
            Self::Kill(KillTarget::Clients(prefix)) => prefix.contains(&address),
            Self::Unlisted(listed) => listed(address).is_err(),
        }
    }

    fn takes(&self, id: u64, address: IpAddr) -> bool {
        match self {
            Self::Kill(KillTarget::Session(target)) => id == *target && id != 0,
            Self::Chosen(chosen) => id != 0 && chosen.sessions.contains(&id),
            _ => self.takes_client(address),
        }
    }

    /// Whether the connection itself was chosen.
    fn names(&self, key: &FlowKey) -> bool {
        matches!(self, Self::Chosen(chosen) if chosen.connections.contains(key))
    }

    /// Whether what it takes is to stay ended although its client is listed.
    pub(super) const fn kills(&self) -> bool {
        !matches!(self, Self::Unlisted(_))
    }

    fn sessions<'t>(&self, tables: &'t Tables) -> impl Iterator<Item = &'t (FlowKey, Session)> {
        tables
            .sessions
            .iter()
            .filter(|(key, session)| self.takes(session.id, remote(key)) && is_live(session))
    }

    fn flows<'t>(&self, tables: &'t Tables) -> impl Iterator<Item = &'t (FlowKey, Flow)> {
        tables.flows.iter().filter(|(key, flow)| {
            let takes = || self.takes(flow.session, remote(key)) || self.names(key);
            !is_outgoing(flow) && is_live_flow(flow) && takes()
        })
    }

    /// The connections before their greeting.
    pub(super) fn openings<'t>(
        &self,
        tables: &'t Tables,
    ) -> impl Iterator<Item = &'t (FlowKey, Opening)> {
        let waiting = tables.opening.iter();
        waiting.filter(|(key, _)| self.takes_client(remote(key)) || self.names(key))
    }

    /// How many live connections are concerned.
    #[must_use]
    pub fn count(&self, tables: &Tables) -> KillReport {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        KillReport {
            sessions: count(self.sessions(tables).count()),
            flows: count(self.flows(tables).count()),
            sockets: 0,
        }
    }

    /// The live sessions that it takes, and why; of those that were chosen, their endings tell already.
    #[must_use]
    pub fn endings(&self, tables: &Tables) -> Vec<Ending> {
        let reason = |key| match self {
            Self::Kill(_) => Some(EndReason::Killed),
            Self::Unlisted(listed) => listed(remote(key)).err(),
            Self::Chosen(_) => None,
        };
        self.sessions(tables)
            .filter_map(|(key, session)| {
                Some(Ending {
                    key: *key,
                    part: Part::Session(session.id),
                    reason: reason(key)?,
                    identity: session.traffic.created_ns,
                    profile: session.profile,
                })
            })
            .collect()
    }

    /// The sockets to destroy: those of entries, those that were chosen, and no others.
    #[must_use]
    pub fn sockets(&self, tables: &Tables, connections: &[Socket]) -> Vec<Command> {
        let sessions = self.sessions(tables).map(|(key, _)| *key);
        let keys: BTreeSet<FlowKey> = sessions
            .chain(self.flows(tables).map(|(key, _)| *key))
            .chain(self.openings(tables).map(|(key, _)| *key))
            .collect();
        connections
            .iter()
            .filter(|socket| keys.contains(&socket.key()) || self.names(&socket.key()))
            .map(|socket| Command::Destroy(socket.clone()))
            .collect()
    }

    /// What to do with the entries that are left.
    #[must_use]
    pub fn entries(&self, tables: &Tables) -> Vec<Command> {
        let mut commands = Vec::new();
        let kill = self.kills();
        for (key, session) in self.sessions(tables) {
            let session = Box::new(*session);
            commands.push(match kill {
                true => Command::KillSession(*key, session),
                false => Command::RemoveSession(*key, session),
            });
        }
        for (key, flow) in self.flows(tables) {
            commands.push(match kill {
                true => Command::KillFlow(*key, *flow),
                false => Command::RemoveFlow(*key, *flow),
            });
        }
        let openings = self.openings(tables);
        commands.extend(openings.map(|(key, opening)| Command::RemoveOpening(*key, *opening)));
        let takes = |key: &EndpointKey, id| self.takes(id, to_ip(key.address, key.family));
        for (key, pinhole) in &tables.pinholes {
            if takes(key, pinhole.session) {
                commands.push(Command::RemovePinhole(*key));
            }
        }
        for (key, named) in &tables.named {
            if takes(key, named.session) {
                commands.push(Command::RemoveNamed(*key));
            }
        }
        commands
    }
}
