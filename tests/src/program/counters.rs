//! What runs of the programs are counted as.

use std::{collections::BTreeMap, os::fd::AsFd};

use anyhow::{Context, ensure};
use ftp_guard_common::{
    names,
    stats::{Counter, STATS_LEN, StatsKey},
};

use super::Guard;
use crate::sys;

/// What a program did with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it let the frame go on; else it discarded it, or answered it.
    pub passed: bool,
    /// By how much each counter cell moved, by index; cells that did not move are left out.
    pub moved: BTreeMap<u32, Counter>,
}

impl Outcome {
    /// The one cell that moved, and by how much.
    ///
    /// # Errors
    ///
    /// Another number of cells moved, or the cell belongs to no key.
    pub fn only_cell(&self) -> anyhow::Result<(StatsKey, Counter)> {
        ensure!(
            self.moved.len() == 1,
            "{} counter cells moved: {:?}",
            self.moved.len(),
            self.moved
        );
        let (index, counter) = self.moved.iter().next().context("no cell")?;
        let key = StatsKey::all()
            .find(|key| key.index() == *index)
            .with_context(|| format!("cell {index} belongs to no key"))?;
        Ok((key, *counter))
    }
}

impl Guard {
    /// Runs the egress classifier on a frame and compares its counters before and after.
    ///
    /// # Errors
    ///
    /// As [`Guard::run_egress`].
    pub fn observe_egress(&self, frame: &[u8]) -> anyhow::Result<Outcome> {
        self.observe_hook(names::STATS_EGRESS_MAP, |guard| guard.run_egress(frame))
    }

    /// Runs the ingress classifier on a frame and compares its counters before and after.
    ///
    /// # Errors
    ///
    /// As [`Guard::run_control`].
    pub fn observe_control(&self, frame: &[u8]) -> anyhow::Result<Outcome> {
        self.observe_hook(names::STATS_CONTROL_MAP, |guard| guard.run_control(frame))
    }

    /// All counter cells of the XDP program, added up over the CPUs; [`STATS_LEN`] of them.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn table(&self) -> anyhow::Result<Vec<Counter>> {
        self.table_of(names::STATS_MAP)
    }

    /// All counter cells of a table, as [`Guard::table`].
    ///
    /// # Errors
    ///
    /// There is no such table, or what the kernel says.
    pub fn table_of(&self, name: &str) -> anyhow::Result<Vec<Counter>> {
        sys::counters(self.stats(name)?.fd().as_fd(), self.cpus).context("cannot read the counters")
    }

    /// One counter cell of the XDP program, added up over the CPUs.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn cell(&self, key: StatsKey) -> anyhow::Result<Counter> {
        self.cell_of(names::STATS_MAP, key)
    }

    /// One counter cell of a table, added up over the CPUs.
    ///
    /// # Errors
    ///
    /// There is no such table, or what the kernel says.
    pub fn cell_of(&self, stats: &str, key: StatsKey) -> anyhow::Result<Counter> {
        let map: aya::maps::PerCpuArray<_, Counter> =
            aya::maps::PerCpuArray::try_from(self.map(stats)?)?;
        let mut sum = Counter::default();
        for share in map.get(&key.index(), 0)?.iter() {
            sum.packets += share.packets;
            sum.bytes += share.bytes;
        }
        Ok(sum)
    }

    /// Runs the program on a frame and compares the whole counter table before and after.
    ///
    /// # Errors
    ///
    /// As [`Guard::run`].
    pub fn observe(&self, frame: &[u8]) -> anyhow::Result<Outcome> {
        self.observe_run(|guard| guard.run(frame))
    }

    /// Compares the whole counter table of the XDP program before and after `run`.
    ///
    /// # Errors
    ///
    /// What `run` or the kernel says, or a counter that went backwards.
    pub fn observe_run(
        &self,
        run: impl FnOnce(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<Outcome> {
        self.observe_hook(names::STATS_MAP, run)
    }

    fn observe_hook(
        &self,
        stats: &str,
        run: impl FnOnce(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<Outcome> {
        let before = self.table_of(stats)?;
        let passed = run(self)?;
        let after = self.table_of(stats)?;
        let mut moved = BTreeMap::new();
        for index in 0..STATS_LEN {
            let (before, after) = (before[index as usize], after[index as usize]);
            if before != after {
                ensure!(
                    after.packets >= before.packets && after.bytes >= before.bytes,
                    "cell {index} went backwards: {before:?}, then {after:?}"
                );
                moved.insert(
                    index,
                    Counter {
                        packets: after.packets - before.packets,
                        bytes: after.bytes - before.bytes,
                    },
                );
            }
        }
        Ok(Outcome { passed, moved })
    }
}
