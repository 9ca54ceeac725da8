//! The state tables, read by their pins.

use std::{fmt, time::Duration};

use anyhow::{Context, Result, ensure};
use aya::{
    Pod,
    maps::{HashMap, Map, MapData},
};
use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    names,
    session::{Client, Flow, HALF_CLOSED_LINGER_NS, LINGER_NS, Listener, Named, Pinhole, Session},
};
use ftp_guard_tests::lab::{guard::Guard, wait_until};

/// Time for entries of what has ended to go, on a loaded machine.
const END_LIMIT: Duration = Duration::from_nanos(HALF_CLOSED_LINGER_NS + 2 * LINGER_NS);

/// What the tables hold.
pub struct Tables {
    pub sessions: Vec<(FlowKey, Session)>,
    pub flows: Vec<(FlowKey, Flow)>,
    pinholes: Vec<(EndpointKey, Pinhole)>,
    named: Vec<(EndpointKey, Named)>,
    clients: Vec<(ClientKey, Client)>,
    pub listeners: Vec<(ListenKey, Listener)>,
}

impl Tables {
    pub fn read(guard: &Guard) -> Result<Self> {
        Ok(Self {
            sessions: entries(guard, names::SESSIONS_MAP)?,
            flows: entries(guard, names::FLOWS_MAP)?,
            pinholes: entries(guard, names::PINHOLES_MAP)?,
            named: entries(guard, names::NAMED_MAP)?,
            clients: entries(guard, names::CLIENTS_MAP)?,
            listeners: entries(guard, names::LISTEN_MAP)?,
        })
    }

    /// Sessions that live.
    pub fn live(&self) -> usize {
        let live = |session: &&(FlowKey, Session)| session.1.traffic.closed_ns == 0;
        self.sessions.iter().filter(live).count()
    }

    /// Data connections that live.
    pub fn live_flows(&self) -> usize {
        let live = |flow: &&(FlowKey, Flow)| flow.1.traffic.closed_ns == 0;
        self.flows.iter().filter(live).count()
    }

    fn is_empty(&self) -> bool {
        self.to_string() == "0 sessions, 0 flows, 0 pinholes, 0 named, 0 clients"
    }
}

impl fmt::Display for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sessions, {} flows, {} pinholes, {} named, {} clients",
            self.sessions.len(),
            self.flows.len(),
            self.pinholes.len(),
            self.named.len(),
            self.clients.len()
        )
    }
}

fn entries<K: Pod, V: Pod>(guard: &Guard, name: &str) -> Result<Vec<(K, V)>> {
    let pin = format!("{}/{name}", guard.settings().pins());
    let map = MapData::from_pin(guard.folder().outside(&pin)).context(pin)?;
    let map: HashMap<_, K, V> = Map::HashMap(map).try_into()?;
    // The programs go on: an entry that vanishes meanwhile is none.
    Ok(map.iter().filter_map(Result::ok).collect())
}

/// Waits until the tables hold nothing.
pub fn expect_empty(guard: &Guard) -> Result<()> {
    wait_until("the tables are empty", END_LIMIT, || {
        Ok(Tables::read(guard)?.is_empty().then_some(()))
    })
    .with_context(|| Tables::read(guard).map_or_else(|error| error.to_string(), |t| t.to_string()))
}

/// Waits until so many sessions and data connections live.
pub fn expect_live(guard: &Guard, sessions: usize, flows: usize) -> Result<Tables> {
    let found = || -> Result<_> {
        let tables = Tables::read(guard)?;
        Ok((tables.live(), tables.live_flows()))
    };
    wait_until("sessions and data connections live", END_LIMIT, || {
        Ok((found()? == (sessions, flows)).then_some(()))
    })
    .with_context(|| {
        let tables = Tables::read(guard).map(|tables| tables.flows);
        format!(
            "{sessions} and {flows} wanted, found {:?}: {tables:#?}",
            found()
        )
    })?;
    let tables = Tables::read(guard)?;
    ensure!(tables.live() == sessions, "they went again: {tables}");
    Ok(tables)
}
