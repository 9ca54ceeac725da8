//! The guard: what is configured, what the kernel was given, and what keeps the two together.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Instant,
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    attack::Defence,
    bans::Bans,
    detect,
    history::HistoryHandle,
    inputs::{Fingerprint, Inputs},
    kernel::Kernel,
    mode::Fallbacks,
    monitor::{Live, MonitorHandle},
    names::Names,
    sessions::Sessions,
    wanted::Wanted,
    watch::Watched,
    witness::WitnessHandle,
};
use crate::{
    config::{Config, PortRange},
    control::{
        feed::EventSink,
        protocol::Failure,
        view::{LastReload, MemoryView},
    },
    datapath::{DatapathError, Hook, check_room},
    engine::allowlist::{AllowSet, Change},
    server_config::Origin,
    telemetry::{
        metrics::{EntryCounts, Snapshot},
        sessions::MonitorFigures,
    },
};

/// How reloads went so far.
#[derive(Clone, Debug)]
pub(super) struct Reloads {
    pub(super) applied: u64,
    pub(super) refused: u64,
    pub(super) last: LastReload,
    pub(super) last_applied: Timestamp,
}

/// What files kept over a restart.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) bans: Bans,
    pub(super) names: Names,
}

/// The daemon's state, owned by one thread: all changes come one after the other.
#[derive(Debug)]
pub struct Guard<K> {
    pub(super) kernel: K,
    /// The configuration in force.
    pub(super) config: Config,
    /// The passive ports that it means.
    pub(super) passive: Vec<PortRange>,
    /// Where they come from, when they come from servers.
    pub(super) origins: Vec<Origin>,
    /// The configuration that the process started with: some keys count only then.
    pub(super) at_start: Config,
    /// The control socket that is really used.
    pub(super) socket: PathBuf,
    pub(super) set: AllowSet,
    /// What the kernel was given; kept so that a small change needs no reading of a large table.
    pub(super) wanted: Wanted,
    pub(super) fingerprint: Fingerprint,
    /// What the allowlist took before it last changed.
    pub(super) memory_before: Option<MemoryView>,
    pub(super) reloads: Reloads,
    pub(super) started: Timestamp,
    pub(super) started_at: Instant,
    last_tick: Timestamp,
    /// Index under which each interface carries the program.
    attached: BTreeMap<String, u32>,
    complaints: BTreeSet<String>,
    pub(super) bans: Bans,
    /// What DNS says of names in the allowlist.
    pub(super) names: Names,
    pub(super) sessions: Sessions,
    /// Where events are published.
    pub(super) events: EventSink,
    pub(super) defence: Defence,
    pub(super) fallbacks: Fallbacks,
    /// What sessions do.
    pub(super) monitor: MonitorHandle,
    /// Who would have been kept out.
    pub(super) witness: WitnessHandle,
    /// Where events and sessions are kept and exported.
    pub(super) history: Option<HistoryHandle>,
    /// Whether events are written to the log.
    pub(super) journal: watch::Sender<bool>,
    /// The sessions that the kernel has; nothing while that cannot be told.
    pub(super) live: watch::Sender<Option<Live>>,
}

impl<K: Kernel> Guard<K> {
    /// Takes over a kernel that [`start`](super::start::start) has brought to `wanted`.
    pub(super) fn new(
        kernel: K,
        inputs: Inputs,
        wanted: Wanted,
        kept: Kept,
        sessions: Sessions,
        socket: &Path,
    ) -> Self {
        let now = Timestamp::now();
        let journal = inputs.config.events.journal;
        let monitor = MonitorHandle::new(inputs.config.inspect.file_names, detect::rules(&inputs));
        let attached = wanted
            .interfaces
            .iter()
            .filter_map(|name| Some((name.clone(), kernel.index_of(name)?)))
            .collect();
        Self {
            kernel,
            at_start: inputs.config.clone(),
            config: inputs.config,
            passive: inputs.passive,
            origins: inputs.origins,
            socket: socket.to_owned(),
            set: inputs.set,
            wanted,
            fingerprint: inputs.fingerprint,
            memory_before: None,
            reloads: Reloads {
                applied: 0,
                refused: 0,
                last: LastReload {
                    time: now,
                    cause: "start".into(),
                    success: true,
                    error: None,
                },
                last_applied: now,
            },
            started: now,
            started_at: Instant::now(),
            last_tick: now,
            attached,
            complaints: BTreeSet::new(),
            bans: kept.bans,
            names: kept.names,
            sessions,
            events: EventSink::default(),
            defence: Defence::default(),
            fallbacks: Fallbacks::default(),
            monitor,
            witness: WitnessHandle::default(),
            history: None,
            journal: watch::Sender::new(journal),
            live: watch::Sender::default(),
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where events are published and read.
    pub fn events(&self) -> &EventSink {
        &self.events
    }

    /// The way to what is known of sessions.
    pub fn monitor(&self) -> &MonitorHandle {
        &self.monitor
    }

    /// Where events and sessions are kept and exported from now on; reloads change its settings.
    pub fn keep_in(&mut self, history: HistoryHandle) {
        self.history = Some(history);
    }

    /// Where they are kept and exported.
    pub fn history(&self) -> Option<&HistoryHandle> {
        self.history.as_ref()
    }

    /// Whether events are written to the log.
    pub fn journal(&self) -> watch::Receiver<bool> {
        self.journal.subscribe()
    }

    /// The sessions that the kernel has, once a second; nothing while that cannot be told.
    pub fn live_sessions(&self) -> watch::Receiver<Option<Live>> {
        self.live.subscribe()
    }

    /// The files to watch.
    pub fn watched(&self) -> Watched {
        Watched::of(&self.config, &self.fingerprint)
    }

    /// What is due every second: the programs' clock, entries and bans that expire, interfaces that
    /// came back, sessions that ended unseen.
    pub fn tick(&mut self, now: Timestamp) {
        let clock = self.kernel.refresh_clock();
        self.note("clock", clock.map_err(Failure::from));
        self.follow_deadline();
        let due = self
            .set
            .next_expiry(self.last_tick)
            .is_some_and(|expiry| expiry <= now);
        // A clock that was set back makes entries valid again that were swept.
        if due || now < self.last_tick {
            let mut next = self.wanted.clone();
            next.table = self.set.table_with(&self.names.book, now);
            let before = self.wanted.table.len();
            let swept = self.change_to(next);
            if swept.is_ok() {
                let count = before.saturating_sub(self.wanted.table.len());
                if count > 0 {
                    tracing::info!("{count} allowlist entries have expired");
                }
                self.last_tick = now;
            }
            self.note("sweep", swept.map_err(Failure::from));
        } else {
            self.last_tick = now;
        }
        self.follow_names();
        self.follow_bans(now);
        self.follow_interfaces();
        self.follow_sessions();
        self.follow_defence();
    }

    /// Attaches to interfaces that appeared (again) or lost the program, and notes those that went.
    pub fn follow_interfaces(&mut self) {
        self.notice_lost_programs();
        for name in self.wanted.interfaces.clone() {
            let index = self.kernel.index_of(&name);
            if index == self.attached.get(&name).copied() {
                continue;
            }
            let Some(index) = index else {
                self.attached.remove(&name);
                tracing::warn!("interface {name} is gone; it is guarded again when it comes back");
                continue;
            };
            let result = self.kernel.attach(&name, self.wanted.xdp_mode);
            if let Ok(attachment) = &result {
                let mode = attachment.mode.as_str();
                tracing::info!("attached to {name} again (index {index}), {mode} mode");
                self.attached.insert(name.clone(), attachment.ifindex);
            }
            self.note(&name, result.map(drop).map_err(Failure::from));
        }
    }

    /// Forgets attachments that somebody took away while their interface stayed: a pin that was
    /// removed, a link that was detached by force.
    fn notice_lost_programs(&mut self) {
        // The next look tells, should the kernel not.
        let Ok(attachments) = self.kernel.attachments() else {
            return;
        };
        for name in self.missing(&attachments) {
            if self.kernel.index_of(&name).is_some() && self.attached.remove(&name).is_some() {
                tracing::warn!(
                    "somebody took the program off {name}; `ftp-guard detach` ends enforcement"
                );
            }
        }
    }

    /// Brings the kernel to `next`, or leaves it as it is.
    pub(super) fn change_to(&mut self, next: Wanted) -> Result<(), DatapathError> {
        let changes = self.wanted.changes_to(&next);
        self.change_by(next, &changes)
    }

    /// The same, by the steps of the allowlist that are known to lead there.
    pub(super) fn change_by(
        &mut self,
        next: Wanted,
        changes: &[Change],
    ) -> Result<(), DatapathError> {
        if !changes.is_empty() {
            check_room(&next.table, self.at_start.allow.max_entries)?;
        }
        let memory = self.memory();
        self.wanted.change_to(&next, changes, &mut self.kernel)?;
        let before = std::mem::replace(&mut self.wanted, next);
        if !changes.is_empty() {
            self.memory_before = Some(memory);
        }
        if self.enforces() {
            self.fallbacks.last = None;
        }
        let (kernel, attached) = (&self.kernel, &mut self.attached);
        attached.retain(|name, _| self.wanted.interfaces.contains(name));
        for name in &self.wanted.interfaces {
            if !attached.contains_key(name)
                && let Some(index) = kernel.index_of(name)
            {
                attached.insert(name.clone(), index);
            }
        }
        self.sessions_changed(&before, changes);
        Ok(())
    }

    /// What the allowlist takes at present.
    pub(super) fn memory(&self) -> MemoryView {
        let kernel = self.kernel.allow_memory();
        MemoryView {
            kernel_bytes: kernel.bytes,
            kernel_used_bytes: kernel.used,
            daemon_bytes: self.set.memory(),
        }
    }

    /// Logs a failure of something that is tried every second once, until it succeeds again.
    pub(super) fn note(&mut self, what: &str, result: Result<(), Failure>) {
        let begins = format!("{what}: ");
        match result {
            Ok(()) => self.complaints.retain(|old| !old.starts_with(&begins)),
            Err(failure) => {
                let complaint = format!("{begins}{failure}");
                if !self.complaints.contains(&complaint) {
                    tracing::error!("{complaint}");
                    self.complaints.retain(|old| !old.starts_with(&begins));
                    self.complaints.insert(complaint);
                }
            }
        }
    }

    /// Whether the last try of this failed.
    pub(super) fn complains(&self, what: &str) -> bool {
        let begins = format!("{what}: ");
        self.complaints.iter().any(|old| old.starts_with(&begins))
    }

    /// Configured interfaces that the kernel has no program of ours on.
    pub(super) fn missing(&self, attached: &[crate::datapath::Attachment]) -> Vec<String> {
        self.wanted
            .interfaces
            .iter()
            .filter(|name| attached.iter().all(|a| a.interface != **name))
            .cloned()
            .collect()
    }

    /// What a scrape tells.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn snapshot(&self) -> Result<Snapshot, Failure> {
        let mode = self.mode_now()?;
        let attachments = self.kernel.attachments()?;
        let mut entries = EntryCounts::new();
        let table = self.kernel.allow_table()?;
        for (family, rows) in table.families() {
            let excluded = rows.iter().filter(|(_, value)| value.excludes()).count();
            entries.insert((family, true), excluded as u64);
            entries.insert((family, false), (rows.len() - excluded) as u64);
        }
        Ok(Snapshot {
            counters: self.kernel.counters()?,
            egress: self.kernel.hook_counters(Hook::Egress)?,
            control: self.kernel.hook_counters(Hook::Control)?,
            live: self.live()?,
            flood: self.flood_figures()?,
            monitor: MonitorFigures {
                told_lost: self.kernel.text_losses()?,
                ..self.monitor.figures()
            },
            kept: self
                .history
                .as_ref()
                .map(HistoryHandle::figures)
                .unwrap_or_default(),
            entries,
            max_entries: self.at_start.allow.max_entries,
            memory: self.memory(),
            names: self.name_figures(),
            missing: self.missing(&attachments),
            attached: attachments
                .into_iter()
                .map(|attachment| (attachment.interface, attachment.mode.as_str()))
                .collect(),
            mode: mode.mode,
            mode_deadline: mode.deadline.map(|deadline| deadline.at),
            mode_fallbacks: self.fallbacks.count,
            reloads_applied: self.reloads.applied,
            reloads_refused: self.reloads.refused,
            last_reload_success: self.reloads.last.success,
            last_reload_seconds: self.reloads.last_applied.as_millisecond() as f64 / 1e3,
        })
    }

    /// Whether the datapath answers.
    ///
    /// # Errors
    ///
    /// What the kernel says instead.
    pub fn probe(&self) -> Result<(), DatapathError> {
        self.kernel.probe()
    }

    /// Takes the guard out of the kernel.
    pub(super) fn detach(self) -> Result<Vec<String>, DatapathError> {
        self.kernel.detach_all()
    }
}
