//! Connections that are to end: killed by command, or of clients that are no longer listed.
//!
//! On a host it takes two steps. First the sockets: each peer gets a reset, which the programs let
//! pass while the entries still say nothing against it, and the entries are closed by what the
//! programs see of the sockets. Then, with the tables read again, the entries that are left.

use std::{collections::BTreeSet, net::IpAddr};

use ftp_guard_common::{
    address::{EndpointKey, FlowKey, to_ip},
    session::{Flow, Session},
};

use super::{
    Command, Socket,
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
}

impl Selection<'_> {
    fn takes_client(&self, address: IpAddr) -> bool {
        match self {
            Self::Kill(KillTarget::Session(_)) => false,
            Self::Kill(KillTarget::Clients(prefix)) => prefix.contains(&address),
            Self::Unlisted(listed) => listed(address).is_none(),
        }
    }

    fn takes(&self, id: u64, address: IpAddr) -> bool {
        match self {
            Self::Kill(KillTarget::Session(target)) => id == *target && id != 0,
            _ => self.takes_client(address),
        }
    }

    fn sessions<'t>(&self, tables: &'t Tables) -> impl Iterator<Item = &'t (FlowKey, Session)> {
        tables
            .sessions
            .iter()
            .filter(|(key, session)| self.takes(session.id, remote(key)) && is_live(session))
    }

    fn flows<'t>(&self, tables: &'t Tables) -> impl Iterator<Item = &'t (FlowKey, Flow)> {
        tables.flows.iter().filter(|(key, flow)| {
            !is_outgoing(flow) && self.takes(flow.session, remote(key)) && is_live_flow(flow)
        })
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

    /// The sockets to destroy: those of entries, and no others.
    #[must_use]
    pub fn sockets(&self, tables: &Tables, connections: &[Socket]) -> Vec<Command> {
        let sessions = self.sessions(tables).map(|(key, _)| *key);
        let keys: BTreeSet<FlowKey> = sessions
            .chain(self.flows(tables).map(|(key, _)| *key))
            .collect();
        connections
            .iter()
            .filter(|socket| keys.contains(&socket.key()))
            .map(|socket| Command::Destroy(socket.clone()))
            .collect()
    }

    /// What to do with the entries that are left.
    #[must_use]
    pub fn entries(&self, tables: &Tables) -> Vec<Command> {
        let mut commands = Vec::new();
        let kill = matches!(self, Self::Kill(_));
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
                false => Command::RemoveFlow(*key),
            });
        }
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
