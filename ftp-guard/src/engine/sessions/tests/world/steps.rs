//! Steps as they are carried out, and what the programs do by themselves.

use std::collections::BTreeMap;

use ftp_guard_common::{
    address::{ClientKey, FlowKey},
    limits::Source,
};

use super::World;
use crate::engine::sessions::{Command, Delta, Socket, SourceDelta};

impl World {
    pub fn apply(&mut self, commands: &[Command]) {
        let mut deltas: BTreeMap<ClientKey, Delta> = BTreeMap::new();
        let mut counted: Vec<(FlowKey, SourceDelta)> = Vec::new();
        let mut count = |key: &FlowKey, change: &dyn Fn(&mut SourceDelta)| {
            let mut delta = SourceDelta::default();
            change(&mut delta);
            counted.push((*key, delta));
        };
        for command in commands {
            let client = |key: &FlowKey| key.client_key(self.role.scope(key.server));
            match command {
                Command::InsertSession(key, session) => {
                    assert!(self.sessions.insert(*key, **session).is_none());
                    deltas.entry(client(key)).or_default().add(session);
                    count(key, &|source| source.session(session, 1));
                }
                Command::KillSession(key, session) => {
                    self.sessions.get_mut(key).unwrap().traffic.killed = 1;
                    deltas.entry(client(key)).or_default().subtract(session);
                    count(key, &|source| source.session(session, -1));
                }
                Command::RemoveSession(key, session) => {
                    assert!(self.sessions.remove(key).is_some());
                    deltas.entry(client(key)).or_default().subtract(session);
                    count(key, &|source| source.session(session, -1));
                }
                Command::InsertFlow(key, flow) => {
                    assert!(self.flows.insert(*key, *flow).is_none());
                    count(key, &|source| source.flow(flow, 1));
                }
                Command::KillFlow(key, flow) => {
                    self.flows.get_mut(key).unwrap().traffic.killed = 1;
                    count(key, &|source| source.flow(flow, -1));
                }
                Command::CloseFlow(key, flow, now_ns) => {
                    self.flows.get_mut(key).unwrap().traffic.closed_ns = *now_ns;
                    count(key, &|source| source.flow(flow, -1));
                }
                Command::RemoveFlow(key, flow) => {
                    self.flows.remove(key).unwrap();
                    count(key, &|source| source.flow(flow, -1));
                }
                Command::RemoveOpening(key, opening) => {
                    self.opening.remove(key).unwrap();
                    count(key, &|source| source.opening(opening, -1));
                }
                Command::SetSource(key, seen, source) => {
                    assert_eq!(self.sources.get(key), seen.as_ref());
                    self.sources.insert(*key, *source);
                }
                Command::RemoveSource(key) => {
                    assert_eq!(self.sources.remove(key), Some(Source::default()));
                }
                Command::RemovePinhole(key) => drop(self.pinholes.remove(key).unwrap()),
                Command::RemoveNamed(key) => drop(self.named.remove(key).unwrap()),
                Command::CountClient(key, delta) => self.count_client(key, delta),
                Command::SetListener(key, value) => drop(self.listeners.insert(*key, *value)),
                Command::RemoveListener(key, _) => drop(self.listeners.remove(key).unwrap()),
                Command::ClearPortBits(ports) => self.bits.retain(|port, _| !ports.contains(port)),
                Command::Destroy(socket) => self.destroy(socket),
            }
        }
        for (key, delta) in counted {
            self.count(&key, |source| *source = delta);
        }
        for (key, delta) in deltas {
            self.figure(key, delta);
        }
    }

    /// The socket program closes the entry with the socket.
    fn destroy(&mut self, socket: &Socket) {
        self.destroyed.push(socket.cookie);
        self.sockets.retain(|other| other.cookie != socket.cookie);
        self.closed(&socket.key());
    }

    /// What the socket program does when a socket closes.
    pub fn closed(&mut self, key: &FlowKey) {
        self.forget(key);
        let mut delta = Delta::default();
        let mut source = SourceDelta::default();
        if let Some(session) = self.sessions.get_mut(key)
            && session.traffic.closed_ns == 0
        {
            delta.subtract(session);
            source.session(session, -1);
            session.traffic.closed_ns = self.now_ns;
        }
        if let Some(flow) = self.flows.get_mut(key)
            && flow.traffic.closed_ns == 0
        {
            source.flow(flow, -1);
            flow.traffic.closed_ns = self.now_ns;
            // By FIN or reset, as nearly always.
            flow.traffic.fin_client = 1;
        }
        self.figure(key.client_key(self.role.scope(key.server)), delta);
        self.count(key, |counted| *counted = source);
    }

    /// Keeps the figures of a source as the programs do.
    pub(super) fn count(&mut self, key: &FlowKey, change: impl FnOnce(&mut SourceDelta)) {
        let mut delta = SourceDelta::default();
        change(&mut delta);
        if delta.is_none() {
            return;
        }
        let key = self.rules().source(key);
        let seen = self.sources.get(&key).copied();
        if let Some(Command::SetSource(key, _, source)) = delta.applied(key, seen) {
            self.sources.insert(key, source);
        }
    }
}
