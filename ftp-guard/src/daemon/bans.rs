//! Bans in the daemon: on disk first, then in the kernel, and in both or neither.

use std::path::PathBuf;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::{ban_events::ban_event, guard::Guard, kernel::Kernel, wanted::Wanted};
use crate::{
    config::{BanSettings, Config},
    control::protocol::Failure,
    datapath::{DatapathError, check_ban_room},
    diagnostic::Diagnostics,
    engine::{
        allowlist::{Change, plan},
        bans::{
            Ban, BanBook, BanChange, BanCounts, BanRequest, BanTable, Outcome, Removal, Terms,
            keeps_out,
        },
        events::EventKind,
    },
    store,
};

/// The bans of a guard.
#[derive(Debug)]
pub struct Bans {
    pub(super) book: BanBook,
    /// What the kernel was given.
    table: BanTable,
    /// Where the bans are kept; the one of the start, as the book is from there.
    file: PathBuf,
    /// Entries that fit into the kernel's tables, since the start.
    max_entries: u32,
    /// The file does not say yet what the book says.
    unwritten: bool,
    /// When it was written last.
    written: Timestamp,
    /// Neither does the kernel.
    unsettled: bool,
}

/// The bans, counted, for `status` and the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BanFigures {
    /// By what is known of them.
    pub counts: BanCounts,
    /// Entries of the kernel's IPv4 table, those of what is never banned included.
    pub ipv4: u32,
    /// Entries of the kernel's IPv6 table.
    pub ipv6: u32,
    /// Entries that fit into each.
    pub max_entries: u32,
}

/// What is configured, as the engine takes it. Only a start changes the size of tables.
pub(crate) fn terms(settings: &BanSettings, max_entries: u32) -> Terms {
    Terms {
        never: settings.never_ban.clone(),
        default_time: settings.default_time,
        escalation: settings.escalation,
        max_time: settings.max_time,
        forget: settings.forget,
        max_entries,
    }
}

impl Bans {
    /// Reads the file of bans.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or a mistake in it; bans that do not fit into the tables.
    pub fn load(config: &Config) -> Result<Self, Failure> {
        let settings = &config.bans;
        let stored = store::read_bans(&settings.file).map_err(Diagnostics::from)?;
        let terms = terms(settings, settings.max_entries);
        let book = BanBook::restore(terms, stored.bans, stored.history);
        check_ban_room(&book.table(Timestamp::now()), settings.max_entries)?;
        Ok(Self {
            book,
            table: BanTable::new(),
            file: settings.file.clone(),
            max_entries: settings.max_entries,
            unwritten: false,
            written: Timestamp::UNIX_EPOCH,
            unsettled: false,
        })
    }

    /// Brings the kernel's tables, whatever they hold, to what the book says.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub(super) fn settle<K: Kernel>(&mut self, kernel: &mut K) -> Result<(), DatapathError> {
        self.table = kernel.ban_table()?;
        let wanted = self.book.table(Timestamp::now());
        self.bring(kernel, wanted).map(drop)
    }

    /// Brings the kernel's tables to another state; returns whether that may keep somebody out who was
    /// let in.
    fn bring<K: Kernel>(&mut self, kernel: &mut K, to: BanTable) -> Result<bool, DatapathError> {
        let changes = plan(&self.table, &to);
        // Even without a change: the numbers that the programs go by are set right.
        kernel.apply_bans(&changes, &to)?;
        let from = std::mem::replace(&mut self.table, to);
        Ok(changes.iter().any(|change| shuts_out(&from, change)))
    }

    /// Whether enough time has passed since the last time; a clock that was set back does not count.
    fn may_write(&self, now: Timestamp) -> bool {
        now < self.written || now.duration_since(self.written) >= SWEEP_WRITES
    }

    fn write(&mut self, now: Timestamp) -> Result<(), Failure> {
        let written = store::write_bans(&self.file, &self.book);
        self.unwritten = written.is_err();
        if written.is_ok() {
            self.written = now;
        }
        written.map_err(|error| Failure::failed(error.to_string()))
    }
}

/// How often the file is written for bans that are over. Nothing is lost with them: whoever reads a ban
/// whose time is over knows that it is.
const SWEEP_WRITES: SignedDuration = SignedDuration::from_secs(60);

fn shuts_out(from: &BanTable, change: &BanChange) -> bool {
    match change {
        Change::Insert(_, value) => keeps_out(value),
        Change::Remove(prefix) => from.get(prefix).is_some_and(|value| !keeps_out(value)),
    }
}

impl Bans {
    fn figures(&self, table: &BanTable) -> BanFigures {
        let v4 = table.keys().filter(|prefix| matches!(prefix, IpNet::V4(_)));
        let v4 = v4.count();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        BanFigures {
            counts: self.book.counts(Timestamp::now()),
            ipv4: count(v4),
            ipv6: count(table.len() - v4),
            max_entries: self.max_entries,
        }
    }
}

impl<K: Kernel> Guard<K> {
    /// Bans what is asked for: what rules and the command line call. With `whole` a refusal of one is a
    /// refusal of all; else the others are banned. New bans end the sessions of their sources.
    ///
    /// # Errors
    ///
    /// A refusal, if all are to be banned or none; a disk or kernel that refuses. Nothing has changed
    /// then.
    pub fn ban(&mut self, requests: &[BanRequest], whole: bool) -> Result<Vec<Outcome>, Failure> {
        let now = Timestamp::now();
        let mut next = self.bans.book.clone();
        let outcomes: Vec<Outcome> = requests
            .iter()
            .map(|request| next.add(now, request))
            .collect();
        if whole {
            refuse(&outcomes)?;
        }
        if outcomes.iter().any(Outcome::changed) || self.bans.unwritten {
            self.commit_bans(next, now)?;
        }
        for outcome in outcomes.iter().filter(|outcome| outcome.changed()) {
            self.log_ban(outcome);
            self.tell_ban(outcome);
        }
        Ok(outcomes)
    }

    /// Ends bans of exactly these prefixes.
    ///
    /// # Errors
    ///
    /// A disk or kernel that refuses. Nothing has changed then.
    pub fn unban(&mut self, prefixes: &[IpNet], forget: bool) -> Result<Vec<Removal>, Failure> {
        let now = Timestamp::now();
        let mut next = self.bans.book.clone();
        let removals: Vec<Removal> = prefixes
            .iter()
            .map(|prefix| next.remove(now, prefix, forget))
            .collect();
        if next != self.bans.book || self.bans.unwritten {
            self.commit_bans(next, now)?;
        }
        if self.config.events.journal {
            for ban in removals.iter().filter_map(|removal| removal.ban.as_ref()) {
                tracing::info!("no longer banned, by command: {}", ban.prefix);
            }
        }
        for ban in removals.iter().filter_map(|removal| removal.ban.as_ref()) {
            self.events.publish(EventKind::BanRemoved(ban_event(ban)));
        }
        Ok(removals)
    }

    /// Writes the new bans, then brings the kernel to them, then ends the sessions of those who are
    /// banned now.
    fn commit_bans(&mut self, next: BanBook, now: Timestamp) -> Result<(), Failure> {
        let before = std::mem::replace(&mut self.bans.book, next);
        if let Err(failure) = self.bans.write(now) {
            self.bans.book = before;
            return Err(failure);
        }
        let wanted = self.bans.book.table(now);
        match self.bans.bring(&mut self.kernel, wanted) {
            Ok(shuts_out) => {
                if shuts_out {
                    self.end_unlisted();
                }
                Ok(())
            }
            Err(error) => {
                self.bans.book = before;
                if let Err(failure) = self.bans.write(now) {
                    tracing::error!("the kernel refused the bans in the file: {failure}");
                }
                Err(error.into())
            }
        }
    }

    /// What is due for bans once a second: those that are over leave the kernel's tables, which step over
    /// them already, and become history.
    pub(super) fn follow_bans(&mut self, now: Timestamp) {
        let due = self.bans.book.is_due(now);
        if due {
            let ended = self.bans.book.sweep(now);
            for ban in &ended {
                self.events.publish(EventKind::BanExpired(ban_event(ban)));
            }
            self.bans.unwritten = true;
            if self.config.events.journal {
                for Ban { prefix, .. } in &ended {
                    tracing::info!("no longer banned, its time is over: {prefix}");
                }
            }
        }
        if due || self.bans.unsettled {
            let wanted = self.bans.book.table(now);
            let result = self.bans.bring(&mut self.kernel, wanted);
            self.bans.unsettled = result.is_err();
            if let Ok(true) = result {
                self.end_unlisted();
            }
            self.note("bans", result.map(drop).map_err(Failure::from));
        }
        if self.bans.unwritten && self.bans.may_write(now) {
            let result = self.bans.write(now);
            self.note("file of bans", result);
        }
    }

    /// Brings the kernel to what a reload has read: bans under their new settings, and all else.
    pub(super) fn reload_with_bans(
        &mut self,
        config: &Config,
        next: Wanted,
        changes: &[Change],
    ) -> Result<(), DatapathError> {
        let now = Timestamp::now();
        let before = self.bans.book.clone();
        self.bans
            .book
            .set_terms(terms(&config.bans, self.bans.max_entries));
        // Whatever another program did to the tables ends here.
        let result = self.kernel.ban_table().and_then(|table| {
            self.bans.table = table;
            let wanted = self.bans.book.table(now);
            self.bans.bring(&mut self.kernel, wanted)
        });
        let result = result.and_then(|shuts_out| self.change_by(next, changes).map(|()| shuts_out));
        match result {
            Ok(shuts_out) => {
                if shuts_out {
                    self.end_unlisted();
                }
                Ok(())
            }
            Err(error) => {
                self.bans.book = before;
                let wanted = self.bans.book.table(now);
                if let Err(error) = self.bans.bring(&mut self.kernel, wanted) {
                    self.bans.unsettled = true;
                    tracing::error!("cannot restore the bans: {error}");
                }
                Err(error)
            }
        }
    }

    /// The bans, counted, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn ban_figures(&self) -> Result<BanFigures, DatapathError> {
        Ok(self.bans.figures(&self.kernel.ban_table()?))
    }

    /// The same as the kernel was given them: a scrape walks no table of it.
    pub(super) fn given_ban_figures(&self) -> BanFigures {
        self.bans.figures(&self.bans.table)
    }

    fn log_ban(&self, outcome: &Outcome) {
        let (true, Some(ban)) = (self.config.events.journal, outcome.ban()) else {
            return;
        };
        let (origin, by, prefix) = (ban.origin.as_str(), &ban.by, &ban.prefix);
        let until = match ban.until {
            Some(until) => format!("until {until}"),
            None => "until removed".to_owned(),
        };
        let reason = match &ban.reason {
            Some(reason) => format!(": {reason}"),
            None => String::new(),
        };
        let word = outcome.as_str();
        tracing::info!(
            "{word} {until} ({origin} {by}, ban {}): {prefix}{reason}",
            ban.count
        );
    }
}

/// A failure that names what was refused.
fn refuse(outcomes: &[Outcome]) -> Result<(), Failure> {
    const MOST_NAMED: usize = 10;
    let refusals: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Refused(refusal) => Some(refusal.to_string()),
            _ => None,
        })
        .collect();
    if refusals.is_empty() {
        return Ok(());
    }
    let more = match refusals.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!("; {more} more"),
    };
    let named = refusals[..refusals.len().min(MOST_NAMED)].join("; ");
    Err(Failure::failed(format!(
        "{named}{more}; nothing was banned"
    )))
}
