//! What is to be enforced, and the way from one such state to another: whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use ftp_guard_common::{
    config::{FLAG_FXP, FLAG_GUARD_OUTSIDE, Mode, ModeSetting},
    limits::Profile,
    ports::PortTable,
};
use jiff::Timestamp;

use super::{inputs::Inputs, kernel::Kernel};
use crate::{
    config::{Config, XdpChoice},
    datapath::{
        CommandTable, DatapathError, LimitSettings, SessionSettings, command_table, kernel_profile,
    },
    engine::{
        allowlist::{AllowTable, Change, plan},
        names::NameBook,
    },
};

/// A state of the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The allowlist.
    pub table: AllowTable,
    /// The profiles that its entries refer to, by number.
    pub profiles: BTreeMap<u16, Profile>,
    /// The commands that they refuse.
    pub commands: CommandTable,
    /// The other limits.
    pub limits: LimitSettings,
    /// Port classes.
    pub ports: Box<PortTable>,
    /// What becomes of sessions.
    pub sessions: SessionSettings,
    /// The mode, and until when it holds.
    pub mode: ModeSetting,
    /// Interfaces that carry the program.
    pub interfaces: BTreeSet<String>,
    /// How it is attached to them.
    pub xdp_mode: XdpChoice,
}

impl Wanted {
    /// What the files say at `now`, with the addresses that names have.
    pub fn of(inputs: &Inputs, names: &NameBook, now: Timestamp) -> Self {
        let config = &inputs.config;
        Self {
            table: inputs.set.table_with(names, now),
            profiles: profiles(config),
            commands: command_table(config.profiles.values()),
            limits: LimitSettings::of(&config.limits, &config.events),
            ports: config.port_table(&inputs.passive),
            sessions: session_settings(config),
            mode: ModeSetting::lasting(config.mode),
            interfaces: config.interfaces.iter().cloned().collect(),
            xdp_mode: config.xdp_mode,
        }
    }

    /// Keeps what no file says: that the kernel, which has `found`, is in enforce mode until a deadline. A file that
    /// says enforce mode has confirmed it.
    pub fn keep_deadline(&mut self, found: ModeSetting, now_ns: u64) {
        let pending = found.deadline_ns().is_some() && found.in_force(|| now_ns) == Mode::Enforce;
        if pending && self.mode.mode == Mode::Monitor {
            self.mode = found;
        }
    }

    /// The steps from this allowlist to that of `next`.
    #[must_use]
    pub fn changes_to(&self, next: &Self) -> Vec<Change> {
        match self.table.same_rows(&next.table) {
            true => Vec::new(),
            false => plan(&self.table, &next.table),
        }
    }

    /// Brings the kernel from this state to `next`; `changes` are those of the allowlist.
    ///
    /// An interface of `next` that the host does not have (any more) is left to those who watch
    /// for it.
    ///
    /// # Errors
    ///
    /// What the kernel refused. What was done before that is undone; what cannot be undone is
    /// logged.
    pub fn change_to<K: Kernel>(
        &self,
        next: &Self,
        changes: &[Change],
        kernel: &mut K,
    ) -> Result<(), DatapathError> {
        // New permissions before new restrictions, so that no packet meets a mixture that is
        // stricter than both states; detaching last, since it is what opens the door.
        // A profile is there before the first entry that refers to it, and what it refuses before it says
        // that it does.
        let steps: [Step<K>; 9] = [
            set_commands,
            set_profiles,
            set_limits,
            set_table,
            set_sessions,
            set_ports,
            set_mode,
            attach_new,
            detach_old,
        ];
        for (number, step) in steps.iter().enumerate() {
            let Err(error) = step(kernel, self, next, changes) else {
                continue;
            };
            let back = next.changes_to(self);
            // The step that failed halfway is undone as well: each can be repeated.
            for step in steps[..=number].iter().rev() {
                if let Err(error) = step(kernel, next, self, &back) {
                    tracing::error!("cannot restore what was enforced before: {error}");
                }
            }
            return Err(error);
        }
        Ok(())
    }
}

/// The configuration of sessions as the programs have it. A session may leave as many pinholes unused
/// within the time that one holds as are configured: then one more for each that has expired.
fn session_settings(config: &Config) -> SessionSettings {
    let sessions = &config.sessions;
    let pinhole_ns = u64::try_from(sessions.pinhole_timeout.as_nanos()).unwrap_or(u64::MAX);
    let pinhole_interval_ns = pinhole_ns / u64::from(sessions.max_pinholes.max(1));
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    SessionSettings {
        role: config.role,
        flags: flag(config.ftp.fxp, FLAG_FXP)
            | flag(config.ftp.guard_outside_range, FLAG_GUARD_OUTSIDE)
            | config.inspect.flags(),
        pinhole_ns,
        pinhole_interval_ns,
        pinhole_burst_ns: pinhole_interval_ns
            .saturating_mul(u64::from(sessions.max_pinholes.saturating_sub(1))),
    }
}

/// The profiles as the programs have them.
fn profiles(config: &Config) -> BTreeMap<u16, Profile> {
    let profiles = config.profiles.iter();
    profiles
        .map(|(name, settings)| (settings.number, kernel_profile(name, settings)))
        .collect()
}

type Step<K> = fn(&mut K, &Wanted, &Wanted, &[Change]) -> Result<(), DatapathError>;

/// Profiles that `to` does not have stay: entries of the kernel may still refer to them, and afterwards
/// nothing does.
fn set_profiles<K: Kernel>(
    kernel: &mut K,
    from: &Wanted,
    to: &Wanted,
    _: &[Change],
) -> Result<(), DatapathError> {
    let changed: Vec<_> = to
        .profiles
        .iter()
        .filter(|(number, profile)| from.profiles.get(number) != Some(profile))
        .map(|(number, profile)| (*number, *profile))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    kernel.set_profiles(&changed)
}

fn set_commands<K: Kernel>(
    kernel: &mut K,
    from: &Wanted,
    to: &Wanted,
    _: &[Change],
) -> Result<(), DatapathError> {
    if from.commands == to.commands {
        return Ok(());
    }
    kernel.set_commands(&to.commands)
}

fn set_limits<K: Kernel>(
    kernel: &mut K,
    from: &Wanted,
    to: &Wanted,
    _: &[Change],
) -> Result<(), DatapathError> {
    if from.limits == to.limits {
        return Ok(());
    }
    kernel.set_limits(&to.limits)
}

fn set_table<K: Kernel>(
    kernel: &mut K,
    _: &Wanted,
    to: &Wanted,
    changes: &[Change],
) -> Result<(), DatapathError> {
    if changes.is_empty() {
        return Ok(());
    }
    kernel.apply(changes, &to.table)
}

fn set_sessions<K: Kernel>(
    kernel: &mut K,
    from: &Wanted,
    to: &Wanted,
    _: &[Change],
) -> Result<(), DatapathError> {
    if from.sessions == to.sessions {
        return Ok(());
    }
    kernel.set_session_config(&to.sessions)
}

fn set_ports<K: Kernel>(
    kernel: &mut K,
    from: &Wanted,
    to: &Wanted,
    _: &[Change],
) -> Result<(), DatapathError> {
    if from.ports == to.ports {
        return Ok(());
    }
    kernel.set_ports(&to.ports)
}

fn set_mode<K: Kernel>(
    kernel: &mut K,
    from: &Wanted,
    to: &Wanted,
    _: &[Change],
) -> Result<(), DatapathError> {
    if from.mode == to.mode {
        return Ok(());
    }
    kernel.set_mode(to.mode)
}

fn attach_new<K: Kernel>(
    kernel: &mut K,
    from: &Wanted,
    to: &Wanted,
    _: &[Change],
) -> Result<(), DatapathError> {
    for interface in &to.interfaces {
        let stays = from.interfaces.contains(interface) && from.xdp_mode == to.xdp_mode;
        if !stays && kernel.index_of(interface).is_some() {
            kernel.attach(interface, to.xdp_mode)?;
        }
    }
    Ok(())
}

fn detach_old<K: Kernel>(
    kernel: &mut K,
    from: &Wanted,
    to: &Wanted,
    _: &[Change],
) -> Result<(), DatapathError> {
    for interface in from.interfaces.difference(&to.interfaces) {
        kernel.detach_interface(interface)?;
    }
    Ok(())
}
