//! Reading the history, beside its writer.
//!
//! A query first notes which rows it means and then reads them a few at a time: however slowly they are
//! taken, no read transaction stays open that would keep the log of the writer from being reused.

use std::{ops::ControlFlow, path::Path, time::Duration};

use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, params, params_from_iter, types::Value,
};

use super::{
    error::HistoryError,
    key,
    past::{PastSession, SessionState},
    schema,
};
use crate::engine::{
    events::{Event, Severity},
    monitor::record::SessionRecord,
};

/// Most rows that one query gives: the latest.
pub const MOST_ROWS: u64 = 1_000_000;

/// Rows that are read at once.
const PAGE: usize = 256;

/// Which events. An empty query means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// From then on.
    pub since: Option<Timestamp>,
    /// Until then, included.
    pub until: Option<Timestamp>,
    /// Of these names; empty: of any.
    pub kinds: Vec<String>,
    /// Of these reasons; empty: of any, or none.
    pub reasons: Vec<String>,
    /// That concern a remote address in this prefix, or a ban that overlaps it.
    pub source: Option<IpNet>,
    /// Detections that matter at least so much.
    pub severity: Option<Severity>,
    /// That bear this name of a user.
    pub user: Option<String>,
    /// The last so many.
    pub limit: Option<u64>,
}

/// Which sessions. An empty query means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionQuery {
    /// That lived then or later.
    pub since: Option<Timestamp>,
    /// That began until then.
    pub until: Option<Timestamp>,
    /// Of clients in this prefix.
    pub client: Option<IpNet>,
    /// Whose last login was by this name.
    pub user: Option<String>,
    /// The last so many.
    pub limit: Option<u64>,
}

/// What the history covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The oldest event, session or start of the daemon.
    pub oldest: Option<Timestamp>,
    /// What could not be written since the time that was asked for.
    pub lost: u64,
    /// Starts of the daemon since then.
    pub starts: u64,
}

/// A reader. Each query has its own.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens the database for reading only.
    ///
    /// # Errors
    ///
    /// What SQLite says: there is none, or it may not be read; [`HistoryError::Empty`].
    pub fn open(file: &Path) -> Result<Self, HistoryError> {
        let connection = Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(Duration::from_secs(2))?;
        match schema::version(&connection)? {
            0 => Err(HistoryError::Empty),
            _ => Ok(Self { connection }),
        }
    }

    /// Gives the events that are meant, oldest first, until `take` has enough; how many there were.
    ///
    /// # Errors
    ///
    /// What SQLite says.
    pub fn events(
        &mut self,
        query: &EventQuery,
        mut take: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<u64, HistoryError> {
        let mut wanted = Wanted::default();
        wanted.at_least("time", query.since.map(key::time));
        wanted.at_most("time", query.until.map(key::time));
        wanted.one_of("kind", &query.kinds);
        wanted.one_of("reason", &query.reasons);
        wanted.at_least("severity", query.severity.map(|least| least as i64));
        wanted.equal("user", query.user.as_deref());
        wanted.overlapping(query.source);
        let rows = self.rows("id", "event", "time", wanted, query.limit)?;
        self.bodies(
            &rows,
            "SELECT body FROM event WHERE id = ?",
            |row| Ok(serde_json::from_str(&row.get::<_, String>(0)?).ok()),
            &mut take,
        )
    }

    /// Gives the sessions that are meant, by their beginning, until `take` has enough; how many there were.
    ///
    /// # Errors
    ///
    /// What SQLite says.
    pub fn sessions(
        &mut self,
        query: &SessionQuery,
        mut take: impl FnMut(PastSession) -> ControlFlow<()>,
    ) -> Result<u64, HistoryError> {
        let mut wanted = Wanted::default();
        if let Some(since) = query.since {
            let live = SessionState::Live as i64;
            wanted.push(
                &format!("(seen >= ? OR state = {live})"),
                [key::time(since).into()],
            );
        }
        wanted.at_most("began", query.until.map(key::time));
        wanted.equal("user", query.user.as_deref());
        if let Some(client) = query.client {
            let (first, last) = key::range(client);
            wanted.push("client BETWEEN ? AND ?", [first.into(), last.into()]);
        }
        let rows = self.rows("row", "session", "began", wanted, query.limit)?;
        self.bodies(
            &rows,
            "SELECT state, seen, body FROM session WHERE row = ?",
            past_session,
            &mut take,
        )
    }

    /// What there is since a time.
    ///
    /// # Errors
    ///
    /// What SQLite says.
    pub fn extent(&self, since: Timestamp) -> Result<Extent, HistoryError> {
        let one = |sql: &str, values: &[i64]| -> Result<Option<i64>, HistoryError> {
            let values = params_from_iter(values.iter());
            Ok(self.connection.query_row(sql, values, |row| row.get(0))?)
        };
        let since = key::time(since);
        let event = one("SELECT min(time) FROM event", &[])?;
        let session = one("SELECT min(began) FROM session", &[])?;
        let run = one("SELECT min(began) FROM run", &[])?;
        let oldest = event.into_iter().chain(session).chain(run).min();
        let lost = one("SELECT sum(lost) FROM gap WHERE time >= ?", &[since])?;
        let starts = one("SELECT count(*) FROM run WHERE began >= ?", &[since])?;
        Ok(Extent {
            oldest: oldest.and_then(|time| Timestamp::from_microsecond(time).ok()),
            lost: lost.map_or(0, i64::cast_unsigned),
            starts: starts.map_or(0, i64::cast_unsigned),
        })
    }

    /// Gives every event of a time, in the order in which they were written.
    ///
    /// # Errors
    ///
    /// What SQLite says.
    pub fn every_event(
        &mut self,
        since: Timestamp,
        until: Timestamp,
        mut take: impl FnMut(Event),
    ) -> Result<(), HistoryError> {
        let sql = "SELECT id, body FROM event WHERE id > ? AND +time BETWEEN ? AND ?
            ORDER BY id LIMIT ?";
        self.every(sql, since, until, |row| {
            if let Ok(event) = serde_json::from_str(&row.get::<_, String>(1)?) {
                take(event);
            }
            Ok(())
        })
    }

    /// Gives every session that lived in a time, in the order in which they were first written.
    ///
    /// # Errors
    ///
    /// What SQLite says.
    pub fn every_session(
        &mut self,
        since: Timestamp,
        until: Timestamp,
        mut take: impl FnMut(SessionRecord),
    ) -> Result<(), HistoryError> {
        let sql = "SELECT row, body FROM session
            WHERE row > ?1 AND (+seen >= ?2 OR +state = 0) AND +began <= ?3 ORDER BY row LIMIT ?4";
        self.every(sql, since, until, |row| {
            if let Ok(record) = serde_json::from_str(&row.get::<_, String>(1)?) {
                take(record);
            }
            Ok(())
        })
    }

    /// `sql` gives rows by their number, which goes before any index: what a page has to sort is sorted anew
    /// for each one.
    fn every(
        &mut self,
        sql: &str,
        since: Timestamp,
        until: Timestamp,
        mut take: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), HistoryError> {
        let mut statement = self.connection.prepare(sql)?;
        let (since, until) = (key::time(since), key::time(until));
        let mut last: i64 = i64::MIN;
        loop {
            let mut any = false;
            let mut rows = statement.query(params![last, since, until, PAGE as i64])?;
            while let Some(row) = rows.next()? {
                any = true;
                last = row.get(0)?;
                take(row)?;
            }
            if !any {
                return Ok(());
            }
        }
    }

    fn rows(
        &self,
        id: &str,
        table: &str,
        order: &str,
        wanted: Wanted,
        limit: Option<u64>,
    ) -> Result<Vec<i64>, HistoryError> {
        let Wanted {
            conditions,
            mut values,
        } = wanted;
        let sql = format!(
            "SELECT {id} FROM {table} WHERE {} ORDER BY {order} DESC, {id} DESC LIMIT ?",
            match conditions.is_empty() {
                true => "true".to_owned(),
                false => conditions.join(" AND "),
            }
        );
        let limit = limit.unwrap_or(u64::MAX).min(MOST_ROWS);
        values.push(key::number(limit).into());
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| row.get(0))?;
        let mut rows: Vec<i64> = rows.collect::<Result<_, _>>()?;
        rows.reverse();
        Ok(rows)
    }

    fn bodies<T>(
        &mut self,
        rows: &[i64],
        sql: &str,
        read: fn(&rusqlite::Row<'_>) -> rusqlite::Result<Option<T>>,
        take: &mut impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<u64, HistoryError> {
        let mut given = 0;
        for page in rows.chunks(PAGE) {
            let transaction = self.connection.transaction()?;
            let mut found = Vec::with_capacity(page.len());
            {
                let mut statement = transaction.prepare_cached(sql)?;
                for row in page {
                    // One that is gone was the oldest a moment ago.
                    found.extend(
                        statement
                            .query_row(params![row], read)
                            .optional()?
                            .flatten(),
                    );
                }
            }
            drop(transaction);
            for member in found {
                given += 1;
                if take(member).is_break() {
                    return Ok(given);
                }
            }
        }
        Ok(given)
    }
}

fn past_session(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<PastSession>> {
    let state: SessionState = row.get(0)?;
    let seen: i64 = row.get(1)?;
    let body: String = row.get(2)?;
    Ok(serde_json::from_str(&body).ok().map(|record| {
        let mut past = PastSession { state, record };
        if state == SessionState::Unknown && past.record.ended.is_none() {
            past.record.ended = Timestamp::from_microsecond(seen).ok();
        }
        past
    }))
}

/// What rows must be like. Names of columns are this file's, values travel apart.
#[derive(Debug, Default)]
struct Wanted {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Wanted {
    fn push(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.conditions.push(condition.to_owned());
        self.values.extend(values);
    }

    fn at_least(&mut self, column: &str, least: Option<i64>) {
        if let Some(least) = least {
            self.push(&format!("{column} >= ?"), [least.into()]);
        }
    }

    fn at_most(&mut self, column: &str, most: Option<i64>) {
        if let Some(most) = most {
            self.push(&format!("{column} <= ?"), [most.into()]);
        }
    }

    fn equal(&mut self, column: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(&format!("{column} = ?"), [value.to_owned().into()]);
        }
    }

    fn one_of(&mut self, column: &str, values: &[String]) {
        if !values.is_empty() {
            let places = vec!["?"; values.len()].join(", ");
            let condition = format!("{column} IN ({places})");
            self.push(&condition, values.iter().cloned().map(Value::from));
        }
    }

    fn overlapping(&mut self, prefix: Option<IpNet>) {
        if let Some(prefix) = prefix {
            let (first, last) = key::range(prefix);
            let condition = "(client BETWEEN ? AND ?
                OR (client_last IS NOT NULL AND client <= ? AND client_last >= ?))";
            let values = [first.clone(), last.clone(), last, first];
            self.push(condition, values.map(Value::from));
        }
    }
}
