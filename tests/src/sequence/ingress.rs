//! What comes from clients.

use std::net::{IpAddr, SocketAddr};

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{
    class::PortClass,
    reason::Reason,
    session::{FlowKind, Tls},
};

use super::{Ends, Judged, Session, Step, Tables, class, sources::count};
use crate::replies::{Asked, client};

/// What follows the TLS record types (RFC 8446, section 5.1) is no command.
const TLS_RECORDS: std::ops::RangeInclusive<u8> = 0x14..=0x18;

impl Tables {
    /// The XDP program.
    pub fn xdp(&mut self, step: &Step) -> Judged {
        let (client, server) = step.ends;
        let class = class(server.port());
        let admitted = self.admit(client.ip());
        let role = self.role;
        if class == PortClass::Control {
            let session = self.sessions.get(&step.ends).filter(|_| !step.is_syn());
            let reason = match session.cloned() {
                Some(mut session) => {
                    let judged = self.in_session(&mut session, step);
                    if judged.is_ok() {
                        session.life.note(step, role);
                    }
                    self.sessions.insert(step.ends, session);
                    judged.map_or_else(|reason| reason, |()| Reason::Session)
                }
                None => match admitted {
                    Ok(()) => self.outside_sessions(step),
                    Err(reason) => reason,
                },
            };
            return (reason, class);
        }
        if class == PortClass::Other && !self.active_ports.contains(&server.port()) {
            return (Reason::NotFtp, class);
        }
        let flow = self.flows.get(&step.ends).filter(|_| !step.is_syn());
        if let Some(mut flow) = flow.copied() {
            // An outgoing connection to where a session named is still an active one.
            let class = match class {
                PortClass::Other => PortClass::ActiveData,
                class => class,
            };
            if flow.kind != FlowKind::Outgoing
                && let Err(reason) = self.recheck(&mut flow.life, client.ip())
            {
                return (reason, class);
            }
            if flow.life.is_killed {
                self.flows.insert(step.ends, flow);
                return (Reason::Killed, class);
            }
            // The client answers the server's SYN: the other way of a proven handshake.
            flow.is_established |= !step.flags.contains(TcpFlags::RST);
            flow.life.note(step, role);
            self.flows.insert(step.ends, flow);
            return match flow.kind {
                FlowKind::Outgoing => (Reason::Outgoing, class),
                _ => (Reason::DataFlow, class),
            };
        }
        let reason = match (class, admitted) {
            (PortClass::Other, _) => Reason::NotFtp,
            (_, Err(reason)) => reason,
            (PortClass::ActiveData, _) if step.is_syn() => Reason::ActiveDataSyn,
            (PortClass::ActiveData, _) => Reason::NoFlow,
            _ => match self.passive(step) {
                Reason::Pinhole | Reason::TlsListening
                    if step.is_syn() && !self.has_room_for_data(client.ip()) =>
                {
                    Reason::DataLimit
                }
                reason => reason,
            },
        };
        (reason, class)
    }

    /// Whether a client's segment on a session may pass.
    fn in_session(&self, session: &mut Session, step: &Step) -> Result<(), Reason> {
        self.recheck(&mut session.life, step.ends.0.ip())?;
        if session.life.is_killed {
            return Err(Reason::Killed);
        }
        count(&mut session.rated, self.limits.packets).ok_or(Reason::ControlRate)
    }

    /// A segment of a listed client to a passive port, of no data connection.
    fn passive(&mut self, step: &Step) -> Reason {
        let (client, server) = step.ends;
        let pinhole = self.pinhole_key(step.ends, server.port());
        let (sessions, encrypted) = self.client(client.ip(), server.ip());
        if self.pinholes.contains_key(&pinhole) {
            let is_proven = self.expected.get(&step.ends) == Some(&step.acknowledgement);
            if !step.is_syn() && !step.payload.is_empty() && is_proven {
                let early = self.early.entry(pinhole).or_default();
                early.0 += 1;
                early.1 += step.payload.len() as u64;
            }
            Reason::Pinhole
        } else if self.listens(step.ends) {
            Reason::TlsListening
        } else if !step.is_syn() {
            Reason::NoFlow
        } else if self.negotiated.contains(&server.port()) {
            Reason::PasvTheft
        } else if encrypted > 0 {
            Reason::NotListening
        } else if sessions > 0 {
            Reason::NoPinhole
        } else {
            Reason::NoSession
        }
    }

    /// The classifier on ingress, for what the XDP program has let pass.
    pub fn control(&mut self, step: &Step) -> Judged {
        let class = class(step.ends.1.port());
        if class != PortClass::Control {
            return (Reason::NotFtp, class);
        }
        let scope = step.ends.1.ip();
        let denies = self.denies;
        let Some(session) = self.sessions.get_mut(&step.ends) else {
            // Only who speaks TLS speaks before the greeting; here that is everybody who does.
            let is_early = denies && !step.payload.is_empty() && !step.is_syn();
            let is_record = matches!(step.payload[..], [0x14..=0x17, 3, _, _, ..]);
            return match is_early && !(is_record && self.openings.contains_key(&step.ends)) {
                true => (Reason::ControlGap, class),
                false => (Reason::Listed, class),
            };
        };
        if session.is_refused {
            return (Reason::CommandDenied, class);
        }
        if step.payload.is_empty() {
            return (Reason::Session, class);
        }
        if denies && session.life.is_closed {
            return (Reason::ControlGap, class);
        }
        let Some(new) = in_order(session.next.1, step) else {
            return (Reason::ControlGap, class);
        };
        if denies && session.says_denied(new) {
            session.is_refused = true;
            return (Reason::CommandDenied, class);
        }
        let Some(destinations) = session.hear(new, step.ends) else {
            return (Reason::ActiveUnreadable, class);
        };
        session.next.1 = session.next.1.wrapping_add(new.len() as u32);
        for (destination, reason) in destinations {
            let key = self.named_key(scope, destination);
            self.named.insert(key, reason);
        }
        (Reason::Session, class)
    }
}

/// What of a segment has not been read; `None` when bytes before it are missing.
pub(super) fn in_order(next: u32, step: &Step) -> Option<&[u8]> {
    let known = next.wrapping_sub(step.sequence);
    if known > u32::MAX / 2 {
        return None;
    }
    Some(step.payload.get(known as usize..).unwrap_or_default())
}

impl Session {
    /// Whether new bytes of the client end a line that is refused, or would if nothing followed.
    fn says_denied(&self, new: &[u8]) -> bool {
        if new.is_empty() {
            return false;
        }
        let is_record = new.first().is_some_and(|byte| TLS_RECORDS.contains(byte));
        if self.tls != Tls::Clear && is_record {
            return false;
        }
        let old = self.texts.1.len();
        // As if the line ended where the segment does.
        let text = [&self.texts.1, new, b"\n"].concat();
        client::denied(&text).into_iter().any(|place| place >= old)
    }

    /// New bytes of the client: the destinations that they name. `None`: they name one that cannot be
    /// read, and are as if they had not come.
    fn hear(&mut self, new: &[u8], ends: Ends) -> Option<Vec<(SocketAddr, Reason)>> {
        let is_record = new.first().is_some_and(|byte| TLS_RECORDS.contains(byte));
        if new.is_empty() || self.tls != Tls::Clear && is_record {
            return Some(Vec::new());
        }
        let mut text = self.texts.1.clone();
        let old = text.len();
        text.extend_from_slice(new);
        let mut said = client::asked(&text);
        said.retain(|(place, _)| *place >= old);
        if said.iter().any(|(_, asked)| *asked == Asked::Active(None)) {
            return None;
        }
        self.texts.1 = text;
        let mut destinations = Vec::new();
        for (_, asked) in said {
            self.counts.0 += 1;
            match asked {
                Asked::Auth => self.auth_asked = true,
                Asked::Passive => self.passive.0 += 1,
                Asked::Active(Some(to)) => {
                    self.named = Some((to, self.counts.0));
                    destinations.push((to, reason_of(to, ends.0.ip())));
                }
                Asked::Other | Asked::Active(None) => {}
            }
        }
        Some(destinations)
    }
}

fn reason_of(to: SocketAddr, client: IpAddr) -> Reason {
    if to.ip() != client {
        Reason::Bounce
    } else if to.port() < 1024 {
        Reason::ActiveLowPort
    } else {
        Reason::ActiveNamed
    }
}
