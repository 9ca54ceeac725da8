//! Whatever words a reader sees of an update, it answers as before or as after.

use std::collections::HashMap;

use ftp_guard_common::lookup::{
    Outcome,
    lines::{LANES, LineMemory, Lines},
    v4::{self, KEY_SHIFT, Memory},
};

use super::{
    super::plan::{Put, Step},
    *,
};

/// What a reader takes for the size of the table.
const LINES: Lines = Lines::new(0, 64);

/// What words held since the last grace: when, and what.
#[derive(Default)]
struct Past {
    known: HashMap<u32, Vec<(usize, u64)>>,
    roots: HashMap<u32, Vec<(usize, u32)>>,
    bits: HashMap<u32, Vec<(usize, u64)>>,
    /// By /24, what stands below the key; 0: no entry.
    entries: HashMap<u32, Vec<(usize, u64)>>,
    now: usize,
}

impl Past {
    fn store<W: Copy>(
        words: &mut HashMap<u32, Vec<(usize, W)>>,
        at: u32,
        before: W,
        now: usize,
        to: W,
    ) {
        words
            .entry(at)
            .or_insert_with(|| vec![(0, before)])
            .push((now, to));
    }

    fn held<W: Copy>(
        words: &HashMap<u32, Vec<(usize, W)>>,
        at: u32,
        now: W,
    ) -> Vec<(usize, usize, W)> {
        let Some(past) = words.get(&at) else {
            return vec![(0, usize::MAX, now)];
        };
        let ends = past
            .iter()
            .skip(1)
            .map(|(from, _)| *from)
            .chain([usize::MAX]);
        past.iter()
            .zip(ends)
            .map(|((from, word), end)| (*from, end, *word))
            .collect()
    }

    /// What a word may hold for a reader that loads it at this time or later: from when on, and what.
    fn seen<W: Copy>(
        words: &HashMap<u32, Vec<(usize, W)>>,
        at: u32,
        now: W,
        since: usize,
    ) -> impl Iterator<Item = (usize, W)> {
        Self::held(words, at, now)
            .into_iter()
            .filter(move |(_, end, _)| *end > since)
            .map(move |(from, _, word)| (from.max(since), word))
    }
}

/// What one reader sees.
struct Seen<'a> {
    v4: &'a V4,
    known: u64,
    root: u32,
    bits: u64,
    line: [u64; LANES],
}

impl LineMemory for Seen<'_> {
    type Line = [u64; LANES];

    fn line(&self, _: u32) -> Option<&Self::Line> {
        Some(&self.line)
    }
    fn lane(line: &Self::Line, lane: usize) -> u64 {
        line[lane]
    }
}

impl Memory for Seen<'_> {
    fn known(&self, _: u32) -> u64 {
        self.known
    }
    fn root(&self, _: u32) -> u32 {
        self.root
    }
    fn bits(&self, _: u32) -> u64 {
        self.bits
    }
    fn head(&self) -> Lines {
        LINES
    }
    fn pool(&self, index: u32) -> u64 {
        Memory::pool(self.v4, index)
    }
}

/// The line in which a reader finds that entry.
fn line_of(net: u32, body: u64) -> [u64; LANES] {
    let mut line = [0; LANES];
    if body != 0 {
        line[0] = v4::place(net, LINES).key(0) << KEY_SHIFT | body;
    }
    line
}

/// What stands below the key of the entry that a /24 has; 0: it has none.
fn body_of(v4: &V4, net: u32) -> u64 {
    let found = v4.entries.find(&v4.lines, net);
    found.map_or(0, |(_, entry)| entry.body())
}

/// All readers between two graces: those that load the bits of the /16s at one time, the word of the /16 then or
/// later, the bits of the /18 then or later, and the entry of the /24 then or later.
fn check_readers(world: &World, wanted: &Model, past: &Past, addresses: &[u32]) {
    let v4 = &world.v4;
    for address in addresses.iter().copied() {
        let (known, root, group, net) = (address >> 21, address >> 16, address >> 14, address >> 8);
        if !past.known.contains_key(&known)
            && !past.roots.contains_key(&root)
            && !past.bits.contains_key(&group)
            && !past.entries.contains_key(&net)
        {
            continue;
        }
        let answers = |model: &Model| TIMES.map(|now_s| model.find(address, now_s));
        let (before, after) = (answers(&world.model), answers(wanted));
        let check = |seen: &Seen<'_>| {
            let nothing = v4::says_nothing(seen, address).then_some(Outcome::NONE);
            for outcome in nothing.into_iter().chain([v4::find(seen, address)]) {
                let found = TIMES.map(|now_s| world.outcomes.found(outcome, now_s));
                assert!(
                    found == before || found == after,
                    "{}: {found:?}, before {before:?}, after {after:?}",
                    Ipv4Addr::from(address)
                );
            }
        };
        for (known_at, _, known) in Past::held(&past.known, known, v4.known(known)) {
            for (root_at, root) in Past::seen(&past.roots, root, Memory::root(v4, root), known_at) {
                for (bits_at, bits) in Past::seen(&past.bits, group, v4.bits(group), root_at) {
                    for (_, body) in Past::seen(&past.entries, net, body_of(v4, net), bits_at) {
                        check(&Seen {
                            v4,
                            known,
                            root,
                            bits,
                            line: line_of(net, body),
                        });
                    }
                }
            }
        }
    }
}

/// Updates store by store. How many graces there were.
pub fn update_by_stores(world: &mut World, wanted: &Model, addresses: &[u32]) -> usize {
    let plan = world.prepare(wanted).unwrap();
    let mut graces = 0;
    let mut past = Past::default();
    for step in plan.steps() {
        past.now += 1;
        let v4 = &world.v4;
        match step {
            Step::Known(at, to) => Past::store(&mut past.known, at, v4.known(at), past.now, to),
            Step::Root(at, to) => {
                Past::store(&mut past.roots, at, Memory::root(v4, at), past.now, to);
            }
            Step::Bits(at, to) => Past::store(&mut past.bits, at, v4.bits(at), past.now, to),
            Step::Entry(Put { net, entry, .. }) => {
                let before = body_of(v4, net);
                Past::store(&mut past.entries, net, before, past.now, entry.body());
            }
            Step::Remove(net, _) => {
                Past::store(&mut past.entries, net, body_of(v4, net), past.now, 0);
            }
            Step::Order => {}
            Step::Grace => {
                check_readers(world, wanted, &past, addresses);
                past = Past::default();
                graces += 1;
            }
        }
        world.v4.step(step, &|| {});
    }
    check_readers(world, wanted, &past, addresses);
    world.v4.finish(plan);
    world.model = wanted.clone();
    world.check(addresses.iter().copied());
    graces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_reader_sees_a_third_answer(
        updates in prop::collection::vec(
            prop::collection::vec(
                (entries(prop_oneof![1 => 13_u8..16, 3 => 16_u8..=18, 6 => 18_u8..=24, 4 => 24_u8..=32]), 0..3),
                1..20,
            ),
            2..6,
        ),
    ) {
        let mut world = World::new(1 << 16);
        for update in updates {
            let mut wanted = world.model.clone();
            let some: Vec<IpNet> = wanted.prefixes().into_iter().step_by(3).collect();
            for ((prefix, value), what) in update {
                match what {
                    0 => drop(wanted.0.insert(prefix, value)),
                    1 => wanted.0.retain(|other, _| !prefix.contains(other)),
                    _ => {
                        for other in some.iter().filter(|other| prefix.contains(*other)) {
                            wanted.0.insert(*other, value);
                        }
                        wanted.0.insert(prefix, value);
                    }
                }
            }
            let mut addresses = world.model.edges();
            addresses.extend(wanted.edges());
            update_by_stores(&mut world, &wanted, &addresses);
        }
    }
}
