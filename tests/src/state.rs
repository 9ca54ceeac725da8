//! The state tables of a [`Guard`](crate::program::Guard), to prepare and to read.

use anyhow::Context;
use aya::{
    Ebpf, Pod,
    maps::{Array, HashMap, Map, MapData, MapError},
};
use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    names,
    session::{Client, Flow, Listener, Named, Pinhole, Session},
};

/// One table. Nobody writes it meanwhile but the test's own runs.
pub struct Table<'a, K: Pod, V: Pod> {
    map: HashMap<&'a mut MapData, K, V>,
}

impl<'a, K: Pod + Ord, V: Pod> Table<'a, K, V> {
    fn open(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<Self> {
        let map: &mut Map = ebpf
            .map_mut(name)
            .with_context(|| format!("the object has no map {name}"))?;
        Ok(Self {
            map: map.try_into()?,
        })
    }

    /// Adds or replaces an entry.
    ///
    /// # Errors
    ///
    /// What the kernel says: the table is full.
    pub fn set(&mut self, key: K, value: V) -> anyhow::Result<()> {
        Ok(self.map.insert(key, value, 0)?)
    }

    /// The entry of a key.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn get(&self, key: K) -> anyhow::Result<Option<V>> {
        match self.map.get(&key, 0) {
            Ok(value) => Ok(Some(value)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an entry.
    ///
    /// # Errors
    ///
    /// There is none, or what the kernel says.
    pub fn remove(&mut self, key: K) -> anyhow::Result<()> {
        Ok(self.map.remove(&key)?)
    }

    /// All entries, in the order of their keys.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn entries(&self) -> anyhow::Result<Vec<(K, V)>> {
        let mut entries: Vec<(K, V)> = self.map.iter().collect::<Result<_, _>>()?;
        entries.sort_by_key(|entry| entry.0);
        Ok(entries)
    }

    /// Removes all entries.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn clear(&mut self) -> anyhow::Result<()> {
        for (key, _) in self.entries()? {
            self.remove(key)?;
        }
        Ok(())
    }
}

/// All state tables of one guard.
pub struct State<'a> {
    ebpf: &'a mut Ebpf,
}

macro_rules! tables {
    ($($(#[$doc:meta])* $function:ident: $name:expr => $key:ty, $value:ty;)+) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// The object has no such map, or one of another layout.
            pub fn $function(&mut self) -> anyhow::Result<Table<'_, $key, $value>> {
                Table::open(self.ebpf, $name)
            }
        )+
    };
}

impl<'a> State<'a> {
    pub(crate) fn of(ebpf: &'a mut Ebpf) -> Self {
        Self { ebpf }
    }

    tables! {
        /// The sessions.
        sessions: names::SESSIONS_MAP => FlowKey, Session;
        /// The data connections.
        flows: names::FLOWS_MAP => FlowKey, Flow;
        /// The pinholes.
        pinholes: names::PINHOLES_MAP => EndpointKey, Pinhole;
        /// The named destinations.
        named: names::NAMED_MAP => EndpointKey, Named;
        /// What each client's sessions amount to.
        clients: names::CLIENTS_MAP => ClientKey, Client;
        /// The listening sockets.
        listeners: names::LISTEN_MAP => ListenKey, Listener;
    }

    /// Until when a port is negotiated by anyone (CLOCK_MONOTONIC, nanoseconds).
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn negotiated(&mut self, port: u16) -> anyhow::Result<u64> {
        Ok(self.negotiated_map()?.get(&u32::from(port), 0)?)
    }

    /// Says until when a port is negotiated by anyone.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_negotiated(&mut self, port: u16, until_ns: u64) -> anyhow::Result<()> {
        Ok(self.negotiated_map()?.set(u32::from(port), until_ns, 0)?)
    }

    fn negotiated_map(&mut self) -> anyhow::Result<Array<&mut MapData, u64>> {
        let map = self.ebpf.map_mut(names::NEGOTIATED_MAP);
        Ok(map.context("the object has no such map")?.try_into()?)
    }

    /// Empties all tables, and forgets the given negotiated ports.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn clear(&mut self, negotiated: &[u16]) -> anyhow::Result<()> {
        self.sessions()?.clear()?;
        self.flows()?.clear()?;
        self.pinholes()?.clear()?;
        self.named()?.clear()?;
        self.clients()?.clear()?;
        self.listeners()?.clear()?;
        for port in negotiated {
            self.set_negotiated(*port, 0)?;
        }
        Ok(())
    }
}
