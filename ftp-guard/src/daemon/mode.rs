//! `mode`: which one is in force, and enforce mode that has to be confirmed.
//!
//! The programs keep to the deadline themselves; the daemon only notices. The file says `monitor` while a deadline
//! is pending, so that nothing that reads it can make enforce mode permanent.

use ftp_guard_common::config::{Mode, ModeSetting};
use jiff::Timestamp;

use super::{guard::Guard, kernel::Kernel, wanted::Wanted};
use crate::{
    config::with_mode,
    control::{
        mode_view::{ModeNow, ModeReport, check_confirm_within},
        protocol::{Failure, ModeName},
    },
    diagnostic::Diagnostics,
    engine::events::{EventKind, ModeFellBack},
    store,
};

/// What became of deadlines.
#[derive(Debug, Default)]
pub(super) struct Fallbacks {
    /// When enforce mode last ended unconfirmed, if monitor mode is in force because of that.
    pub(super) last: Option<Timestamp>,
    /// How often it did.
    pub(super) count: u64,
    /// The deadline that was told of.
    told_ns: u64,
}

impl<K: Kernel> Guard<K> {
    /// `mode`: tells it, or changes it for good, in the file first.
    ///
    /// # Errors
    ///
    /// A configuration file that cannot be read or written; a kernel that refuses. Nothing has
    /// changed then.
    pub fn mode(&mut self, set: Option<ModeName>) -> Result<ModeReport, Failure> {
        self.follow_deadline();
        let Some(set) = set else {
            return self.mode_report(false);
        };
        let mode = set.into();
        let changed = self.switch(mode, ModeSetting::lasting(mode))?;
        self.fallbacks.last = None;
        self.mode_report(changed)
    }

    /// `mode-trial`: enforce mode from now on, and monitor mode again so many seconds later.
    ///
    /// # Errors
    ///
    /// A time that is too short or too long; else as for [`Guard::mode`].
    pub fn mode_trial(&mut self, seconds: u64) -> Result<ModeReport, Failure> {
        check_confirm_within(seconds).map_err(Failure::usage)?;
        self.follow_deadline();
        let setting = ModeSetting {
            mode: Mode::Enforce,
            confirm_until_ns: self.kernel.now_ns() + seconds * 1_000_000_000,
        };
        let changed = self.switch(Mode::Monitor, setting)?;
        self.mode_report(changed)
    }

    /// `mode-confirm`: enforce mode has no deadline any more.
    ///
    /// # Errors
    ///
    /// The guard is in monitor mode; else as for [`Guard::mode`].
    pub fn mode_confirm(&mut self) -> Result<ModeReport, Failure> {
        self.follow_deadline();
        let now = self.mode_now()?;
        match (now.mode, now.deadline, now.fell_back) {
            (Mode::Enforce, Some(_), _) => {
                let setting = ModeSetting::lasting(Mode::Enforce);
                let changed = self.switch(Mode::Enforce, setting)?;
                self.mode_report(changed)
            }
            (Mode::Enforce, None, _) => self.mode_report(false),
            (Mode::Monitor, _, Some(at)) => Err(Failure::failed(format!(
                "too late: the deadline was {}, and the guard is in monitor mode again; \
                 `ftp-guard mode enforce --confirm-within 10m` enforces once more",
                at.strftime("%FT%TZ")
            ))),
            (Mode::Monitor, _, None) => Err(Failure::failed(
                "there is nothing to confirm: the guard is in monitor mode; \
                 `ftp-guard mode enforce --confirm-within 10m` enforces until that is confirmed",
            )),
        }
    }

    /// Writes the file, then the kernel; whether that changed something.
    fn switch(&mut self, in_file: Mode, setting: ModeSetting) -> Result<bool, Failure> {
        let before = self.kernel.mode_setting()?;
        let path = self.config.path.clone();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        let edited = with_mode(&text, in_file).map_err(|Diagnostics(mut list)| {
            for diagnostic in &mut list {
                diagnostic.file.clone_from(&path);
            }
            Failure::from(Diagnostics(list))
        })?;
        if edited != text {
            store::write_atomically(&path, &edited)
                .map_err(|error| Failure::failed(error.to_string()))?;
        }
        let next = Wanted {
            mode: setting,
            ..self.wanted.clone()
        };
        // The kernel's word, not the memory of it: somebody may have changed it.
        self.wanted.mode = before;
        if let Err(error) = self.change_to(next) {
            if let Err(error) = store::write_atomically(&path, &text) {
                tracing::error!("the kernel refused the mode, and it is in the file: {error}");
            }
            return Err(error.into());
        }
        self.fingerprint.note_replaced(&path, &text, &edited);
        self.config.mode = in_file;
        let changed = before != setting || edited != text;
        if changed {
            let mode = setting.mode.as_str();
            match self.mode_now()?.deadline {
                Some(deadline) => tracing::info!(
                    "mode is now {mode}, by command, until {} unless it is confirmed",
                    deadline.at.strftime("%FT%TZ")
                ),
                None => tracing::info!("mode is now {mode}, by command"),
            }
        }
        Ok(changed)
    }

    /// Notices that enforce mode has ended unconfirmed: the programs have been in monitor mode since then.
    pub(super) fn follow_deadline(&mut self) {
        let setting = self.wanted.mode;
        let now_ns = self.kernel.now_ns();
        let over = ModeNow::of(setting, now_ns, Timestamp::now()).fell_back;
        let (Some(at), Some(deadline_ns)) = (over, setting.deadline_ns()) else {
            return;
        };
        if self.fallbacks.told_ns != deadline_ns {
            self.fallbacks.told_ns = deadline_ns;
            self.fell_back(at);
        }
        let monitor = ModeSetting::lasting(Mode::Monitor);
        let result = self.kernel.set_mode(monitor);
        if result.is_ok() {
            self.wanted.mode = monitor;
        }
        self.note("mode", result.map_err(Failure::from));
    }

    /// Tells it to whom it concerns.
    pub(super) fn fell_back(&mut self, at: Timestamp) {
        self.fallbacks.last = Some(at);
        self.fallbacks.count += 1;
        let event = EventKind::ModeFellBack(ModeFellBack { deadline: at });
        tracing::warn!("{event}");
        self.events.publish(event);
    }

    /// Whether the guard enforces at this moment, as far as it knows.
    pub(super) fn enforces(&self) -> bool {
        self.is_enforced(self.wanted.mode)
    }

    pub(super) fn is_enforced(&self, setting: ModeSetting) -> bool {
        setting.in_force(|| self.kernel.now_ns()) == Mode::Enforce
    }

    /// The mode in force, as the kernel has it, and what is known of its end.
    pub(super) fn mode_now(&self) -> Result<ModeNow, Failure> {
        let setting = self.kernel.mode_setting()?;
        let now = ModeNow::of(setting, self.kernel.now_ns(), Timestamp::now());
        let last = self.fallbacks.last.filter(|_| now.mode == Mode::Monitor);
        Ok(ModeNow {
            fell_back: now.fell_back.or(last),
            ..now
        })
    }

    fn mode_report(&self, changed: bool) -> Result<ModeReport, Failure> {
        let now = self.mode_now()?;
        Ok(ModeReport {
            mode: now.mode.into(),
            changed,
            deadline: now.deadline,
            fell_back: now.fell_back,
        })
    }
}
