//! A session as the history has it.

use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::{Deserialize, Serialize};

use crate::engine::monitor::record::SessionRecord;

/// Whether a session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// It did when it was last written.
    Live,
    /// It has ended.
    Ended,
    /// It has ended, but nobody saw when.
    Unknown,
}

impl SessionState {
    const ALL: [Self; 3] = [Self::Live, Self::Ended, Self::Unknown];

    /// The name in JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ended => "ended",
            Self::Unknown => "unknown",
        }
    }
}

/// A session as the history has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastSession {
    /// Whether it lives.
    pub state: SessionState,
    /// What is known of it.
    #[serde(flatten)]
    pub record: SessionRecord,
}

impl ToSql for SessionState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(*self as i64))
    }
}

impl FromSql for SessionState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        let known = usize::try_from(number)
            .ok()
            .and_then(|at| Self::ALL.get(at));
        known.copied().ok_or(FromSqlError::OutOfRange(number))
    }
}
