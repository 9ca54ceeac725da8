//! Connections that take longer than the profile of their client permits.
//!
//! Whether somebody has logged in is read from the server's replies. Under TLS they cannot be read:
//! there a session counts as logged in once its client has, or has had, a data connection, or has sent
//! six messages ([`TLS_MESSAGES`]). So do sessions that were taken over in their middle.
//!
//! A data connection is idle while it carries no payload: a peer that does not read answers the
//! other's probes of its closed window for ever, and these are packets too.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
};

use ftp_guard_common::{
    address::{ClientKey, FlowKey},
    class::PortClass,
    reason::Reason,
    session::{Flow, Session, Tls},
};

use super::{
    EndReason, Ending, Part, Patience, TcpState,
    tables::{Listed, Look, Rules, is_live, is_live_flow, is_outgoing, remote},
};

/// So many segments with payload from the client are more than a TLS handshake (two), USER and PASS: a
/// client that sends none of them in the time to log in is ended, one that goes on is taken for logged in.
const TLS_MESSAGES: u32 = 6;

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
pub struct Overdue {
    progress: HashMap<FlowKey, Progress>,
    /// Sessions that have, or have had, a data connection.
    proven: HashSet<u64>,
    /// Control connections without an entry on which the server has said nothing: when their sockets, by
    /// cookie, were first seen.
    silent: HashMap<u64, u64>,
    /// What was told already, and whether it was ended too.
    told: BTreeMap<FlowKey, (u64, bool)>,
}

/// How far a data connection has come.
#[derive(Clone, Copy, Debug)]
struct Progress {
    created_ns: u64,
    bytes: u64,
    /// When it last was seen to come further.
    since_ns: u64,
}

/// When data connections last saw a packet.
#[derive(Default)]
struct Activity {
    sessions: HashMap<u64, u64>,
    clients: HashMap<ClientKey, u64>,
}

impl Overdue {
    /// The connections that are to end now.
    pub fn look(&mut self, rules: &Rules<'_>, look: &Look<'_>, listed: Listed<'_>) -> Vec<Ending> {
        let watch = Watch {
            rules,
            look,
            listed,
            shortest: Patience::shortest(&rules.patience),
        };
        let activity = watch.activity();
        self.prove(&watch, &activity);
        self.follow_progress(look);
        let mut endings = Vec::new();
        for (key, session) in &look.tables.sessions {
            if is_live(session) {
                endings.extend(watch.session(key, session, &activity, &self.proven));
            }
        }
        for (key, flow) in &look.tables.flows {
            if let Some(progress) = self.progress.get(key) {
                endings.extend(watch.flow(key, flow, progress));
            }
        }
        self.before_greeting(&watch, &mut endings);
        self.forget(look, &endings);
        endings
    }

    /// Forgets what was told of connections that are no longer there.
    fn forget(&mut self, look: &Look<'_>, endings: &[Ending]) {
        if self.told.is_empty() {
            return;
        }
        let due = endings.iter().map(|ending| (ending.key, ending.identity));
        let sessions = look.tables.sessions.iter().filter(|(_, s)| is_live(s));
        let there: HashSet<(FlowKey, u64)> = sessions
            .map(|(key, session)| (*key, session.traffic.created_ns))
            .chain(due)
            .collect();
        self.told
            .retain(|key, (identity, _)| there.contains(&(*key, *identity)));
    }

    /// Those of the endings that were not told yet; `enforced` says that they are ended, too, so that
    /// what was only told before is told again.
    pub fn tell(&mut self, endings: &[Ending], enforced: bool) -> Vec<Ending> {
        let mut fresh = Vec::new();
        for ending in endings {
            let now = (ending.identity, enforced);
            let before = self.told.insert(ending.key, now);
            if before
                .is_none_or(|(identity, ended)| identity != ending.identity || enforced && !ended)
            {
                fresh.push(*ending);
            }
        }
        fresh
    }

    fn prove(&mut self, watch: &Watch<'_>, activity: &Activity) {
        let sessions = &watch.look.tables.sessions;
        let mut proven = HashSet::new();
        for (key, session) in sessions {
            let now = activity.sessions.contains_key(&session.id)
                || is_hidden(session) && activity.clients.contains_key(&watch.rules.client(key));
            if now || self.proven.contains(&session.id) {
                proven.insert(session.id);
            }
        }
        self.proven = proven;
    }

    fn follow_progress(&mut self, look: &Look<'_>) {
        let mut progress = HashMap::with_capacity(look.tables.flows.len());
        let flows = look.tables.flows.iter();
        for (key, flow) in flows.filter(|(_, flow)| carries(flow)) {
            let traffic = &flow.traffic;
            let bytes = traffic.bytes_in.wrapping_add(traffic.bytes_out);
            let before = self
                .progress
                .get(key)
                .filter(|before| before.created_ns == traffic.created_ns && before.bytes == bytes);
            let now = Progress {
                created_ns: traffic.created_ns,
                bytes,
                since_ns: before.map_or(traffic.seen_ns, |before| before.since_ns),
            };
            progress.insert(*key, now);
        }
        self.progress = progress;
    }

    fn before_greeting(&mut self, watch: &Watch<'_>, endings: &mut Vec<Ending>) {
        let tables = watch.look.tables;
        let live = tables.sessions.iter().filter(|(_, s)| is_live(s));
        let greeted: HashSet<&FlowKey> = live.map(|(key, _)| key).collect();
        let waiting: HashSet<&FlowKey> = tables.opening.iter().map(|(key, _)| key).collect();
        for (key, opening) in &tables.opening {
            if !greeted.contains(key) {
                endings.extend(watch.opening(key, opening.since_ns, opening.since_ns));
            }
        }
        let Some(connections) = watch.look.connections else {
            return;
        };
        let mut silent = HashMap::new();
        for socket in connections {
            // What the server has spoken on is a session, or adoption makes it one.
            let unspoken = socket.bytes.is_some_and(|bytes| bytes.acked == 0);
            if !unspoken
                || socket.state != TcpState::Established
                || watch.rules.class(socket.local.port()) != PortClass::Control
            {
                continue;
            }
            let key = socket.key();
            if !greeted.contains(&key) && !waiting.contains(&key) {
                let known = self.silent.get(&socket.cookie);
                let since = *known.unwrap_or(&watch.look.now_ns);
                silent.insert(socket.cookie, since);
                endings.extend(watch.opening(&key, since, socket.cookie));
            }
        }
        self.silent = silent;
    }
}

struct Watch<'a> {
    rules: &'a Rules<'a>,
    look: &'a Look<'a>,
    listed: Listed<'a>,
    /// Who is within these times needs no look at the allowlist.
    shortest: Patience,
}

impl Watch<'_> {
    fn activity(&self) -> Activity {
        let mut activity = Activity::default();
        let flows = self.look.tables.flows.iter();
        // One that has ended meanwhile was there, too.
        for (key, flow) in flows.filter(|(_, flow)| is_proven(flow)) {
            let note = |seen: &mut u64| *seen = flow.traffic.seen_ns.max(*seen);
            note(activity.sessions.entry(flow.session).or_default());
            note(activity.clients.entry(self.rules.client(key)).or_default());
        }
        activity.sessions.remove(&0);
        activity
    }

    /// The client's profile, if something has lasted longer than that permits.
    fn is_over(
        &self,
        client: IpAddr,
        since_ns: u64,
        time: fn(&Patience) -> Option<u64>,
    ) -> Option<u16> {
        let lasted = self.look.now_ns.saturating_sub(since_ns);
        let longer = |patience: &Patience| time(patience).is_some_and(|limit| lasted > limit);
        if !longer(&self.shortest) {
            return None;
        }
        let profile = (self.listed)(client).ok()?.profile;
        longer(&self.rules.patience(profile)).then_some(profile)
    }

    fn session(
        &self,
        key: &FlowKey,
        session: &Session,
        activity: &Activity,
        proven: &HashSet<u64>,
    ) -> Option<Ending> {
        let traffic = &session.traffic;
        let client = remote(key);
        let logged_in = has_logged_in(session) || proven.contains(&session.id);
        let own = activity.sessions.get(&session.id).copied();
        // Whose data connection it is cannot be read either.
        let others = is_hidden(session)
            .then(|| activity.clients.get(&self.rules.client(key)).copied())
            .flatten();
        let seen_ns = traffic.seen_ns.max(own.max(others).unwrap_or(0));
        let began_ns = match logged_in {
            true => self.look.now_ns,
            false => traffic.created_ns,
        };
        let (reason, profile) = if ends_session(session.refused_by) {
            (EndReason::Policy, session.profile)
        } else if session.refused > 0 {
            (EndReason::PortsHeld, session.profile)
        } else if let Some(profile) = self.is_over(client, began_ns, |p| p.login_ns) {
            (EndReason::LoginTimeout, profile)
        } else {
            let profile = self.is_over(client, seen_ns, |p| p.idle_ns)?;
            (EndReason::IdleTimeout, profile)
        };
        Some(Ending {
            key: *key,
            part: Part::Session(session.id),
            reason,
            identity: traffic.created_ns,
            profile,
        })
    }

    fn flow(&self, key: &FlowKey, flow: &Flow, progress: &Progress) -> Option<Ending> {
        let profile = self.is_over(remote(key), progress.since_ns, |p| p.data_idle_ns)?;
        Some(Ending {
            key: *key,
            part: Part::Data(flow.session),
            reason: EndReason::DataIdle,
            identity: progress.created_ns,
            profile,
        })
    }

    fn opening(&self, key: &FlowKey, since_ns: u64, identity: u64) -> Option<Ending> {
        let profile = self.is_over(remote(key), since_ns, |p| p.login_ns)?;
        Some(Ending {
            key: *key,
            part: Part::Opening,
            reason: EndReason::LoginTimeout,
            identity,
            profile,
        })
    }
}

/// Whether a session in which something was dropped for the reason of this number is over: its client has had its last
/// word from the programs, and the server does not know.
#[must_use]
pub fn ends_session(reason: u8) -> bool {
    Reason::refusal(reason).is_some()
}

/// Whether a data connection of a session has come about.
fn is_proven(flow: &Flow) -> bool {
    !is_outgoing(flow) && flow.established != 0
}

/// Whether it may carry something.
fn carries(flow: &Flow) -> bool {
    is_proven(flow) && is_live_flow(flow)
}

/// Whether replies and commands cannot be read.
fn is_hidden(session: &Session) -> bool {
    Tls::from_number(session.tls) != Tls::Clear
}

fn has_logged_in(session: &Session) -> bool {
    let enough = is_hidden(session) && session.messages >= TLS_MESSAGES;
    session.logged_in != 0 || session.adopted != 0 || enough
}
