//! The bans in the kernel.

use std::net::IpAddr;

use ftp_guard_common::ban::BanValue;
use ipnet::IpNet;

use super::{Datapath, DatapathError, tables};
use crate::engine::bans::{BanChange, BanTable, deciding};

impl Datapath {
    /// The bans, and what is never banned, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn ban_table(&self) -> Result<BanTable, DatapathError> {
        Ok(self.tables.bans.entries()?.into_iter().collect())
    }

    /// Applies the changes in their order, all of them or none: when one fails, those before it are
    /// taken back. `wanted` is the table that they lead to.
    ///
    /// The programs look a source up where the configuration block counts entries of its family: the
    /// numbers are written before the first insert and made smaller after the last removal, so that a
    /// zero hides no entry.
    ///
    /// # Errors
    ///
    /// The table is too small for `wanted`; the kernel refuses.
    pub fn apply_bans(
        &mut self,
        changes: &[BanChange],
        wanted: &BanTable,
    ) -> Result<(), DatapathError> {
        check_ban_room(wanted, self.max_bans)?;
        let before = self.tables.ban_counts()?;
        let after = counts(wanted);
        self.tables
            .set_ban_counts((before.0.max(after.0), before.1.max(after.1)))?;
        let applied = self.tables.bans.apply(changes);
        let settled = match &applied {
            Ok(()) => self.tables.set_ban_counts(after),
            // What could not be taken back is still looked up.
            Err(_) => self
                .ban_table()
                .and_then(|table| self.tables.set_ban_counts(counts(&table))),
        };
        applied.and(settled)
    }

    /// The entry that decides now whether a source is banned, found as the programs find it.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn ban_lookup(&self, source: IpAddr) -> Result<Option<(IpNet, BanValue)>, DatapathError> {
        deciding(source, tables::unix_time_s(), |prefix| {
            self.tables.bans.covering(prefix)
        })
    }
}

/// Refuses a table that does not fit into `max_entries` for each family.
///
/// # Errors
///
/// The family that is too large, and by how much.
pub fn check_ban_room(wanted: &BanTable, max_entries: u32) -> Result<(), DatapathError> {
    let (v4, v6) = counts(wanted);
    for (family, entries) in [("IPv4", v4), ("IPv6", v6)] {
        if entries > max_entries {
            return Err(DatapathError::BansFull {
                wanted: entries,
                room: max_entries,
                family,
            });
        }
    }
    Ok(())
}

/// Entries of IPv4 and of IPv6.
fn counts(table: &BanTable) -> (u32, u32) {
    table.keys().fold((0, 0), |(v4, v6), prefix| match prefix {
        IpNet::V4(_) => (v4 + 1, v6),
        IpNet::V6(_) => (v4, v6 + 1),
    })
}
