//! A host in memory: tables, sockets, the time, and commands that are carried out.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    class::PortClass,
    config::Role,
    ports::{PORTS, PortTable},
    session::{Client, Flow, FlowKind, Listener, Named, Pinhole, Session, Tls, Traffic},
};

use crate::engine::sessions::{
    Command, Delta, Keeper, Look, Rules, Selection, Socket, Tables, TcpBytes, TcpState,
};

pub const SECOND: u64 = 1_000_000_000;
pub const IDLE_NS: u64 = 7200 * SECOND;
pub const SERVER: &str = "192.0.2.1";

pub struct World {
    pub now_ns: u64,
    pub role: Role,
    ports: Box<PortTable>,
    pub listed: Vec<IpAddr>,
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
        key
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
        key
    }

    pub fn pinhole(&mut self, port: u16, remote: &str, session: u64, seconds: u64) {
        let pinhole = Pinhole {
            session,
            created_ns: self.now_ns,
            expires_ns: self.now_ns + seconds * SECOND,
            control: key(21, remote),
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
            listeners: copied(&self.listeners),
            port_bits: copied(&self.bits),
        }
    }

    /// What the keeper wants at this moment, by `ask`.
    fn ask(
        &mut self,
        ask: impl FnOnce(
            &mut Keeper,
            &Rules<'_>,
            &Look<'_>,
            &dyn Fn(IpAddr) -> Option<u32>,
        ) -> Vec<Command>,
    ) -> Vec<Command> {
        let mut keeper = std::mem::take(&mut self.keeper);
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
        let listed = |address: IpAddr| self.listed.contains(&address).then_some(0);
        let commands = ask(&mut keeper, &self.rules(), &look, &listed);
        self.keeper = keeper;
        commands
    }

    /// Adopts, and does what was asked for.
    pub fn adopt(&mut self) -> Vec<Command> {
        let commands = self.ask(|keeper, rules, look, listed| keeper.adopt(rules, look, listed));
        self.apply(&commands);
        commands
    }

    /// One pass a second later, and what it asks for.
    pub fn pass(&mut self) -> Vec<Command> {
        self.now_ns += SECOND;
        let commands = self.ask(|keeper, rules, look, listed| keeper.pass(rules, look, listed));
        self.apply(&commands);
        commands
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
        let commands = selection.entries(&self.tables());
        self.apply(&commands);
    }

    pub fn apply(&mut self, commands: &[Command]) {
        let mut deltas: BTreeMap<ClientKey, Delta> = BTreeMap::new();
        for command in commands {
            let client = |key: &FlowKey| key.client_key(self.role.scope(key.server));
            match command {
                Command::InsertSession(key, session) => {
                    assert!(self.sessions.insert(*key, **session).is_none());
                    deltas.entry(client(key)).or_default().add(session);
                }
                Command::KillSession(key, session) => {
                    self.sessions.get_mut(key).unwrap().traffic.killed = 1;
                    deltas.entry(client(key)).or_default().subtract(session);
                }
                Command::RemoveSession(key, session) => {
                    assert!(self.sessions.remove(key).is_some());
                    deltas.entry(client(key)).or_default().subtract(session);
                }
                Command::InsertFlow(key, flow) => {
                    assert!(self.flows.insert(*key, *flow).is_none());
                }
                Command::KillFlow(key, _) => self.flows.get_mut(key).unwrap().traffic.killed = 1,
                Command::RemoveFlow(key) => drop(self.flows.remove(key).unwrap()),
                Command::RemovePinhole(key) => drop(self.pinholes.remove(key).unwrap()),
                Command::RemoveNamed(key) => drop(self.named.remove(key).unwrap()),
                Command::SetClient(key, client) => drop(self.clients.insert(*key, *client)),
                Command::RemoveClient(key) => drop(self.clients.remove(key)),
                Command::SetListener(key, value) => drop(self.listeners.insert(*key, *value)),
                Command::RemoveListener(key) => drop(self.listeners.remove(key).unwrap()),
                Command::ClearPortBits(ports) => self.bits.retain(|port, _| !ports.contains(port)),
                Command::Destroy(socket) => self.destroy(socket),
            }
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
        let mut delta = Delta::default();
        if let Some(session) = self.sessions.get_mut(key)
            && session.traffic.closed_ns == 0
        {
            delta.subtract(session);
            session.traffic.closed_ns = self.now_ns;
        }
        if let Some(flow) = self.flows.get_mut(key)
            && flow.traffic.closed_ns == 0
        {
            flow.traffic.closed_ns = self.now_ns;
            // By FIN or reset, as nearly always.
            flow.traffic.fin_client = 1;
        }
        self.figure(key.client_key(self.role.scope(key.server)), delta);
    }

    fn figure(&mut self, key: ClientKey, delta: Delta) {
        if delta.is_none() {
            return;
        }
        match delta.applied(key, self.clients.get(&key).copied()) {
            Command::SetClient(key, client) => drop(self.clients.insert(key, client)),
            _ => drop(self.clients.remove(&key)),
        }
    }
}

pub fn key(port: u16, remote: &str) -> FlowKey {
    let local = SocketAddr::new(SERVER.parse().unwrap(), port);
    FlowKey::new(remote.parse().unwrap(), local)
}
