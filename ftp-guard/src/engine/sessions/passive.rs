//! How the passive ports are used.

use std::collections::BTreeSet;

use ftp_guard_common::{
    class::PortClass,
    session::{Flow, FlowKind},
};

use super::{
    tables::{Rules, Tables, is_live_flow},
    view::PassiveWatch,
};

/// The figures at `now_ns`; `highest` is what is in use now, and the trend is unknown.
#[must_use]
pub fn watch(rules: &Rules<'_>, tables: &Tables, now_ns: u64) -> PassiveWatch {
    let count = |ports: &BTreeSet<u16>| {
        let passive = ports
            .iter()
            .filter(|port| rules.class(**port) == PortClass::PassiveData);
        u32::try_from(passive.count()).unwrap_or(u32::MAX)
    };
    let port = |bytes: [u8; 2]| u16::from_be_bytes(bytes);
    let passive = |flow: &Flow| {
        is_live_flow(flow) && FlowKind::from_number(flow.kind) == Some(FlowKind::Passive)
    };
    let used: BTreeSet<u16> = tables
        .flows
        .iter()
        .filter(|(_, flow)| passive(flow))
        .map(|(key, _)| port(key.server_port))
        .collect();
    let named: BTreeSet<u16> = tables
        .pinholes
        .iter()
        .filter(|(_, pinhole)| pinhole.expires_ns > now_ns)
        .map(|(key, _)| port(key.port))
        .collect();
    let listening: BTreeSet<u16> = tables
        .listeners
        .iter()
        .map(|(key, _)| port(key.port))
        .collect();
    let in_use = count(&used);
    PassiveWatch {
        configured: count(&(0..=u16::MAX).collect()),
        listening: count(&listening),
        in_use,
        taken: count(&used.union(&listening).copied().collect()),
        exhausted_in: None,
        highest: in_use,
        outside: used
            .union(&named)
            .copied()
            .filter(|port| rules.class(*port) == PortClass::Other)
            .collect(),
    }
}
