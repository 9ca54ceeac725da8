//! Writes the lookup structure of the allowlist: what the programs read is described in
//! [`ftp_guard_common::lookup`], how it is written in `docs/lookup.md`.
//!
//! Each step is one aligned store, and readers never wait. What a store replaces is used again only when no
//! program can still read it.

mod lines;
mod outcomes;
mod pool;
mod regions;
#[cfg(test)]
mod tests;
mod v4;
mod v6;

use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    thread::{self, JoinHandle},
};

use ftp_guard_common::{
    allow::{AllowValue, EntryKind},
    lookup::{Outcome, outcome::ROWS},
};
use ipnet::IpNet;

pub use outcomes::Outcomes;
pub use pool::Pool;
pub use regions::{Region32, Region64, Regions, Sizes};
use v4::V4;
use v6::V6;

/// There is no room; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// What is full, for a message: "the pool for IPv4".
    pub what: &'static str,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is full", self.what)
    }
}

impl std::error::Error for Full {}

/// What the programs find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whether the address is allowed.
    pub kind: EntryKind,
    /// Number of the entry's profile; 0 for an exclusion that does not expire.
    pub profile: u16,
    /// Unix time in seconds from which on the entry no longer counts; 0 is never.
    pub expires_s: u32,
}

/// Memory of the arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all arrays.
    pub bytes: u64,
    /// Bytes of them that are in use. Arrays whose size does not depend on the list count whole.
    pub used: u64,
}

/// Returns when no program can read any more what it could read at the call.
pub type Grace = Arc<dyn Fn() + Send + Sync>;

/// The writer of the structure.
pub struct Lookup {
    outcomes: Outcomes,
    v4: V4,
    v6: V6,
    grace: Grace,
    /// A program may still read what the last update replaced.
    is_fresh: bool,
    /// Until it ends.
    last_grace: Option<JoinHandle<()>>,
    bytes: u64,
    fixed: u64,
}

impl Lookup {
    /// Writes to arrays of zeros.
    #[must_use]
    pub fn new(regions: Regions, grace: Grace) -> Self {
        let bytes = regions.bytes();
        let sized = regions.sized_bytes();
        Self {
            outcomes: Outcomes::new(regions.rows),
            v4: V4::new(
                regions.known_v4,
                regions.root_v4,
                regions.bits_v4,
                regions.lines_v4,
                regions.pool_v4,
                regions.head_v4,
            ),
            v6: V6::new(
                regions.root_v6,
                regions.filter_v6,
                regions.lines_v6,
                regions.pool_v6,
                regions.head_v6,
            ),
            grace,
            is_fresh: false,
            last_grace: None,
            bytes,
            fixed: bytes - sized,
        }
    }

    /// What the list needs, and room for changes. `table` is sorted as for [`Lookup::update`].
    #[must_use]
    pub fn sizes(table: &[(IpNet, AllowValue)]) -> Sizes {
        let (table_v4, table_v6) = by_family(table);
        let (lines_v4, pool_v4) = V4::sizes(table_v4);
        let (lines_v6, pool_v6) = V6::sizes(table_v6);
        Sizes {
            lines_v4,
            pool_v4,
            lines_v6,
            pool_v6,
        }
    }

    /// Makes the arrays say what `wanted` says, which is sorted: IPv4 first, and wider prefixes before those inside.
    /// `changed` are the prefixes that came, went or changed since the last update, in any order; the first
    /// update has all. Each address is at any moment decided by what decided before or by what decides afterwards.
    ///
    /// # Errors
    ///
    /// [`Full`]: nothing has changed, and larger arrays are needed.
    pub fn update(
        &mut self,
        wanted: &[(IpNet, AllowValue)],
        changed: &[IpNet],
    ) -> Result<(), Full> {
        if changed.is_empty() {
            return Ok(());
        }
        if self.is_fresh {
            let passed = self.last_grace.take().map(JoinHandle::join);
            if !matches!(passed, Some(Ok(()))) {
                (self.grace)();
            }
            self.is_fresh = false;
            self.v4.settle();
            self.v6.settle();
        }
        let (wanted_v4, wanted_v6) = by_family(wanted);
        if self.try_update(wanted_v4, wanted_v6, changed).is_err() {
            self.sweep();
            self.try_update(wanted_v4, wanted_v6, changed)?;
        }
        // Whoever asked for this update need not wait until the next one may begin. Where there is no room for a thread
        // the next one waits.
        let grace = Arc::clone(&self.grace);
        let thread = thread::Builder::new().name("grace".to_owned());
        self.last_grace = thread.spawn(move || grace()).ok();
        Ok(())
    }

    fn try_update(
        &mut self,
        wanted_v4: &[(IpNet, AllowValue)],
        wanted_v6: &[(IpNet, AllowValue)],
        changed: &[IpNet],
    ) -> Result<(), Full> {
        let plan_v4 = self.v4.prepare(wanted_v4, changed, &mut self.outcomes)?;
        let plan_v6 = match self.v6.prepare(wanted_v6, changed, &mut self.outcomes) {
            Ok(plan) => plan,
            Err(full) => {
                self.v4.discard(plan_v4);
                return Err(full);
            }
        };
        self.is_fresh = true;
        self.v4.publish(plan_v4, &*self.grace);
        self.v6.publish(plan_v6, &*self.grace);
        Ok(())
    }

    /// Forgets numbers that nothing refers to.
    fn sweep(&mut self) {
        let mut used = vec![false; ROWS as usize];
        let mut mark = |outcome: Outcome| used[usize::from(outcome.0)] = true;
        self.v4.mark(&mut mark);
        self.v6.mark(&mut mark);
        self.outcomes.keep(|outcome| used[usize::from(outcome.0)]);
    }

    /// What the programs find for an address.
    #[must_use]
    pub fn find(&self, address: IpAddr, now_s: u64) -> Option<Found> {
        match address {
            IpAddr::V4(address) => self.outcomes.found(self.v4.find(address), now_s),
            IpAddr::V6(address) => self.v6.find(address, now_s, &self.outcomes),
        }
    }

    /// How much memory the arrays have.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            bytes: self.bytes,
            used: self.fixed + self.v4.used() + self.v6.used(),
        }
    }
}

type Entry = (IpNet, AllowValue);

/// The prefixes of IPv4 and those of IPv6 of a sorted list.
fn by_family(table: &[Entry]) -> (&[Entry], &[Entry]) {
    table.split_at(table.partition_point(|(prefix, _)| matches!(prefix, IpNet::V4(_))))
}
