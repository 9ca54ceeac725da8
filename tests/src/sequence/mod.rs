//! The rules for sessions, data connections and what is negotiated once more, as plain code over plain
//! tables: what the three programs must do with a sequence of segments.
//!
//! It is written from the rules alone. All that expires or lingers is said to it, it has no clock.

mod egress;
mod ingress;
mod sources;
mod tables;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{
    class::PortClass,
    config::Role,
    reason::Reason,
    session::{FlowKind, Tls},
};

pub use self::{
    sources::{Limits, source},
    tables::compare,
    world::{Event, World},
};

/// The ends of a connection: the client's and the server's.
pub type Ends = (SocketAddr, SocketAddr);

/// A well-formed segment of such a connection.
#[derive(Clone, Debug)]
pub struct Step {
    /// The connection.
    pub ends: Ends,
    /// Who sends it.
    pub from_client: bool,
    /// Its flags.
    pub flags: TcpFlags,
    /// Its sequence number.
    pub sequence: u32,
    /// Its acknowledgement number.
    pub acknowledgement: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Step {
    fn is_syn(&self) -> bool {
        self.flags.contains(TcpFlags::SYN) && !self.flags.contains(TcpFlags::ACK)
    }
}

/// What a connection has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// FIN of the client, FIN of the server.
    pub fins: (bool, bool),
    /// It has ended and lingers.
    pub is_closed: bool,
    /// `kill` has ended it.
    pub is_killed: bool,
    /// Segments and payload from the client.
    pub received: (u64, u64),
    /// What the server has acknowledged last.
    pub acknowledged: u32,
    /// Which allowlist and bans it has passed.
    pub generation: u32,
}

impl Life {
    /// Takes note of a segment that has passed; whether it ended the connection.
    fn note(&mut self, step: &Step, role: Role) -> bool {
        let is_fin = step.flags.contains(TcpFlags::FIN);
        let is_reset = step.flags.contains(TcpFlags::RST);
        if step.from_client {
            self.received.0 += 1;
            self.received.1 += step.payload.len() as u64;
            self.fins.0 |= is_fin;
        } else {
            self.fins.1 |= is_fin;
            if step.flags.contains(TcpFlags::ACK) {
                self.acknowledged = step.acknowledgement;
            }
        }
        // The server takes a reset of its client for that number only (RFC 5961).
        let is_end = self.fins == (true, true)
            || is_reset && (!step.from_client || step.sequence == self.acknowledged);
        let ends = role == Role::Router && is_end && !self.is_closed;
        self.is_closed |= ends;
        ends
    }
}

/// A control connection that the server has greeted.
#[derive(Clone, Debug)]
pub struct Session {
    /// Common to all connections.
    pub life: Life,
    /// Whether it is encrypted.
    pub tls: Tls,
    /// All that was read of each side, as long as it is clear text.
    texts: (Vec<u8>, Vec<u8>),
    /// The next byte of the server, and of the client.
    pub next: (u32, u32),
    /// Commands, and final replies.
    pub counts: (usize, usize),
    /// Questions for a passive port, and answers.
    pub passive: (usize, usize),
    auth_asked: bool,
    /// The last named destination, and the number of its command.
    named: Option<(SocketAddr, usize)>,
    /// Segments of the client that counted to their rate.
    rated: u64,
    /// A command was refused, and it is over.
    pub is_refused: bool,
}

/// A data connection.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// Common to all connections.
    pub life: Life,
    /// What it is.
    pub kind: FlowKind,
    /// The handshake is proven.
    pub is_established: bool,
}

/// Everything that the programs know.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Where the servers are.
    pub role: Role,
    /// Who is listed.
    pub listed: BTreeSet<IpAddr>,
    /// Who is banned.
    pub banned: BTreeSet<IpAddr>,
    /// Raised with each change of the bans.
    pub generation: u32,
    /// What sources may.
    pub limits: Limits,
    /// Whether DELE and SITE EXEC are refused.
    pub denies: bool,
    /// The number that is to end a connection's handshake.
    pub expected: BTreeMap<Ends, u32>,
    /// Control connections before their greeting, and how many segments counted to the rate of each.
    pub openings: BTreeMap<Ends, u64>,
    /// Sessions by their ends.
    pub sessions: BTreeMap<Ends, Session>,
    /// Data connections by their ends.
    pub flows: BTreeMap<Ends, Flow>,
    /// Pinholes by client and server, with the control connection.
    pub pinholes: BTreeMap<(IpAddr, SocketAddr), Ends>,
    /// What clients have sent by pinholes behind a handshake's end: segments and payload.
    pub early: BTreeMap<(IpAddr, SocketAddr), (u64, u64)>,
    /// Ports that anyone has negotiated.
    pub negotiated: BTreeSet<u16>,
    /// Named destinations by server and destination.
    pub named: BTreeMap<(IpAddr, SocketAddr), Reason>,
    /// Ports that listen for long enough.
    pub listening: BTreeSet<SocketAddr>,
    /// Ports of class Other from which active data connections were opened.
    pub active_ports: BTreeSet<u16>,
}

impl Tables {
    /// Empty ones.
    #[must_use]
    pub fn new(role: Role, listed: BTreeSet<IpAddr>) -> Self {
        Self {
            role,
            listed,
            banned: BTreeSet::new(),
            generation: 0,
            limits: Limits::default(),
            denies: false,
            expected: BTreeMap::new(),
            openings: BTreeMap::new(),
            sessions: BTreeMap::new(),
            flows: BTreeMap::new(),
            pinholes: BTreeMap::new(),
            early: BTreeMap::new(),
            negotiated: BTreeSet::new(),
            named: BTreeMap::new(),
            listening: BTreeSet::new(),
            active_ports: BTreeSet::new(),
        }
    }

    /// The server's address as keys have it: a host's addresses are all its own.
    fn scope(&self, server: IpAddr) -> IpAddr {
        match (self.role, server) {
            (Role::Router, _) => server,
            (Role::Host, IpAddr::V4(_)) => IpAddr::from([0; 4]),
            (Role::Host, IpAddr::V6(_)) => IpAddr::from([0; 16]),
        }
    }

    fn pinhole_key(&self, ends: Ends, port: u16) -> (IpAddr, SocketAddr) {
        (ends.0.ip(), SocketAddr::new(self.scope(ends.1.ip()), port))
    }

    fn named_key(&self, server: IpAddr, destination: SocketAddr) -> (IpAddr, SocketAddr) {
        (self.scope(server), destination)
    }

    /// The live sessions of a client with a server, and the encrypted ones of them.
    #[must_use]
    pub fn client(&self, client: IpAddr, server: IpAddr) -> (u32, u32) {
        let live = self.sessions.iter().filter(|(ends, session)| {
            let is_theirs = ends.0.ip() == client && self.scope(ends.1.ip()) == self.scope(server);
            is_theirs && !session.life.is_closed
        });
        live.fold((0, 0), |(all, encrypted), (_, session)| {
            (all + 1, encrypted + u32::from(session.tls != Tls::Clear))
        })
    }

    /// Whether a passive port is open to a client that speaks TLS.
    fn listens(&self, ends: Ends) -> bool {
        let (_, encrypted) = self.client(ends.0.ip(), ends.1.ip());
        encrypted > 0 && (self.role == Role::Router || self.listening.contains(&ends.1))
    }
}

/// The classes of [`Policy::new`](crate::policy::Policy::new).
#[must_use]
pub fn class(port: u16) -> PortClass {
    match port {
        21 | 990 => PortClass::Control,
        20 | 989 => PortClass::ActiveData,
        50_000..=50_100 => PortClass::PassiveData,
        _ => PortClass::Other,
    }
}

/// Why a program did what it did, and the class that it counted.
pub type Judged = (Reason, PortClass);
