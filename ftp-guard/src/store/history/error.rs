//! What goes wrong with the history.

use std::{io, path::PathBuf};

use rusqlite::ErrorCode;

/// Why the history cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// What SQLite says.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// What the system says of the file or its folder.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What.
        source: io::Error,
    },
    /// The file is damaged.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// There are no tables yet.
    #[error("nothing was written yet")]
    Empty,
    /// A later version of the program made the tables.
    #[error("a later version of ftp-guard made it (tables of version {0})")]
    Later(i64),
}

impl HistoryError {
    /// Whether the file can never be used again as it is.
    #[must_use]
    pub fn damaged(&self) -> bool {
        match self {
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ),
            Self::Damaged(_) => true,
            Self::File { .. } | Self::Empty | Self::Later(_) => false,
        }
    }
}
