//! The state tables of a [`Guard`](crate::program::Guard), to prepare and to read.

use std::os::fd::AsFd;

use anyhow::{Context, bail, ensure};
use aya::{
    Ebpf, Pod,
    maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, RingBuf},
};
use ftp_guard::datapath::{Front, Hook};
use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    event::{EVENT_HOOKS, Event, EventBudget},
    limits::{
        Attack, BUCKET_ROWS, BUCKET_SLOTS, EXPECTED_SLOTS, Opening, Primed, Source, SourceKey,
    },
    names,
    reason::{REASON_SLOTS, Reason},
    session::{Client, Flow, Listener, Named, Pinhole, Session},
    text::{TextHeader, TextKind},
};

use crate::sys;

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

/// The data connections, with what stands in front of their table: as the daemon reads and changes them.
pub struct Flows<'a> {
    table: Table<'a, FlowKey, Flow>,
    front: Front,
}

impl Flows<'_> {
    /// Adds or replaces an entry.
    ///
    /// # Errors
    ///
    /// What the kernel says: the table is full.
    pub fn set(&mut self, key: FlowKey, value: Flow) -> anyhow::Result<()> {
        self.table.set(key, value)?;
        self.front.settle(&key);
        Ok(())
    }

    /// The entry of a key.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn get(&self, key: FlowKey) -> anyhow::Result<Option<Flow>> {
        let flow = self.table.get(key)?;
        Ok(flow.map(|flow| self.whole(&key, flow)))
    }

    /// The entry of a key as the table has it, without what was counted in front of it.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn entry(&self, key: FlowKey) -> anyhow::Result<Option<Flow>> {
        self.table.get(key)
    }

    /// Removes an entry.
    ///
    /// # Errors
    ///
    /// There is none, or what the kernel says.
    pub fn remove(&mut self, key: FlowKey) -> anyhow::Result<()> {
        self.table.remove(key)?;
        self.front.settle(&key);
        Ok(())
    }

    /// All entries, in the order of their keys.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn entries(&self) -> anyhow::Result<Vec<(FlowKey, Flow)>> {
        let mut entries = self.table.entries()?;
        for (key, flow) in &mut entries {
            *flow = self.whole(key, *flow);
        }
        Ok(entries)
    }

    /// Removes all entries.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn clear(&mut self) -> anyhow::Result<()> {
        for (key, _) in self.table.entries()? {
            self.remove(key)?;
        }
        Ok(())
    }

    fn whole(&self, key: &FlowKey, mut flow: Flow) -> Flow {
        let slot = self.front.look(key);
        flow.traffic.add(slot.pending(key, flow.traffic.created_ns));
        flow
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

macro_rules! arrays {
    ($($(#[$doc:meta])* $get:ident, $set:ident: $name:expr, $length:expr;)+) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// What the kernel says.
            pub fn $get(&mut self) -> anyhow::Result<Vec<u64>> {
                match self.map($name)? {
                    Map::Array(data) => Ok(sys::words(data.fd().as_fd(), $length)?),
                    other => bail!("{} is no array: {other:?}", $name),
                }
            }

            /// Overwrites from the beginning:
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// What the kernel says.
            pub fn $set(&mut self, words: &[u64]) -> anyhow::Result<()> {
                match self.map($name)? {
                    Map::Array(data) => Ok(sys::set_words(data.fd().as_fd(), words)?),
                    other => bail!("{} is no array: {other:?}", $name),
                }
            }
        )+
    };
}

/// The number of a hook in events; `None` is the XDP program.
#[must_use]
pub fn hook_number(hook: Option<Hook>) -> u32 {
    match hook {
        None => 0,
        Some(Hook::Egress) => 1,
        Some(Hook::Control) => 2,
    }
}

impl<'a> State<'a> {
    pub(crate) fn of(ebpf: &'a mut Ebpf) -> Self {
        Self { ebpf }
    }

    tables! {
        /// The sessions.
        sessions: names::SESSIONS_MAP => FlowKey, Session;
        /// The pinholes.
        pinholes: names::PINHOLES_MAP => EndpointKey, Pinhole;
        /// The named destinations.
        named: names::NAMED_MAP => EndpointKey, Named;
        /// What each client's sessions amount to.
        clients: names::CLIENTS_MAP => ClientKey, Client;
        /// The listening sockets.
        listeners: names::LISTEN_MAP => ListenKey, Listener;
        /// What each source's proven connections amount to.
        sources: names::SOURCES_MAP => SourceKey, Source;
        /// Control connections before their greeting.
        opening: names::OPENING_MAP => FlowKey, Opening;
        /// Listening control ports as cookies imitate them.
        primed: names::PRIMED_MAP => ListenKey, Primed;
    }

    /// The data connections.
    ///
    /// # Errors
    ///
    /// The object has no such maps, or one of another layout.
    pub fn flows(&mut self) -> anyhow::Result<Flows<'_>> {
        let front = self.front()?;
        let table = Table::open(self.ebpf, names::FLOWS_MAP)?;
        Ok(Flows { table, front })
    }

    /// What stands in front of the data connections.
    ///
    /// # Errors
    ///
    /// As [`State::flows`].
    pub fn front(&mut self) -> anyhow::Result<Front> {
        match self.map(names::FRONT_MAP)? {
            Map::Array(data) => Ok(Front::of(data)?),
            other => bail!("{} is no array: {other:?}", names::FRONT_MAP),
        }
    }

    arrays! {
        /// The token buckets, one row behind the other.
        buckets, set_buckets: names::BUCKETS_MAP, BUCKET_ROWS * BUCKET_SLOTS;
        /// The acknowledgements that end handshakes.
        expected, set_expected: names::EXPECTED_MAP, EXPECTED_SLOTS;
    }

    /// Writes those of the token buckets that are to be others than they were: to write them all takes as long as
    /// some thousand runs of a program.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn change_buckets(&mut self, were: &[u64], wanted: &[u64]) -> anyhow::Result<()> {
        let changed = (0..).zip(were).zip(wanted);
        let (keys, values): (Vec<u32>, Vec<u64>) = changed
            .filter(|((_, was), wanted)| was != wanted)
            .map(|((index, _), wanted)| (index, *wanted))
            .unzip();
        match self.map(names::BUCKETS_MAP)? {
            Map::Array(data) => Ok(sys::set_some_words(data.fd().as_fd(), &keys, &values)?),
            other => bail!("{} is no array: {other:?}", names::BUCKETS_MAP),
        }
    }

    /// What is known of attacks.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn attack(&mut self) -> anyhow::Result<Attack> {
        let array: Array<&mut MapData, Attack> = self.map(names::ATTACK_MAP)?.try_into()?;
        Ok(array.get(&0, 0)?)
    }

    /// Overwrites what is known of attacks.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_attack(&mut self, attack: Attack) -> anyhow::Result<()> {
        let mut array: Array<&mut MapData, Attack> = self.map(names::ATTACK_MAP)?.try_into()?;
        Ok(array.set(0, attack, 0)?)
    }

    /// Takes all events from the ring buffer.
    ///
    /// # Errors
    ///
    /// What the kernel says, or one of another size.
    pub fn events(&mut self) -> anyhow::Result<Vec<Event>> {
        let mut ring: RingBuf<&mut MapData> = self.map(names::EVENTS_MAP)?.try_into()?;
        let mut events = Vec::new();
        while let Some(bytes) = ring.next() {
            ensure!(
                bytes.len() == size_of::<Event>(),
                "an event of {} bytes",
                bytes.len()
            );
            // SAFETY: the bytes are as many, and the type takes any.
            events.push(unsafe { bytes.as_ptr().cast::<Event>().read_unaligned() });
        }
        Ok(events)
    }

    /// Takes all that was told of sessions from the ring buffer.
    ///
    /// # Errors
    ///
    /// What the kernel says, or a record that is not as long as it says.
    pub fn texts(&mut self) -> anyhow::Result<Vec<(TextHeader, Vec<u8>)>> {
        let mut ring: RingBuf<&mut MapData> = self.map(names::TEXT_MAP)?.try_into()?;
        let mut texts = Vec::new();
        while let Some(bytes) = ring.next() {
            let (header, text) = bytes
                .split_at_checked(size_of::<TextHeader>())
                .context("a record without a header")?;
            // SAFETY: the bytes are as many, and the type takes any.
            let header = unsafe { header.as_ptr().cast::<TextHeader>().read_unaligned() };
            ensure!(
                text.len() == usize::from(header.captured),
                "{} bytes behind {header:?}",
                text.len()
            );
            texts.push((header, text.to_vec()));
        }
        Ok(texts)
    }

    /// Makes it as if nothing had been told.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn clear_texts(&mut self) -> anyhow::Result<()> {
        while !self.texts()?.is_empty() {}
        let mut losses: PerCpuArray<&mut MapData, u64> =
            self.map(names::TEXT_LOSS_MAP)?.try_into()?;
        for kind in TextKind::ALL {
            let none = vec![0; losses.get(&(kind as u32), 0)?.len()];
            losses.set(kind as u32, none.try_into()?, 0)?;
        }
        let mut budget: PerCpuArray<&mut MapData, u64> = self.map("FTPG_ODD_PORTS")?.try_into()?;
        let full = vec![0; budget.get(&0, 0)?.len()];
        budget.set(0, full.try_into()?, 0)?;
        Ok(())
    }

    /// How many records of a kind did not fit into the ring buffer.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn text_losses(&mut self, kind: TextKind) -> anyhow::Result<u64> {
        let losses: PerCpuArray<&mut MapData, u64> = self.map(names::TEXT_LOSS_MAP)?.try_into()?;
        Ok(losses.get(&(kind as u32), 0)?.iter().sum())
    }

    /// The budgets of a hook's events of a reason, of all CPUs. `None` is the XDP program.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn event_budgets(
        &mut self,
        hook: Option<Hook>,
        reason: Reason,
    ) -> anyhow::Result<Vec<EventBudget>> {
        let budgets: PerCpuArray<&mut MapData, EventBudget> =
            self.map(names::EVENT_BUDGET_MAP)?.try_into()?;
        let index = hook_number(hook) * REASON_SLOTS + reason as u32;
        Ok(budgets.get(&index, 0)?.to_vec())
    }

    /// As if this time had gone by for the XDP program's events of a reason.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn elapse_events(&mut self, reason: Reason, time_ns: u64) -> anyhow::Result<()> {
        let mut shares = self.event_budgets(None, reason)?;
        for share in &mut shares {
            share.due_ns = share.due_ns.saturating_sub(time_ns);
        }
        let mut budgets: PerCpuArray<&mut MapData, EventBudget> =
            self.map(names::EVENT_BUDGET_MAP)?.try_into()?;
        Ok(budgets.set(reason as u32, shares.try_into()?, 0)?)
    }

    /// Makes all budgets as if no event had been.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn clear_events(&mut self) -> anyhow::Result<()> {
        self.events()?;
        let mut budgets: PerCpuArray<&mut MapData, EventBudget> =
            self.map(names::EVENT_BUDGET_MAP)?.try_into()?;
        for hook in 0..EVENT_HOOKS {
            for reason in Reason::ALL {
                let index = hook * REASON_SLOTS + *reason as u32;
                let fresh = vec![EventBudget::default(); budgets.get(&index, 0)?.len()];
                budgets.set(index, fresh.try_into()?, 0)?;
            }
        }
        Ok(())
    }

    /// Empties the buckets and forgets expected acknowledgements and attacks.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn clear_limits(&mut self) -> anyhow::Result<()> {
        self.set_buckets(&vec![0; (BUCKET_ROWS * BUCKET_SLOTS) as usize])?;
        self.set_expected(&vec![0; EXPECTED_SLOTS as usize])?;
        self.set_attack(Attack::default())
    }

    /// Lets the programs search a full table for the dead at once, however short ago they last did.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn forget_searches(&mut self) -> anyhow::Result<()> {
        let mut searched: Array<&mut MapData, u64> = self.map("FTPG_RECLAIM")?.try_into()?;
        for table in 0..searched.len() {
            searched.set(table, 0, 0)?;
        }
        Ok(())
    }

    fn map(&mut self, name: &str) -> anyhow::Result<&mut Map> {
        self.ebpf
            .map_mut(name)
            .with_context(|| format!("the object has no map {name}"))
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
        self.sources()?.clear()?;
        self.opening()?.clear()?;
        self.primed()?.clear()?;
        for port in negotiated {
            self.set_negotiated(*port, 0)?;
        }
        Ok(())
    }
}
