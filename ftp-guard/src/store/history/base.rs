//! The database as its one writer has it.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, params};

use super::{Tables, error::HistoryError, key, merge::merge, past::SessionState, schema};
use crate::engine::{
    events::{Event, EventKind},
    monitor::record::SessionRecord,
};

/// Up to this size the whole file is looked through when it is opened.
const MOST_CHECKED: u64 = 512 << 20;

/// Damaged files that are kept beside the new one.
const MOST_DAMAGED: usize = 2;

/// Something to keep.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most of them are events, which a box would cost an allocation each"
)]
pub(super) enum Entry {
    /// What happened.
    Event(Event),
    /// What is known of a session now.
    Session(Box<SessionRecord>),
    /// The sessions that live: none of the others does.
    Living(Vec<u64>),
}

/// An open database.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) connection: Connection,
    /// The kernel's tables, by whose numbers sessions go.
    tables: String,
    /// This start of the daemon.
    run: i64,
}

impl Base {
    /// Opens the database, or makes it, for a daemon on these kernel tables. Sessions of other tables are
    /// over.
    ///
    /// # Errors
    ///
    /// What SQLite or the system says; whether the file is damaged tells [`HistoryError::damaged`].
    pub(super) fn open(file: &Path, tables: &Tables, now: Timestamp) -> Result<Self, HistoryError> {
        make(file)?;
        let mut connection = Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(Duration::from_secs(5))?;
        if schema::version(&connection)? == 0 {
            // It counts only before there is anything in the file.
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 1000)?;
        connection.pragma_update_and_check(None, "journal_size_limit", 8 << 20, |_| Ok(()))?;
        connection.pragma_update(None, "cache_size", -4096)?;
        look_through(&connection, file)?;
        schema::migrate(&mut connection)?;
        let transaction = connection.transaction()?;
        let start = &tables.name;
        let tables = name_of(tables, &transaction)?;
        // A file that could not be written for a while is opened again by the same start.
        transaction.execute(
            "INSERT INTO run (start, tables, began) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            params![start, tables, key::time(now)],
        )?;
        let run = transaction.query_row("SELECT id FROM run WHERE start = ?", [start], |row| {
            row.get(0)
        })?;
        transaction.execute(
            "UPDATE session SET state = ? WHERE state = ? AND tables <> ?",
            params![SessionState::Unknown, SessionState::Live, tables],
        )?;
        transaction.commit()?;
        Ok(Self {
            connection,
            tables,
            run,
        })
    }

    /// Writes all of it, or nothing; `lost` is how many could not be written before.
    ///
    /// # Errors
    ///
    /// What SQLite says.
    pub(super) fn write(
        &mut self,
        entries: &[Entry],
        lost: u64,
        now: Timestamp,
    ) -> Result<(), HistoryError> {
        let transaction = self.connection.transaction()?;
        for entry in entries {
            match entry {
                Entry::Event(event) => write_event(&transaction, event)?,
                Entry::Session(record) => {
                    write_session(&transaction, &self.tables, self.run, record, now)?;
                }
                Entry::Living(living) => settle(&transaction, &self.tables, living)?,
            }
        }
        if lost > 0 {
            transaction
                .prepare_cached("INSERT INTO gap (time, lost) VALUES (?, ?)")?
                .execute(params![key::time(now), key::number(lost)])?;
        }
        transaction.commit()?;
        Ok(())
    }
}

/// The name of the tables: the one that they were last given, or a new one.
fn name_of(tables: &Tables, transaction: &Transaction<'_>) -> Result<String, HistoryError> {
    let last: Option<String> = transaction
        .query_row(
            "SELECT tables FROM run ORDER BY id DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let known = tables.known.as_deref();
    let last = last.filter(|last| known.is_some_and(|known| last.starts_with(known)));
    Ok(last.unwrap_or_else(|| tables.name.clone()))
}

fn write_event(transaction: &Transaction<'_>, event: &Event) -> Result<(), HistoryError> {
    let Ok(body) = serde_json::to_string(event) else {
        // Nothing in an event can fail to be JSON.
        return Ok(());
    };
    let severity = match &event.kind {
        EventKind::Detection(detection) => Some(detection.severity as i64),
        _ => None,
    };
    let remote = event.kind.remote().map(|prefix| {
        let (first, last) = key::range(prefix);
        let last = (last != first).then_some(last);
        (first, last)
    });
    let (client, client_last) = remote.unzip();
    transaction
        .prepare_cached(
            "INSERT INTO event (time, kind, reason, severity, session, user, client, client_last, body)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            key::time(event.time),
            event.kind.name(),
            event.kind.reason(),
            severity,
            event.kind.session().map(key::number),
            event.kind.user(),
            client,
            client_last.flatten(),
            body
        ])?;
    Ok(())
}

fn write_session(
    transaction: &Transaction<'_>,
    tables: &str,
    run: i64,
    record: &SessionRecord,
    now: Timestamp,
) -> Result<(), HistoryError> {
    let id = key::number(record.id);
    let known: Option<(i64, String, Option<String>)> = transaction
        .prepare_cached("SELECT run, body, former FROM session WHERE tables = ? AND id = ?")?
        .query_row(params![tables, id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    // What an earlier start of the daemon knew of it this one has not seen.
    let former = match known {
        Some((writer, body, _)) if writer != run => Some(body),
        Some((_, _, former)) => former,
        None => None,
    };
    let before = former
        .as_deref()
        .and_then(|former| serde_json::from_str::<SessionRecord>(former).ok())
        // Numbers begin anew with new tables.
        .filter(|before| (before.client, before.server) == (record.client, record.server));
    let whole = before.map(|before| merge(before, record));
    let record = whole.as_ref().unwrap_or(record);
    let Ok(body) = serde_json::to_string(record) else {
        return Ok(());
    };
    let state = match record.ended {
        Some(_) => SessionState::Ended,
        None => SessionState::Live,
    };
    transaction
        .prepare_cached(
            "INSERT INTO session (tables, id, run, state, began, seen, client, user, body, former)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (tables, id) DO UPDATE SET run = ?3, state = ?4, began = ?5, seen = ?6,
                client = ?7, user = ?8, body = ?9, former = ?10",
        )?
        .execute(params![
            tables,
            id,
            run,
            state,
            key::time(record.began),
            key::time(record.ended.unwrap_or(now)),
            key::address(record.client.ip()),
            record.user,
            body,
            former
        ])?;
    Ok(())
}

/// Sessions that are none of `living` have ended, nobody saw when.
fn settle(transaction: &Transaction<'_>, tables: &str, living: &[u64]) -> Result<(), HistoryError> {
    let mut statement =
        transaction.prepare_cached("SELECT row, id FROM session WHERE state = ? AND tables = ?")?;
    let open = statement
        .query_map(params![SessionState::Live, tables], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<Vec<(i64, i64)>, _>>()?;
    let living: std::collections::HashSet<i64> = living.iter().copied().map(key::number).collect();
    let mut mark = transaction.prepare_cached("UPDATE session SET state = ? WHERE row = ?")?;
    for (row, id) in open {
        if !living.contains(&id) {
            mark.execute(params![SessionState::Unknown, row])?;
        }
    }
    Ok(())
}

/// Makes folder and file, for the daemon and its group alone. The files beside it get the same mode from SQLite.
fn make(file: &Path) -> Result<(), HistoryError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| HistoryError::File { path, source }
    };
    if let Some(folder) = file.parent()
        && !folder.is_dir()
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(folder)
            .map_err(failed(folder))?;
    }
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(file);
    match made {
        // Whatever the umask is.
        Ok(made) => made
            .set_permissions(Permissions::from_mode(0o640))
            .map_err(failed(file)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(file)(error)),
    }
}

fn look_through(connection: &Connection, file: &Path) -> Result<(), HistoryError> {
    if fs::metadata(file).is_ok_and(|metadata| metadata.len() > MOST_CHECKED) {
        return Ok(());
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    match found.as_str() {
        "ok" => Ok(()),
        _ => Err(HistoryError::Damaged(found)),
    }
}

/// Gives a damaged file another name, so that a new one can be made; returns that name.
///
/// # Errors
///
/// What the system says.
pub(super) fn set_aside(file: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let with = |ending: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let aside = with(&format!(".corrupt-{}", now.strftime("%Y%m%dT%H%M%S%3fZ")));
    fs::rename(file, &aside)?;
    for beside in ["-wal", "-shm"] {
        match fs::remove_file(with(beside)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    forget_damaged(&with(".corrupt-"));
    Ok(aside)
}

/// Removes all but the latest files whose path begins so. One that cannot be removed stays.
fn forget_damaged(beginning: &Path) {
    let (Some(folder), Some(name)) = (beginning.parent(), beginning.file_name()) else {
        return;
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let name = name.as_encoded_bytes();
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(name))
        .map(|entry| entry.path())
        .collect();
    // The time is in the name.
    found.sort();
    for old in found.iter().rev().skip(MOST_DAMAGED) {
        let _ = fs::remove_file(old);
    }
}
