//! Connections that are there and that the tables do not know.

use std::collections::{HashMap, HashSet};

use ftp_guard_common::{
    address::{ClientKey, FlowKey},
    class::PortClass,
    session::{Flow, FlowKind, Session, Tls, Traffic},
};

use super::{
    Command, Socket, TcpState,
    tables::{Listed, Look, Rules, is_live, remote},
};

/// Low bits of a session's number that tell who gave it: a CPU, or the daemon as 0.
const NUMBERED_BY: u32 = 16;

const SECOND_NS: u64 = 1_000_000_000;

/// Numbers for sessions that the daemon adds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    last: u64,
}

impl Numbers {
    /// Stays above all numbers of the tables, and above those of daemons before this one: none adds a
    /// session a second for as long as the system is up.
    pub fn follow(&mut self, look: &Look<'_>) {
        let sessions = look.tables.sessions.iter().map(|(_, session)| session.id);
        let flows = look.tables.flows.iter().map(|(_, flow)| flow.session);
        let highest = sessions.chain(flows).max().unwrap_or(0) >> NUMBERED_BY;
        self.last = self.last.max(highest).max(look.now_ns / SECOND_NS);
    }

    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last << NUMBERED_BY
    }
}

/// Takes connections over.
pub struct Adoption<'a> {
    rules: &'a Rules<'a>,
    look: &'a Look<'a>,
    listed: Listed<'a>,
    /// The newest live session of each client: when it began, and its number.
    newest: HashMap<ClientKey, (u64, u64)>,
    known: HashSet<FlowKey>,
}

impl<'a> Adoption<'a> {
    /// Looks at what the tables know.
    pub fn new(rules: &'a Rules<'a>, look: &'a Look<'a>, listed: Listed<'a>) -> Self {
        let mut newest: HashMap<ClientKey, (u64, u64)> = HashMap::new();
        for (key, session) in &look.tables.sessions {
            if is_live(session) {
                let began = (session.traffic.created_ns, session.id);
                let newest = newest.entry(rules.client(key)).or_default();
                *newest = began.max(*newest);
            }
        }
        let sessions = look.tables.sessions.iter().map(|(key, _)| *key);
        let flows = look.tables.flows.iter().map(|(key, _)| *key);
        Self {
            rules,
            look,
            listed,
            newest,
            known: sessions.chain(flows).collect(),
        }
    }

    /// Whether the tables have the connection.
    pub fn knows(&self, socket: &Socket) -> bool {
        self.known.contains(&socket.key())
    }

    /// The session of a control connection on which the server has spoken, so that the handshake is
    /// proven and the greeting over. One that still waits for the greeting becomes a session by that.
    pub fn session(&mut self, socket: &Socket, numbers: &mut Numbers) -> Option<Command> {
        let carries = socket.state.carries_data() && socket.bytes.is_none_or(|b| b.acked > 0);
        if !carries || self.rules.class(socket.local.port()) != PortClass::Control {
            return None;
        }
        let key = socket.key();
        let permit = (self.listed)(remote(&key)).ok()?;
        let session = Session {
            id: numbers.next(),
            traffic: self.traffic(socket, permit.expires_s),
            profile: permit.profile,
            // Its question may have passed before the guard came.
            passive_asked: 1,
            tls: Tls::Unknown as u8,
            adopted: 1,
            unsynchronised: 1,
            ..Session::default()
        };
        let began = (session.traffic.created_ns, session.id);
        self.newest.insert(self.rules.client(&key), began);
        Some(Command::InsertSession(key, Box::new(session)))
    }

    /// The data connection of a client that has a session.
    pub fn data(&self, socket: &Socket) -> Option<Command> {
        let kind = match self.rules.class(socket.local.port()) {
            PortClass::PassiveData => FlowKind::Passive,
            PortClass::ActiveData => FlowKind::Active,
            PortClass::Control | PortClass::Other => return None,
        };
        let key = socket.key();
        let (_, session) = *self.newest.get(&self.rules.client(&key))?;
        let permit = (self.listed)(remote(&key)).ok()?;
        self.flow(socket, kind, session, permit.expires_s)
    }

    /// The connection that this host has opened itself, from a port that is one of FTP by chance: the
    /// peer has no control connection here, and nothing listens there.
    pub fn outgoing(&self, socket: &Socket) -> Option<Command> {
        let port = socket.local.port();
        let class = self.rules.class(port);
        if !matches!(class, PortClass::PassiveData | PortClass::ActiveData) {
            return None;
        }
        let controls = |other: &Socket| {
            self.rules.class(other.local.port()) == PortClass::Control
                && other.remote.ip() == socket.remote.ip()
        };
        let listens = |other: &Socket| other.local.port() == port;
        if self.look.connections?.iter().any(controls) || self.look.listening?.iter().any(listens) {
            return None;
        }
        self.flow(socket, FlowKind::Outgoing, 0, 0)
    }

    fn flow(
        &self,
        socket: &Socket,
        kind: FlowKind,
        session: u64,
        expires_s: u32,
    ) -> Option<Command> {
        // The last acknowledgements of one that both sides have closed need its entry as well.
        let over = matches!(socket.state, TcpState::SynSent | TcpState::Listen);
        (!over).then(|| {
            let flow = Flow {
                session,
                traffic: self.traffic(socket, expires_s),
                kind: kind as u8,
                established: 1,
                reserved: [0; 6],
            };
            Command::InsertFlow(socket.key(), flow)
        })
    }

    /// The generation of the allowlist stays 0: should the programs be at another, they look for
    /// themselves.
    fn traffic(&self, socket: &Socket, expires_s: u32) -> Traffic {
        let bytes = socket.bytes.unwrap_or_default();
        Traffic {
            created_ns: self.look.now_ns,
            seen_ns: self.look.now_ns,
            bytes_in: bytes.received,
            bytes_out: bytes.acked,
            allow_expires_s: expires_s,
            ..Traffic::default()
        }
    }
}
