//! The state tables, typed: sessions, data connections, what was negotiated, clients, sources, listeners.
//!
//! The programs write them at the same time. What is read here is true of some moment of the reading,
//! for each entry.

use std::os::fd::AsFd;

use aya::{
    Pod,
    maps::{HashMap, IterableMap, Map, MapData, MapError},
};
use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    limits::{Opening, Primed, Source, SourceKey},
    names,
    session::{Client, Listener, Named, Pinhole, Session},
};
use nix::{
    errno::Errno,
    time::{ClockId, clock_gettime},
};

use super::{
    batch,
    error::{DatapathError, errno},
    flows::Flows,
    pins::Pins,
};

/// linux/bpf.h: replace or insert, insert only, replace only.
const BPF_ANY: u64 = 0;
const BPF_NOEXIST: u64 = 1;
const BPF_EXIST: u64 = 2;

/// How many entries the state tables take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacities {
    /// Sessions; and pinholes, named destinations, clients, sources and connections before their
    /// greeting, each.
    pub sessions: u32,
    /// Data connections; and listening sockets.
    pub flows: u32,
}

impl Capacities {
    /// The tables of fixed size, and what each takes.
    pub(super) fn tables(self) -> [(&'static str, u32); 8] {
        [
            (names::SESSIONS_MAP, self.sessions),
            (names::PINHOLES_MAP, self.sessions),
            (names::NAMED_MAP, self.sessions),
            (names::CLIENTS_MAP, self.sessions),
            (names::SOURCES_MAP, self.sessions),
            (names::OPENING_MAP, self.sessions),
            (names::FLOWS_MAP, self.flows),
            (names::LISTEN_MAP, self.flows),
        ]
    }
}

/// One state table.
pub struct Table<K: Pod, V: Pod> {
    map: HashMap<MapData, K, V>,
    name: &'static str,
    capacity: u32,
}

impl<K: Pod, V: Pod> Table<K, V> {
    pub(super) fn open(pins: &Pins, name: &'static str) -> Result<Self, DatapathError> {
        let failed = |error| DatapathError::kernel(format!("open the pinned map {name}"), error);
        MapData::from_pin(pins.map(name))
            .and_then(|data| Self::over(data, name))
            .map_err(failed)
    }

    fn over(data: MapData, name: &'static str) -> Result<Self, MapError> {
        let capacity = data.info()?.max_entries();
        let map = HashMap::try_from(Map::HashMap(data))?;
        Ok(Self {
            map,
            name,
            capacity,
        })
    }

    /// Entries that it takes.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Every entry, each key once.
    pub fn entries(&self) -> Result<Vec<(K, V)>, DatapathError> {
        // SAFETY: `HashMap` has compared the sizes of key and value with the map's.
        unsafe { batch::entries(self.map.map().fd().as_fd()) }
            .map_err(|error| DatapathError::kernel(format!("read the map {}", self.name), error))
    }

    /// The entry of one key.
    pub fn get(&self, key: &K) -> Result<Option<V>, DatapathError> {
        match self.map.get(key, 0) {
            Ok(value) => Ok(Some(value)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(DatapathError::kernel(
                format!("read the map {}", self.name),
                error,
            )),
        }
    }

    /// Adds an entry; false: there is one of that key, which stays.
    pub fn insert(&mut self, key: &K, value: &V) -> Result<bool, DatapathError> {
        self.write(key, value, BPF_NOEXIST)
    }

    /// Adds an entry or replaces the one of that key.
    pub fn set(&mut self, key: &K, value: &V) -> Result<(), DatapathError> {
        self.write(key, value, BPF_ANY).map(drop)
    }

    /// Replaces an entry; false: there is none of that key.
    pub fn update(&mut self, key: &K, value: &V) -> Result<bool, DatapathError> {
        self.write(key, value, BPF_EXIST)
    }

    fn write(&mut self, key: &K, value: &V, flags: u64) -> Result<bool, DatapathError> {
        let Err(error) = self.map.insert(key, value, flags) else {
            return Ok(true);
        };
        match errno(&error) {
            Some(Errno::EEXIST | Errno::ENOENT) => Ok(false),
            Some(Errno::E2BIG) => Err(DatapathError::StateFull {
                table: self.name,
                room: self.capacity,
            }),
            _ => Err(DatapathError::kernel(
                format!("write the map {}", self.name),
                error,
            )),
        }
    }

    /// Removes an entry; false: there was none of that key.
    pub fn remove(&mut self, key: &K) -> Result<bool, DatapathError> {
        match self.map.remove(key) {
            Ok(()) => Ok(true),
            Err(MapError::KeyNotFound) => Ok(false),
            Err(error) if errno(&error) == Some(Errno::ENOENT) => Ok(false),
            Err(error) => Err(DatapathError::kernel(
                format!("remove an entry of the map {}", self.name),
                error,
            )),
        }
    }
}

/// The state tables of one guard, opened by their pins.
pub struct State {
    pub sessions: Table<FlowKey, Session>,
    pub flows: Flows,
    pub pinholes: Table<EndpointKey, Pinhole>,
    pub named: Table<EndpointKey, Named>,
    pub clients: Table<ClientKey, Client>,
    pub sources: Table<SourceKey, Source>,
    pub opening: Table<FlowKey, Opening>,
    pub primed: Table<ListenKey, Primed>,
    pub listeners: Table<ListenKey, Listener>,
}

impl State {
    /// Opens the pinned maps.
    pub fn open(pins: &Pins) -> Result<Self, DatapathError> {
        Ok(Self {
            sessions: Table::open(pins, names::SESSIONS_MAP)?,
            flows: Flows::open(pins)?,
            pinholes: Table::open(pins, names::PINHOLES_MAP)?,
            named: Table::open(pins, names::NAMED_MAP)?,
            clients: Table::open(pins, names::CLIENTS_MAP)?,
            sources: Table::open(pins, names::SOURCES_MAP)?,
            opening: Table::open(pins, names::OPENING_MAP)?,
            primed: Table::open(pins, names::PRIMED_MAP)?,
            listeners: Table::open(pins, names::LISTEN_MAP)?,
        })
    }

    /// The sizes that the tables were made with.
    pub fn capacities(&self) -> Capacities {
        Capacities {
            sessions: self.sessions.capacity(),
            flows: self.flows.capacity(),
        }
    }
}

/// CLOCK_MONOTONIC in nanoseconds: the clock of the state tables (`bpf_ktime_get_ns`).
#[must_use]
pub fn monotonic_ns() -> u64 {
    // The call fails for clocks that do not exist only; this one does on every Linux.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| {
        let (seconds, nanoseconds) = (now.tv_sec(), now.tv_nsec());
        seconds.unsigned_abs() * 1_000_000_000 + nanoseconds.unsigned_abs()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_that_of_the_boot_and_goes_on() {
        let before = monotonic_ns();
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!(before > 0 && monotonic_ns() >= before);
        // /proc/uptime counts sleep as well, so that it is never behind; it has two digits.
        assert!(
            before as f64 / 1e9 < uptime + 0.02,
            "{before} ns, up {uptime} s"
        );
    }

    #[test]
    fn every_table_of_the_state_is_pinned() {
        let tables = Capacities {
            sessions: 3,
            flows: 5,
        }
        .tables();
        assert!(
            tables
                .iter()
                .all(|(name, _)| names::PINNED_MAPS.contains(name))
        );
        assert!(
            tables.contains(&(names::SESSIONS_MAP, 3)) && tables.contains(&(names::FLOWS_MAP, 5))
        );
    }
}
