//! The part of the configuration that is about what is kept and handed on.

use std::path::PathBuf;
use std::time::Duration;

/// `[history]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistorySettings {
    /// Whether events and sessions are kept.
    pub enabled: bool,
    /// The database.
    pub file: PathBuf,
    /// How long they are kept.
    pub keep: Duration,
    /// How large the database may become, in bytes.
    pub max_size: u64,
}

/// `[export]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportSettings {
    /// The file that lines are appended to.
    pub file: Option<PathBuf>,
    /// Whether they go to systemd's journal.
    pub journal: bool,
    /// What a line is.
    pub format: ExportFormat,
}

/// What a line of the export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportFormat {
    /// JSON with the field names of the Elastic Common Schema.
    #[default]
    Ecs,
    /// JSON with those of Zeek's `ftp.log`.
    Zeek,
    /// Zeek's `ftp.log`, tab-separated.
    ZeekTsv,
    /// The JSON of `events --json`.
    Native,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ecs, Self::Zeek, Self::ZeekTsv, Self::Native];

    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Zeek => "zeek",
            Self::ZeekTsv => "zeek-tsv",
            Self::Native => "native",
        }
    }
}
