//! Random clients and servers.

mod dialog;

use std::{
    collections::{BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
};

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::config::Role;
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

use super::{Ends, Step};
use crate::conversation::{Conversation, DATA, FIN_ACK, RST_ACK, SYN_ACK};

/// Chances in a hundred that a segment is sent twice, and that its second half comes first.
const TWICE: u32 = 6;
const EARLY: u32 = 6;

/// What happens next.
#[derive(Clone, Debug)]
pub enum Event {
    /// A segment, and the frame of it.
    Segment(Step, Vec<u8>),
    /// On a host: the kernel has a socket for a passive connection.
    Established(Ends),
    /// On a host: a socket is closed.
    Closed(Ends),
    /// `kill` on a connection.
    Killed(Ends),
    /// The bans change: this address is banned from now on, or not any more.
    Banned(IpAddr, bool),
}

enum Kind {
    Control { is_tls: bool, is_over: bool },
    Data,
}

/// A connection, and what will be sent on it.
struct Line {
    conversation: Conversation,
    kind: Kind,
    queue: VecDeque<Next>,
}

enum Next {
    Send(bool, TcpFlags, Vec<u8>),
    Established,
    Closed,
    Killed,
    /// Somebody opens a data connection.
    Data(Line),
}

/// Some clients and two servers.
pub struct World {
    role: Role,
    listed: Vec<IpAddr>,
    everybody: Vec<IpAddr>,
    lines: Vec<Line>,
    next_port: u16,
    /// Whether bans come and go.
    pub has_bans: bool,
}

impl World {
    /// Nobody has said anything.
    #[must_use]
    pub fn new(role: Role) -> Self {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let listed: Vec<_> = ["198.51.100.7", "198.51.100.8", "2001:db8:1::7"]
            .map(address)
            .to_vec();
        let mut everybody = listed.clone();
        everybody.extend(["203.0.113.7", "2001:db8:2::7"].map(address));
        Self {
            role,
            listed,
            everybody,
            lines: Vec::new(),
            next_port: 40_000,
            has_bans: false,
        }
    }

    /// Who is listed.
    #[must_use]
    pub fn listed(&self) -> BTreeSet<IpAddr> {
        self.listed.iter().copied().collect()
    }

    /// The passive ports that listen, of each server.
    #[must_use]
    pub fn listening(&self) -> Vec<SocketAddr> {
        let servers = [
            server_of(self.listed[0], 1),
            server_of(self.listed[0], 2),
            server_of(self.listed[2], 1),
        ];
        let ports = [50_001, 50_002];
        let all = servers
            .iter()
            .flat_map(|server| ports.map(|port| SocketAddr::new(*server, port)));
        all.collect()
    }

    /// What happens next: one thing, or a segment in an odd way.
    pub fn step(&mut self, rng: &mut StdRng) -> Vec<Event> {
        let busy: Vec<usize> = (0..self.lines.len())
            .filter(|at| !self.lines[*at].queue.is_empty())
            .collect();
        if self.has_bans && rng.random_range(0..100) < 2 {
            let client = *self.everybody.choose(rng).expect("not empty");
            return vec![Event::Banned(client, rng.random_bool(0.6))];
        }
        let is_new = busy.is_empty() || rng.random_range(0..100) < 25;
        if is_new {
            return self.begin(rng);
        }
        let at = *busy.choose(rng).expect("not empty");
        let line = &mut self.lines[at];
        let Some(next) = line.queue.pop_front() else {
            return Vec::new();
        };
        match next {
            Next::Send(from_client, flags, payload) => {
                self.send(rng, at, from_client, flags, &payload)
            }
            Next::Established => vec![Event::Established(line.ends())],
            Next::Closed => vec![Event::Closed(line.ends())],
            Next::Killed => vec![Event::Killed(line.ends())],
            Next::Data(data) => {
                self.lines.push(data);
                Vec::new()
            }
        }
    }

    fn send(
        &mut self,
        rng: &mut StdRng,
        at: usize,
        from_client: bool,
        flags: TcpFlags,
        payload: &[u8],
    ) -> Vec<Event> {
        // A host's own segments have no holes: they come from its stack.
        let line = &mut self.lines[at];
        // Under TLS segments begin with records, as long as they come in order.
        let is_tls = matches!(line.kind, Kind::Control { is_tls: true, .. });
        let may_be_early =
            !is_tls && payload.len() > 1 && (from_client || self.role == Role::Router);
        let mut events = Vec::new();
        if may_be_early && rng.random_range(0..100) < EARLY {
            let (first, second) = payload.split_at(rng.random_range(1..payload.len()));
            let start = line.next(from_client);
            let behind = start.wrapping_add(first.len() as u32);
            events.push(line.segment_at(from_client, behind, flags, second));
            events.push(line.segment(from_client, flags, first));
            events.push(line.segment(from_client, flags, second));
            return events;
        }
        let event = line.segment(from_client, flags, payload);
        events.push(event.clone());
        if rng.random_range(0..100) < TWICE {
            events.push(event);
        }
        events
    }

    /// Somebody does something.
    fn begin(&mut self, rng: &mut StdRng) -> Vec<Event> {
        let idle: Vec<usize> = (0..self.lines.len())
            .filter(|at| {
                let line = &self.lines[*at];
                line.queue.is_empty() && matches!(line.kind, Kind::Control { is_over: false, .. })
            })
            .collect();
        match rng.random_range(0..10) {
            0..=1 => self.stray(rng),
            2..=3 => self.control(rng),
            _ => match idle.choose(rng) {
                Some(at) => self.talk(rng, *at),
                None => self.control(rng),
            },
        }
        Vec::new()
    }

    fn port(&mut self) -> u16 {
        self.next_port += 1;
        self.next_port
    }

    fn control(&mut self, rng: &mut StdRng) {
        let client = *self.everybody.choose(rng).expect("not empty");
        let is_tls = rng.random_bool(0.15);
        let port = if is_tls { 990 } else { 21 };
        let number = rng.random_range(1..=2);
        let mut line = self.line(
            client,
            number,
            port,
            Kind::Control {
                is_tls,
                is_over: false,
            },
        );
        line.conversation.server_next = rng.random();
        line.conversation.client_next = rng.random();
        line.put(true, TcpFlags::SYN, b"");
        if self.listed.contains(&client) {
            line.put(false, SYN_ACK, b"");
            line.put(true, TcpFlags::ACK, b"");
            if rng.random_bool(0.1) {
                // The server is full.
                let flags = if rng.random() { RST_ACK } else { FIN_ACK };
                line.put(false, flags, b"");
                if self.role == Role::Host {
                    line.queue.push_back(Next::Closed);
                }
                line.put(true, TcpFlags::ACK, b"");
                line.kind = Kind::Control {
                    is_tls,
                    is_over: true,
                };
            } else if is_tls {
                line.put(true, DATA, b"\x16\x03\x01hello");
                line.put(false, DATA, b"\x16\x03\x03hello");
            } else {
                line.put(false, DATA, b"220 ready\r\n");
            }
        } else {
            line.kind = Kind::Control {
                is_tls,
                is_over: true,
            };
        }
        self.lines.push(line);
    }

    fn line(&mut self, client: IpAddr, server: u8, port: u16, kind: Kind) -> Line {
        let client_port = self.port();
        Line {
            conversation: Conversation::new(
                SocketAddr::new(client, client_port),
                SocketAddr::new(server_of(client, server), port),
            ),
            kind,
            queue: VecDeque::new(),
        }
    }

    /// A segment of no connection.
    fn stray(&mut self, rng: &mut StdRng) {
        let client = *self.everybody.choose(rng).expect("not empty");
        let ports = [20, 22, 21, 989, 33_333, 50_001, 50_002, 50_003, 50_004];
        let port = *ports.choose(rng).expect("not empty");
        let mut line = self.line(client, rng.random_range(1..=2), port, Kind::Data);
        let flags = [
            TcpFlags::SYN,
            TcpFlags::ACK,
            DATA,
            RST_ACK,
            SYN_ACK,
            FIN_ACK,
        ];
        let flags = *flags.choose(rng).expect("not empty");
        let from_client = rng.random_bool(0.6);
        // A payload of the server on a control port begins a session.
        line.put(from_client, flags, b"");
        if port != 21 {
            line.put(from_client, TcpFlags::ACK, b"");
        }
        self.lines.push(line);
    }
}

impl Line {
    fn ends(&self) -> Ends {
        (self.conversation.client, self.conversation.server)
    }

    fn put(&mut self, from_client: bool, flags: TcpFlags, payload: &[u8]) {
        self.queue
            .push_back(Next::Send(from_client, flags, payload.to_vec()));
    }

    /// A text in one to three segments.
    fn pieces(&mut self, rng: &mut StdRng, from_client: bool, text: &[u8]) {
        let mut rest = text;
        for _ in 0..rng.random_range(0..3) {
            if rest.len() < 2 || rng.random_bool(0.4) {
                break;
            }
            let (piece, behind) = rest.split_at(rng.random_range(1..rest.len()));
            self.put(from_client, DATA, piece);
            rest = behind;
        }
        self.put(from_client, DATA, rest);
    }

    /// One of the ways in which a connection ends, or none.
    fn finish(&mut self, rng: &mut StdRng, role: Role) {
        match rng.random_range(0..10) {
            0 => self.put(true, TcpFlags::RST, b""),
            1 => self.put(false, RST_ACK, b""),
            2 => self.queue.push_back(Next::Killed),
            3 => return,
            4..7 => {
                self.put(true, FIN_ACK, b"");
                self.put(false, FIN_ACK, b"");
            }
            _ => {
                self.put(false, FIN_ACK, b"");
                self.put(true, FIN_ACK, b"");
            }
        }
        if role == Role::Host {
            self.queue.push_back(Next::Closed);
        }
        self.put(true, TcpFlags::ACK, b"");
        self.put(false, TcpFlags::ACK, b"");
    }

    fn next(&self, from_client: bool) -> u32 {
        if from_client {
            self.conversation.client_next
        } else {
            self.conversation.server_next
        }
    }

    /// The next segment of one side.
    fn segment(&mut self, from_client: bool, flags: TcpFlags, payload: &[u8]) -> Event {
        let event = self.segment_at(from_client, self.next(from_client), flags, payload);
        if from_client {
            self.conversation.client(flags, payload);
        } else {
            self.conversation.server(flags, payload);
        }
        event
    }

    fn segment_at(
        &self,
        from_client: bool,
        sequence: u32,
        flags: TcpFlags,
        payload: &[u8],
    ) -> Event {
        let frame = if from_client {
            self.conversation.client_at(sequence, flags, payload)
        } else {
            self.conversation.server_at(sequence, flags, payload)
        };
        let step = Step {
            ends: self.ends(),
            from_client,
            flags,
            sequence,
            acknowledgement: self.next(!from_client),
            payload: payload.to_vec(),
        };
        Event::Segment(step, frame)
    }
}

/// One of the two servers, in the family of a client.
fn server_of(client: IpAddr, number: u8) -> IpAddr {
    match client {
        IpAddr::V4(_) => IpAddr::from([192, 0, 2, number]),
        IpAddr::V6(_) => {
            let mut server = [0; 16];
            server[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
            server[15] = number;
            IpAddr::from(server)
        }
    }
}
