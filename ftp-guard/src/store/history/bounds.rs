//! How much is kept: the oldest goes first, a little at a time, so that the writer is never long away.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;

use super::{base::Base, error::HistoryError, key, past::SessionState};

/// Rows that one step removes.
const STEP: i64 = 500;

/// Pages of the file that one step gives back.
const PAGES: i64 = 512;

impl Base {
    /// One step towards the bounds; whether there may be more to do.
    ///
    /// # Errors
    ///
    /// What SQLite says.
    pub(super) fn shrink(
        &mut self,
        keep: Duration,
        max_size: u64,
        now: Timestamp,
    ) -> Result<bool, HistoryError> {
        let oldest = now.checked_sub(keep).unwrap_or(Timestamp::MIN);
        let mut removed = self.remove_before(key::time(oldest))?;
        if removed == 0 && self.used()? > max_size {
            let Some(until) = self.oldest_rows()? else {
                return Ok(false);
            };
            removed = self.remove_before(until.saturating_add(1))?;
        }
        let free: i64 = self.pragma("freelist_count")?;
        if free > 0 {
            let statement = format!("PRAGMA incremental_vacuum({PAGES})");
            let mut statement = self.connection.prepare(&statement)?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
        }
        Ok(removed > 0)
    }

    /// Bytes of the file that hold something.
    pub(super) fn used(&self) -> Result<u64, HistoryError> {
        let pages: i64 = self.pragma("page_count")?;
        let free: i64 = self.pragma("freelist_count")?;
        let size: i64 = self.pragma("page_size")?;
        let used = pages.saturating_sub(free).saturating_mul(size);
        Ok(u64::try_from(used).unwrap_or(0))
    }

    /// Up to which time the oldest rows go; none if there are none.
    fn oldest_rows(&self) -> Result<Option<i64>, HistoryError> {
        // A step of what there is more of; of the other kind goes what is as old.
        let nth = |sql: &str| -> Result<Option<i64>, HistoryError> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![STEP])?;
            Ok(rows.next()?.map(|row| row.get(0)).transpose()?.flatten())
        };
        let event = nth("SELECT max(time) FROM (SELECT time FROM event ORDER BY time LIMIT ?)")?;
        let session = nth(
            "SELECT max(seen) FROM (SELECT seen FROM session WHERE state <> 0 ORDER BY seen LIMIT ?)",
        )?;
        Ok(match (event, session) {
            (Some(event), Some(session)) => Some(event.min(session)),
            (event, session) => event.or(session),
        })
    }

    /// Removes a step of the rows before a time; how many there were.
    fn remove_before(&mut self, time: i64) -> Result<usize, HistoryError> {
        let transaction = self.connection.transaction()?;
        let mut removed = transaction
            .prepare_cached(
                "DELETE FROM event WHERE id IN
                    (SELECT id FROM event WHERE time < ? ORDER BY time LIMIT ?)",
            )?
            .execute(params![time, STEP])?;
        removed += transaction
            .prepare_cached(
                "DELETE FROM session WHERE row IN
                    (SELECT row FROM session WHERE seen < ? AND state <> ? ORDER BY seen LIMIT ?)",
            )?
            .execute(params![time, SessionState::Live, STEP])?;
        removed += transaction
            .prepare_cached(
                "DELETE FROM gap WHERE id IN
                    (SELECT id FROM gap WHERE time < ? ORDER BY id LIMIT ?)",
            )?
            .execute(params![time, STEP])?;
        transaction
            .prepare_cached(
                "DELETE FROM run WHERE began < ? AND id < (SELECT max(id) FROM run)
                    AND id NOT IN (SELECT run FROM session)",
            )?
            .execute(params![time])?;
        transaction.commit()?;
        Ok(removed)
    }

    fn pragma(&self, name: &str) -> Result<i64, HistoryError> {
        Ok(self
            .connection
            .pragma_query_value(None, name, |row| row.get(0))?)
    }
}
