//! Prepares an update: takes and writes blocks of which no program knows yet.

use ftp_guard_common::lookup::{
    Outcome,
    v4::{Entry, HAS_DEFAULT, KNOWN_ROOTS, LISTED, Memory as _},
};

use super::{
    super::{Full, Outcomes, lines::Spot},
    V4, dirty,
    flat::{Flat, Mixed, ones},
    list,
    plan::{Plan4, Put},
    walk::Listed,
    want::Want,
};

pub const FULL_LINES: Full = Full {
    what: "the table of IPv4 entries",
};
pub const FULL_POOL: Full = Full {
    what: "the pool for IPv4",
};
pub const FULL_ROWS: Full = Full {
    what: "the table of different expiry times",
};

/// How the outcome of a /24 is found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Its bit is 0.
    Default,
    /// Its bit is 1, and there is no entry.
    Main,
    Entry,
}

/// A /16 before and after.
struct Change {
    default: Outcome,
    main: Outcome,
    same_default: bool,
    same_main: bool,
    /// No /24 has the main outcome, and whoever still reads it as it was reads the default.
    free_main: bool,
}

impl Change {
    /// Whether a /24 needs an entry until everybody knows the new word of the /16.
    const fn needs_bridge(&self, from: Way, to: Way) -> bool {
        match (from, to) {
            (Way::Default, Way::Main) => !self.same_main && !self.free_main,
            (Way::Entry, Way::Main) => !self.same_main,
            (Way::Main, Way::Default) => !self.same_default,
            (Way::Entry, Way::Default) => true,
            _ => false,
        }
    }
}

impl V4 {
    /// Plans the stores after which the arrays say what `wanted` says: prefixes of IPv4, sorted. Nothing that
    /// programs read changes.
    pub(in super::super) fn prepare(
        &mut self,
        wanted: &[Listed],
        changed: &[ipnet::IpNet],
        outcomes: &mut Outcomes,
    ) -> Result<Plan4, Full> {
        let mut plan = Plan4::default();
        let Some(masks) = dirty::masks(changed.iter()) else {
            return Ok(plan);
        };
        if self.entries.lines() == 0 {
            self.take_lines();
        }
        let mut want = Want::new(wanted);
        for (root, mask) in (0..).zip(masks).filter(|(_, mask)| *mask != 0) {
            let (default, _) = self.root(root);
            let done = want
                .read(root, mask, default, |value, next| outcomes.of(value, next))
                .ok_or(FULL_ROWS)
                .and_then(|()| self.plan_root(root, mask, &want, &mut plan));
            if let Err(full) = done {
                self.discard(plan);
                return Err(full);
            }
        }
        Ok(plan)
    }

    fn plan_root(
        &mut self,
        root: u32,
        mask: u8,
        want: &Want<'_>,
        plan: &mut Plan4,
    ) -> Result<(), Full> {
        let (old_default, old_main) = self.root(root);
        let groups = root << 2..(root + 1) << 2;
        if want.is_plain
            && mask & dirty::DEFAULT != 0
            && groups.clone().all(|group| self.bits(group) == 0)
        {
            // Most of a short prefix: nobody has the main outcome, which then is the default.
            if want.default != old_default {
                plan.roots
                    .push((root, root_word(want.default, want.default)));
                self.plan_known(root, want.default != Outcome::NONE, want.default, plan);
            }
            return Ok(());
        }
        let mut is_known = want.default != Outcome::NONE;
        let (mut uses_main, mut others_use_main) = (false, false);
        for group in groups {
            let uses = self.uses_main(group);
            uses_main |= uses;
            let stays = mask >> (group & 3) & 1 == 0;
            others_use_main |= uses && stays;
            is_known |= stays && self.bits(group) != 0;
        }
        let main = if others_use_main {
            old_main
        } else {
            want.main(mask, old_main)
        };
        let change = Change {
            default: want.default,
            main,
            same_default: want.default == old_default,
            same_main: main == old_main,
            free_main: !uses_main && old_main == old_default,
        };
        for (number, flat) in want.quarters.iter().enumerate() {
            if mask >> number & 1 != 0 {
                let bits = self.plan_group(root << 2 | number as u32, flat, &change, plan)?;
                is_known |= bits != 0;
            }
        }
        if change.free_main && !change.same_main {
            plan.mains.push((root, root_word(old_default, main)));
        }
        if !change.same_default || !change.same_main {
            plan.roots.push((root, root_word(change.default, main)));
        }
        self.plan_known(root, is_known, want.default, plan);
        Ok(())
    }

    /// Plans what is known of a /16 in the end: whether anything is listed, and whether it has a default. That of a default is
    /// told before there is one. /16s come in their order.
    fn plan_known(&self, root: u32, is_listed: bool, default: Outcome, plan: &mut Plan4) {
        let at = root / KNOWN_ROOTS;
        let shift = root % KNOWN_ROOTS * 2;
        let now = self.known(at);
        let has_default = if default == Outcome::NONE {
            0
        } else {
            HAS_DEFAULT
        };
        let first = last_or(&plan.defaults, at, now) | has_default << shift;
        set_last(&mut plan.defaults, at, now, first);
        let others = last_or(&plan.known, at, now) & !((LISTED | HAS_DEFAULT) << shift);
        let listed = if is_listed { LISTED } else { 0 };
        let known = (listed | has_default) << shift;
        set_last(&mut plan.known, at, now, others | known);
    }

    /// Plans the /18; its bits in the end.
    fn plan_group(
        &mut self,
        group: u32,
        flat: &Flat,
        change: &Change,
        plan: &mut Plan4,
    ) -> Result<u64, Full> {
        let old_bits = self.bits(group);
        let mut mixed = flat.mixed.iter().peekable();
        let (mut first_bits, mut last_bits) = (0_u64, 0_u64);
        for slot in ones(flat.differs(change.default) | flat.mixed_bits | old_bits) {
            let net = group << 6 | slot as u32;
            let has_bit = old_bits >> slot & 1 != 0;
            // Without a bit there is no entry.
            let old = has_bit
                .then(|| self.entries.find(&self.lines, net))
                .flatten();
            let from = match old {
                _ if !has_bit => Way::Default,
                None => Way::Main,
                Some(_) => Way::Entry,
            };
            let outcome = flat.whole[slot];
            let (to, wanted) = match mixed.next_if(|(at, _)| *at == slot) {
                Some((_, mixed)) => {
                    let old = old.map(|(_, entry)| entry);
                    (Way::Entry, self.entry(*mixed, flat, old, plan)?)
                }
                None if outcome == change.default => (Way::Default, Entry::Gone),
                None if outcome == change.main => (Way::Main, Entry::Gone),
                None => (Way::Entry, Entry::Whole(outcome)),
            };
            last_bits |= u64::from(to != Way::Default) << slot;
            let is_bridged = change.needs_bridge(from, to);
            let stays = is_bridged && !change.same_default;
            first_bits |= u64::from(to != Way::Default || stays) << slot;
            plan.is_bridged |= is_bridged;
            let spot = match wanted {
                Entry::Gone if is_bridged => self.put(net, old, Entry::Whole(outcome), plan)?,
                Entry::Gone => old.map(|(spot, _)| spot),
                entry => self.put(net, old, entry, plan)?,
            };
            if let (Entry::Gone, Some(spot)) = (wanted, spot) {
                plan.gone.push((net, spot));
            }
            match old {
                Some((_, Entry::List(place))) if wanted != Entry::List(place) => {
                    let words = list::words(list::count(&self.pool, place));
                    plan.back.push((place, words));
                }
                _ => {}
            }
        }
        if first_bits != old_bits {
            plan.bits.push((group, first_bits));
        }
        if last_bits != first_bits {
            plan.last_bits.push((group, last_bits));
        }
        Ok(last_bits)
    }

    /// Plans an entry for a /24 that may have one; where it stands.
    fn put(
        &mut self,
        net: u32,
        old: Option<(Spot, Entry)>,
        entry: Entry,
        plan: &mut Plan4,
    ) -> Result<Option<Spot>, Full> {
        let (spot, is_new) = match old {
            Some((spot, old)) if old == entry => return Ok(Some(spot)),
            Some((spot, _)) => (spot, false),
            None => {
                let spot = self.entries.promise(&self.lines, net);
                (spot.ok_or(FULL_LINES)?, true)
            }
        };
        plan.entries.push(Put {
            net,
            spot,
            is_new,
            entry,
        });
        Ok(Some(spot))
    }

    /// The entry of a /24; the list that it has already is kept.
    fn entry(
        &mut self,
        mixed: Mixed,
        flat: &Flat,
        old: Option<Entry>,
        plan: &mut Plan4,
    ) -> Result<Entry, Full> {
        let (first, end) = match mixed {
            Mixed::Inside {
                prefix,
                inside,
                outside,
            } => {
                return Ok(Entry::Inside {
                    prefix,
                    inside,
                    outside,
                });
            }
            Mixed::Few {
                prefixes,
                inside,
                outside,
            } => {
                return Ok(Entry::Few {
                    prefixes,
                    inside,
                    outside,
                });
            }
            Mixed::List { first, end } => (first, end),
        };
        let records = &flat.records[first..end];
        let pool = &mut self.pool;
        if let Some(Entry::List(place)) = old
            && list::read(pool, place).eq(records.iter().copied())
        {
            return Ok(Entry::List(place));
        }
        let words = list::words(records.len() as u32);
        let place = pool.take(words).ok_or(FULL_POOL)?;
        plan.taken.push((place, words));
        list::write(pool, place, records);
        Ok(Entry::List(place))
    }
}

/// The word planned last if it has this place, or else the one that is there.
fn last_or(words: &[(u32, u64)], at: u32, now: u64) -> u64 {
    let last = words.last().filter(|(last, _)| *last == at);
    last.map_or(now, |(_, word)| *word)
}

/// Plans a word behind the others, or in place of the last one if that has its place.
fn set_last(words: &mut Vec<(u32, u64)>, at: u32, now: u64, wanted: u64) {
    match words.last_mut() {
        Some((last, word)) if *last == at => *word = wanted,
        _ if wanted != now => words.push((at, wanted)),
        _ => {}
    }
}

/// The word of a /16.
const fn root_word(default: Outcome, main: Outcome) -> u32 {
    (main.0 as u32) << 16 | default.0 as u32
}
