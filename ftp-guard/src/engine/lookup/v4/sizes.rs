//! How large lines and pool must be.

use std::sync::atomic::AtomicU64;

use ftp_guard_common::lookup::{
    Outcome,
    lines::Lines,
    outcome::ROWS,
    v4::{self, PLACE_BITS},
};

use super::{
    super::{Outcomes, lines::lines_for},
    V4, dirty,
    flat::{Mixed, ones},
    list,
    walk::Listed,
    want::Want,
};

/// Lines for changes, whatever the list: 64 KiB.
const FEWEST: u32 = 1024;
/// Words of the pool for changes, whatever the list: 32 KiB.
const FEWEST_WORDS: u64 = 4 * 1024;

impl V4 {
    /// Lines, and words of the pool: half as many again as the list needs, and some for changes. `table` has prefixes of
    /// IPv4 only and is sorted.
    pub(in super::super) fn sizes(table: &[Listed]) -> (u32, u32) {
        let needs = Needs::of(table);
        let place = |net, count| v4::place(net, Lines::new(0, count));
        let lines = lines_for(&needs.nets, place, FEWEST);
        let words = needs.words + needs.words / 2 + FEWEST_WORDS;
        (lines, words.min(1 << PLACE_BITS) as u32)
    }
}

#[derive(Default)]
struct Needs {
    /// /24s with entries.
    nets: Vec<u32>,
    /// Words of lists.
    words: u64,
}

impl Needs {
    fn of(table: &[Listed]) -> Self {
        let mut needs = Self::default();
        let Some(masks) = dirty::masks(table.iter().map(|(prefix, _)| prefix)) else {
            return needs;
        };
        let mut outcomes = Outcomes::new(Box::new(
            (0..ROWS).map(|_| AtomicU64::new(0)).collect::<Vec<_>>(),
        ));
        let mut want = Want::new(table);
        for (root, mask) in (0..).zip(masks).filter(|(_, mask)| *mask != 0) {
            let read = want.read(root, mask, Outcome::NONE, |value, next| {
                // An update will say that there are too many.
                outcomes.of(value, next).or(Some(Outcome(u16::MAX)))
            });
            if read.is_some() {
                needs.add(root, mask, &want);
            }
        }
        needs
    }

    fn add(&mut self, root: u32, mask: u8, want: &Want<'_>) {
        let main = want.main(mask, Outcome::NONE);
        for (group, flat) in (root << 2..).zip(&want.quarters) {
            if mask >> (group & 3) & 1 == 0 {
                continue;
            }
            let whole = flat.differs(want.default) & flat.differs(main);
            let nets = ones(whole | flat.mixed_bits).map(|slot| group << 6 | slot as u32);
            self.nets.extend(nets);
            for (_, mixed) in &flat.mixed {
                if let Mixed::List { first, end } = mixed {
                    self.words += u64::from(list::words((end - first) as u32));
                }
            }
        }
    }
}
