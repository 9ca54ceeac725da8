//! What the guard's tables of sessions hold, read from the pinned maps: without a daemon, and without
//! what one remembers.

use std::{fmt, path::Path, time::Duration};

use anyhow::{Context, Result};
use aya::{
    Pod,
    maps::{Array, HashMap, Map, MapData},
};
use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey},
    config::GuardConfig,
    limits::{Attack, Opening, Source, SourceKey},
    names,
    session::{Client, Flow, Named, Pinhole, Session},
};

use nix::time::{ClockId, clock_gettime};

use super::{guard::Guard, wait_until};

/// Longer than a guard adopts.
const ADOPTION_LIMIT: Duration = Duration::from_secs(90);

/// The number of entries of each table, and what they say of themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Sessions.
    pub sessions: usize,
    /// Data connections.
    pub flows: usize,
    /// Pinholes.
    pub pinholes: usize,
    /// Destinations that PORT or EPRT named.
    pub named: usize,
    /// Clients.
    pub clients: usize,
    /// The live sessions of all clients together.
    pub live: usize,
}

impl Tables {
    /// Counts them.
    ///
    /// # Errors
    /// When a map is not pinned, or is of another layout.
    pub fn read(guard: &Guard) -> Result<Self> {
        let pins = guard.folder().outside(&guard.settings().pins());
        let clients = entries::<ClientKey, Client>(&pins, names::CLIENTS_MAP)?;
        Ok(Self {
            sessions: entries::<FlowKey, Session>(&pins, names::SESSIONS_MAP)?.len(),
            flows: entries::<FlowKey, Flow>(&pins, names::FLOWS_MAP)?.len(),
            pinholes: entries::<EndpointKey, Pinhole>(&pins, names::PINHOLES_MAP)?.len(),
            named: entries::<EndpointKey, Named>(&pins, names::NAMED_MAP)?.len(),
            clients: clients.len(),
            live: clients.iter().map(|client| client.sessions as usize).sum(),
        })
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn are_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sessions,
            flows,
            pinholes,
            named,
            clients,
            live,
        } = self;
        write!(
            f,
            "{sessions} sessions, {flows} data connections, {pinholes} pinholes, {named} named \
             destinations, {clients} clients with {live} live sessions"
        )
    }
}

/// What the guard's tables of proven connections hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    /// Sources that have anything.
    pub sources: usize,
    /// Places that sources take, those included that have nothing any more.
    pub places: usize,
    /// Control connections before their greeting.
    pub opening: usize,
}

impl Proven {
    /// Counts them.
    ///
    /// # Errors
    /// When a map is not pinned, or is of another layout.
    pub fn read(guard: &Guard) -> Result<Self> {
        let pins = guard.folder().outside(&guard.settings().pins());
        let sources = entries::<SourceKey, Source>(&pins, names::SOURCES_MAP)?;
        let alive = sources
            .iter()
            .filter(|source| **source != Source::default());
        Ok(Self {
            sources: alive.count(),
            places: sources.len(),
            opening: entries::<FlowKey, Opening>(&pins, names::OPENING_MAP)?.len(),
        })
    }
}

/// What the guard's programs remember of attacks.
///
/// # Errors
/// When the map is not pinned, or is of another layout.
pub fn attack(guard: &Guard) -> Result<Attack> {
    let pins = guard.folder().outside(&guard.settings().pins());
    let read = || -> Result<Attack> {
        let map = Map::Array(MapData::from_pin(pins.join(names::ATTACK_MAP))?);
        Ok(Array::<_, Attack>::try_from(map)?.get(&0, 0)?)
    };
    read().with_context(|| format!("cannot read {}", names::ATTACK_MAP))
}

/// Waits until the guard's first moments are over, in which it lets segments of connections pass that it
/// has not seen begin.
///
/// # Errors
/// When the map is not pinned, or is of another layout.
pub fn wait_for_adoption(guard: &Guard) -> Result<()> {
    let pins = guard.folder().outside(&guard.settings().pins());
    wait_until(
        "the guard has adopted what there was",
        ADOPTION_LIMIT,
        || {
            let map = Map::Array(MapData::from_pin(pins.join(names::CONFIG_MAP))?);
            let config = Array::<_, GuardConfig>::try_from(map)?.get(&0, 0)?;
            let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
            Ok((now.as_nanos() > u128::from(config.adopt_until_ns)).then_some(()))
        },
    )
}

/// All values of a pinned hash. One that goes while it is read is left out.
fn entries<K: Pod, V: Pod>(pins: &Path, name: &str) -> Result<Vec<V>> {
    let read = || -> Result<Vec<V>> {
        let map = Map::HashMap(MapData::from_pin(pins.join(name))?);
        let map = HashMap::<_, K, V>::try_from(map)?;
        let found = map.keys().filter_map(Result::ok);
        Ok(found.filter_map(|key| map.get(&key, 0).ok()).collect())
    };
    read().with_context(|| format!("cannot read {name}"))
}
