//! A host in memory: tables, sockets, the time, and commands that are carried out.

mod steps;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    class::PortClass,
    config::Role,
    limits::{Opening, Source, SourceKey},
    ports::{PORTS, PortTable},
    session::{Client, Flow, FlowKind, Listener, Named, Pinhole, Session, Tls, Traffic},
};

use crate::engine::sessions::{
    Chosen, Command, Delta, EndReason, Ending, Keeper, Look, Overdue, Patience, Permit, Rules,
    Selection, Socket, Tables, TcpBytes, TcpState,
};

pub const SECOND: u64 = 1_000_000_000;
pub const IDLE_NS: u64 = 7200 * SECOND;
/// IPv6 sources are of this length.
pub const SOURCE_BITS: u32 = 64;
pub const SERVER: &str = "192.0.2.1";

pub struct World {
    pub now_ns: u64,
    pub role: Role,
    ports: Box<PortTable>,
    pub listed: Vec<IpAddr>,
    /// Profile of the clients whose address ends in an even number; the others have profile 0.
    pub even: u16,
    pub patience: Vec<Patience>,
    pub sources: BTreeMap<SourceKey, Source>,
    pub opening: BTreeMap<FlowKey, Opening>,
    pub overdue: Overdue,
    pub sessions: BTreeMap<FlowKey, Session>,
    pub flows: BTreeMap<FlowKey, Flow>,
    pub pinholes: BTreeMap<EndpointKey, Pinhole>,
    pub named: BTreeMap<EndpointKey, Named>,
    pub clients: BTreeMap<ClientKey, Client>,
    pub listeners: BTreeMap<ListenKey, Listener>,
    pub bits: BTreeMap<u16, u8>,
    pub sockets: Vec<Socket>,
    /// Cookies of sockets that were destroyed.
    pub destroyed: Vec<u64>,
    pub keeper: Keeper,
    cookies: u64,
}

impl World {
    /// Ports 21 (control), 20 (active data) and 50000-50009 (passive data); 198.51.100.1 to .9 are
    /// listed.
    pub fn new(role: Role) -> Self {
        let mut ports = Box::new([0; PORTS]);
        ports[21] = PortClass::Control as u8;
        ports[20] = PortClass::ActiveData as u8;
        ports[50000..50010].fill(PortClass::PassiveData as u8);
        Self {
            now_ns: 1000 * SECOND,
            role,
            ports,
            listed: (1..10)
                .map(|last| IpAddr::from([198, 51, 100, last]))
                .collect(),
            even: 0,
            patience: Vec::new(),
            sources: BTreeMap::new(),
            opening: BTreeMap::new(),
            overdue: Overdue::default(),
            sessions: BTreeMap::new(),
            flows: BTreeMap::new(),
            pinholes: BTreeMap::new(),
            named: BTreeMap::new(),
            clients: BTreeMap::new(),
            listeners: BTreeMap::new(),
            bits: BTreeMap::new(),
            sockets: Vec::new(),
            destroyed: Vec::new(),
            keeper: Keeper::default(),
            cookies: 0,
        }
    }

    pub fn host() -> Self {
        Self::new(Role::Host)
    }

    pub fn router() -> Self {
        Self::new(Role::Router)
    }

    /// Opens a socket between `SERVER:port` and `remote`, on which both sides have spoken.
    pub fn socket(&mut self, port: u16, remote: &str) -> &mut Socket {
        self.cookies += 1;
        self.sockets.push(Socket {
            local: SocketAddr::new(SERVER.parse().unwrap(), port),
            remote: remote.parse().unwrap(),
            state: TcpState::Established,
            cookie: self.cookies,
            interface: 0,
            v6_only: false,
            bytes: Some(TcpBytes {
                received: 30,
                acked: 200,
            }),
        });
        self.sockets.last_mut().unwrap()
    }

    pub fn listener(&mut self, local: &str) -> &mut Socket {
        let socket = self.socket(0, "0.0.0.0:0");
        socket.local = local.parse().unwrap();
        socket.state = TcpState::Listen;
        socket
    }

    pub fn close(&mut self, port: u16, remote: &str) {
        let key = key(port, remote);
        self.sockets.retain(|socket| socket.key() != key);
    }

    /// Adds a session as the programs do; a number of 0 takes the next one.
    pub fn session(&mut self, id: u64, remote: &str, tls: Tls) -> FlowKey {
        let key = key(21, remote);
        let session = Session {
            id,
            traffic: self.traffic(),
            tls: tls as u8,
            ..Session::default()
        };
        self.sessions.insert(key, session);
        let mut delta = Delta::default();
        delta.add(&session);
        self.figure(self.client(remote), delta);
        self.count(&key, |source| source.session(&session, 1));
        key
    }

    /// Proves a handshake, as the programs do.
    pub fn open(&mut self, remote: &str) -> FlowKey {
        let key = key(21, remote);
        let opening = Opening {
            since_ns: self.now_ns,
            ..Opening::default()
        };
        if self.opening.insert(key, opening).is_none() {
            self.count(&key, |source| source.opening(&opening, 1));
        }
        key
    }

    /// The server greets: the programs begin a session.
    pub fn greet(&mut self, id: u64, remote: &str) -> FlowKey {
        self.forget(&key(21, remote));
        self.session(id, remote, Tls::Clear)
    }

    fn forget(&mut self, key: &FlowKey) {
        if let Some(opening) = self.opening.remove(key) {
            self.count(key, |source| source.opening(&opening, -1));
        }
    }

    pub fn flow(&mut self, port: u16, remote: &str, kind: FlowKind, session: u64) -> FlowKey {
        let key = key(port, remote);
        let flow = Flow {
            session,
            traffic: self.traffic(),
            kind: kind as u8,
            established: 1,
            reserved: [0; 6],
        };
        self.flows.insert(key, flow);
        self.count(&key, |source| source.flow(&flow, 1));
        key
    }

    pub fn pinhole(&mut self, port: u16, remote: &str, session: u64, seconds: u64) {
        let pinhole = Pinhole {
            session,
            created_ns: self.now_ns,
            expires_ns: self.now_ns + seconds * SECOND,
            control: key(21, remote),
            ..Pinhole::default()
        };
        self.pinholes.insert(self.endpoint(port, remote), pinhole);
    }

    pub fn named(&mut self, port: u16, remote: &str, session: u64, seconds: u64) {
        let named = Named {
            session,
            expires_ns: self.now_ns + seconds * SECOND,
            ..Named::default()
        };
        self.named.insert(self.endpoint(port, remote), named);
    }

    fn endpoint(&self, port: u16, remote: &str) -> EndpointKey {
        let key = key(port, remote);
        key.pinhole_key(self.role.scope(key.server))
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            created_ns: self.now_ns,
            seen_ns: self.now_ns,
            ..Traffic::default()
        }
    }

    pub fn client(&self, remote: &str) -> ClientKey {
        let key = key(21, remote);
        key.client_key(self.role.scope(key.server))
    }

    /// Live sessions of a client and the encrypted ones of them, as its figures say.
    pub fn figures(&self, remote: &str) -> (u32, u32) {
        let client = self.clients.get(&self.client(remote));
        client.map_or((0, 0), |client| (client.sessions, client.encrypted))
    }

    pub fn rules(&self) -> Rules<'_> {
        Rules {
            role: self.role,
            ports: &self.ports,
            idle_timeout_ns: IDLE_NS,
            source_bits_v6: SOURCE_BITS,
            patience: self.patience.clone(),
        }
    }

    pub fn tables(&self) -> Tables {
        fn copied<K: Copy, V: Copy>(table: &BTreeMap<K, V>) -> Vec<(K, V)> {
            table.iter().map(|(key, value)| (*key, *value)).collect()
        }
        Tables {
            sessions: copied(&self.sessions),
            flows: copied(&self.flows),
            pinholes: copied(&self.pinholes),
            named: copied(&self.named),
            clients: copied(&self.clients),
            sources: copied(&self.sources),
            opening: copied(&self.opening),
            listeners: copied(&self.listeners),
            port_bits: copied(&self.bits),
        }
    }

    /// What the keeper wants at this moment, by `ask`.
    fn ask<T>(
        &mut self,
        ask: impl FnOnce(
            &mut Keeper,
            &mut Overdue,
            &Rules<'_>,
            &Look<'_>,
            &dyn Fn(IpAddr) -> Result<Permit, EndReason>,
        ) -> T,
    ) -> T {
        let mut keeper = std::mem::take(&mut self.keeper);
        let mut overdue = std::mem::take(&mut self.overdue);
        let tables = self.tables();
        let (listening, connections): (Vec<_>, Vec<_>) = self
            .sockets
            .iter()
            .cloned()
            .partition(|socket| socket.state == TcpState::Listen);
        let host = self.role == Role::Host;
        let look = Look {
            now_ns: self.now_ns,
            tables: &tables,
            connections: host.then_some(&connections),
            listening: host.then_some(&listening),
        };
        let listed = |address: IpAddr| match self.listed.contains(&address) {
            true => Ok(self.permit(address)),
            false => Err(EndReason::Revoked),
        };
        let answer = ask(&mut keeper, &mut overdue, &self.rules(), &look, &listed);
        self.keeper = keeper;
        self.overdue = overdue;
        answer
    }

    fn permit(&self, address: IpAddr) -> Permit {
        let even = matches!(address, IpAddr::V4(v4) if v4.octets()[3].is_multiple_of(2));
        Permit {
            expires_s: 0,
            profile: if even { self.even } else { 0 },
        }
    }

    /// Adopts, and does what was asked for.
    pub fn adopt(&mut self) -> Vec<Command> {
        let commands = self.ask(|keeper, _, rules, look, listed| keeper.adopt(rules, look, listed));
        self.apply(&commands);
        commands
    }

    /// One pass a second later, and what it asks for.
    pub fn pass(&mut self) -> Vec<Command> {
        self.now_ns += SECOND;
        let commands = self.ask(|keeper, _, rules, look, listed| keeper.pass(rules, look, listed));
        self.apply(&commands);
        commands
    }

    /// What is overdue at this moment.
    pub fn overdue(&mut self) -> Vec<Ending> {
        self.ask(|_, overdue, rules, look, listed| overdue.look(rules, look, listed))
    }

    /// A pass a second later, behind which what is overdue is ended.
    pub fn patrol(&mut self) -> Vec<Ending> {
        self.pass();
        let endings = self.overdue();
        let chosen = Chosen::of(&endings);
        self.end(&Selection::Chosen(&chosen));
        endings
    }

    /// So many of them: what was ended, by the second.
    pub fn patrols(&mut self, number: u64) -> Vec<(u64, Ending)> {
        let ended = (1..=number).map(|second| self.patrol().into_iter().map(move |e| (second, e)));
        ended.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    pub fn passes(&mut self, number: u64) -> Vec<Command> {
        (0..number).flat_map(|_| self.pass()).collect()
    }

    /// Ends what `selection` takes, as the daemon does: the sockets, then the entries that are left.
    pub fn end(&mut self, selection: &Selection<'_>) {
        if self.role == Role::Host {
            let commands = selection.sockets(&self.tables(), &self.sockets);
            self.apply(&commands);
        }
        let commands = self.ask(|keeper, _, rules, look, _| keeper.end(rules, look, selection));
        self.apply(&commands);
    }

    pub fn source_key(&self, remote: &str) -> SourceKey {
        self.rules().source(&key(21, remote))
    }

    /// Sessions, connections before their greeting and data connections of a source, as its figures say.
    pub fn source(&self, remote: &str) -> (u32, u32, u32) {
        let source = self.sources.get(&self.source_key(remote));
        source.map_or((0, 0, 0), |s| (s.sessions, s.opening, s.data))
    }

    fn figure(&mut self, key: ClientKey, delta: Delta) {
        if delta.is_none() {
            return;
        }
        self.count_client(&key, &delta);
    }

    pub(super) fn count_client(&mut self, key: &ClientKey, delta: &Delta) {
        match delta.applied(self.clients.get(key).copied(), self.now_ns) {
            Some(client) => drop(self.clients.insert(*key, client)),
            None => drop(self.clients.remove(key)),
        }
    }
}

pub fn key(port: u16, remote: &str) -> FlowKey {
    let local = SocketAddr::new(SERVER.parse().unwrap(), port);
    FlowKey::new(remote.parse().unwrap(), local)
}
