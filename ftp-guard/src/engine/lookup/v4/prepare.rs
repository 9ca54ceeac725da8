//! Prepares an update: takes and writes blocks of which no program knows yet.

use ftp_guard_common::lookup::{
    Outcome,
    v4::{Entry, HAS_DEFAULT, KNOWN_ROOTS, LIST_BITS, LISTED, Memory as _},
};

use super::{
    super::{Full, Outcomes, Pool},
    V4, dirty,
    flat::{Flat, Mixed, SLOTS, ones},
    node,
    plan::Plan4,
    walk::Listed,
    want::Want,
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
        let known = u64::from(is_listed) * LISTED | has_default;
        set_last(&mut plan.known, at, now, others | known << shift);
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
        let old_word = self.group(group);
        let mut old_entries = [0; SLOTS];
        let mut old_slots = 0_u64;
        if let Some((place, count)) = node::unpack(old_word) {
            for entry in node::read(&self.pool, place, count) {
                old_entries[(entry >> 26) as usize] = entry;
                old_slots |= 1 << (entry >> 26);
            }
        }
        let mut mixed = flat.mixed.iter().peekable();
        let (mut first, mut last) = std::mem::take(&mut plan.entries);
        first.clear();
        last.clear();
        let (mut first_bits, mut last_bits) = (0_u64, 0_u64);
        for slot in ones(flat.differs(change.default) | flat.mixed_bits | old_bits) {
            let old_entry = (old_slots >> slot & 1 != 0).then_some(old_entries[slot]);
            let from = match old_entry {
                _ if old_bits >> slot & 1 == 0 => Way::Default,
                None => Way::Main,
                Some(_) => Way::Entry,
            };
            let outcome = flat.whole[slot];
            let to = match mixed.next_if(|(at, _)| *at == slot) {
                Some((_, mixed)) => {
                    let entry = self.entry(*mixed, flat, old_entry, plan)?;
                    first.push(entry.pack(slot as u8));
                    last.push(entry.pack(slot as u8));
                    Way::Entry
                }
                None if outcome == change.default => Way::Default,
                None if outcome == change.main => Way::Main,
                None => {
                    first.push(Entry::Whole(outcome).pack(slot as u8));
                    last.push(Entry::Whole(outcome).pack(slot as u8));
                    Way::Entry
                }
            };
            last_bits |= u64::from(to != Way::Default) << slot;
            let is_bridged = change.needs_bridge(from, to);
            if is_bridged {
                first.push(Entry::Whole(outcome).pack(slot as u8));
            }
            let stays = is_bridged && !change.same_default;
            first_bits |= u64::from(to != Way::Default || stays) << slot;
            self.give_list_back(old_entry, last.last().copied(), plan);
        }
        let first_word = self.node(old_word, &first, plan)?;
        if first_word != old_word {
            plan.groups.push((group, first_word));
            plan.give_back(old_word);
        }
        if first_bits != old_bits {
            plan.bits.push((group, first_bits));
        }
        if last_bits != first_bits {
            plan.last_bits.push((group, last_bits));
        }
        if first.len() != last.len() {
            plan.is_bridged = true;
            let last_word = self.node(first_word, &last, plan)?;
            plan.last_groups.push((group, last_word));
            plan.give_back(first_word);
        }
        plan.entries = (first, last);
        Ok(last_bits)
    }

    /// The entry of a /24; the list that it has already is kept.
    fn entry(
        &mut self,
        mixed: Mixed,
        flat: &Flat,
        old: Option<u32>,
        plan: &mut Plan4,
    ) -> Result<Entry, Full> {
        let (pool, pairs) = (&mut self.pool, &mut self.pairs);
        match mixed {
            Mixed::Inside {
                prefix,
                inside,
                outside,
            } => match pairs.of(inside, outside) {
                Some(pair) => Ok(Entry::Inside { prefix, pair }),
                None => list(pool, &records_of(prefix, inside, outside), old, plan),
            },
            Mixed::List { first, end } => list(pool, &flat.records[first..end], old, plan),
        }
    }
}

impl V4 {
    /// The word of a group with these entries.
    fn node(&mut self, old: u32, entries: &[u32], plan: &mut Plan4) -> Result<u32, Full> {
        if entries.is_empty() {
            return Ok(0);
        }
        let count = entries.len() as u32;
        if let Some((place, old_count)) = node::unpack(old)
            && old_count == count
            && node::read(&self.pool, place, count).eq(entries.iter().copied())
        {
            return Ok(old);
        }
        let place = plan.take(&mut self.pool, node::words(count))?;
        node::write(&self.pool, place, entries);
        Ok(node::pack(place, count))
    }

    /// Gives back the list that a /24 had, unless it has it still.
    fn give_list_back(&self, old: Option<u32>, new: Option<u32>, plan: &mut Plan4) {
        if old != new
            && let Some(Entry::List(place)) = old.map(Entry::unpack)
        {
            let count = node::list_count(&self.pool, place);
            plan.back.push((place, node::list_words(count)));
        }
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

/// The list with these records.
fn list(
    pool: &mut Pool,
    records: &[u32],
    old: Option<u32>,
    plan: &mut Plan4,
) -> Result<Entry, Full> {
    let count = records.len() as u32;
    if let Some(Entry::List(place)) = old.map(Entry::unpack)
        && node::list_count(pool, place) == count
        && node::read(pool, place + 1, count).eq(records.iter().copied())
    {
        return Ok(Entry::List(place));
    }
    let place = plan.take(pool, node::list_words(count))?;
    if place >> LIST_BITS != 0 {
        return Err(FULL_POOL);
    }
    pool.write(place, &[u64::from(count)]);
    node::write(pool, place + 1, records);
    Ok(Entry::List(place))
}

/// The records of a /24 with one prefix.
fn records_of(prefix: u16, inside: Outcome, outside: Outcome) -> Vec<u32> {
    let prefix = u32::from(prefix);
    let length = prefix & prefix.wrapping_neg();
    let first = (prefix & !(length * 2 - 1)) >> 1;
    let record = |start: u32, outcome: Outcome| start << 24 | u32::from(outcome.0);
    let mut records = Vec::new();
    if first > 0 {
        records.push(record(0, outside));
    }
    records.push(record(first, inside));
    if first + length < 256 {
        records.push(record(first + length, outside));
    }
    records
}

/// The word of a /16.
const fn root_word(default: Outcome, main: Outcome) -> u32 {
    (main.0 as u32) << 16 | default.0 as u32
}

impl Plan4 {
    fn take(&mut self, pool: &mut Pool, words: u32) -> Result<u32, Full> {
        let place = pool.take(words).ok_or(FULL_POOL)?;
        self.taken.push((place, words));
        Ok(place)
    }

    fn give_back(&mut self, group: u32) {
        if let Some((place, count)) = node::unpack(group) {
            self.back.push((place, node::words(count)));
        }
    }
}

#[cfg(test)]
mod tests {
    use ftp_guard_common::lookup::v4::prefix_bits;

    use super::{super::flat::as_one_prefix, *};

    #[test]
    fn one_prefix_and_its_records_say_the_same() {
        let (inside, outside) = (Outcome(5), Outcome(9));
        for bits in 1..=8 {
            for first in (0..256).step_by(1 << (8 - bits)) {
                let prefix = prefix_bits(first as u8, bits);
                let records = records_of(prefix, inside, outside);
                let Some(Mixed::Inside {
                    prefix,
                    inside,
                    outside,
                }) = as_one_prefix(&records)
                else {
                    panic!("{records:?}");
                };
                assert_eq!(records_of(prefix, inside, outside), records);
            }
        }
    }
}
