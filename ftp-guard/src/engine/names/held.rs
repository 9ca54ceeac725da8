//! What is held of one question.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ftp_guard_common::class::Family;

use super::answer::{Outcome, judged};
use super::book::Settings;

/// The first wait after a failure; it doubles with each further one, up to the second.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Without a word about how long nothing holds.
const NOTHING_TTL: Duration = Duration::from_secs(60);

/// The texts of failures are kept to this length.
const LONGEST_FAILURE: usize = 200;

/// What is known of the addresses of one family of a name. Times count as in
/// [`NameBook`](super::NameBook).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Addresses in force, and since when the answers leave them out; `None`: the last one has them.
    pub(super) addresses: BTreeMap<IpAddr, Option<Duration>>,
    /// When the last good answer came.
    pub(super) answered: Option<Duration>,
    /// How long that holds.
    pub(super) ttl: Duration,
    /// It says that there is nothing: whether not even the name.
    pub(super) nothing: Option<bool>,
    /// Addresses of it that no partner has.
    pub(super) refused: u32,
    /// Addresses of it beyond the limit.
    pub(super) surplus: u32,
    /// Failures since then.
    pub(super) failures: u32,
    /// When the first of them was.
    pub(super) failing_since: Option<Duration>,
    /// The last of them.
    pub(super) failure: Option<String>,
    /// When to ask next.
    pub(super) due: Duration,
    /// Since when it is asked, while it is.
    pub(super) asked: Option<Duration>,
    /// Whether an answer came since the start; until then what was kept over a restart stands as if the
    /// question failed.
    pub(super) fresh: bool,
}

impl Held {
    /// Takes what became of the question. `spread` is from 0 to 1.
    pub(super) fn take(
        &mut self,
        outcome: Outcome,
        family: Family,
        settings: &Settings,
        now: Duration,
        spread: f64,
    ) {
        self.asked = None;
        match outcome {
            Outcome::Addresses { addresses, ttl } => {
                let found = judged(addresses, family, settings.private);
                if found.taken.is_empty() {
                    let why = format!(
                        "the answer has {} addresses, none that a partner can have",
                        found.refused
                    );
                    return self.fail(&why, now, spread);
                }
                self.refused = found.refused;
                self.answer(found.taken, settings, now);
                self.nothing = None;
                self.hold(ttl, settings, now, spread);
            }
            Outcome::Nothing { no_such_name, ttl } => {
                self.refused = 0;
                self.answer(BTreeSet::new(), settings, now);
                self.nothing = Some(no_such_name);
                self.hold(ttl.unwrap_or(NOTHING_TTL), settings, now, spread);
            }
            Outcome::Failed(why) => self.fail(&why, now, spread),
        }
    }

    /// A good answer replaces the last one.
    fn answer(&mut self, mut found: BTreeSet<IpAddr>, settings: &Settings, now: Duration) {
        let most = settings.max_addresses as usize;
        let surplus = found.len().saturating_sub(most);
        if surplus > 0 {
            // Those in force stay, so that an answer in another order takes nothing away; then the
            // lowest, so that every guard takes the same.
            let (mut kept, others): (Vec<_>, Vec<_>) = found
                .into_iter()
                .partition(|address| self.addresses.contains_key(address));
            kept.extend(others);
            kept.truncate(most);
            found = kept.into_iter().collect();
        }
        self.surplus = u32::try_from(surplus).unwrap_or(u32::MAX);
        for (address, left) in &mut self.addresses {
            match found.contains(address) {
                true => *left = None,
                false => *left = Some(left.unwrap_or(now)),
            }
        }
        self.addresses
            .extend(found.into_iter().map(|address| (address, None)));
        self.shorten(settings);
        self.answered = Some(now);
        self.failures = 0;
        self.failing_since = None;
        self.failure = None;
        self.fresh = true;
    }

    /// Forgets what is too much: what was left out longest first, of those the highest.
    fn shorten(&mut self, settings: &Settings) {
        while self.addresses.len() > settings.max_addresses as usize {
            let oldest = |(address, left): (&IpAddr, &Option<Duration>)| {
                (left.is_none(), *left, std::cmp::Reverse(*address))
            };
            let Some(last) = self
                .addresses
                .iter()
                .min_by_key(|(address, left)| oldest((address, left)))
                .map(|(address, _)| *address)
            else {
                return;
            };
            self.addresses.remove(&last);
        }
    }

    fn hold(&mut self, ttl: Duration, settings: &Settings, now: Duration, spread: f64) {
        self.ttl = ttl.clamp(settings.min_ttl, settings.max_ttl.max(settings.min_ttl));
        // Later, never earlier: before its time a cache on the way answers what it answered.
        self.due = now + self.ttl + self.ttl.mul_f64(spread / 10.0);
    }

    fn fail(&mut self, why: &str, now: Duration, spread: f64) {
        let doubled = FIRST_RETRY.saturating_mul(1 << self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.failure = Some(why.chars().take(LONGEST_FAILURE).collect());
        let wait = doubled.min(LONGEST_RETRY);
        self.due = now + wait + wait.mul_f64(spread / 5.0);
    }

    /// Forgets what time takes away.
    pub(super) fn expire(&mut self, settings: &Settings, now: Duration) {
        let standing = self.failures > 0 || !self.fresh;
        if standing {
            let over = self.answered.is_none_or(|at| at + settings.keep <= now);
            if over {
                self.addresses.clear();
            }
            return;
        }
        self.addresses
            .retain(|_, left| left.is_none_or(|left| left + settings.linger > now));
    }

    /// Forgets what other settings do not allow.
    pub(super) fn conform(&mut self, family: Family, settings: &Settings, now: Duration) {
        let known = self.addresses.keys().copied();
        let fine = judged(known, family, settings.private).taken;
        let before = self.addresses.len();
        self.addresses.retain(|address, _| fine.contains(address));
        self.shorten(settings);
        let ttl = self.ttl.min(settings.max_ttl);
        // What was left out is looked for again.
        let now_due = before != self.addresses.len() || self.surplus > 0 || self.refused > 0;
        self.due = match now_due {
            true => now,
            false => self.due.min(now + ttl.max(settings.min_ttl)),
        };
        self.expire(settings, now);
    }
}
