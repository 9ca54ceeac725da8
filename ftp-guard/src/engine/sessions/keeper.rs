//! What is remembered from one look to the next.

use std::collections::{BTreeMap, BTreeSet};

use ftp_guard_common::{
    address::FlowKey,
    config::Role,
    session::{Session, Traffic},
};

use super::{
    Command,
    adopt::{Adoption, Numbers},
    clients::{self, Drift},
    end::Selection,
    listeners::Difference,
    reconcile::Reconciliation,
    sources::{self, Resting, SourceDrift},
    tables::{Listed, Look, Rules},
};

/// How long a port's bit stays without anything that needs it.
const UNUSED_BITS_NS: u64 = 10_000_000_000;

/// Keeps the tables true. Asks for a change only when two looks in a row show the same difference,
/// since the programs work on the tables while they are read; except for what time alone decides.
#[derive(Debug, Default)]
pub struct Keeper {
    numbers: Numbers,
    /// Entries whose socket was missing.
    pub(super) missing: BTreeSet<FlowKey>,
    /// Cookies of sockets without an entry.
    unknown: BTreeSet<u64>,
    /// Cookies of control connections that were given up as idle.
    pub(super) dormant: BTreeSet<u64>,
    listeners: Difference,
    drift: Drift,
    source_drift: SourceDrift,
    resting: Resting,
    /// Connections that waited for their greeting and had a session.
    pub(super) greeted: BTreeSet<FlowKey>,
    /// Since when the bits of a port are of no use.
    unused_bits: BTreeMap<u16, u64>,
}

impl Keeper {
    /// Takes over what is there at once: for the moments around the first attachment of the programs.
    pub fn adopt(
        &mut self,
        rules: &Rules<'_>,
        look: &Look<'_>,
        listed: Listed<'_>,
    ) -> Vec<Command> {
        let mut commands = Vec::new();
        if let Some(listening) = look.listening {
            Difference::of(rules, look.tables, listening).taken_over(&mut commands);
        }
        self.numbers.follow(look);
        let mut adoption = Adoption::new(rules, look, listed);
        let unknown: Vec<_> = look
            .connections
            .unwrap_or_default()
            .iter()
            .filter(|socket| !adoption.knows(socket))
            .collect();
        for socket in &unknown {
            commands.extend(adoption.session(socket, &mut self.numbers));
        }
        for socket in unknown {
            commands.extend(adoption.data(socket).or_else(|| adoption.outgoing(socket)));
        }
        commands
    }

    /// Takes over the listeners alone: the ports that count as passive have changed.
    #[must_use]
    pub fn adopt_listeners(rules: &Rules<'_>, look: &Look<'_>) -> Vec<Command> {
        let mut commands = Vec::new();
        if let Some(listening) = look.listening {
            Difference::of(rules, look.tables, listening).taken_over(&mut commands);
        }
        commands
    }

    /// What is due once a second.
    pub fn pass(&mut self, rules: &Rules<'_>, look: &Look<'_>, listed: Listed<'_>) -> Vec<Command> {
        let mut commands = Vec::new();
        Reconciliation::new(rules, look).run(self, &mut commands);
        self.forgotten(rules, look, listed, &mut commands);
        self.expired(look, &mut commands);
        self.port_bits(look, &mut commands);
        if let Some(listening) = look.listening {
            let difference = Difference::of(rules, look.tables, listening);
            difference.confirmed(&self.listeners, &mut commands);
            self.listeners = difference;
        }
        let drift = clients::drift(rules, look.tables);
        clients::correct(&self.drift, &drift, &mut commands);
        self.drift = drift;
        let drift = sources::drift(rules, look.tables);
        sources::correct(&self.source_drift, &drift, &mut commands);
        self.source_drift = drift;
        sources::forget(look.now_ns, look.tables, &mut self.resting, &mut commands);
        commands
    }

    /// What to do with the entries that `selection` takes, once their sockets are destroyed.
    ///
    /// A router keeps a connection before its greeting as a session that is killed: the greeting would
    /// begin one that is not.
    pub fn end(
        &mut self,
        rules: &Rules<'_>,
        look: &Look<'_>,
        selection: &Selection<'_>,
    ) -> Vec<Command> {
        let mut commands = selection.entries(look.tables);
        if rules.role == Role::Router && selection.kills() {
            self.numbers.follow(look);
            for (key, _) in selection.openings(look.tables) {
                let session = killed_session(self.numbers.next(), look.now_ns);
                commands.push(Command::InsertSession(*key, Box::new(session)));
            }
        }
        commands
    }

    /// Live connections without an entry: a table was full, or a program missed something.
    fn forgotten(
        &mut self,
        rules: &Rules<'_>,
        look: &Look<'_>,
        listed: Listed<'_>,
        commands: &mut Vec<Command>,
    ) {
        let Some(connections) = look.connections else {
            return;
        };
        self.numbers.follow(look);
        let mut adoption = Adoption::new(rules, look, listed);
        let unknown: Vec<_> = connections
            .iter()
            .filter(|socket| !adoption.knows(socket) && !self.dormant.contains(&socket.cookie))
            .collect();
        let known = |cookie: &u64| self.unknown.contains(cookie);
        for socket in unknown.iter().filter(|socket| known(&socket.cookie)) {
            commands.extend(adoption.session(socket, &mut self.numbers));
        }
        for socket in unknown.iter().filter(|socket| known(&socket.cookie)) {
            commands.extend(adoption.data(socket));
        }
        let alive: BTreeSet<u64> = connections.iter().map(|socket| socket.cookie).collect();
        self.dormant.retain(|cookie| alive.contains(cookie));
        self.unknown = unknown.iter().map(|socket| socket.cookie).collect();
    }

    fn expired(&self, look: &Look<'_>, commands: &mut Vec<Command>) {
        let pinholes = look.tables.pinholes.iter();
        commands.extend(
            pinholes
                .filter(|(_, pinhole)| pinhole.expires_ns <= look.now_ns)
                .map(|(key, _)| Command::RemovePinhole(*key)),
        );
        let named = look.tables.named.iter();
        commands.extend(
            named
                .filter(|(_, named)| named.expires_ns <= look.now_ns)
                .map(|(key, _)| Command::RemoveNamed(*key)),
        );
    }

    /// Ports that nothing uses any more need no look at their packets.
    fn port_bits(&mut self, look: &Look<'_>, commands: &mut Vec<Command>) {
        let tables = look.tables;
        let flows = tables.flows.iter().map(|(key, _)| key.server_port);
        let pinholes = tables.pinholes.iter().map(|(key, _)| key.port);
        let used: BTreeSet<u16> = flows.chain(pinholes).map(u16::from_be_bytes).collect();
        let unused: BTreeMap<u16, u64> = tables
            .port_bits
            .iter()
            .filter(|(port, _)| !used.contains(port))
            .map(|(port, _)| (*port, *self.unused_bits.get(port).unwrap_or(&look.now_ns)))
            .collect();
        let due: Vec<u16> = unused
            .iter()
            .filter(|(_, since)| look.now_ns.saturating_sub(**since) >= UNUSED_BITS_NS)
            .map(|(port, _)| *port)
            .collect();
        if !due.is_empty() {
            commands.push(Command::ClearPortBits(due));
        }
        self.unused_bits = unused;
    }
}

fn killed_session(id: u64, now_ns: u64) -> Session {
    Session {
        id,
        traffic: Traffic {
            created_ns: now_ns,
            seen_ns: now_ns,
            killed: 1,
            ..Traffic::default()
        },
        unsynchronised: 1,
        ..Session::default()
    }
}
