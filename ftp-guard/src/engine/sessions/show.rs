//! The tables as people see them.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use ftp_guard_common::{
    address::{EndpointKey, FlowKey, to_ip},
    class::Family,
    limits::SourceKey,
    reason::Reason,
    session::{Flow, FlowKind, Session, Tls, Traffic},
};

use ipnet::IpNet;

use super::{
    tables::{Rules, Tables, is_live_flow, remote},
    view::{FlowInfo, Login, PinholeInfo, SessionInfo, SessionsInfo, SourceInfo},
};

/// The sessions that have not ended, each with its data connections and pinholes.
#[must_use]
pub fn show(tables: &Tables, now_ns: u64) -> SessionsInfo {
    let mut sessions: Vec<SessionInfo> = tables
        .sessions
        .iter()
        .filter(|(_, session)| session.traffic.closed_ns == 0)
        .map(|(key, session)| session_info(key, session, now_ns))
        .collect();
    sessions.sort_by_key(|session| session.id);
    let places: HashMap<u64, usize> = sessions
        .iter()
        .enumerate()
        .map(|(place, session)| (session.id, place))
        .collect();
    let mut orphans = Vec::new();
    for (key, flow) in tables.flows.iter().filter(|(_, flow)| is_live_flow(flow)) {
        let Some(info) = flow_info(key, flow, now_ns) else {
            continue;
        };
        match places.get(&flow.session) {
            Some(place) => {
                let session = &mut sessions[*place];
                session.idle = session.idle.min(info.idle);
                session.data.push(info);
            }
            None => orphans.push(info),
        }
    }
    for (key, pinhole) in &tables.pinholes {
        if let Some(place) = places.get(&pinhole.session)
            && let Some(left @ 1..) = pinhole.expires_ns.checked_sub(now_ns)
        {
            sessions[*place].pinholes.push(pinhole_info(key, left));
        }
    }
    for session in &mut sessions {
        session.data.sort_by_key(|flow| (flow.server, flow.client));
        session.pinholes.sort_by_key(|pinhole| pinhole.port);
    }
    orphans.sort_by_key(|flow| (flow.server, flow.client));
    SessionsInfo { sessions, orphans }
}

fn since(now_ns: u64, then_ns: u64) -> Duration {
    Duration::from_nanos(now_ns.saturating_sub(then_ns))
}

fn session_info(key: &FlowKey, session: &Session, now_ns: u64) -> SessionInfo {
    let traffic = &session.traffic;
    SessionInfo {
        id: session.id,
        client: key.client(),
        server: key.server(),
        tls: Tls::from_number(session.tls),
        age: since(now_ns, traffic.created_ns),
        idle: since(now_ns, traffic.seen_ns),
        adopted: session.adopted != 0,
        killed: traffic.killed != 0,
        profile: session.profile,
        login: login(session),
        bytes_in: traffic.bytes_in,
        bytes_out: traffic.bytes_out,
        would_drop: would_drop(traffic),
        data: Vec::new(),
        pinholes: Vec::new(),
    }
}

fn would_drop(traffic: &Traffic) -> Option<Reason> {
    let is_witnessed = traffic.is_witnessed();
    is_witnessed
        .then(|| Reason::from_number(traffic.witnessed))
        .flatten()
}

fn login(session: &Session) -> Login {
    match Tls::from_number(session.tls) {
        _ if session.logged_in != 0 => Login::Yes,
        Tls::Clear if session.adopted == 0 => Login::No,
        _ => Login::Unknown,
    }
}

/// The sources that have connections, those with most first.
#[must_use]
pub fn show_sources(rules: &Rules<'_>, tables: &Tables) -> Vec<SourceInfo> {
    let sessions = tables.sessions.iter().map(|(key, _)| key);
    let flows = tables.flows.iter().map(|(key, _)| key);
    let waiting = tables.opening.iter().map(|(key, _)| key);
    let clients: HashMap<SourceKey, IpAddr> = sessions
        .chain(flows)
        .chain(waiting)
        .map(|key| (rules.source(key), remote(key)))
        .collect();
    let mut shown: Vec<SourceInfo> = tables
        .sources
        .iter()
        .filter(|(_, source)| source.sessions | source.opening | source.data != 0)
        .map(|(key, source)| {
            let prefix = prefix(rules, key);
            SourceInfo {
                prefix,
                client: clients.get(key).copied().unwrap_or(prefix.addr()),
                sessions: source.sessions,
                opening: source.opening,
                data: source.data,
            }
        })
        .collect();
    shown.sort_by_key(|info| {
        let all = u64::from(info.sessions) + u64::from(info.opening) + u64::from(info.data);
        (std::cmp::Reverse(all), info.prefix)
    });
    shown
}

fn prefix(rules: &Rules<'_>, key: &SourceKey) -> IpNet {
    let address = to_ip(key.prefix, key.family);
    let length = match key.family == Family::Ipv6 as u8 {
        true => u8::try_from(rules.source_bits_v6).unwrap_or(128),
        false => 32,
    };
    IpNet::new(address, length).unwrap_or_else(|_| address.into())
}

/// `None` for a kind that this program does not know.
fn flow_info(key: &FlowKey, flow: &Flow, now_ns: u64) -> Option<FlowInfo> {
    let traffic = &flow.traffic;
    Some(FlowInfo {
        client: key.client(),
        server: key.server(),
        kind: FlowKind::from_number(flow.kind)?,
        established: flow.established != 0,
        age: since(now_ns, traffic.created_ns),
        idle: since(now_ns, traffic.seen_ns),
        bytes_in: traffic.bytes_in,
        bytes_out: traffic.bytes_out,
    })
}

fn pinhole_info(key: &EndpointKey, left_ns: u64) -> PinholeInfo {
    PinholeInfo {
        port: u16::from_be_bytes(key.port),
        expires_in: Duration::from_nanos(left_ns),
    }
}
