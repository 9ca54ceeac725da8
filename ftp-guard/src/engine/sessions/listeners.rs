//! The listening sockets on passive ports, as the table should have them.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use ftp_guard_common::{
    address::{ListenKey, from_ip},
    class::PortClass,
    session::Listener,
};

use super::{
    Command, Socket,
    tables::{Rules, Tables},
};

/// What the table has too much and too little.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    missing: BTreeSet<ListenKey>,
    /// With the time since when they listened: one that has opened again meanwhile is another.
    gone: BTreeSet<(ListenKey, u64)>,
}

impl Difference {
    /// Compares the table with the sockets.
    pub fn of(rules: &Rules<'_>, tables: &Tables, listening: &[Socket]) -> Self {
        let there: BTreeSet<ListenKey> = listening
            .iter()
            .filter(|socket| rules.class(socket.local.port()) == PortClass::PassiveData)
            .flat_map(keys)
            .collect();
        let listed: BTreeSet<ListenKey> = tables.listeners.iter().map(|(key, _)| *key).collect();
        Self {
            missing: there.difference(&listed).copied().collect(),
            gone: tables
                .listeners
                .iter()
                .filter(|(key, _)| !there.contains(key))
                .map(|(key, listener)| (*key, listener.since_ns))
                .collect(),
        }
    }

    /// The steps for what `before` has shown as well: the programs follow the sockets themselves, and
    /// one look may have caught one of them between the two. Since when a missing one has been listening
    /// nobody knows; it must not look younger than what the server has said.
    pub fn confirmed(&self, before: &Self, commands: &mut Vec<Command>) {
        let missing = self.missing.intersection(&before.missing);
        commands.extend(missing.map(|key| Command::SetListener(*key, Listener::one(0))));
        let gone = self.gone.intersection(&before.gone);
        commands.extend(gone.map(|(key, since)| Command::RemoveListener(*key, *since)));
    }

    /// The steps that take over what was there before the guard.
    pub fn taken_over(&self, commands: &mut Vec<Command>) {
        self.confirmed(self, commands);
    }
}

/// The entries of a listener: on the IPv6 wildcard it may take IPv4 as well.
fn keys(socket: &Socket) -> impl Iterator<Item = ListenKey> {
    let ip = socket.local.ip();
    let both = ip.is_ipv6() && ip.is_unspecified() && !socket.v6_only;
    let v4 = both.then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let port = socket.local.port().to_be_bytes();
    [Some(ip), v4].into_iter().flatten().map(move |ip| {
        let (address, family) = from_ip(ip);
        ListenKey {
            address,
            port,
            family: family as u8,
            reserved: 0,
        }
    })
}
