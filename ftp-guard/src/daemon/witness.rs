//! Who would have been kept out, for `status` in monitor mode.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ftp_guard_common::{config::Mode, reason::Reason};
use jiff::{SignedDuration, Timestamp};

use super::{guard::Guard, kernel::Kernel};
use crate::{
    control::{
        feed::Reader,
        protocol::Failure,
        would_drop_view::{WouldDropClient, WouldDropView},
    },
    engine::{
        events::EventKind,
        monitor::record::SessionRecord,
        sessions::view::{Login, SessionInfo},
        suggest::{Outcome, Standing},
        witness::{Witness, Witnessed},
    },
};

/// Clients that `status` names.
const SHOWN: usize = 10;

/// Events that are taken from the feed at once.
const BATCH: usize = 256;

/// The way to the tally. Clones lead to the same one.
#[derive(Clone, Debug, Default)]
pub struct WitnessHandle(Arc<Mutex<Witness>>);

impl WitnessHandle {
    /// Takes a session that has ended.
    pub fn session(&self, record: &SessionRecord) {
        self.lock().session(record);
    }

    /// Takes an event.
    pub fn event(&self, kind: &EventKind, time: Timestamp) {
        if let EventKind::Drop(packet) = kind {
            self.lock().packet(packet, time);
        }
    }

    /// A panic while it was held left a count that lacks one at worst.
    fn lock(&self) -> MutexGuard<'_, Witness> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts what the feed tells, until the runtime ends.
pub async fn follow(mut events: Reader, witness: WitnessHandle) {
    loop {
        events.wait().await;
        for event in events.take(BATCH) {
            witness.event(&event.kind, event.time);
        }
    }
}

impl<K: Kernel> Guard<K> {
    /// Where clients that would have been kept out are counted.
    pub fn witness(&self) -> &WitnessHandle {
        &self.witness
    }

    /// The clients that would have been kept out and that nothing lets in by now; nothing in enforce mode.
    pub(super) fn would_drop(&self, mode: Mode) -> Result<Option<WouldDropView>, Failure> {
        if mode == Mode::Enforce {
            return Ok(None);
        }
        let (mut clients, forgotten) = {
            let witness = self.witness.lock();
            let clients: HashMap<IpAddr, Witnessed> = witness.clients().collect();
            (clients, witness.forgotten())
        };
        for (client, reason, success, seen) in self.living()? {
            clients
                .entry(client)
                .or_insert_with(|| Witnessed::new(reason, seen))
                .session(reason, success, seen);
        }
        let mut shown = Vec::with_capacity(clients.len());
        for (client, witnessed) in &clients {
            if self.standing(*client)? != Standing::Listed {
                shown.push(WouldDropClient::of(*client, witnessed));
            }
        }
        let order = |one: &WouldDropClient| {
            let most = (one.packets, one.sessions, one.last_seen);
            (std::cmp::Reverse(most), one.client)
        };
        shown.sort_unstable_by_key(order);
        let more = shown.len().saturating_sub(SHOWN) as u64;
        shown.truncate(SHOWN);
        Ok(Some(WouldDropView {
            since: self.started,
            clients: shown,
            more,
            forgotten,
        }))
    }

    /// The live sessions of clients that may not be here: client, reason, whether a login succeeded, when something of
    /// them was last seen.
    fn living(&self) -> Result<Vec<(IpAddr, Reason, bool, Timestamp)>, Failure> {
        let now = Timestamp::now();
        let sessions = self.sessions()?.sessions;
        let mut living: HashMap<u64, (Reason, SessionInfo, bool)> = sessions
            .into_iter()
            .filter_map(|session| {
                let reason = session.would_drop?;
                let success = session.login == Login::Yes;
                Some((session.id, (reason, session, success)))
            })
            .collect();
        if living.is_empty() {
            return Ok(Vec::new());
        }
        self.monitor.each(|record| {
            if let Some((_, session, success)) = living.get_mut(&record.id)
                && session.client == record.client
            {
                *success |= Outcome::of(record).is_success();
            }
        });
        let told = living.into_values().map(|(reason, session, success)| {
            let idle = SignedDuration::try_from(session.idle).unwrap_or_default();
            let seen = now.checked_sub(idle).unwrap_or(now);
            (session.client.ip(), reason, success, seen)
        });
        Ok(told.collect())
    }
}
