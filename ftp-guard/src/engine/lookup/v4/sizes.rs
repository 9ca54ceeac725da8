//! How large the pool must be.

use std::{collections::HashSet, sync::atomic::AtomicU64};

use ftp_guard_common::lookup::{
    Outcome,
    outcome::ROWS,
    v4::{PAIRS, PLACE_BITS},
};

use super::{
    super::Outcomes,
    V4, dirty,
    flat::{Flat, Mixed},
    node,
    walk::Listed,
    want::Want,
};

/// Words for changes, whatever the list: 256 KiB.
const FEWEST_WORDS: u64 = 32 * 1024;
/// What a list of one prefix takes at most, which stands in for a pair when there are too many: three records.
const LIST_FOR_PAIR: u64 = node::list_words(3) as u64;

impl V4 {
    /// Words of the pool: half as many again as the list needs, and some for changes. `table` has prefixes of IPv4
    /// only and is sorted.
    pub(in super::super) fn sizes(table: &[Listed]) -> u32 {
        let need = need(table);
        let words = (need + need / 2 + FEWEST_WORDS).min(1 << PLACE_BITS);
        words as u32
    }
}

fn need(table: &[Listed]) -> u64 {
    let Some(masks) = dirty::masks(table.iter().map(|(prefix, _)| prefix)) else {
        return 0;
    };
    let mut outcomes = Outcomes::new(Box::new(
        (0..ROWS).map(|_| AtomicU64::new(0)).collect::<Vec<_>>(),
    ));
    let mut pairs = HashSet::new();
    let mut want = Want::new(table);
    let mut words = 0;
    for (root, mask) in (0..).zip(masks).filter(|(_, mask)| *mask != 0) {
        let read = want.read(root, mask, Outcome::NONE, |value, next| {
            // An update will say that there are too many.
            outcomes.of(value, next).or(Some(Outcome(u16::MAX)))
        });
        if read.is_none() {
            continue;
        }
        let main = want.main(mask, Outcome::NONE);
        for (number, flat) in want.quarters.iter().enumerate() {
            if mask >> number & 1 != 0 {
                words += of_group(flat, want.default, main, &mut pairs);
            }
        }
    }
    words
}

fn of_group(
    flat: &Flat,
    default: Outcome,
    main: Outcome,
    pairs: &mut HashSet<(Outcome, Outcome)>,
) -> u64 {
    let mut words = 0;
    for (_, mixed) in &flat.mixed {
        match *mixed {
            Mixed::Inside {
                inside, outside, ..
            } => {
                let is_full = pairs.len() >= PAIRS as usize;
                if !pairs.contains(&(inside, outside)) {
                    if is_full {
                        words += LIST_FOR_PAIR;
                    } else {
                        pairs.insert((inside, outside));
                    }
                }
            }
            Mixed::List { first, end } => {
                words += u64::from(node::list_words((end - first) as u32));
            }
        }
    }
    let whole = flat.differs(default) & flat.differs(main);
    let entries = flat.mixed.len() as u32 + whole.count_ones();
    words + u64::from(node::words(entries))
}
