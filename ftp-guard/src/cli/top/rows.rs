//! The lists: what is in them, filtered and in order.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

use ipnet::IpNet;

use super::{
    snapshot::{Changes, Rate, Snapshot},
    state::Panel,
};
use crate::{
    cli::sessions::{short_tls, user, who},
    control::session_view::{SessionView, SourceView},
    engine::events::{Event, EventKind},
};

/// How long a dropped packet counts for its source.
pub const RECENT: Duration = Duration::from_secs(60);
/// Dropped packets that are remembered.
const MOST_DROPS: usize = 4096;

/// A session.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRow {
    /// Its number.
    pub id: u64,
    /// The client's end.
    pub client: std::net::SocketAddr,
    /// The name of the last login, before it what became of that unless it was accepted; or `-`.
    pub user: String,
    /// How it is encrypted.
    pub tls: String,
    /// Seconds since it began.
    pub age: f64,
    /// Seconds since its last packet.
    pub idle: f64,
    /// Bytes, both ways, data connections that are open included.
    pub bytes: u64,
    /// Bytes a second on its data connections.
    pub speed: f64,
    /// Which way its transfer goes, and its path.
    pub transfer: Option<(&'static str, String)>,
    /// Bytes of the transfer so far.
    pub moved: Option<u64>,
}

/// A source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceRow {
    /// The address as a prefix.
    pub source: IpNet,
    /// Its profile; none: not on the allowlist.
    pub profile: Option<String>,
    /// Its sessions, those before their greeting included.
    pub sessions: u32,
    /// Its data connections.
    pub data: u32,
    /// Bytes a second on them.
    pub speed: f64,
    /// Reports of dropped packets within the last minute.
    pub drops: u64,
    /// The reason of the last one.
    pub reason: String,
}

/// A passive port in use, or one that waits for its client.
#[derive(Clone, Debug, PartialEq)]
pub struct PortRow {
    /// The port.
    pub port: u16,
    /// Whose it is.
    pub client: IpAddr,
    /// The session; none: of none that is known.
    pub session: Option<u64>,
    /// The user of that session.
    pub user: String,
    /// `in use`, or `waits`.
    pub state: &'static str,
    /// Seconds that it is in use, or until it is nobody's.
    pub seconds: f64,
    /// Bytes so far.
    pub bytes: u64,
    /// Bytes a second.
    pub speed: f64,
}

/// The orders of a list, the first one is what it begins with.
#[must_use]
pub const fn orders(panel: Panel) -> &'static [&'static str] {
    match panel {
        Panel::Sessions => &["speed", "id", "bytes", "age", "idle", "user", "client"],
        Panel::Rates => &["rate", "bytes", "total", "reason"],
        Panel::Sources => &["drops", "sessions", "speed", "address"],
        Panel::Ports => &["port", "speed", "client"],
        Panel::Events => &["newest", "oldest"],
    }
}

/// Whether one of the texts has the filter in it, in any case.
fn has(filter: &str, texts: &[&str]) -> bool {
    let filter = filter.to_lowercase();
    filter.is_empty()
        || texts
            .iter()
            .any(|text| text.to_lowercase().contains(&filter))
}

/// Larger ones first.
fn down<T: PartialOrd>(a: T, b: T) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}

/// The sessions.
#[must_use]
pub fn sessions(now: &Snapshot, changes: &Changes, filter: &str, order: &str) -> Vec<SessionRow> {
    let rows = now
        .sessions
        .iter()
        .map(|session| session_row(session, changes));
    let mut rows: Vec<SessionRow> = rows
        .filter(|row| {
            let path = row.transfer.as_ref().map_or("", |(_, path)| path);
            let id = row.id.to_string();
            let client = row.client.to_string();
            has(filter, &[&id, &client, &row.user, &row.tls, path])
        })
        .collect();
    rows.sort_by(|a, b| {
        let first = match order {
            "speed" => down(a.speed, b.speed).then(b.transfer.is_some().cmp(&a.transfer.is_some())),
            "bytes" => down(a.bytes, b.bytes),
            "age" => down(a.age, b.age),
            "idle" => down(a.idle, b.idle),
            "user" => a.user.cmp(&b.user),
            "client" => a.client.cmp(&b.client),
            _ => Ordering::Equal,
        };
        first.then(a.id.cmp(&b.id))
    });
    rows
}

fn session_row(session: &SessionView, changes: &Changes) -> SessionRow {
    let sum = |a: u64, b: u64| a.saturating_add(b);
    let data = session.data.iter();
    let of_data = data
        .clone()
        .map(|data| sum(data.bytes_in, data.bytes_out))
        .fold(0, u64::saturating_add);
    let known = session
        .record
        .as_ref()
        .and_then(|record| record.transferring.as_ref());
    let transfer = known.map(|transfer| {
        let path = transfer.path.clone().or_else(|| transfer.command.clone());
        (transfer.direction.as_str(), path.unwrap_or_default())
    });
    // Without a monitor a data connection is all that is seen of a transfer.
    let unnamed = || (!session.data.is_empty()).then(|| ("data", String::new()));
    SessionRow {
        id: session.id,
        client: session.client,
        user: who(session),
        tls: short_tls(session),
        age: session.age_seconds,
        idle: session.idle_seconds,
        bytes: sum(sum(session.bytes_in, session.bytes_out), of_data),
        speed: changes.speed_of(session),
        transfer: transfer.or_else(unnamed),
        moved: known
            .and_then(|transfer| transfer.bytes)
            .or((of_data > 0).then_some(of_data)),
    }
}

/// The rates.
#[must_use]
pub fn rates(changes: &Changes, filter: &str, order: &str) -> Vec<Rate> {
    let own = |rate: &&Rate| has(filter, &[rate.hook, &rate.verdict, &rate.reason]);
    let mut rows: Vec<Rate> = changes.rates.iter().filter(own).cloned().collect();
    rows.sort_by(|a, b| {
        let first = match order {
            "rate" => down(a.packets_per_second, b.packets_per_second),
            "bytes" => down(a.bytes_per_second, b.bytes_per_second),
            "total" => down(a.packets, b.packets),
            _ => a.reason.cmp(&b.reason),
        };
        first.then_with(|| (a.hook, &a.verdict, &a.reason).cmp(&(b.hook, &b.verdict, &b.reason)))
    });
    rows
}

/// The passive ports in use, and those that wait for their client.
#[must_use]
pub fn ports(now: &Snapshot, changes: &Changes, filter: &str, order: &str) -> Vec<PortRow> {
    let user_of = |session: Option<&SessionView>| session.map_or("-", user).to_owned();
    let in_use = now
        .data()
        .filter(|(data, _)| data.kind == "passive")
        .map(|(data, session)| PortRow {
            port: data.server.port(),
            client: data.client.ip(),
            session: session.map(|session| session.id),
            user: user_of(session),
            state: "in use",
            seconds: data.age_seconds,
            bytes: data.bytes_in.saturating_add(data.bytes_out),
            speed: changes.speed(data),
        });
    let waiting = now.sessions.iter().flat_map(|session| {
        session.pinholes.iter().map(move |pinhole| PortRow {
            port: pinhole.port,
            client: session.client.ip(),
            session: Some(session.id),
            user: user_of(Some(session)),
            state: "waits",
            seconds: pinhole.expires_in_seconds,
            bytes: 0,
            speed: 0.0,
        })
    });
    let mut rows: Vec<PortRow> = in_use
        .chain(waiting)
        .filter(|row| {
            let (port, client) = (row.port.to_string(), row.client.to_string());
            has(filter, &[&port, &client, &row.user, row.state])
        })
        .collect();
    rows.sort_by(|a, b| {
        let first = match order {
            "speed" => down(a.speed, b.speed),
            "client" => a.client.cmp(&b.client),
            _ => Ordering::Equal,
        };
        first
            .then(a.port.cmp(&b.port))
            .then(a.client.cmp(&b.client))
    });
    rows
}

/// Dropped packets of the last minute, by source. Bounded: in a flood the oldest go first.
#[derive(Clone, Debug, Default)]
pub struct Drops(VecDeque<(jiff::Timestamp, IpAddr, String)>);

impl Drops {
    /// Takes an event; only those about packets of a source matter.
    pub fn take(&mut self, event: &Event) {
        let packet = match &event.kind {
            EventKind::Drop(packet) => packet,
            EventKind::TableFull(full) => &full.packet,
            _ => return,
        };
        let client = match packet.hook.as_str() {
            "egress" => packet.destination,
            _ => packet.source,
        };
        if let Some(client) = client {
            if self.0.len() == MOST_DROPS {
                self.0.pop_front();
            }
            self.0
                .push_back((event.time, client, packet.reason.clone()));
        }
    }

    /// Forgets what is old at the time that the daemon tells.
    pub fn sweep(&mut self, now: jiff::Timestamp) {
        let old = |time: jiff::Timestamp| now.duration_since(time).unsigned_abs() > RECENT;
        self.0.retain(|(time, ..)| !old(*time));
    }
}

/// The sources: those with connections, and those whose packets were dropped.
#[must_use]
pub fn sources(
    now: &Snapshot,
    changes: &Changes,
    drops: &Drops,
    filter: &str,
    order: &str,
) -> Vec<SourceRow> {
    let mut rows: HashMap<IpNet, SourceRow> = now
        .sources
        .iter()
        .map(|source| (source.source, of_source(source)))
        .collect();
    // An address counts for the narrowest prefix that there is a row of.
    let lengths: BTreeSet<u8> = rows.keys().map(IpNet::prefix_len).collect();
    let own = |rows: &HashMap<IpNet, SourceRow>, ip: IpAddr| {
        let each = lengths.iter().rev();
        each.filter_map(|length| IpNet::new(ip, *length).ok())
            .map(|net| net.trunc())
            .find(|net| rows.contains_key(net))
    };
    for (data, _) in now.data() {
        if let Some(row) = own(&rows, data.client.ip()).and_then(|net| rows.get_mut(&net)) {
            row.speed += changes.speed(data);
        }
    }
    for (_, ip, reason) in &drops.0 {
        let net = own(&rows, *ip).unwrap_or_else(|| IpNet::from(*ip));
        let row = rows.entry(net).or_insert_with(|| SourceRow {
            source: net,
            profile: None,
            sessions: 0,
            data: 0,
            speed: 0.0,
            drops: 0,
            reason: String::new(),
        });
        row.drops += 1;
        row.reason.clone_from(reason);
    }
    let mut rows: Vec<SourceRow> = rows
        .into_values()
        .filter(|row| {
            let profile = row.profile.as_deref().unwrap_or("not listed");
            has(filter, &[&address(row.source), profile, &row.reason])
        })
        .collect();
    rows.sort_by(|a, b| {
        let first = match order {
            "drops" => down(a.drops, b.drops)
                .then(down(a.speed, b.speed))
                .then(down(a.sessions, b.sessions)),
            "sessions" => down(a.sessions, b.sessions).then(down(a.data, b.data)),
            "speed" => down(a.speed, b.speed),
            _ => Ordering::Equal,
        };
        first.then(a.source.cmp(&b.source))
    });
    rows
}

fn of_source(source: &SourceView) -> SourceRow {
    SourceRow {
        source: source.source,
        profile: source.profile.clone(),
        sessions: source.sessions.saturating_add(source.opening),
        data: source.data_connections,
        speed: 0.0,
        drops: 0,
        reason: String::new(),
    }
}

/// A prefix as people write it: a host without its length.
#[must_use]
pub fn address(prefix: IpNet) -> String {
    match prefix.prefix_len() == prefix.max_prefix_len() {
        true => prefix.addr().to_string(),
        false => prefix.to_string(),
    }
}

/// The events that a filter leaves, in order.
#[must_use]
pub fn events<'a>(all: &'a VecDeque<Event>, filter: &str, order: &str) -> Vec<&'a Event> {
    let own = |event: &&Event| has(filter, &[event.kind.name(), &event.to_string()]);
    let mut rows: Vec<&Event> = all.iter().filter(own).collect();
    if order == "newest" {
        rows.reverse();
    }
    rows
}
