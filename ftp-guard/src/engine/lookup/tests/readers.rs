//! Threads that read while lists change.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
            Ordering::{Acquire, SeqCst},
        },
    },
    thread,
    time::{Duration, Instant},
};

use ftp_guard_common::lookup::{
    lines::{FEWEST_LINES, LANES, LINES_WORDS, LineMemory, Lines},
    v4,
};

use super::*;

type Shared<T> = Arc<[T]>;

/// The arrays for IPv4 as a program has them.
#[derive(Clone)]
struct Arrays {
    rows: Shared<AtomicU64>,
    known: Shared<AtomicU64>,
    root: Shared<AtomicU32>,
    bits: Shared<AtomicU64>,
    lines: Shared<AtomicU64>,
    pool: Shared<AtomicU64>,
    head: Shared<AtomicU32>,
}

fn words_32(count: u32) -> Shared<AtomicU32> {
    (0..count).map(|_| AtomicU32::new(0)).collect()
}

fn words_64(count: u32) -> Shared<AtomicU64> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

impl Arrays {
    fn new(pool: u32) -> Self {
        Self {
            rows: words_64(ROWS),
            known: words_64(v4::KNOWN_WORDS),
            root: words_32(v4::ROOTS),
            bits: words_64(v4::GROUPS),
            lines: words_64(FEWEST_LINES * LANES as u32),
            pool: words_64(pool),
            head: words_32(LINES_WORDS),
        }
    }

    fn regions(&self) -> Regions {
        Regions {
            rows: Box::new(Arc::clone(&self.rows)),
            known_v4: Box::new(Arc::clone(&self.known)),
            root_v4: Box::new(Arc::clone(&self.root)),
            bits_v4: Box::new(Arc::clone(&self.bits)),
            lines_v4: Box::new(Arc::clone(&self.lines)),
            pool_v4: Box::new(Arc::clone(&self.pool)),
            head_v4: Box::new(Arc::clone(&self.head)),
            ..Regions::of_vectors(Lookup::sizes(&[]))
        }
    }

    /// What is said now, by the profile of what never expires.
    fn profile(&self, address: u32) -> Option<u16> {
        let mut outcome = v4::find(self, address);
        while outcome.has_row() {
            let word = self.rows[usize::from(outcome.0)].load(Acquire);
            let row = ftp_guard_common::lookup::Row::from_word(word);
            if row.expires_s > 10 {
                return Some(u16::from(row.profile));
            }
            outcome = Outcome(row.next);
        }
        (outcome != Outcome::NONE).then(|| outcome.profile())
    }
}

impl LineMemory for Arrays {
    type Line = [AtomicU64; LANES];

    fn line(&self, index: u32) -> Option<&Self::Line> {
        let first = index as usize * LANES;
        self.lines.get(first..first + LANES)?.try_into().ok()
    }
    fn lane(line: &Self::Line, lane: usize) -> u64 {
        line[lane].load(Acquire)
    }
}

impl v4::Memory for Arrays {
    fn known(&self, index: u32) -> u64 {
        self.known[index as usize].load(Acquire)
    }

    fn root(&self, index: u32) -> u32 {
        self.root[index as usize].load(Acquire)
    }
    fn bits(&self, index: u32) -> u64 {
        self.bits[index as usize].load(Acquire)
    }
    fn head(&self) -> Lines {
        let [first, count, scale] = [0, 1, 2].map(|at: usize| self.head[at].load(Acquire));
        Lines {
            first,
            count,
            scale,
        }
    }
    fn pool(&self, index: u32) -> u64 {
        let word = self.pool.get(index as usize);
        word.map_or(0, |word| word.load(Acquire))
    }
}

/// Lists that say 1 or 2 of a few addresses, each in another form.
fn lists() -> Vec<Vec<(IpNet, AllowValue)>> {
    let lists: [&[(&str, u16, u32)]; 6] = [
        &[("10.1.0.0/16", 1, 0)],
        &[("10.1.0.0/16", 2, 0), ("10.1.2.0/23", 1, 0)],
        &[("10.1.0.0/17", 1, 0), ("10.1.2.3/32", 2, 0)],
        &[
            ("10.0.0.0/8", 1, 0),
            ("10.1.2.0/24", 2, 50),
            ("10.1.2.3/32", 1, 9),
        ],
        &[
            ("10.1.2.0/24", 2, 0),
            ("10.1.2.0/26", 1, 0),
            ("10.1.2.3/32", 2, 5),
            ("10.1.2.4/31", 1, 50),
            ("10.1.3.0/24", 1, 0),
        ],
        &[("10.1.2.0/24", 1, 0), ("10.1.3.0/25", 2, 0)],
    ];
    let entries = lists.iter().map(|list| list.iter());
    entries
        .map(|list| list.map(|(prefix, profile, expires_s)| listed(prefix, *profile, *expires_s)))
        .map(Iterator::collect)
        .collect()
}

#[test]
fn a_listed_address_is_never_absent() {
    const READERS: usize = 1;
    const TIME: Duration = Duration::from_millis(500);
    let arrays = Arrays::new(4096);
    let rounds: Arc<Vec<AtomicUsize>> =
        Arc::new((0..READERS).map(|_| AtomicUsize::new(0)).collect());
    let ends = Arc::new(AtomicBool::new(false));
    let waited = Arc::clone(&rounds);
    // Each reader has ended a search and begun another.
    let grace = Arc::new(move || {
        for round in waited.iter() {
            let before = round.load(SeqCst);
            while round.load(SeqCst) < before + 2 {
                thread::yield_now();
            }
        }
    });
    let mut lookup = Lookup::new(arrays.regions(), grace);
    let lists = lists();
    lookup.update(&lists[0], &prefixes(&lists[0])).unwrap();
    let readers: Vec<_> = (0..READERS)
        .map(|number| {
            let (arrays, rounds, ends) = (arrays.clone(), Arc::clone(&rounds), Arc::clone(&ends));
            thread::spawn(move || {
                let mut seen = [0_u32; 3];
                for turn in 0_u32.. {
                    if ends.load(SeqCst) {
                        break;
                    }
                    let address = [0x0a01_0203, 0x0a01_0204, 0x0a01_0311][turn as usize % 3];
                    let profile = arrays.profile(address);
                    rounds[number].fetch_add(1, SeqCst);
                    seen[usize::from(profile.unwrap_or(0)).min(2)] += 1;
                }
                // So that no grace waits for it.
                rounds[number].store(usize::MAX / 2, SeqCst);
                seen
            })
        })
        .collect();
    let mut from = &lists[0];
    let begin = Instant::now();
    for turn in (0..3000_usize).take_while(|_| begin.elapsed() < TIME) {
        let to = &lists[(turn * 7 + turn / 6) % lists.len()];
        let mut changed = prefixes(from);
        changed.extend(prefixes(to));
        lookup.update(to, &changed).unwrap();
        from = to;
    }
    ends.store(true, SeqCst);
    for reader in readers {
        let [absent, first, second] = reader.join().unwrap();
        assert_eq!(absent, 0, "of {first} and {second}");
    }
}
