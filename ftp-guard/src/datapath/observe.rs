//! What the kernel does when no daemon runs, read from the pins alone.

use std::{collections::BTreeMap, path::Path};

use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey},
    config::ModeSetting,
    names::ABI_MAP,
    session::{Client, Flow, Pinhole, Session},
    stats::{Counter, StatsKey},
};

use super::{
    allow,
    attach::{self, Attachment},
    check_abi,
    error::DatapathError,
    pins::Pins,
    sockets,
    state::{Capacities, State},
    sysctl,
    tables::{Tables, pinned_abi},
};

/// The state of a guard as its pins show it.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The mode, and until when it holds.
    pub mode: ModeSetting,
    /// The guarded interfaces.
    pub attachments: Vec<Attachment>,
    /// Counters that have counted, in the order of their keys.
    pub counters: BTreeMap<StatsKey, Counter>,
    /// Allowlist entries for IPv4, exclusions included.
    pub entries_v4: usize,
    /// Allowlist entries for IPv6, exclusions included.
    pub entries_v6: usize,
    /// The sessions.
    pub sessions: Vec<(FlowKey, Session)>,
    /// The data connections.
    pub flows: Vec<(FlowKey, Flow)>,
    /// The pinholes, expired ones included.
    pub pinholes: Vec<(EndpointKey, Pinhole)>,
    /// What the sessions of each client amount to.
    pub clients: Vec<(ClientKey, Client)>,
    /// How many entries the state tables take.
    pub capacities: Capacities,
    /// Whether a daemon has set the sysctls that SYN cookies need, and not put them back.
    pub sysctls_set: bool,
}

/// Reads the state of the guard whose pins are in `pin_path`; nothing when there are none.
pub fn observe(pin_path: &Path) -> Result<Option<Observation>, DatapathError> {
    let pins = Pins::at(pin_path);
    match pins.map(ABI_MAP).try_exists() {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(error) => {
            return Err(DatapathError::kernel(
                format!("examine {}", pin_path.display()),
                error,
            ));
        }
    }
    // A daemon that is just starting has made the maps and not yet numbered them.
    if pinned_abi(&pins)? == Some(0) {
        return Ok(None);
    }
    check_abi(&pins)?;
    let tables = Tables::open(&pins)?;
    let state = State::open(&pins)?;
    let entries = allow::pinned_counts(&pins)?;
    Ok(Some(Observation {
        mode: tables.mode()?,
        attachments: attach::list(&pins)?,
        counters: tables.counters()?.into_iter().collect(),
        entries_v4: entries.v4 as usize,
        entries_v6: entries.v6 as usize,
        sessions: state.sessions.entries()?,
        flows: state.flows.entries()?,
        pinholes: state.pinholes.entries()?,
        clients: state.clients.entries()?,
        capacities: state.capacities(),
        sysctls_set: sysctl::saved(&pins)?.is_some(),
    }))
}

/// Takes the guard off all interfaces and removes its pins, without a daemon. Returns the interfaces;
/// none when there was nothing to do.
pub fn detach_pinned(pin_path: &Path) -> Result<Vec<String>, DatapathError> {
    let pins = Pins::at(pin_path);
    if !pin_path.exists() {
        return Ok(Vec::new());
    }
    let _lock = pins.lock()?;
    remove_all(&pins)
}

/// Removes links, maps and folder. Links first: a guard whose tables are gone would still drop.
pub(super) fn remove_all(pins: &Pins) -> Result<Vec<String>, DatapathError> {
    let interfaces = pins.interfaces()?;
    for interface in &interfaces {
        attach::detach(pins, interface)?;
    }
    sockets::detach(pins)?;
    // No cookie is sent any more. Whoever must put the sysctls back by hand is told the values here: with
    // the pins the memory of them goes.
    let restored = sysctl::restore(pins);
    pins.remove_maps()?;
    match std::fs::remove_dir(pins.path()) {
        Ok(()) => restored.map(|()| interfaces),
        // Somebody else keeps something there; ours is gone.
        Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
            restored.map(|()| interfaces)
        }
        Err(error) => Err(DatapathError::kernel(
            format!("remove the folder {}", pins.path().display()),
            error,
        )),
    }
}
