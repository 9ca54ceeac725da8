//! All bans.

use std::{collections::BTreeMap, net::Ipv6Addr, time::Duration};

use ipnet::IpNet;
use jiff::Timestamp;

use super::{
    ban::{Ban, End, Origin, Past, later},
    never::NeverBan,
    request::{BanRequest, Outcome, Refusal, Term},
    table::{BanTable, never},
    terms::Terms,
};
use crate::engine::allowlist::expires_s;

/// The bans in force, and the last ban of each prefix whose ban is over. A prefix is in one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BanBook {
    terms: Terms,
    never: NeverBan,
    bans: BTreeMap<IpNet, Ban>,
    history: BTreeMap<IpNet, Past>,
    /// When a sweep has something to do; nothing is lost when it comes too early.
    due: Option<Timestamp>,
}

/// What a removal came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// The ban that ended, if there was one.
    pub ban: Option<Ban>,
    /// How many bans of the prefix were forgotten.
    pub forgotten: u32,
    /// The narrowest wider ban that keeps the sources out all the same.
    pub wider: Option<IpNet>,
}

/// The bans, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BanCounts {
    /// Bans in force that came by command.
    pub cli: u32,
    /// Bans in force that came by a rule.
    pub rule: u32,
    /// Bans that wait, since `never_ban` covers all of their prefix.
    pub exempt: u32,
    /// Prefixes that are over and not forgotten.
    pub history: u32,
    /// Prefixes that are never banned.
    pub never: u32,
}

impl BanBook {
    /// A book with what a file held. Of several bans of one prefix the last one counts.
    #[must_use]
    pub fn restore(terms: Terms, bans: Vec<Ban>, history: Vec<Past>) -> Self {
        let mut book = Self {
            bans: bans.into_iter().map(|ban| (ban.prefix, ban)).collect(),
            history: history
                .into_iter()
                .map(|past| (past.ban.prefix, past))
                .collect(),
            ..Self::default()
        };
        book.set_terms(terms);
        book
    }

    /// Other settings from now on. Bans that began keep their end.
    pub fn set_terms(&mut self, terms: Terms) {
        self.never = NeverBan::new(&terms.never);
        self.terms = terms;
        self.reckon();
    }

    /// The settings.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The bans, by prefix; those that are over are among them until they are swept.
    pub fn bans(&self) -> impl Iterator<Item = &Ban> {
        self.bans.values()
    }

    /// The ban of exactly this prefix.
    #[must_use]
    pub fn get(&self, prefix: &IpNet) -> Option<&Ban> {
        self.bans.get(prefix)
    }

    /// What is over, by prefix.
    pub fn history(&self) -> impl Iterator<Item = &Past> {
        self.history.values()
    }

    /// Bans, or says why not. An existing ban is made longer, never shorter.
    pub fn add(&mut self, now: Timestamp, request: &BanRequest) -> Outcome {
        match self.try_add(now, request) {
            Ok(outcome) => outcome,
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    fn try_add(&mut self, now: Timestamp, request: &BanRequest) -> Result<Outcome, Refusal> {
        let prefix = request.prefix.trunc();
        if let Some(entry) = self.never_over(&prefix) {
            return Err(Refusal::Never { prefix, entry });
        }
        if !request.force {
            sensible(prefix)?;
        }
        self.end_if_over(now, &prefix);
        if let Some(ban) = self.bans.get(&prefix) {
            let until = self.end_of(now, request.term, ban.count)?;
            return Ok(self.prolong(prefix, until, request));
        }
        let count = self.count_of(now, &prefix) + 1;
        let until = self.end_of(now, request.term, count)?;
        self.require_room(now, &prefix)?;
        let ban = Ban {
            prefix,
            since: whole_seconds(now),
            until,
            reason: request.reason.clone(),
            origin: request.origin,
            by: request.by.clone(),
            count,
        };
        self.history.remove(&prefix);
        self.bans.insert(prefix, ban.clone());
        self.due_at(until);
        Ok(Outcome::Banned(ban))
    }

    fn prolong(
        &mut self,
        prefix: IpNet,
        until: Option<Timestamp>,
        request: &BanRequest,
    ) -> Outcome {
        let Some(ban) = self.bans.get_mut(&prefix) else {
            // Not reached: the caller has just seen it.
            return Outcome::Refused(Refusal::TooFar);
        };
        if !ban.ends_before(until) {
            return Outcome::Present(ban.clone());
        }
        ban.until = until;
        ban.origin = request.origin;
        ban.by.clone_from(&request.by);
        if request.reason.is_some() {
            ban.reason.clone_from(&request.reason);
        }
        Outcome::Prolonged(ban.clone())
    }

    /// Ends the ban of exactly this prefix. With `forget` the prefix is as one that was never banned.
    pub fn remove(&mut self, now: Timestamp, prefix: &IpNet, forget: bool) -> Removal {
        let prefix = prefix.trunc();
        self.end_if_over(now, &prefix);
        let ban = self.bans.remove(&prefix);
        if let Some(ban) = &ban {
            self.note_past(ban.clone(), now, End::Removed);
        }
        let forgotten = match forget {
            true => self.history.remove(&prefix),
            false => None,
        };
        Removal {
            ban,
            forgotten: forgotten.map_or(0, |past| past.ban.count),
            wider: self.ban_over(now, &prefix),
        }
    }

    /// Moves what is over to the history, and forgets what is old; returns what was moved.
    pub fn sweep(&mut self, now: Timestamp) -> Vec<Ban> {
        let over: Vec<IpNet> = self
            .bans
            .values()
            .filter(|ban| ban.is_over(now))
            .map(|ban| ban.prefix)
            .collect();
        let ended = over
            .iter()
            .filter_map(|prefix| self.end_if_over(now, prefix))
            .collect();
        let forget = self.terms.forget;
        self.history
            .retain(|_, past| past.forgotten_at(forget).is_none_or(|at| at > now));
        self.shorten_history();
        self.reckon();
        ended
    }

    /// Whether a sweep at `now` has something to do.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// What the kernel should hold at `now`: the bans that are not over, but for those inside a prefix
    /// that is never banned. The prefixes that are never banned themselves are there only beside a ban
    /// of their family: an empty table costs a packet nothing.
    #[must_use]
    pub fn table(&self, now: Timestamp) -> BanTable {
        let mut table: BanTable = self
            .bans
            .values()
            .filter(|ban| !ban.is_over(now) && self.never_over(&ban.prefix).is_none())
            .map(|ban| (ban.prefix, ban.value()))
            .collect();
        let (v4, v6) = family_counts(table.keys());
        table.extend(
            self.never
                .iter()
                .filter(|prefix| match prefix {
                    IpNet::V4(_) => v4 > 0,
                    IpNet::V6(_) => v6 > 0,
                })
                .map(|prefix| (*prefix, never(prefix))),
        );
        table
    }

    /// The widest prefix that is never banned and that covers all of this one.
    #[must_use]
    pub fn never_over(&self, prefix: &IpNet) -> Option<IpNet> {
        self.never.over(prefix)
    }

    /// The prefixes inside this one that are never banned.
    pub fn never_inside(&self, prefix: &IpNet) -> impl Iterator<Item = IpNet> {
        self.never.inside(prefix)
    }

    /// Whether a ban is in force at `now`: neither over nor inside what is never banned.
    #[must_use]
    pub fn in_force(&self, now: Timestamp, ban: &Ban) -> bool {
        !ban.is_over(now) && self.never_over(&ban.prefix).is_none()
    }

    /// The bans, counted.
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> BanCounts {
        let mut counts = BanCounts {
            history: saturate(self.history.len()),
            never: saturate(self.never.len()),
            ..BanCounts::default()
        };
        for ban in self.bans.values().filter(|ban| !ban.is_over(now)) {
            *match (self.never_over(&ban.prefix), ban.origin) {
                (Some(_), _) => &mut counts.exempt,
                (None, Origin::Cli) => &mut counts.cli,
                (None, Origin::Rule) => &mut counts.rule,
            } += 1;
        }
        counts
    }

    /// The narrowest ban that covers all of a prefix and is wider.
    fn ban_over(&self, now: Timestamp, prefix: &IpNet) -> Option<IpNet> {
        (0..prefix.prefix_len())
            .rev()
            .filter_map(|length| IpNet::new(prefix.addr(), length).ok())
            .filter_map(|wider| self.bans.get(&wider.trunc()))
            .find(|ban| self.in_force(now, ban))
            .map(|ban| ban.prefix)
    }

    fn end_if_over(&mut self, now: Timestamp, prefix: &IpNet) -> Option<Ban> {
        let ban = self
            .bans
            .get(prefix)
            .filter(|ban| ban.is_over(now))?
            .clone();
        self.bans.remove(prefix);
        self.note_past(ban.clone(), ban.until.unwrap_or(now), End::Expired);
        Some(ban)
    }

    fn note_past(&mut self, ban: Ban, ended: Timestamp, end: End) {
        let ended = whole_seconds(ended);
        let past = Past { ban, ended, end };
        self.due_at(past.forgotten_at(self.terms.forget));
        self.history.insert(past.ban.prefix, past);
    }

    /// How many bans of a prefix are not forgotten.
    fn count_of(&self, now: Timestamp, prefix: &IpNet) -> u32 {
        let forget = self.terms.forget;
        self.history
            .get(prefix)
            .filter(|past| past.forgotten_at(forget).is_none_or(|at| at > now))
            .map_or(0, |past| past.ban.count)
    }

    fn end_of(&self, now: Timestamp, term: Term, count: u32) -> Result<Option<Timestamp>, Refusal> {
        let after = |time: Duration| later(now, time).map(rounded_up);
        let until = match term {
            Term::Forever => return Ok(None),
            // A configured time beyond the end of the kernel's time is one without an end.
            Term::Escalating => {
                let until = after(self.terms.time_of(count));
                return Ok(until.filter(|until| expires_s(*until).is_some()));
            }
            Term::For(time) => after(time).ok_or(Refusal::TooFar)?,
            Term::Until(until) => rounded_up(until),
        };
        if until <= now {
            return Err(Refusal::Over(until));
        }
        expires_s(until).map(|_| Some(until)).ok_or(Refusal::TooFar)
    }

    fn require_room(&self, now: Timestamp, prefix: &IpNet) -> Result<(), Refusal> {
        let live = self.bans.values().filter(|ban| !ban.is_over(now));
        let (v4, v6) = family_counts(live.map(|ban| &ban.prefix).chain(self.never.iter()));
        let (family, entries) = match prefix {
            IpNet::V4(_) => ("IPv4", v4),
            IpNet::V6(_) => ("IPv6", v6),
        };
        let room = self.terms.max_entries;
        match entries < room {
            true => Ok(()),
            false => Err(Refusal::Full { family, room }),
        }
    }

    /// As many prefixes are remembered as may be banned; those that ended first go first.
    fn shorten_history(&mut self) {
        let room = self.terms.max_entries as usize;
        let Some(surplus) = self.history.len().checked_sub(room).filter(|n| *n > 0) else {
            return;
        };
        let mut oldest: Vec<(Timestamp, IpNet)> = self
            .history
            .values()
            .map(|past| (past.ended, past.ban.prefix))
            .collect();
        oldest.sort_unstable();
        for (_, prefix) in oldest.into_iter().take(surplus) {
            self.history.remove(&prefix);
        }
    }

    fn due_at(&mut self, time: Option<Timestamp>) {
        self.due = match (self.due, time) {
            (Some(due), Some(time)) => Some(due.min(time)),
            (due, time) => due.or(time),
        };
    }

    fn reckon(&mut self) {
        let forget = self.terms.forget;
        let ends = self.bans.values().filter_map(|ban| ban.until);
        let forgotten = self.history.values();
        let forgotten = forgotten.filter_map(|past| past.forgotten_at(forget));
        self.due = ends.chain(forgotten).min();
    }
}

/// What is most likely a mistake: more than any network that is assigned to somebody, and this host.
fn sensible(prefix: IpNet) -> Result<(), Refusal> {
    const NARROWEST_V4: u8 = 8;
    const NARROWEST_V6: u8 = 16;
    let (narrowest, loopback) = match prefix {
        IpNet::V4(net) => (NARROWEST_V4, net.addr().is_loopback()),
        IpNet::V6(net) => (NARROWEST_V6, net == Ipv6Addr::LOCALHOST.into()),
    };
    if prefix.prefix_len() < narrowest {
        return Err(Refusal::Wide(prefix));
    }
    match loopback {
        true => Err(Refusal::Loopback(prefix)),
        false => Ok(()),
    }
}

fn family_counts<'a>(prefixes: impl Iterator<Item = &'a IpNet>) -> (u32, u32) {
    prefixes.fold((0, 0), |(v4, v6), prefix| match prefix {
        IpNet::V4(_) => (v4 + 1, v6),
        IpNet::V6(_) => (v4, v6 + 1),
    })
}

/// Without its fraction, as files and lists show it.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// The first whole second that is not before.
fn rounded_up(time: Timestamp) -> Timestamp {
    let started = i64::from(time.subsec_nanosecond() > 0);
    Timestamp::from_second(time.as_second() + started).unwrap_or(time)
}

fn saturate(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
