//! From files to a guard that is in force.

use std::{collections::BTreeMap, path::Path};

use ftp_guard_common::{
    config::{ModeSetting, Role},
    limits::Profile,
};
use jiff::Timestamp;

use super::{
    bans::Bans,
    guard::{Guard, Kept},
    inputs::Inputs,
    kernel::Kernel,
    names::Names,
    sessions::{Sessions, adoption_end, rules},
    wanted::Wanted,
};
use crate::{
    control::{mode_view::ModeNow, protocol::Failure},
    datapath::{CommandTable, DatapathError},
    engine::allowlist::{AllowTable, ProfileNumbers},
};

/// Fills the tables, then attaches: no interface ever carries the program with half a table.
///
/// `adopted` says that the tables are a predecessor's, whose program may be running over them; then
/// only the difference is written, and each program is replaced in place.
///
/// # Errors
///
/// An interface that does not exist, or what the kernel refused. What this start made is gone then;
/// what a predecessor left in place stays.
pub fn start<K: Kernel>(
    mut kernel: K,
    mut inputs: Inputs,
    mut bans: Bans,
    names: Names,
    adopted: bool,
    socket: &Path,
) -> Result<Guard<K>, Failure> {
    let found = match Found::read(&kernel) {
        Ok(found) => found,
        Err(error) => return Err(give_up(kernel, adopted, &[], error.into())),
    };
    let left = found.profiles.iter();
    let left = left.map(|(number, profile)| (*number, profile.name_tag));
    let profiles = inputs.config.profile_numbers().map(|(name, _)| name);
    let known = ProfileNumbers::found(profiles, left);
    inputs.keep_numbers(&known);
    let mut wanted = Wanted::of(&inputs, &names.book, Timestamp::now());
    let (found_mode, now_ns) = (found.mode, kernel.now_ns());
    wanted.keep_deadline(found_mode, now_ns);
    let before = found.interfaces.clone();
    let mut sessions = Sessions::default();
    let result = require_interfaces(&kernel, &inputs.config.interfaces).and_then(|()| {
        let first = !adopted;
        bans.settle(&mut kernel)?;
        enforce(&mut kernel, &inputs, &wanted, found, first, &mut sessions)
    });
    match result {
        Ok(()) => {
            let mut guard = Guard::new(
                kernel,
                inputs,
                wanted,
                Kept { bans, names },
                sessions,
                socket,
            );
            let found_mode = ModeNow::of(found_mode, now_ns, Timestamp::now());
            if let Some(at) = found_mode.fell_back.filter(|_| !guard.enforces()) {
                guard.fell_back(at);
            }
            if adopted {
                // The list may have become shorter since a predecessor looked.
                guard.end_unlisted();
            }
            // A guard without cookies is better than none.
            let resumed = guard.resume_defence();
            guard.note("SYN cookies", resumed);
            Ok(guard)
        }
        Err(failure) => {
            let new: Vec<_> = wanted
                .interfaces
                .iter()
                .filter(|name| !before.contains(name))
                .collect();
            Err(give_up(kernel, adopted, &new, failure))
        }
    }
}

/// What a predecessor left.
struct Found {
    table: AllowTable,
    mode: ModeSetting,
    profiles: BTreeMap<u16, Profile>,
    commands: CommandTable,
    interfaces: Vec<String>,
}

impl Found {
    fn read(kernel: &impl Kernel) -> Result<Self, DatapathError> {
        Ok(Self {
            table: kernel.allow_table()?,
            mode: kernel.mode_setting()?,
            profiles: kernel.profiles()?.into_iter().collect(),
            commands: kernel.commands()?,
            interfaces: kernel.pinned_interfaces()?,
        })
    }
}

fn enforce<K: Kernel>(
    kernel: &mut K,
    inputs: &Inputs,
    wanted: &Wanted,
    found: Found,
    first: bool,
    sessions: &mut Sessions,
) -> Result<(), Failure> {
    let before = found.interfaces;
    let found = Wanted {
        table: found.table,
        mode: found.mode,
        profiles: found.profiles,
        commands: found.commands,
        ..wanted.clone()
    };
    // As in `Wanted::change_to`: a predecessor's program meets new permissions before new ports.
    let filled = Wanted {
        mode: found.mode,
        ..wanted.clone()
    };
    let changes = found.changes_to(&filled);
    found.change_to(&filled, &changes, kernel)?;
    // Whatever these are in the kernel; written again they change nothing that was right. The limits
    // of a first start come with their secret.
    kernel.set_limits(&wanted.limits)?;
    kernel.set_session_config(&wanted.sessions)?;
    kernel.set_ports(&wanted.ports)?;
    filled.change_to(wanted, &[], kernel)?;
    kernel.refresh_clock()?;
    match wanted.sessions.role {
        Role::Host => kernel.attach_sockets()?,
        Role::Router => drop(kernel.detach_sockets()?),
    }
    let rules = rules(&inputs.config, wanted);
    if first {
        sessions.adopt(kernel, &rules);
        kernel.adopt_until(adoption_end(rules.role, kernel.now_ns()))?;
    }
    for interface in &wanted.interfaces {
        kernel.attach(interface, wanted.xdp_mode)?;
    }
    if first {
        // Connections that began, and servers that spoke, before the programs saw them.
        sessions.adopt(kernel, &rules);
    }
    for interface in &before {
        if !wanted.interfaces.contains(interface) {
            kernel.detach_interface(interface)?;
            tracing::info!("detached from {interface}, which is no longer configured");
        }
    }
    Ok(())
}

/// Fails with the names of all interfaces that do not exist, and of those that do.
pub(super) fn require_interfaces<'a>(
    kernel: &impl Kernel,
    names: impl IntoIterator<Item = &'a String>,
) -> Result<(), Failure> {
    let missing: Vec<&str> = names
        .into_iter()
        .filter(|name| kernel.index_of(name).is_none())
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let existing: Vec<_> = kernel
        .interfaces()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.name)
        .collect();
    Err(Failure::failed(format!(
        "no interface `{}` (there are: {}); correct `interfaces` in the configuration",
        missing.join("`, `"),
        existing.join(", ")
    )))
}

/// Undoes what this start made.
fn give_up<K: Kernel>(mut kernel: K, adopted: bool, new: &[&String], failure: Failure) -> Failure {
    let undone = if adopted {
        new.iter()
            .try_for_each(|interface| kernel.detach_interface(interface).map(drop))
    } else {
        kernel.detach_all().map(drop)
    };
    if let Err(error) = undone {
        tracing::error!("cannot undo the start: {error}");
    }
    failure
}
