//! The tables, and how those of earlier versions become them.
//!
//! `run`: the daemon's starts. `event`: an event as JSON, with the columns that are asked for; times are
//! microseconds since 1970, addresses as [`super::key`] writes them. `session`: the last word on a session.
//! `gap`: what could not be written.

use rusqlite::Connection;

use super::error::HistoryError;

/// Each one takes the tables from the version of its index to the next.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE run (
        id      INTEGER PRIMARY KEY,
        start   TEXT NOT NULL UNIQUE,
        tables  TEXT NOT NULL,
        began   INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE event (
        id          INTEGER PRIMARY KEY,
        time        INTEGER NOT NULL,
        kind        TEXT NOT NULL,
        reason      TEXT,
        severity    INTEGER,
        session     INTEGER,
        user        TEXT,
        client      BLOB,
        client_last BLOB,
        body        TEXT NOT NULL
    ) STRICT;
    CREATE INDEX event_time ON event (time);
    CREATE INDEX event_client ON event (client, time) WHERE client IS NOT NULL;
    CREATE INDEX event_range ON event (client) WHERE client_last IS NOT NULL;
    CREATE INDEX event_reason ON event (reason, time) WHERE reason IS NOT NULL;
    CREATE INDEX event_user ON event (user, time) WHERE user IS NOT NULL;
    CREATE TABLE session (
        row     INTEGER PRIMARY KEY,
        tables  TEXT NOT NULL,
        id      INTEGER NOT NULL,
        run     INTEGER NOT NULL,
        state   INTEGER NOT NULL,
        began   INTEGER NOT NULL,
        seen    INTEGER NOT NULL,
        client  BLOB NOT NULL,
        user    TEXT,
        body    TEXT NOT NULL,
        former  TEXT,
        UNIQUE (tables, id)
    ) STRICT;
    CREATE INDEX session_began ON session (began);
    CREATE INDEX session_seen ON session (seen);
    CREATE INDEX session_client ON session (client, began);
    CREATE INDEX session_user ON session (user, began) WHERE user IS NOT NULL;
    CREATE INDEX session_alive ON session (state) WHERE state = 0;
    CREATE TABLE gap (
        id      INTEGER PRIMARY KEY,
        time    INTEGER NOT NULL,
        lost    INTEGER NOT NULL
    ) STRICT;
"];

/// The version of the tables that this program knows.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// Brings the tables to [`VERSION`], each step in a transaction of its own.
///
/// # Errors
///
/// [`HistoryError::Later`] when a later program made them; what SQLite says.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), HistoryError> {
    let found = version(connection)?;
    for (number, step) in MIGRATIONS.iter().enumerate().skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", number + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The version of the tables in the file; 0: there are none.
///
/// # Errors
///
/// As [`migrate`].
pub(super) fn version(connection: &Connection) -> Result<usize, HistoryError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match usize::try_from(found) {
        Ok(found) if found <= VERSION => Ok(found),
        _ => Err(HistoryError::Later(found)),
    }
}
