//! What servers send.

use std::{collections::btree_map::Entry, net::SocketAddr};

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{
    class::PortClass,
    config::Role,
    reason::Reason,
    session::{FlowKind, Tls},
};

use super::{Flow, Judged, Life, Session, Step, Tables, class, ingress::in_order};
use crate::replies::{Said, server};

/// TLS record types (RFC 8446, section 5.1).
const TLS_RECORDS: std::ops::RangeInclusive<u8> = 0x14..=0x17;

impl Tables {
    /// The classifier on egress.
    pub fn egress(&mut self, step: &Step) -> Judged {
        let class = class(step.ends.1.port());
        if step.is_syn() {
            return (self.open(step, class), class);
        }
        if step.flags.contains(TcpFlags::SYN) {
            let number = step.sequence.wrapping_add(1);
            self.expected.insert(step.ends, number);
        }
        if class == PortClass::Control {
            return (self.control_out(step), class);
        }
        if class == PortClass::Other && !self.active_ports.contains(&step.ends.1.port()) {
            return (Reason::NotFtp, class);
        }
        let role = self.role;
        if let Some(flow) = self.flows.get_mut(&step.ends) {
            let class = match class {
                PortClass::Other => PortClass::ActiveData,
                class => class,
            };
            if flow.life.is_killed {
                return (Reason::Killed, class);
            }
            let has = |flag| step.flags.contains(flag);
            flow.is_established |= has(TcpFlags::ACK) && !has(TcpFlags::RST);
            flow.life.note(step, role);
            return match flow.kind {
                FlowKind::Outgoing => (Reason::Outgoing, class),
                _ => (Reason::DataFlow, class),
            };
        }
        match class {
            PortClass::Other => (Reason::NotFtp, class),
            PortClass::PassiveData => (self.accept(step), class),
            _ => (Reason::ServerAnswer, class),
        }
    }

    /// The server's part of a passive connection that is none yet.
    fn accept(&mut self, step: &Step) -> Reason {
        let starts = !step.flags.contains(TcpFlags::SYN) && !step.flags.contains(TcpFlags::RST);
        let pinhole = self.pinhole_key(step.ends, step.ends.1.port());
        // A server that has accepted its one connection listens no more.
        let (_, encrypted) = self.client(step.ends.0.ip(), step.ends.1.ip());
        let may = self.pinholes.contains_key(&pinhole) || encrypted > 0;
        let client = step.ends.0.ip();
        if !starts || !may || self.admit(client).is_err() {
            return Reason::ServerAnswer;
        }
        if !self.has_room_for_data(client) {
            return Reason::DataLimit;
        }
        self.establish(step.ends);
        let role = self.role;
        if let Some(flow) = self.flows.get_mut(&step.ends) {
            flow.life.note(step, role);
        }
        Reason::DataFlow
    }

    /// A passive connection is proven.
    pub fn establish(&mut self, ends: super::Ends) {
        let pinhole = self.pinhole_key(ends, ends.1.port());
        let mut received = (0, 0);
        if self.pinholes.remove(&pinhole).is_some() {
            self.negotiated.remove(&ends.1.port());
            received = self.early.remove(&pinhole).unwrap_or_default();
        }
        self.insert_flow(ends, FlowKind::Passive, true);
        if let Some(flow) = self.flows.get_mut(&ends) {
            flow.life.received = received;
        }
    }

    fn insert_flow(&mut self, ends: super::Ends, kind: FlowKind, is_established: bool) {
        let life = Life {
            generation: self.generation,
            ..Life::default()
        };
        let flow = Flow {
            life,
            kind,
            is_established,
        };
        self.flows.insert(ends, flow);
    }

    /// The server opens a connection.
    fn open(&mut self, step: &Step, class: PortClass) -> Reason {
        let (to, from) = step.ends;
        let named = self.named.get(&self.named_key(from.ip(), to)).copied();
        let has_session = self.client(to.ip(), from.ip()).0 > 0;
        let is_admitted = self.admit(to.ip()).is_ok();
        let reason = match (named, class) {
            (Some(Reason::ActiveNamed), _) if !is_admitted => Reason::Bounce,
            (Some(reason), _) => reason,
            (None, PortClass::ActiveData) if !has_session || !is_admitted => Reason::Bounce,
            (None, PortClass::ActiveData) if to.port() < 1024 => Reason::ActiveLowPort,
            (None, PortClass::ActiveData) => Reason::ActiveClient,
            (None, PortClass::PassiveData) => Reason::Outgoing,
            (None, _) => return Reason::NotFtp,
        };
        let kind = match reason {
            Reason::Outgoing => FlowKind::Outgoing,
            Reason::ActiveNamed | Reason::ActiveClient => FlowKind::Active,
            _ => return reason,
        };
        let known = self.flows.get(&step.ends);
        let is_counted =
            known.is_some_and(|flow| !flow.life.is_closed && flow.kind != FlowKind::Outgoing);
        if kind == FlowKind::Active && !is_counted && !self.has_room_for_data(to.ip()) {
            return Reason::DataLimit;
        }
        if class == PortClass::Other {
            self.active_ports.insert(from.port());
        }
        self.insert_flow(step.ends, kind, false);
        reason
    }

    fn control_out(&mut self, step: &Step) -> Reason {
        let role = self.role;
        let has_payload = !step.payload.is_empty();
        let is_admitted = self.admit(step.ends.0.ip()).is_ok();
        let ends = step.flags.contains(TcpFlags::RST) || step.flags.contains(TcpFlags::FIN);
        let session = match self.sessions.entry(step.ends) {
            Entry::Occupied(session) => session.into_mut(),
            Entry::Vacant(place) if has_payload && is_admitted => {
                self.openings.remove(&step.ends);
                let mut session = greeted(step);
                session.life.generation = self.generation;
                place.insert(session)
            }
            Entry::Vacant(_) => {
                if ends {
                    self.openings.remove(&step.ends);
                }
                return Reason::ServerAnswer;
            }
        };
        if session.life.is_killed {
            return Reason::Killed;
        }
        if session.is_refused {
            return Reason::Session;
        }
        session.catch_up(step);
        let new = match in_order(session.next.0, step) {
            _ if !has_payload => &[],
            Some(new) => new,
            None if role == Role::Router => return Reason::ControlGap,
            None => &step.payload,
        };
        session.life.note(step, role);
        session.next.0 = session.next.0.wrapping_add(new.len() as u32);
        let (named_ports, refused) = session.say(new);
        let mut reason = Reason::Session;
        for port in named_ports {
            let key = self.pinhole_key(step.ends, port);
            self.pinholes.insert(key, step.ends);
            self.early.remove(&key);
            self.negotiated.insert(port);
            if class(port) != PortClass::PassiveData {
                reason = Reason::OutsideRange;
            }
        }
        for destination in refused {
            let key = self.named_key(step.ends.1.ip(), destination);
            self.named.remove(&key);
        }
        reason
    }
}

/// A session that begins with this segment.
fn greeted(step: &Step) -> Session {
    let is_tls = TLS_RECORDS.contains(&step.payload[0]);
    Session {
        life: Life::default(),
        tls: if is_tls { Tls::Encrypted } else { Tls::Clear },
        texts: (Vec::new(), Vec::new()),
        next: (step.sequence, step.acknowledgement),
        counts: (0, 0),
        passive: (0, 0),
        auth_asked: false,
        named: None,
        rated: 0,
        is_refused: false,
    }
}

impl Session {
    /// What the server has acknowledged has come to it, whatever the guard has read of it.
    fn catch_up(&mut self, step: &Step) {
        let ahead = step.acknowledgement.wrapping_sub(self.next.1);
        if step.flags.contains(TcpFlags::ACK) && ahead <= u32::MAX / 2 {
            self.next.1 = step.acknowledgement;
        }
    }

    /// New bytes of the server: the ports that they name, and the destination that they refuse.
    fn say(&mut self, new: &[u8]) -> (Vec<u16>, Vec<SocketAddr>) {
        let (mut ports, mut refused) = (Vec::new(), Vec::new());
        if self.tls != Tls::Clear || new.is_empty() {
            return (ports, refused);
        }
        let old = self.texts.0.len();
        self.texts.0.extend_from_slice(new);
        for (_, said) in server::said(&self.texts.0)
            .into_iter()
            .filter(|(place, _)| *place >= old)
        {
            match said {
                Said::Passive(port) if self.passive.1 < self.passive.0 => {
                    self.passive.1 += 1;
                    ports.push(port);
                }
                Said::Passive(_) | Said::End(100..=199) => {}
                Said::End(code) => {
                    // A reply to no command, as 421 may be, refuses nothing.
                    if self.counts.1 < self.counts.0 {
                        self.counts.1 += 1;
                        if let Some((to, _)) = self
                            .named
                            .filter(|(_, number)| *number == self.counts.1 && code >= 400)
                        {
                            refused.push(to);
                            self.named = None;
                        }
                    }
                    if code == 234 && self.auth_asked {
                        self.tls = Tls::Encrypted;
                        break;
                    }
                }
            }
        }
        (ports, refused)
    }
}
