//! Reading all files again: the new state replaces the old one whole, or not at all.

use std::time::{Duration, Instant};

use ftp_guard_common::config::Mode;
use jiff::Timestamp;

use super::{
    detect,
    guard::Guard,
    inputs::{Fingerprint, Inputs},
    kernel::Kernel,
    start::require_interfaces,
    wanted::Wanted,
};
use crate::{
    config::Config,
    control::{
        protocol::Failure,
        view::{LastReload, ReloadReport, Timings},
    },
    datapath::check_room,
    engine::allowlist::{Change, ProfileNumbers},
    store,
};

/// How long a file has to be left alone before it is read for its change.
const FRESH: Duration = Duration::from_millis(150);

/// Who asked for a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// SIGHUP.
    Signal,
    /// `ftp-guard reload`.
    Command,
    /// A file changed.
    Files,
}

impl Cause {
    /// The name in JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Command => "command",
            Self::Files => "files",
        }
    }
}

impl<K: Kernel> Guard<K> {
    /// Reads the files again and applies the difference.
    ///
    /// # Errors
    ///
    /// A mistake in a file, or what the kernel refused; nothing has changed then.
    pub fn reload(&mut self, cause: Cause) -> Result<ReloadReport, Failure> {
        let result = self.try_reload(cause);
        let now = Timestamp::now();
        self.reloads.last = LastReload {
            time: now,
            cause: cause.as_str().into(),
            success: result.is_ok(),
            error: result.as_ref().err().map(one_line),
        };
        match &result {
            Ok(report) => {
                // Whoever asks for it wants the names of this moment.
                if cause != Cause::Files {
                    self.names.ask_all();
                }
                self.reloads.applied += 1;
                self.reloads.last_applied = now;
                log_report(cause, report);
            }
            Err(failure) => {
                self.reloads.refused += 1;
                let cause = cause.as_str();
                tracing::error!("reload ({cause}) refused, nothing changed: {failure}");
                for diagnostic in &failure.diagnostics {
                    tracing::error!("{diagnostic}");
                }
            }
        }
        result
    }

    /// Reloads if the files hold something else than they did when they were last read or
    /// written here. Whether that is done: a file that was written to a moment ago is left alone, unless nobody can
    /// wait any longer. An emptied list that is about to be filled again would turn everybody away.
    pub fn files_changed(&mut self, at_once: bool) -> bool {
        let (now, _) = Fingerprint::of(&self.config.path, &self.config, Duration::ZERO);
        if now == self.fingerprint {
            return true;
        }
        if !at_once && now.is_fresh(&self.fingerprint, FRESH) {
            return false;
        }
        // The failure is logged, and `status` tells it.
        let _ = self.reload(Cause::Files);
        true
    }

    fn try_reload(&mut self, cause: Cause) -> Result<ReloadReport, Failure> {
        self.follow_deadline();
        let numbers = self.config.profile_numbers();
        let known = ProfileNumbers::in_force(numbers, &self.kernel.allow_table()?);
        let read = Instant::now();
        let path = &self.config.path;
        // Who watches files has waited for them.
        let patience = match cause {
            Cause::Files => Duration::ZERO,
            Cause::Signal | Cause::Command => store::PATIENCE,
        };
        // Also of what is refused: it is not to be tried again until it changes.
        let (fingerprint, lists) = Fingerprint::of(path, &self.config, patience);
        self.fingerprint = fingerprint;
        let lists = lists.map(|lists| (&self.config.allow, lists));
        let inputs = Inputs::load_after(path, &self.set, &known, lists)?;
        let read = read.elapsed();
        // Whatever another program did to the tables ends here.
        self.wanted.table = self.kernel.allow_table()?;
        self.wanted.mode = self.kernel.mode_setting()?;
        self.wanted.profiles = self.kernel.profiles()?.into_iter().collect();
        self.wanted.commands = self.kernel.commands()?;
        self.wanted.limits = self.kernel.limits()?;
        let names = self.names.after(&inputs.config, &inputs.set);
        let mut next = Wanted::of(&inputs, &names, Timestamp::now());
        // Only a start changes it.
        next.sessions.role = self.wanted.sessions.role;
        next.keep_deadline(self.wanted.mode, self.kernel.now_ns());
        let enforced = self.is_enforced(next.mode);
        check_room(&next.table, self.at_start.allow.max_entries)?;
        require_interfaces(
            &self.kernel,
            next.interfaces.difference(&self.wanted.interfaces),
        )?;
        let planned = Instant::now();
        let changes = self.wanted.changes_to(&next);
        let planned = planned.elapsed();
        let removed = changes
            .iter()
            .filter(|change| matches!(change, Change::Remove(_)))
            .count() as u64;
        let report = ReloadReport {
            inserted: changes.len() as u64 - removed,
            removed,
            entries: next.table.len() as u64,
            mode: (self.enforces() != enforced).then(|| next.mode.mode.into()),
            ports_changed: self.wanted.ports != next.ports,
            limits_changed: self.limits_change(&inputs.config, &next),
            attached: difference(&next, &self.wanted),
            detached: difference(&self.wanted, &next),
            restart_needed: restart_needed(&self.at_start, &inputs.config),
            timings: Timings::default(),
            warnings: Vec::new(),
        };
        let confirmed = self.wanted.mode.deadline_ns().is_some()
            && next.mode.mode == Mode::Enforce
            && next.mode.deadline_ns().is_none();
        let applied = Instant::now();
        self.reload_with_bans(&inputs.config, next, &changes)?;
        let applied = applied.elapsed();
        if confirmed {
            tracing::info!("enforce mode has no deadline any more: the file says so");
        }
        self.monitor
            .set(inputs.config.inspect.file_names, detect::rules(&inputs));
        self.names.take(names, &inputs.config);
        self.config = inputs.config;
        self.passive = inputs.passive;
        self.origins = inputs.origins;
        self.set = inputs.set;
        self.fingerprint = inputs.fingerprint;
        self.journal.send_replace(self.config.events.journal);
        if let Some(history) = &self.history {
            history.set(&self.config);
        }
        self.follow_interfaces();
        self.judge_ability();
        self.look();
        Ok(ReloadReport {
            timings: Timings {
                read_ms: milliseconds(read),
                plan_ms: milliseconds(planned),
                apply_ms: milliseconds(applied),
            },
            warnings: self.warnings(&self.kernel.attachments()?, &self.session_figures()?),
            ..report
        })
    }

    /// Whether profiles, limits, or settings of bans, events, inspection, detections, names, history and export are other than those in force, here or
    /// in the kernel.
    fn limits_change(&self, config: &Config, next: &Wanted) -> bool {
        let profile_changed = |(number, profile)| self.wanted.profiles.get(number) != Some(profile);
        config.profiles != self.config.profiles
            || config.limits != self.config.limits
            || config.bans != self.config.bans
            || config.events != self.config.events
            || config.inspect != self.config.inspect
            || config.detect != self.config.detect
            || config.names != self.config.names
            || config.history != self.config.history
            || config.export != self.config.export
            || self.wanted.limits != next.limits
            || self.wanted.commands != next.commands
            || next.profiles.iter().any(profile_changed)
    }
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn difference(one: &Wanted, other: &Wanted) -> Vec<String> {
    one.interfaces
        .difference(&other.interfaces)
        .cloned()
        .collect()
}

/// Keys that differ from those at the start and that only a start reads.
pub(super) fn restart_needed(at_start: &Config, now: &Config) -> Vec<String> {
    [
        (
            "control.socket",
            at_start.control.socket != now.control.socket,
        ),
        ("bpf.pin_path", at_start.bpf.pin_path != now.bpf.pin_path),
        ("role", at_start.role != now.role),
        (
            "metrics.listen",
            at_start.metrics.listen != now.metrics.listen,
        ),
        (
            "allow.max_entries",
            at_start.allow.max_entries != now.allow.max_entries,
        ),
        ("bans.file", at_start.bans.file != now.bans.file),
        (
            "bans.max_entries",
            at_start.bans.max_entries != now.bans.max_entries,
        ),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(key, _)| key.to_owned())
    .collect()
}

fn one_line(failure: &Failure) -> String {
    match failure.diagnostics.first() {
        Some(first) if failure.diagnostics.len() == 1 => first.to_string(),
        Some(first) => format!("{first} (and {} more)", failure.diagnostics.len() - 1),
        None => failure.message.clone(),
    }
}

fn log_report(cause: Cause, report: &ReloadReport) {
    let cause = cause.as_str();
    tracing::info!(
        "reloaded ({cause}): {}; {}",
        summary(report),
        timing(&report.timings)
    );
    for key in &report.restart_needed {
        tracing::warn!("{key} has changed; it takes effect when the daemon is started again");
    }
}

/// How long a reload took, in words.
#[must_use]
pub fn timing(timings: &Timings) -> String {
    let seconds = |ms: u64| format!("{}.{:03} s", ms / 1000, ms % 1000);
    format!(
        "read in {}, planned in {}, applied in {}",
        seconds(timings.read_ms),
        seconds(timings.plan_ms),
        seconds(timings.apply_ms)
    )
}

/// What a reload changed, in one line.
#[must_use]
pub fn summary(report: &ReloadReport) -> String {
    if !report.changed() {
        return format!("nothing changed, {} entries", report.entries);
    }
    let mut parts = Vec::new();
    if report.inserted + report.removed > 0 {
        parts.push(format!(
            "{} entries added or changed, {} removed",
            report.inserted, report.removed
        ));
    }
    parts.push(format!("{} entries", report.entries));
    if let Some(mode) = report.mode {
        let mode: Mode = mode.into();
        parts.push(format!("mode is now {}", mode.as_str()));
    }
    if report.ports_changed {
        parts.push("ports changed".to_owned());
    }
    if report.limits_changed {
        parts.push("limits changed".to_owned());
    }
    if !report.attached.is_empty() {
        parts.push(format!("attached to {}", report.attached.join(", ")));
    }
    if !report.detached.is_empty() {
        parts.push(format!("detached from {}", report.detached.join(", ")));
    }
    parts.join("; ")
}
