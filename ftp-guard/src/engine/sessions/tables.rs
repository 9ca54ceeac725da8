//! What is looked at: the tables, the sockets, the rules.

use std::net::IpAddr;

use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    class::PortClass,
    config::Role,
    limits::{Opening, Source, SourceKey},
    ports::{CLASS_MASK, PortTable},
    session::{Client, Flow, FlowKind, Listener, Named, Pinhole, Session, Tls},
};

use super::{EndReason, Patience, Socket};

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
    /// The figures of sources.
    pub sources: Vec<(SourceKey, Source)>,
    /// Control connections that the server has not greeted.
    pub opening: Vec<(FlowKey, Opening)>,
    /// Listening sockets on passive ports.
    pub listeners: Vec<(ListenKey, Listener)>,
    /// Ports with bits of the programs.
    pub port_bits: Vec<(u16, u8)>,
}

impl Tables {
    /// Whether nothing depends on a connection.
    #[must_use]
    pub fn are_quiet(&self) -> bool {
        self.sessions.is_empty()
            && self.flows.is_empty()
            && self.clients.is_empty()
            && self.opening.is_empty()
    }
}

/// What is configured, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    /// Where the servers are.
    pub role: Role,
    /// Classes of ports.
    pub ports: &'a PortTable,
    /// How long a session may be without a packet.
    pub idle_timeout_ns: u64,
    /// How much of an IPv6 address tells a source.
    pub source_bits_v6: u32,
    /// How long the clients of each profile may take, by its number.
    pub patience: Vec<Patience>,
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

    /// The key of a connection's source.
    #[must_use]
    pub fn source(&self, key: &FlowKey) -> SourceKey {
        SourceKey::of(key.client, key.family, self.source_bits_v6)
    }

    /// How long a client of this profile may take; of one that is not configured (any more), as the
    /// default one.
    #[must_use]
    pub fn patience(&self, profile: u16) -> Patience {
        let own = self.patience.get(usize::from(profile));
        own.or(self.patience.first()).copied().unwrap_or_default()
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

/// What lets a source in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permit {
    /// When its allowlist entry expires, Unix time in seconds; 0: never.
    pub expires_s: u32,
    /// Number of the entry's profile.
    pub profile: u16,
}

/// Whether a source may be here, and if not, why: [`EndReason::Revoked`] or [`EndReason::Banned`].
pub type Listed<'a> = &'a dyn Fn(IpAddr) -> Result<Permit, EndReason>;

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
