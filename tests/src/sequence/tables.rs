//! The model's tables beside the kernel's.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use anyhow::{Result, ensure};
use ftp_guard_common::{
    address::{from_ip, to_ip},
    class::Family,
    session::Tls,
};

use super::{Ends, Tables, source};
use crate::program::Guard;

/// Whether the kernel's tables hold what the model's hold.
///
/// # Errors
///
/// They do not, or the kernel refuses to say.
pub fn compare(model: &Tables, guard: &mut Guard) -> Result<()> {
    let mut state = guard.state();

    let kernel: BTreeMap<_, _> = state
        .sessions()?
        .entries()?
        .into_iter()
        .map(|(key, session)| {
            let traffic = session.traffic;
            let counts = (
                usize::from(session.commands),
                usize::from(session.replies),
                usize::from(session.passive_asked),
                usize::from(session.passive_answered),
            );
            let life = (
                traffic.closed_ns != 0,
                traffic.killed != 0,
                (traffic.packets_in, traffic.bytes_in),
            );
            let next = (session.server_next, session.client_next);
            // Whether FIN counts as a byte makes no difference.
            let next = is_open(model, (key.client(), key.server())).then_some(next);
            let said = (Tls::from_number(session.tls), counts, next, life);
            ((key.client(), key.server()), said)
        })
        .collect();
    let plain: BTreeMap<_, _> = model
        .sessions
        .iter()
        .map(|(ends, session)| {
            let counts = (
                session.counts.0,
                session.counts.1,
                session.passive.0,
                session.passive.1,
            );
            let life = session.life;
            let life = (life.is_closed, life.is_killed, life.received);
            let next = is_open(model, *ends).then_some(session.next);
            (*ends, (session.tls, counts, next, life))
        })
        .collect();
    same("sessions", &kernel, &plain)?;

    let kernel: BTreeMap<_, _> = state
        .flows()?
        .entries()?
        .into_iter()
        .map(|(key, flow)| {
            let traffic = flow.traffic;
            let life = (
                traffic.closed_ns != 0,
                traffic.killed != 0,
                (traffic.packets_in, traffic.bytes_in),
            );
            let flow = (flow.kind, flow.established != 0, life);
            ((key.client(), key.server()), flow)
        })
        .collect();
    let plain: BTreeMap<_, _> = model
        .flows
        .iter()
        .map(|(ends, flow)| {
            let life = flow.life;
            let life = (life.is_closed, life.is_killed, life.received);
            (*ends, (flow.kind as u8, flow.is_established, life))
        })
        .collect();
    same("flows", &kernel, &plain)?;

    let kernel: BTreeMap<_, _> = state
        .pinholes()?
        .entries()?
        .into_iter()
        .map(|(key, pinhole)| {
            let server = scope(key.server, key.family);
            let port = u16::from_be_bytes(key.port);
            let control = (pinhole.control.client(), pinhole.control.server());
            let client = to_ip(key.address, key.family);
            ((client, SocketAddr::new(server, port)), control)
        })
        .collect();
    same("pinholes", &kernel, &model.pinholes)?;

    let kernel: BTreeMap<_, _> = state
        .named()?
        .entries()?
        .into_iter()
        .map(|(key, named)| {
            let port = u16::from_be_bytes(key.port);
            let to = SocketAddr::new(to_ip(key.address, key.family), port);
            // The family of the key is that of the destination: a server of the other one may be told of it.
            ((key.server, to), named.reason)
        })
        .collect();
    let plain = model.named.iter().map(|((server, to), reason)| {
        let (server, _) = from_ip(*server);
        ((server, *to), *reason as u8)
    });
    same("named", &kernel, &plain.collect())?;

    let kernel: BTreeMap<_, _> = state
        .clients()?
        .entries()?
        .into_iter()
        .filter(|(_, client)| client.sessions > 0)
        .map(|(key, client)| {
            let server = scope(key.server, key.family);
            let address = to_ip(key.client, key.family);
            ((address, server), (client.sessions, client.encrypted))
        })
        .collect();
    let plain: BTreeMap<_, _> = model
        .sessions
        .iter()
        .filter(|(_, session)| !session.life.is_closed)
        .map(|((client, server), _)| {
            let key = (client.ip(), model.scope(server.ip()));
            (key, model.client(client.ip(), server.ip()))
        })
        .collect();
    same("clients", &kernel, &plain)?;

    let kernel: BTreeMap<_, _> = state
        .opening()?
        .entries()?
        .into_iter()
        .map(|(key, _)| ((key.client(), key.server()), ()))
        .collect();
    let plain = model.openings.keys().map(|ends| (*ends, ()));
    same("openings", &kernel, &plain.collect())?;

    let kernel: BTreeMap<_, _> = state
        .sources()?
        .entries()?
        .into_iter()
        .map(|(key, source)| {
            let figures = (source.sessions, source.opening, source.data);
            (to_ip(key.prefix, key.family), figures)
        })
        .filter(|(_, figures)| *figures != (0, 0, 0))
        .collect();
    let clients = model.sessions.keys().chain(model.openings.keys());
    let clients = clients.chain(model.flows.keys()).map(|ends| ends.0.ip());
    let plain: BTreeMap<_, _> = clients
        .map(|client| (source(client), model.figures(client)))
        .filter(|(_, figures)| *figures != (0, 0, 0))
        .collect();
    same("sources", &kernel, &plain)
}

/// Whether neither side of a control connection has ended it.
fn is_open(model: &Tables, ends: Ends) -> bool {
    let session = model.sessions.get(&ends);
    session.is_some_and(|session| {
        !session.life.is_closed && !session.is_refused && session.life.fins == (false, false)
    })
}

fn scope(address: [u8; 16], family: u8) -> IpAddr {
    if family == Family::Ipv4 as u8 {
        to_ip(address, family)
    } else {
        IpAddr::from(address)
    }
}

fn same<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    name: &str,
    kernel: &BTreeMap<K, V>,
    model: &BTreeMap<K, V>,
) -> Result<()> {
    let missing: Vec<_> = model
        .iter()
        .filter(|(key, value)| kernel.get(key) != Some(value))
        .collect();
    let more: Vec<_> = kernel
        .iter()
        .filter(|(key, value)| model.get(key) != Some(value))
        .collect();
    ensure!(
        missing.is_empty() && more.is_empty(),
        "{name}: the model has {missing:?}, the kernel {more:?}"
    );
    Ok(())
}
