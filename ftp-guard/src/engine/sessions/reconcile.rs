//! Entries whose connection has ended, or shows no sign of life.

use std::collections::{BTreeSet, HashMap};

use ftp_guard_common::{
    address::FlowKey,
    config::Role,
    limits::Opening,
    session::{Flow, Session, Traffic},
};

use super::{
    Command, Keeper, Socket, TcpState, opening,
    tables::{Look, Rules, is_live, is_live_flow},
};

/// Entries younger than this may have a socket that was not looked at yet.
const SETTLED_NS: u64 = 1_000_000_000;

/// How long the handshake of a data connection may take.
const HALF_OPEN_NS: u64 = 60_000_000_000;

/// How long the entry of a killed data connection stays on a router after its last packet. Without an
/// entry its packets are dropped as well.
const KILLED_FLOW_NS: u64 = 60_000_000_000;

/// The same of a killed session: its peers have given up by then, as TCP does after its retransmissions
/// (net.ipv4.tcp_retries2: 924 seconds). Those that are ended one after the other must not fill the table.
const KILLED_SESSION_NS: u64 = 960_000_000_000;

/// One look at all entries.
pub struct Reconciliation<'a> {
    rules: &'a Rules<'a>,
    look: &'a Look<'a>,
    sockets: Option<HashMap<FlowKey, &'a Socket>>,
    /// When a session or one of its data connections last saw a packet, by number.
    activity: HashMap<u64, u64>,
}

/// What a socket says of an entry.
enum Evidence<'s> {
    /// Nothing: there are none to look at.
    None,
    /// It is there.
    Socket(&'s Socket),
    /// It is not there, for the first time.
    Missing,
    /// It is not there, again.
    Gone,
}

impl<'a> Reconciliation<'a> {
    /// Sorts what there is to look at.
    pub fn new(rules: &'a Rules<'a>, look: &'a Look<'a>) -> Self {
        let mut activity: HashMap<u64, u64> = HashMap::new();
        let mut note = |id: u64, traffic: &Traffic| {
            let seen = activity.entry(id).or_default();
            *seen = traffic.seen_ns.max(*seen);
        };
        for (_, session) in &look.tables.sessions {
            note(session.id, &session.traffic);
        }
        for (_, flow) in &look.tables.flows {
            note(flow.session, &flow.traffic);
        }
        let sockets = look
            .connections
            .map(|sockets| sockets.iter().map(|s| (s.key(), s)).collect());
        Self {
            rules,
            look,
            sockets,
            activity,
        }
    }

    /// Looks at all entries.
    pub fn run(&self, keeper: &mut Keeper, commands: &mut Vec<Command>) {
        let mut missing = BTreeSet::new();
        for (key, session) in &self.look.tables.sessions {
            let evidence = self.evidence(key, session.traffic.created_ns, &keeper.missing);
            if let Evidence::Missing | Evidence::Gone = evidence {
                missing.insert(*key);
            }
            let step = match self.session_over(session, &evidence) {
                true => Some(Command::RemoveSession(*key, Box::new(*session))),
                false => self.kill_again(&session.traffic, &evidence),
            };
            if let (Some(Command::RemoveSession(..)), Evidence::Socket(socket)) = (&step, &evidence)
                && session.traffic.closed_ns == 0
            {
                keeper.dormant.insert(socket.cookie);
            }
            commands.extend(step);
        }
        let killed: BTreeSet<u64> = self
            .look
            .tables
            .sessions
            .iter()
            .filter(|(_, session)| session.traffic.killed != 0)
            .map(|(_, session)| session.id)
            .collect();
        for (key, flow) in &self.look.tables.flows {
            let evidence = self.evidence(key, flow.traffic.created_ns, &keeper.missing);
            if let Evidence::Missing | Evidence::Gone = evidence {
                missing.insert(*key);
            }
            if self.flow_over(flow, &evidence) {
                commands.push(Command::RemoveFlow(*key, *flow));
            } else if let Evidence::Gone = evidence
                && flow.traffic.closed_ns == 0
            {
                // Nobody has seen its end: a kernel runs no program inside itself, and a connection may end between
                // the look at the sockets and its adoption. Its client may still be reading what is under way.
                commands.push(Command::CloseFlow(*key, *flow, self.look.now_ns));
            } else if is_live_flow(flow) && killed.contains(&flow.session) {
                // It began while its session was being killed.
                commands.push(Command::KillFlow(*key, *flow));
            } else {
                commands.extend(self.kill_again(&flow.traffic, &evidence));
            }
        }
        let gone = |key: &FlowKey, waiting: &Opening| {
            let evidence = self.evidence(key, waiting.since_ns, &keeper.missing);
            if let Evidence::Missing | Evidence::Gone = evidence {
                missing.insert(*key);
            }
            matches!(evidence, Evidence::Gone)
        };
        opening::reconcile(self.look, &mut keeper.greeted, gone, commands);
        if self.sockets.is_some() {
            keeper.missing = missing;
        }
    }

    fn evidence(&self, key: &FlowKey, created_ns: u64, before: &BTreeSet<FlowKey>) -> Evidence<'a> {
        let Some(sockets) = &self.sockets else {
            return Evidence::None;
        };
        match sockets.get(key) {
            Some(socket) => Evidence::Socket(socket),
            None if self.since(created_ns) < SETTLED_NS => Evidence::None,
            None if before.contains(key) => Evidence::Gone,
            None => Evidence::Missing,
        }
    }

    fn since(&self, then_ns: u64) -> u64 {
        self.look.now_ns.saturating_sub(then_ns)
    }

    fn is_idle(&self, session: u64, traffic: &Traffic) -> bool {
        let group = match session {
            0 => None,
            id => self.activity.get(&id),
        };
        let seen = group.map_or(traffic.seen_ns, |group| traffic.seen_ns.max(*group));
        self.since(seen) > self.rules.idle_timeout_ns
    }

    fn session_over(&self, session: &Session, evidence: &Evidence<'_>) -> bool {
        let traffic = &session.traffic;
        match evidence {
            _ if traffic.closed_ns != 0 => session.is_over(self.look.now_ns),
            // It need not linger: what its client still sends to a control port passes without an entry.
            Evidence::Gone => true,
            _ if is_live(session) => self.is_idle(session.id, traffic),
            // A killed one stays on a router for as long as its peers might still speak: without the
            // entry the server's next word would begin a session anew.
            _ if self.rules.role == Role::Router => {
                let longest = self.rules.idle_timeout_ns.min(KILLED_SESSION_NS);
                self.since(traffic.seen_ns) > longest
            }
            _ => false,
        }
    }

    fn flow_over(&self, flow: &Flow, evidence: &Evidence<'_>) -> bool {
        let traffic = &flow.traffic;
        let half_open = flow.established == 0 && self.since(traffic.created_ns) > HALF_OPEN_NS;
        match evidence {
            _ if traffic.closed_ns != 0 => flow.is_over(self.look.now_ns),
            Evidence::Gone => false,
            // While a socket lives, so does its entry: it cannot leak, and to remove it would cut the
            // transfer, however slow.
            Evidence::Socket(socket) => half_open && socket.state == TcpState::SynSent,
            _ if self.rules.role == Role::Host => half_open,
            _ if traffic.killed != 0 => self.since(traffic.seen_ns) > KILLED_FLOW_NS,
            _ => half_open || self.is_idle(flow.session, traffic),
        }
    }

    /// Destroys the socket of a killed connection that still has one.
    fn kill_again(&self, traffic: &Traffic, evidence: &Evidence<'_>) -> Option<Command> {
        match evidence {
            Evidence::Socket(socket) if traffic.killed != 0 => {
                Some(Command::Destroy((*socket).clone()))
            }
            _ => None,
        }
    }
}
