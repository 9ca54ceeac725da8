//! A packet in an event, from what the programs report.

use std::net::IpAddr;

use ftp_guard_common::{
    class::{Family, PortClass},
    event::Event as Reported,
    reason::{Reason, Verdict},
};
use serde::{Deserialize, Serialize};

use super::{EventKind, TableFull};

/// A packet that was dropped, or would be in monitor mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// `drop` or `would_drop`.
    pub verdict: String,
    /// Name of the reason, see `docs/reasons.md`.
    pub reason: String,
    /// Where it was judged: `xdp`, `egress` or `control`.
    pub hook: String,
    /// Class of the destination port; on egress that of the source port.
    pub class: String,
    /// `ipv4`, `ipv6` or `other`.
    pub family: String,
    /// Source address; absent, as the next four, when the packet did not show it.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// Source port.
    #[serde(default)]
    pub source_port: Option<u16>,
    /// Destination address.
    #[serde(default)]
    pub destination: Option<IpAddr>,
    /// Destination port.
    #[serde(default)]
    pub destination_port: Option<u16>,
    /// TCP flags by name, separated by commas, or `none`.
    #[serde(default)]
    pub flags: Option<String>,
    /// Bytes of the frame, from the Ethernet header on.
    pub bytes: u32,
    /// How many packets of this reason the same processor has not reported since its last event of it.
    pub suppressed: u64,
}

/// Hooks by their number in [`Reported::hook`].
const HOOKS: [&str; 3] = ["xdp", "egress", "control"];
const EGRESS: u8 = 1;

impl EventKind {
    /// What the programs have reported; nothing when this version does not know the reason. `flags` names
    /// TCP flags.
    #[must_use]
    pub fn reported(event: &Reported, flags: impl Fn(u8) -> String) -> Option<Self> {
        let reason = Reason::from_number(event.reason)?;
        let packet = Packet::of(event, reason, flags)?;
        Some(match table_of(reason) {
            Some(table) => Self::TableFull(TableFull {
                table: table.to_owned(),
                packet,
            }),
            None => Self::Drop(packet),
        })
    }
}

impl Packet {
    fn of(event: &Reported, reason: Reason, flags: impl Fn(u8) -> String) -> Option<Self> {
        let verdict = Verdict::ALL.get(usize::from(event.verdict))?;
        let ends = (event.key.family != Family::Other as u8).then(|| {
            let (client, server) = (event.key.client(), event.key.server());
            match event.hook {
                EGRESS => (server, client),
                _ => (client, server),
            }
        });
        Some(Self {
            verdict: verdict.as_str().to_owned(),
            reason: reason.as_str().to_owned(),
            hook: HOOKS.get(usize::from(event.hook))?.to_string(),
            class: named(&PortClass::ALL, event.class)?.as_str().to_owned(),
            family: named(&Family::ALL, event.family)?.as_str().to_owned(),
            source: ends.map(|(source, _)| source.ip()),
            source_port: ends.map(|(source, _)| source.port()),
            destination: ends.map(|(_, destination)| destination.ip()),
            destination_port: ends.map(|(_, destination)| destination.port()),
            flags: ends.map(|_| flags(event.flags)),
            bytes: event.bytes,
            suppressed: event.suppressed,
        })
    }
}

impl Packet {
    /// The client's address, whichever way the packet went.
    #[must_use]
    pub fn remote(&self) -> Option<IpAddr> {
        match self.hook.as_str() {
            "egress" => self.destination,
            _ => self.source,
        }
    }
}

fn named<T: Copy>(all: &[T], number: u8) -> Option<T> {
    all.get(usize::from(number)).copied()
}

/// The table that is full, if that is the reason.
#[must_use]
pub const fn table_of(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::SessionTableFull => "sessions",
        Reason::FlowTableFull => "flows",
        Reason::PinholeTableFull => "pinholes",
        Reason::SourceTableFull => "sources",
        Reason::OpeningTableFull => "opening",
        _ => return None,
    })
}
