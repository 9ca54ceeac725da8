//! What clients and servers say to each other, and the data connections that follow from it.

use std::net::{IpAddr, SocketAddr};

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::config::Role;
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

use super::{Kind, Line, Next, World};
use crate::conversation::{DATA, SYN_ACK};

/// Ports from which servers open data connections.
const SOURCES: [u16; 4] = [20, 989, 6, 33_333];

impl World {
    pub(super) fn talk(&mut self, rng: &mut StdRng, at: usize) {
        let Kind::Control { is_tls, .. } = self.lines[at].kind else {
            return;
        };
        let client = self.lines[at].conversation.client.ip();
        match (rng.random_range(0..100), is_tls) {
            (0..5, _) => self.end(rng, at),
            (5..8, _) => {
                let line = &mut self.lines[at];
                line.queue.push_back(Next::Killed);
                line.put(true, DATA, b"NOOP\r\n");
                line.put(false, DATA, b"200 ok\r\n");
                line.kind = Kind::Control {
                    is_tls,
                    is_over: true,
                };
            }
            (_, true) => {
                let line = &mut self.lines[at];
                line.put(true, DATA, b"\x17\x03\x03\r\nPORT 1,2,3,4,5,6\r\n");
                line.put(false, DATA, b"\x17\x03\x03\r\n229 (|||50003|)\r\n");
                if rng.random_bool(0.6) {
                    let port = rng.random_range(50_001..=50_003);
                    let data = self.passive(rng, at, client, port);
                    self.lines[at].queue.push_back(Next::Data(data));
                }
            }
            (8..10, _) => {
                let line = &mut self.lines[at];
                line.pieces(rng, true, b"NOOP\r\nPORT 1,2,3,4,256,1\r\n");
                line.put(true, DATA, b"NOOP\r\n");
                line.kind = Kind::Control {
                    is_tls,
                    is_over: true,
                };
            }
            (10..13, _) => {
                let line = &mut self.lines[at];
                let denied: &[u8] = match rng.random() {
                    true => b"EPSV\r\nDELE x\r\nNOOP\r\n",
                    false => b"site  exec ls\r\n",
                };
                line.pieces(rng, true, denied);
                line.put(false, DATA, b"229 (|||50002|)\r\n");
                line.put(true, DATA, b"NOOP\r\n");
            }
            (13..40, _) => self.negotiate(rng, at),
            (40..75, _) => self.name(rng, at),
            (75..85, _) => {
                let line = &mut self.lines[at];
                line.put(true, DATA, b"AUTH TLS\r\n");
                if rng.random_bool(0.3) {
                    line.put(false, DATA, b"530 no\r\n");
                    return;
                }
                line.put(false, DATA, b"234 go on\r\n");
                line.put(true, DATA, b"\x16\x03\x01hello");
                line.put(false, DATA, b"\x16\x03\x03hello");
                line.kind = Kind::Control {
                    is_tls: true,
                    is_over: false,
                };
            }
            _ => {
                let line = &mut self.lines[at];
                line.pieces(rng, true, b"STAT\r\nNOOP\r\n");
                line.pieces(rng, false, b"213-x\r\n227 (1,2,3,4,195,85)\r\n213 y\r\n");
                line.pieces(rng, false, b"200 ok\r\n");
            }
        }
    }

    fn negotiate(&mut self, rng: &mut StdRng, at: usize) {
        let port = match rng.random_range(0..20) {
            0 => 60_000,
            1..10 => 50_004,
            _ => rng.random_range(50_001..=50_006),
        };
        let own = self.lines[at].conversation.client.ip();
        if rng.random_bool(0.95) {
            self.lines[at].pieces(rng, true, b"EPSV\r\n");
        }
        let reply = format!("229 Extended passive (|||{port}|)\r\n");
        self.lines[at].pieces(rng, false, reply.as_bytes());
        let others = self
            .everybody
            .iter()
            .filter(|host| host.is_ipv4() == own.is_ipv4());
        let others: Vec<IpAddr> = others.copied().collect();
        for (chance, client) in [
            (0.3, *others.choose(rng).expect("not empty")),
            (0.8, own),
            (0.2, own),
        ] {
            if rng.random_bool(chance) {
                let data = self.passive(rng, at, client, port);
                self.lines[at].queue.push_back(Next::Data(data));
            }
        }
    }

    /// A client connects to a passive port of the server of this control connection.
    fn passive(&mut self, rng: &mut StdRng, at: usize, client: IpAddr, port: u16) -> Line {
        let server = self.lines[at].conversation.server.ip();
        let own = self.lines[at].conversation.client.ip();
        let mut line = self.line(client, 1, port, Kind::Data);
        line.conversation.server.set_ip(server);
        line.put(true, TcpFlags::SYN, b"");
        if client != own {
            return line;
        }
        line.put(false, SYN_ACK, b"");
        line.put(true, TcpFlags::ACK, b"");
        if rng.random_bool(0.1) {
            line.put(false, TcpFlags::RST, b"");
            return line;
        }
        if self.role == Role::Host {
            line.queue.push_back(Next::Established);
        }
        if rng.random_bool(0.8) {
            line.put(false, DATA, b"data");
        }
        if rng.random_bool(0.7) {
            line.put(false, TcpFlags::ACK, b"");
            line.put(true, DATA, b"upload");
            line.put(false, TcpFlags::ACK, b"");
        }
        line.finish(rng, self.role);
        line
    }

    fn name(&mut self, rng: &mut StdRng, at: usize) {
        let own = self.lines[at].conversation.client;
        let others = self
            .everybody
            .iter()
            .filter(|host| host.is_ipv4() == own.is_ipv4());
        let others: Vec<IpAddr> = others.copied().collect();
        let host = match rng.random_range(0..10) {
            0 => *others.choose(rng).expect("not empty"),
            _ => own.ip(),
        };
        let port = match rng.random_range(0..10) {
            0 => 80,
            _ => rng.random_range(52_000..52_003),
        };
        let destination = SocketAddr::new(host, port);
        let family = if host.is_ipv6() { 2 } else { 1 };
        let command = format!("EPRT |{family}|{host}|{port}|\r\n");
        self.lines[at].pieces(rng, true, command.as_bytes());
        let reply: &[u8] = match rng.random_range(0..10) {
            0..=1 => b"500 no\r\n",
            2 => b"501-no\r\n501 no\r\n",
            _ => b"200 ok\r\n",
        };
        let is_early = rng.random_bool(0.3);
        let data = rng
            .random_bool(0.9)
            .then(|| self.active(rng, at, destination));
        let line = &mut self.lines[at];
        let data = data.map(Next::Data);
        if is_early {
            line.queue.extend(data);
            line.pieces(rng, false, reply);
        } else {
            line.pieces(rng, false, reply);
            line.queue.extend(data);
        }
    }

    /// The server connects somewhere.
    fn active(&mut self, rng: &mut StdRng, at: usize, to: SocketAddr) -> Line {
        let source = match rng.random_range(0..10) {
            0 => 50_050,
            _ => *SOURCES.choose(rng).expect("not empty"),
        };
        let server = self.lines[at].conversation.server.ip();
        let mut line = self.line(to.ip(), 1, source, Kind::Data);
        line.conversation.server.set_ip(server);
        line.conversation.client = to;
        if rng.random_bool(0.1) {
            line.conversation.client.set_port(52_010);
        }
        line.put(false, TcpFlags::SYN, b"");
        line.put(true, SYN_ACK, b"");
        line.put(false, TcpFlags::ACK, b"");
        line.put(false, DATA, b"data");
        line.put(true, DATA, b"upload");
        line.finish(rng, self.role);
        line
    }

    /// A control connection ends.
    fn end(&mut self, rng: &mut StdRng, at: usize) {
        let Kind::Control { is_tls, .. } = self.lines[at].kind else {
            return;
        };
        let role = self.role;
        let line = &mut self.lines[at];
        if !is_tls {
            line.put(true, DATA, b"QUIT\r\n");
            line.put(false, DATA, b"221 bye\r\n");
        }
        line.finish(rng, role);
        line.kind = Kind::Control {
            is_tls,
            is_over: true,
        };
    }
}
