//! How large the arrays have to be.

use std::sync::atomic::AtomicU64;

use ftp_guard_common::{
    allow::AllowValue,
    lookup::{
        Outcome,
        lines::{FEWEST_LINES, MOST_LINES},
        outcome::ROWS,
        v6::Entry,
    },
};
use ipnet::IpNet;

use super::{
    super::Outcomes,
    behind,
    dirty::Dirty,
    node::Node,
    prefixes::{Level, Prefixes, Records},
    table,
};

/// What a list needs, and room for changes.
pub struct Needs {
    /// Lines of the tables of units.
    pub lines: [u32; 2],
    /// Words of the pool.
    pub pool: u32,
}

impl Needs {
    /// Of a list of prefixes of IPv6. When it fills arrays of this size everything finds its place.
    pub fn of(table: &[(IpNet, AllowValue)]) -> Self {
        let dirty = Dirty::of(table.iter().map(|entry| &entry.0));
        let mut prefixes = Prefixes::new(table);
        let rows: Vec<_> = (0..ROWS).map(|_| AtomicU64::new(0)).collect();
        let mut outcomes = Outcomes::new(Box::new(rows));
        // A list that has too many outcomes is refused for that, whatever else it needs.
        let mut says =
            |value: &AllowValue, next| Some(outcomes.of(value, next).unwrap_or(Outcome::EXCLUDED));
        let (mut said, mut records) = (Records::new(), Records::new());
        let mut units: [Vec<u64>; 2] = Default::default();
        let (mut words, mut largest) = (0_u64, 0_u64);
        for level in Level::ALL {
            prefixes.rewind();
            for unit in &dirty.units[level as usize] {
                if prefixes
                    .flatten(&level.span(*unit), &mut said, &mut says)
                    .is_none()
                {
                    continue;
                }
                behind(level, &said, &mut records);
                let node = match Node::of(&records) {
                    Node::Nothing => continue,
                    _ if level == Level::Lists => Node::List,
                    node => node,
                };
                if let Some(units) = units.get_mut(level as usize) {
                    units.push(*unit);
                }
                let block = u64::from(node.words(records.len()));
                words += block;
                largest = largest.max(block);
            }
        }
        // While an update goes on there are up to three of a list: the old one, the new one and one in between.
        let pool = 256 + words + words / 4 + 2 * largest;
        let fewest = lines_for_places(pool);
        let lines = [Level::Units48, Level::Units32]
            .map(|level| table::lines_for_units(level, &units[level as usize], fewest));
        Self {
            lines,
            pool: u32::try_from(pool).unwrap_or(u32::MAX),
        }
    }
}

/// The fewest lines whose entries have room for each place of the pool.
fn lines_for_places(pool: u64) -> u32 {
    let mut lines = FEWEST_LINES;
    while lines < MOST_LINES && Entry::most_place(lines) < pool {
        lines *= 2;
    }
    lines
}
