//! The only module that imports aya: loads the programs, attaches them, reads and writes their maps.
//!
//! Maps and links are pinned on a bpf file system. They outlive the daemon; the next one adopts the
//! maps, brings them up to date and replaces the program behind each link in place.

pub mod allow;
mod attach;
mod attack;
mod bans;
mod batch;
mod btf;
mod classify;
mod clsact;
mod commands;
mod connections;
mod error;
mod events;
mod explain;
mod features;
mod flows;
mod front;
pub mod interfaces;
mod limits;
mod liveness;
mod load;
mod mapped;
pub mod object;
mod observe;
mod pins;
mod ports;
mod prefixes;
mod probe;
mod sockets;
mod state;
mod survey;
mod sys;
mod sysctl;
mod tables;
mod text;
mod trace;

use std::{fs::File, net::IpAddr, path::PathBuf};

use aya::Ebpf;
use ftp_guard_common::{
    ABI_VERSION,
    allow::AllowValue,
    config::{ModeSetting, Role},
    names::{ALLOW_MAPS, BAN_V4_MAP, BAN_V6_MAP, KEPT_MAPS},
    ports::PortTable,
    stats::{Counter, StatsKey},
};
use ipnet::IpNet;
use nix::fcntl::Flock;

pub(crate) use self::events::Clock;
use self::{
    allow::Allow, explain::Explainer, pins::Pins, sockets::Globals, state::State, tables::Tables,
};
pub use self::{
    allow::AllowMemory,
    attach::{AttachMode, Attachment, XdpChoice},
    bans::check_ban_room,
    classify::TcKind,
    commands::{CommandTable, command_table},
    error::DatapathError,
    events::EventReader,
    explain::Judgement,
    features::{XdpFeatures, cannot_answer, driver_features},
    front::Front,
    limits::{HANDSHAKES, LimitSettings, kernel_profile},
    load::Fixed,
    observe::{Observation, detach_pinned, observe},
    pins::{PinPlace, pin_place},
    probe::{Feature, Outcome, reaches_kernel},
    state::{Capacities, monotonic_ns},
    survey::{Attached, Place, survey},
    sysctl::SysctlFiles,
    tables::{Hook, SessionSettings},
    text::{TextReader, told},
};
use crate::engine::{
    allowlist::{AllowTable, Change},
    lookup::Sizes,
};

/// What a datapath is opened with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of the pins, on a bpf file system; made when it is missing.
    pub pin_path: PathBuf,
    /// Largest number of allowlist entries of each family.
    pub max_entries: u32,
    /// How large the allowlist's arrays are made at first, as [`allow::sizes`] tells for the list at hand.
    pub allow_sizes: Sizes,
    /// Largest number of bans, and of prefixes that are never banned, of each family together.
    pub max_bans: u32,
    /// Whether the programs log every packet that they drop. Needs a tokio runtime.
    pub trace: bool,
    /// Where the servers are.
    pub role: Role,
    /// Largest number of sessions; and of pinholes, named destinations, clients, sources and connections
    /// before their greeting, each. Tables that are pinned already keep their size.
    pub sessions: u32,
    /// Largest number of data connections, and of listening sockets on passive ports.
    pub flows: u32,
}

/// The kernel side of one guard. Dropping it detaches nothing.
pub struct Datapath {
    pins: Pins,
    ebpf: Ebpf,
    tables: Tables,
    state: State,
    explainer: Option<Explainer>,
    allow: Allow,
    fixed: Fixed,
    max_entries: u32,
    max_bans: u32,
    adopted: bool,
    _lock: Flock<File>,
}

impl Datapath {
    /// Takes the lock on the pins, adopts the pinned maps or makes them, and loads the programs.
    /// Attaches nothing, and what is attached goes on unchanged.
    ///
    /// # Errors
    ///
    /// Another daemon, pins of another layout, a pin path that is on no bpf file system, a kernel that
    /// refuses.
    pub fn open(settings: &Settings) -> Result<Self, DatapathError> {
        let pins = Pins::at(&settings.pin_path);
        pins.create()?;
        let lock = pins.lock()?;
        let bans = table_size(settings.max_bans);
        let mut sizes = vec![(BAN_V4_MAP, bans), (BAN_V6_MAP, bans)];
        let adopted = adopt(&pins)?;
        let outgrown = outgrown(&pins, &sizes)?;
        let kept = KEPT_MAPS
            .into_iter()
            .filter(|name| !outgrown.contains(name));
        let wanted = Capacities {
            sessions: settings.sessions,
            flows: settings.flows,
        };
        sizes.extend(wanted.tables());
        sizes.extend(Allow::entries(settings.allow_sizes));
        let fixed = Fixed {
            trace: settings.trace,
            role: Some(settings.role),
        };
        let mut ebpf = load_all(&pins, kept, fixed, &sizes, settings.role == Role::Host)?;
        let allow = Allow::of(&ebpf)?;
        for name in outgrown.into_iter().chain(ALLOW_MAPS) {
            replace_pin(&pins, &ebpf, name)?;
        }
        if settings.trace {
            trace::forward(&mut ebpf)?;
        }
        tables::write_abi(&pins, ABI_VERSION)?;
        let mut tables = Tables::open(&pins)?;
        tables.refresh_clock()?;
        let state = State::open(&pins)?;
        // Whatever a predecessor, or nobody, did to the entries.
        state.flows.look_again();
        report_capacities(wanted, state.capacities());
        Ok(Self {
            pins,
            ebpf,
            tables,
            state,
            explainer: None,
            allow,
            fixed,
            max_entries: settings.max_entries,
            max_bans: settings.max_bans,
            adopted,
            _lock: lock,
        })
    }

    /// Whether the maps are a predecessor's.
    #[must_use]
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    /// The mode, and until when it holds, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn mode(&self) -> Result<ModeSetting, DatapathError> {
        self.tables.mode()
    }

    /// Changes the mode. The programs themselves keep to its deadline.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn set_mode(&mut self, setting: ModeSetting) -> Result<(), DatapathError> {
        self.tables.set_mode(setting)
    }

    /// Replaces the port table.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn set_ports(&mut self, ports: &PortTable) -> Result<(), DatapathError> {
        self.tables.set_ports(ports);
        Ok(())
    }

    /// The ports that carry bits of the programs' own (`*_BIT` in [`ftp_guard_common::ports`]), and
    /// those bits.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn port_bits(&self) -> Result<Vec<(u16, u8)>, DatapathError> {
        Ok(self.tables.port_bits())
    }

    /// Clears the programs' bits of some ports.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn clear_port_bits(&mut self, ports: &[u16]) -> Result<(), DatapathError> {
        self.tables.clear_port_bits(ports);
        Ok(())
    }

    /// Changes what the programs know about sessions.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn set_session_config(&mut self, settings: &SessionSettings) -> Result<(), DatapathError> {
        self.tables.set_session_config(settings)
    }

    /// Makes the programs look every live connection up in the allowlist again, at its next packet.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn raise_allow_generation(&mut self) -> Result<(), DatapathError> {
        self.tables.raise_allow_generation()
    }

    /// Until when (CLOCK_MONOTONIC, nanoseconds) data connections whose beginning nobody has seen are
    /// taken over.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn adopt_until(&mut self, ns: u64) -> Result<(), DatapathError> {
        self.tables.adopt_until(ns)
    }

    /// Brings the programs' clock up to date; to be called every second.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn refresh_clock(&mut self) -> Result<(), DatapathError> {
        self.tables.refresh_clock()
    }

    /// The allowlist, as this process has applied it.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn allow_table(&self) -> Result<AllowTable, DatapathError> {
        Ok(self.allow.table().clone())
    }

    /// How much memory the allowlist takes.
    #[must_use]
    pub fn allow_memory(&self) -> AllowMemory {
        self.allow.memory()
    }

    /// Applies the changes, all of them or none. `wanted` is the table that they lead to. Should it not fit into
    /// the arrays that there are, programs with larger ones take the place of these.
    ///
    /// # Errors
    ///
    /// More entries than are allowed; the kernel refuses.
    pub fn apply(&mut self, changes: &[Change], wanted: &AllowTable) -> Result<(), DatapathError> {
        check_room(wanted, self.max_entries)?;
        let changed: Vec<IpNet> = changes
            .iter()
            .map(|change| match change {
                Change::Insert(prefix, _) | Change::Remove(prefix) => *prefix,
            })
            .collect();
        match self.allow.update(wanted, &changed) {
            Ok(()) => Ok(()),
            Err(full) => {
                tracing::info!("the allowlist moves to larger arrays: {full}");
                self.rebuild(wanted)
            }
        }
    }

    /// Replaces the programs by ones with arrays that `wanted` fits into. The others go on until they are replaced,
    /// each at once.
    fn rebuild(&mut self, wanted: &AllowTable) -> Result<(), DatapathError> {
        let sizes = Allow::entries(allow::sizes(wanted));
        let sockets = self.pins.sockets().exists();
        let mut ebpf = load_all(
            &self.pins,
            KEPT_MAPS.into_iter(),
            self.fixed,
            &sizes,
            sockets,
        )?;
        let mut allow = Allow::of(&ebpf)?;
        allow
            .fill(wanted)
            .map_err(|full| DatapathError::kernel("make room for the allowlist", full))?;
        if self.fixed.trace {
            trace::forward(&mut ebpf)?;
        }
        if let Err(error) = self.take_over(&mut ebpf) {
            // What has been replaced already.
            if let Err(error) = attach::reattach(&mut self.ebpf, &self.pins) {
                tracing::error!("cannot put the programs back: {error}");
            }
            return Err(error);
        }
        self.ebpf = ebpf;
        self.allow = allow;
        self.explainer = None;
        // The new list is in force, whatever becomes of its pins: they only tell of it while no daemon runs.
        for name in ALLOW_MAPS {
            if let Err(error) = replace_pin(&self.pins, &self.ebpf, name) {
                tracing::error!("without a daemon `status` will tell of the list before: {error}");
            }
        }
        Ok(())
    }

    fn take_over(&self, ebpf: &mut Ebpf) -> Result<(), DatapathError> {
        attach::reattach(ebpf, &self.pins)?;
        if self.pins.sockets().exists() {
            sockets::attach(ebpf, &self.pins)?;
        }
        Ok(())
    }

    /// The entry that decides about a source now, found as the programs find it: the longest prefix,
    /// expired entries stepped over.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn lookup(&self, source: IpAddr) -> Result<Option<(IpNet, AllowValue)>, DatapathError> {
        Ok(self.allow.lookup(source, tables::unix_time_s()))
    }

    /// Puts the guard on an interface. Where it is already, the program is replaced in place.
    ///
    /// # Errors
    ///
    /// No such interface, a foreign XDP program, no native XDP where only that will do, a kernel that
    /// refuses.
    pub fn attach(
        &mut self,
        interface: &str,
        choice: XdpChoice,
    ) -> Result<Attachment, DatapathError> {
        attach::attach(&mut self.ebpf, &self.pins, interface, choice, None)
    }

    /// As [`Datapath::attach`], with the classifiers attached in this way and no other.
    ///
    /// # Errors
    ///
    /// As [`Datapath::attach`]; a kernel that does not know this way.
    pub fn attach_as(
        &mut self,
        interface: &str,
        choice: XdpChoice,
        tc: TcKind,
    ) -> Result<Attachment, DatapathError> {
        attach::attach(&mut self.ebpf, &self.pins, interface, choice, Some(tc))
    }

    /// Takes the guard off one interface; whether it was on, or had been before the interface went.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn detach_interface(&mut self, interface: &str) -> Result<bool, DatapathError> {
        attach::detach(&self.pins, interface)
    }

    /// Puts the socket program on its tracepoint, in the place of a predecessor's; before any interface is
    /// attached, and only where the guarded servers' sockets are this host's.
    ///
    /// # Errors
    ///
    /// A kernel that does not describe its types; the kernel refuses.
    pub fn attach_sockets(&mut self) -> Result<(), DatapathError> {
        sockets::attach(&mut self.ebpf, &self.pins)
    }

    /// Takes the socket program off; whether it was on.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn detach_sockets(&mut self) -> Result<bool, DatapathError> {
        sockets::detach(&self.pins)
    }

    /// The guarded interfaces, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn attachments(&self) -> Result<Vec<Attachment>, DatapathError> {
        attach::list(&self.pins)
    }

    /// Interfaces that have pins, also those that are gone.
    ///
    /// # Errors
    ///
    /// The folder of the pins cannot be read.
    pub fn pinned_interfaces(&self) -> Result<Vec<String>, DatapathError> {
        self.pins.interfaces()
    }

    /// The counters of another hook than XDP that have counted.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn hook_counters(&self, hook: Hook) -> Result<Vec<(StatsKey, Counter)>, DatapathError> {
        self.tables.hook_counters(hook)
    }

    /// The counters of the XDP program that have counted.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn counters(&self) -> Result<Vec<(StatsKey, Counter)>, DatapathError> {
        self.tables.counters()
    }

    /// What the program would do with a frame, by the live tables; no counter and no state moves.
    ///
    /// # Errors
    ///
    /// A frame of fewer than 14 bytes; the kernel refuses.
    pub fn explain(&mut self, frame: &[u8]) -> Result<Judgement, DatapathError> {
        let (config, attack) = (self.tables.config()?, self.attack()?);
        let explainer = match &mut self.explainer {
            Some(explainer) => explainer,
            none => none.insert(Explainer::open(&self.pins)?),
        };
        explainer.judge(frame, &self.state, &config, attack)
    }

    /// Asks the kernel whether the guard is alive: the XDP program judges a frame that no interface sees, and
    /// counts it where the pins lead. It counts as one packet of [`Reason::NotIp`].
    ///
    /// # Errors
    ///
    /// The kernel refuses, or the program does something else.
    ///
    /// [`Reason::NotIp`]: ftp_guard_common::reason::Reason::NotIp
    pub fn probe(&self) -> Result<(), DatapathError> {
        liveness::probe(&self.ebpf, &self.pins)
    }

    /// Takes the guard off all interfaces and removes its pins; returns the interfaces.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn detach_all(self) -> Result<Vec<String>, DatapathError> {
        observe::remove_all(&self.pins)
    }
}

/// Refuses a table that does not fit into `max_entries` for each family.
///
/// # Errors
///
/// The family that is too large, and by how much.
pub fn check_room(wanted: &AllowTable, max_entries: u32) -> Result<(), DatapathError> {
    let room = max_entries as usize;
    for ((_, rows), family) in wanted.families().into_iter().zip(["IPv4", "IPv6"]) {
        if rows.len() > room {
            return Err(DatapathError::TableFull {
                wanted: rows.len(),
                room,
                family,
            });
        }
    }
    Ok(())
}

/// Inserts come before removals, so that the table must hold the old and the new list at once.
fn table_size(max_entries: u32) -> u32 {
    max_entries.saturating_mul(2)
}

/// Says so when pinned state tables have another size than wanted. They keep it: a session that is lost
/// with its table would end a transfer.
fn report_capacities(wanted: Capacities, pinned: Capacities) {
    if wanted != pinned {
        tracing::warn!(
            "the tables take {} sessions and {} data connections, as when the guard first started; \
             for {} and {} run `ftp-guard detach` (enforcement ends until the new daemon runs), then \
             start again",
            pinned.sessions,
            pinned.flows,
            wanted.sessions,
            wanted.flows
        );
    }
}

/// Decides what becomes of a predecessor's maps; whether they are adopted.
fn adopt(pins: &Pins) -> Result<bool, DatapathError> {
    match tables::pinned_abi(pins)? {
        // Made by a daemon that died before it had made them all, or numbered them.
        None | Some(0) => {
            pins.remove_maps()?;
            Ok(false)
        }
        Some(_) => check_abi(pins).map(|()| true),
    }
}

/// Loads the object and the programs that are attached to interfaces; with `sockets` also that on the tracepoint.
fn load_all(
    pins: &Pins,
    pinned: impl Iterator<Item = &'static str>,
    fixed: Fixed,
    sizes: &[(&'static str, u32)],
    sockets: bool,
) -> Result<Ebpf, DatapathError> {
    let globals = Globals::read()?;
    let mut ebpf = load::object(pins, pinned, fixed, sizes, globals.as_ref())?;
    load::programs(&mut ebpf, sockets)?;
    Ok(ebpf)
}

fn replace_pin(pins: &Pins, ebpf: &Ebpf, name: &'static str) -> Result<(), DatapathError> {
    let map = ebpf.map(name).ok_or_else(|| load::missing(name))?;
    pins.replace_map(name, map)
}

/// Pinned ban tables of another size. The running program keeps them until the new ones,
/// filled, take their place.
fn outgrown(
    pins: &Pins,
    sizes: &[(&'static str, u32)],
) -> Result<Vec<&'static str>, DatapathError> {
    let mut outgrown = Vec::new();
    for (name, size) in sizes {
        if tables::pinned_capacity(pins, name)?.is_some_and(|pinned| pinned != *size) {
            outgrown.push(*name);
        }
    }
    Ok(outgrown)
}

fn check_abi(pins: &Pins) -> Result<(), DatapathError> {
    match tables::pinned_abi(pins)? {
        Some(found) if found != ABI_VERSION => Err(DatapathError::Abi {
            pin_path: pins.path().to_owned(),
            found,
            expected: ABI_VERSION,
        }),
        _ => Ok(()),
    }
}
