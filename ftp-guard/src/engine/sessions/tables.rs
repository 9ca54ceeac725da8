//! What is looked at: the tables, the sockets, the rules.

use std::net::IpAddr;

use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    class::PortClass,
    config::Role,
    ports::{CLASS_MASK, PortTable},
    session::{Client, Flow, FlowKind, Listener, Named, Pinhole, Session, Tls},
};

use super::Socket;

/// The state tables at one moment.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Sessions.
    pub sessions: Vec<(FlowKey, Session)>,
    /// Data connections.
    pub flows: Vec<(FlowKey, Flow)>,
    /// Pinholes.
    pub pinholes: Vec<(EndpointKey, Pinhole)>,
    /// Named destinations.
    pub named: Vec<(EndpointKey, Named)>,
    /// The figures of clients.
    pub clients: Vec<(ClientKey, Client)>,
    /// Listening sockets on passive ports.
    pub listeners: Vec<(ListenKey, Listener)>,
    /// Ports with bits of the programs.
    pub port_bits: Vec<(u16, u8)>,
}

impl Tables {
    /// Whether nothing depends on a connection.
    #[must_use]
    pub fn are_quiet(&self) -> bool {
        self.sessions.is_empty() && self.flows.is_empty() && self.clients.is_empty()
    }
}

/// What is configured, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Where the servers are.
    pub role: Role,
    /// Classes of ports.
    pub ports: &'a PortTable,
    /// How long a session may be without a packet.
    pub idle_timeout_ns: u64,
}

impl Rules<'_> {
    /// The class of a port.
    #[must_use]
    pub fn class(&self, port: u16) -> PortClass {
        PortClass::from_number(self.ports[usize::from(port)] & CLASS_MASK)
    }

    /// The key of a connection's client.
    #[must_use]
    pub fn client(&self, key: &FlowKey) -> ClientKey {
        key.client_key(self.role.scope(key.server))
    }
}

/// All that one pass looks at.
///
/// The time is taken first, then the tables are read, then the sockets: what is in the tables and
/// has no socket has ended, or is about to tell so itself.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// CLOCK_MONOTONIC.
    pub now_ns: u64,
    /// The tables.
    pub tables: &'a Tables,
    /// The connections of this host on ports of an FTP class and on those of the tables; `None`: on a
    /// router, or not looked at this time.
    pub connections: Option<&'a [Socket]>,
    /// The sockets of this host that listen on passive ports; `None` as above.
    pub listening: Option<&'a [Socket]>,
}

/// When the allowlist entry that lets a source in expires (Unix time in seconds, 0: never); `None`: it
/// is not let in.
pub type Listed<'a> = &'a dyn Fn(IpAddr) -> Option<u32>;

/// Whether a session lives, so that it counts among those of its client.
pub fn is_live(session: &Session) -> bool {
    session.traffic.closed_ns == 0 && session.traffic.killed == 0
}

/// Whether a data connection lives.
pub fn is_live_flow(flow: &Flow) -> bool {
    flow.traffic.closed_ns == 0 && flow.traffic.killed == 0
}

/// Whether a session counts among the encrypted ones of its client.
pub fn is_encrypted(session: &Session) -> bool {
    Tls::from_number(session.tls) != Tls::Clear
}

/// Whether a connection is the host's own, which no session and no allowlist concerns.
pub fn is_outgoing(flow: &Flow) -> bool {
    FlowKind::from_number(flow.kind) == Some(FlowKind::Outgoing)
}

/// The address of a key's remote end.
pub fn remote(key: &FlowKey) -> IpAddr {
    key.client().ip()
}
