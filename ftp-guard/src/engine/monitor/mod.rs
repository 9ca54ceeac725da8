//! The monitor: what sessions do, understood from what passes on their control connections.
//!
//! Sans-IO: it takes what the programs told ([`told`]) and the time, keeps a [`record`] of each session,
//! and returns what it has understood, one [`observation`] after the other.

pub mod observation;
pub mod record;
pub mod told;
pub mod verb;

use std::collections::HashMap;

use jiff::Timestamp;

use self::{observation::Observation, record::SessionRecord, told::Told};

/// What becomes of names of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileNames {
    /// They are kept.
    #[default]
    Full,
    /// A hash of them is kept: the same name gives the same one until the daemon ends.
    Hash,
    /// They are left out.
    Omit,
}

/// How the monitor is set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What becomes of names of files. Their types are kept in any case.
    pub file_names: FileNames,
    /// A secret for hashes.
    pub secret: [u8; 16],
}

/// What has not been seen, in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Bytes from clients.
    pub client_bytes: u64,
    /// Bytes from servers.
    pub server_bytes: u64,
    /// Bytes of retransmissions that differed from what was read before.
    pub conflicting_bytes: u64,
    /// Sessions that were not watched, as there were too many.
    pub sessions: u64,
}

/// The monitor.
#[derive(Debug, Default)]
pub struct Monitor {
    settings: Settings,
    records: HashMap<u64, SessionRecord>,
}

impl Monitor {
    /// Sessions that are watched at one time.
    pub const MOST_SESSIONS: usize = 1 << 16;

    /// A monitor that has seen nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            records: HashMap::new(),
        }
    }

    /// Changes the settings; what is kept already stays as it is.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Takes what the programs told, and adds to `seen` what that means.
    pub fn take(&mut self, told: &Told<'_>, seen: &mut Vec<Observation>) {
        let _ = (told, seen);
    }

    /// Ends the sessions that are none of `live` any more, but for those that began within the last seconds:
    /// their end was not told. To be called every few seconds.
    pub fn sweep(
        &mut self,
        now: Timestamp,
        live: &dyn Fn(u64) -> bool,
        seen: &mut Vec<Observation>,
    ) {
        let _ = (now, live, seen);
    }

    /// Notes why the guard ends a session.
    pub fn note_end(&mut self, session: u64, reason: &str) {
        let _ = (session, reason);
    }

    /// The sessions that live.
    pub fn live(&self) -> impl Iterator<Item = &SessionRecord> {
        self.records.values()
    }

    /// A session that lives.
    #[must_use]
    pub fn record(&self, session: u64) -> Option<&SessionRecord> {
        self.records.get(&session)
    }

    /// What has not been seen.
    #[must_use]
    pub fn losses(&self) -> Losses {
        Losses::default()
    }
}
