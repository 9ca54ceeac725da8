//! What happens to bans, as events.

use super::{guard::Guard, kernel::Kernel};
use crate::engine::{
    bans::{Ban, Outcome},
    events::{BanEvent, EventKind},
};

impl<K: Kernel> Guard<K> {
    /// Publishes what became of a request, if something has changed.
    pub(super) fn tell_ban(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Banned(ban) => self.events.publish(EventKind::BanAdded(ban_event(ban))),
            Outcome::Prolonged(ban) => {
                self.events.publish(EventKind::BanProlonged(ban_event(ban)));
            }
            Outcome::Present(_) | Outcome::Refused(_) => {}
        }
    }
}

/// A ban as events tell it.
pub(super) fn ban_event(ban: &Ban) -> BanEvent {
    BanEvent {
        prefix: ban.prefix,
        until: ban.until,
        reason: ban.reason.clone(),
        origin: ban.origin.as_str().to_owned(),
        by: ban.by.clone(),
        count: ban.count,
    }
}
