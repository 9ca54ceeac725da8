//! What there is to look at.

use std::ops::RangeInclusive;

use ftp_guard_common::{class::PortClass, config::Role};

use crate::{
    control::protocol::Failure,
    daemon::kernel::Kernel,
    engine::sessions::{Look, Rules, Socket, Tables, TcpState},
    sockets::Query,
};

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The tables.
    Tables,
    /// The tables and the listening sockets.
    Listeners,
    /// As well the connections, if the tables hold any.
    WhereNeeded,
    /// Everything.
    All,
}

/// States in which a connection is one. SYN_RECV is none yet; sockets in TIME_WAIT are none any more.
const CONNECTIONS: [TcpState; 7] = [
    TcpState::Established,
    TcpState::SynSent,
    TcpState::FinWait1,
    TcpState::FinWait2,
    TcpState::CloseWait,
    TcpState::LastAck,
    TcpState::Closing,
];

/// A look at tables and sockets.
#[derive(Debug)]
pub struct Scene {
    /// CLOCK_MONOTONIC before the look.
    pub now_ns: u64,
    /// The tables.
    pub tables: Tables,
    connections: Option<Vec<Socket>>,
    listening: Option<Vec<Socket>>,
}

impl Scene {
    /// Looks.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn read<K: Kernel>(kernel: &K, rules: &Rules<'_>, depth: Depth) -> Result<Self, Failure> {
        let now_ns = kernel.now_ns();
        let tables = Tables {
            sessions: kernel.sessions()?,
            flows: kernel.flows()?,
            pinholes: kernel.pinholes()?,
            named: kernel.named()?,
            clients: kernel.clients()?,
            sources: kernel.sources()?,
            opening: kernel.opening()?,
            listeners: kernel.listeners()?,
            port_bits: kernel.port_bits()?,
        };
        let host = rules.role == Role::Host;
        let connections = match depth {
            Depth::Tables | Depth::Listeners => false,
            Depth::WhereNeeded => !tables.are_quiet(),
            Depth::All => true,
        };
        let listening = depth != Depth::Tables;
        Ok(Self {
            connections: (host && connections)
                .then(|| dump(kernel, &CONNECTIONS, connection_ports(rules, &tables)))
                .transpose()?,
            listening: (host && listening)
                .then(|| {
                    dump(
                        kernel,
                        &[TcpState::Listen],
                        ranges(|port| rules.class(port) == PortClass::PassiveData),
                    )
                })
                .transpose()?,
            now_ns,
            tables,
        })
    }

    /// As the engine takes it.
    pub fn look(&self) -> Look<'_> {
        Look {
            now_ns: self.now_ns,
            tables: &self.tables,
            connections: self.connections.as_deref(),
            listening: self.listening.as_deref(),
        }
    }

    /// The connections that were looked at.
    pub fn connections(&self) -> &[Socket] {
        self.connections.as_deref().unwrap_or_default()
    }
}

fn dump<K: Kernel>(
    kernel: &K,
    states: &[TcpState],
    ports: Vec<RangeInclusive<u16>>,
) -> Result<Vec<Socket>, Failure> {
    let query = Query {
        states: states.to_vec(),
        ports,
        bytes: true,
    };
    kernel
        .sockets(&query)
        .map_err(|error| Failure::failed(format!("cannot list this host's sockets: {error}")))
}

/// The ports of FTP classes, and those that data connections of the tables use: active ones come from
/// any port.
fn connection_ports(rules: &Rules<'_>, tables: &Tables) -> Vec<RangeInclusive<u16>> {
    let mut ports = ranges(|port| rules.class(port) != PortClass::Other);
    let sessions = tables.sessions.iter().map(|(key, _)| key.server_port);
    let flows = tables.flows.iter().map(|(key, _)| key.server_port);
    for port in sessions.chain(flows).map(u16::from_be_bytes) {
        if rules.class(port) == PortClass::Other {
            ports.push(port..=port);
        }
    }
    ports
}

fn ranges(holds: impl Fn(u16) -> bool) -> Vec<RangeInclusive<u16>> {
    let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
    for port in (0..=u16::MAX).filter(|port| holds(*port)) {
        match ranges.last_mut() {
            Some(last) if u32::from(*last.end()) + 1 == u32::from(port) => {
                *last = *last.start()..=port;
            }
            _ => ranges.push(port..=port),
        }
    }
    ranges
}
