//! Who may come in, and how many connections and segments a source may have.

use std::net::{IpAddr, Ipv6Addr};

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{reason::Reason, session::FlowKind};

use super::{Life, Step, Tables};

/// What a source may; 0 is no limit. No time goes by in a sequence that would matter to a rate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Its control connections.
    pub sessions: u32,
    /// Data connections for each of its sessions.
    pub data: u32,
    /// Segments of its client on one control connection.
    pub packets: u64,
}

/// The source of an address: for IPv6 its /64.
#[must_use]
pub fn source(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

impl Tables {
    /// Whether bans and allowlist let an address in.
    ///
    /// # Errors
    ///
    /// Why they do not.
    pub fn admit(&self, client: IpAddr) -> Result<(), Reason> {
        if self.banned.contains(&client) {
            Err(Reason::Banned)
        } else if self.listed.contains(&client) {
            Ok(())
        } else {
            Err(Reason::NotListed)
        }
    }

    /// Whether a connection that passed before may go on.
    pub(super) fn recheck(&self, life: &mut Life, client: IpAddr) -> Result<(), Reason> {
        if life.generation != self.generation {
            self.admit(client)?;
            life.generation = self.generation;
        }
        Ok(())
    }

    /// The live sessions of a source, its openings, and its live data connections.
    #[must_use]
    pub fn figures(&self, of: IpAddr) -> (u32, u32, u32) {
        let is_theirs = |client: IpAddr| source(client) == source(of);
        let sessions = self.sessions.iter();
        let sessions = sessions
            .filter(|(ends, session)| is_theirs(ends.0.ip()) && !session.life.is_closed)
            .count();
        let openings = self.openings.keys();
        let openings = openings.filter(|ends| is_theirs(ends.0.ip())).count();
        let flows = self.flows.iter();
        let flows = flows
            .filter(|(ends, flow)| {
                let counts = flow.kind != FlowKind::Outgoing && !flow.life.is_closed;
                counts && is_theirs(ends.0.ip())
            })
            .count();
        (sessions as u32, openings as u32, flows as u32)
    }

    /// Whether a source has as many control connections as it may.
    fn is_full(&self, client: IpAddr) -> bool {
        let (sessions, openings, _) = self.figures(client);
        self.limits.sessions != 0 && sessions + openings >= self.limits.sessions
    }

    /// Whether a source may have one more data connection.
    #[must_use]
    pub fn has_room_for_data(&self, client: IpAddr) -> bool {
        let (sessions, _, data) = self.figures(client);
        self.limits.data == 0 || data < self.limits.data * sessions.max(1)
    }

    /// A segment of one that is let in to a control port, of no session.
    pub(super) fn outside_sessions(&mut self, step: &Step) -> Reason {
        let client = step.ends.0.ip();
        if step.is_syn() {
            return if self.is_full(client) {
                Reason::SessionLimit
            } else {
                Reason::Listed
            };
        }
        let most = self.limits.packets;
        if let Some(rated) = self.openings.get_mut(&step.ends) {
            return count(rated, most).map_or(Reason::ControlRate, |()| Reason::Listed);
        }
        let has = |flag| step.flags.contains(flag);
        let may_end = has(TcpFlags::ACK) && !has(TcpFlags::SYN) && !has(TcpFlags::RST);
        if may_end && self.expected.get(&step.ends) == Some(&step.acknowledgement) {
            if self.is_full(client) {
                return Reason::SessionLimit;
            }
            self.openings.insert(step.ends, 0);
        }
        Reason::Listed
    }
}

/// Counts a segment to a rate; `None`: it is beyond it.
pub(super) fn count(rated: &mut u64, most: u64) -> Option<()> {
    if most == 0 {
        return Some(());
    }
    if *rated >= most {
        return None;
    }
    *rated += 1;
    Some(())
}
