//! Control connections before their greeting, as the table should have them.

use std::collections::{BTreeSet, HashMap};

use ftp_guard_common::{
    address::FlowKey,
    limits::{OPENING_NS, Opening},
};

use super::{
    Command,
    tables::{Look, is_live},
};

/// One look at all of them; `gone` tells of an entry that its socket was missing twice, and `before` which
/// had a session at the last look.
pub fn reconcile(
    look: &Look<'_>,
    before: &mut BTreeSet<FlowKey>,
    mut gone: impl FnMut(&FlowKey, &Opening) -> bool,
    commands: &mut Vec<Command>,
) {
    let waiting = &look.tables.opening;
    if waiting.is_empty() {
        before.clear();
        return;
    }
    let sessions = look.tables.sessions.iter();
    let began: HashMap<&FlowKey, u64> = sessions
        .filter(|(_, session)| is_live(session))
        .map(|(key, session)| (key, session.traffic.created_ns))
        .collect();
    let mut greeted = BTreeSet::new();
    for (key, opening) in waiting {
        // An older session of the same addresses says nothing of this connection.
        let has_session = began
            .get(key)
            .is_some_and(|began| *began >= opening.since_ns);
        if has_session {
            greeted.insert(*key);
        }
        let over = look.now_ns.saturating_sub(opening.since_ns) > OPENING_NS;
        let gone = gone(key, opening);
        // Where sockets tell, a connection is there for as long as its socket.
        let too_old = over && look.connections.is_none();
        if gone || too_old || has_session && before.contains(key) {
            commands.push(Command::RemoveOpening(*key, *opening));
        }
    }
    *before = greeted;
}
