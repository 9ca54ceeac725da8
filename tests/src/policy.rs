//! What a guard of the suites is told: mode, ports, allowlist, and what sessions may.

use std::collections::BTreeMap;

use ftp_guard::datapath::SessionSettings;
use ftp_guard_common::{
    allow::{AllowValue, EntryKind},
    class::PortClass,
    config::{Mode, Role},
    ports::{PORTS, PortTable},
};
use ipnet::IpNet;

/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// Everything besides the clock that a verdict depends on.
#[derive(Clone)]
pub struct Policy {
    /// Enforce or monitor.
    pub mode: Mode,
    /// Classes by destination port.
    pub ports: Box<PortTable>,
    /// The allowlist.
    pub allow: BTreeMap<IpNet, AllowValue>,
    /// Where the servers are, and what is negotiated for how long.
    pub sessions: SessionSettings,
}

impl Policy {
    /// Enforces on control ports 21 and 990, active data ports 20 and 989 and the passive range
    /// 50000 to 50100, for nobody.
    #[must_use]
    pub fn new() -> Self {
        let mut policy = Self {
            mode: Mode::Enforce,
            ports: vec![PortClass::Other as u8; PORTS]
                .into_boxed_slice()
                .try_into()
                .expect("the vector has the length of the table"),
            allow: BTreeMap::new(),
            sessions: SessionSettings {
                role: Role::Host,
                flags: 0,
                pinhole_ns: 30 * SECOND,
                pinhole_interval_ns: 2 * SECOND,
                pinhole_burst_ns: 30 * SECOND,
            },
        };
        policy.class(21..=21, PortClass::Control);
        policy.class(990..=990, PortClass::Control);
        policy.class(20..=20, PortClass::ActiveData);
        policy.class(989..=989, PortClass::ActiveData);
        policy.class(50_000..=50_100, PortClass::PassiveData);
        policy
    }

    /// Gives ports a class.
    pub fn class(&mut self, ports: std::ops::RangeInclusive<u16>, class: PortClass) {
        for port in ports {
            self.ports[usize::from(port)] = class as u8;
        }
    }

    /// Adds an entry; `expires_s` is Unix time, 0 for never.
    pub fn entry(&mut self, prefix: IpNet, kind: EntryKind, expires_s: u32) {
        self.allow.insert(
            prefix.trunc(),
            AllowValue {
                expires_s,
                profile: 0,
                prefix_len: prefix.prefix_len(),
                kind: kind as u8,
            },
        );
    }

    /// Allows a prefix for good.
    ///
    /// # Panics
    ///
    /// When the text is no prefix.
    #[must_use]
    pub fn allowing(mut self, prefix: &str) -> Self {
        self.entry(prefix_of(prefix), EntryKind::Allow, 0);
        self
    }

    /// Excludes a prefix for good.
    ///
    /// # Panics
    ///
    /// When the text is no prefix.
    #[must_use]
    pub fn excluding(mut self, prefix: &str) -> Self {
        self.entry(prefix_of(prefix), EntryKind::Exclude, 0);
        self
    }

    /// The same on a router in front of the servers.
    #[must_use]
    pub fn on_a_router(mut self) -> Self {
        self.sessions.role = Role::Router;
        self
    }

    /// The same with a `FLAG_*` of [`ftp_guard_common::config`].
    #[must_use]
    pub fn with_flag(mut self, flag: u32) -> Self {
        self.sessions.flags |= flag;
        self
    }

    /// The same in monitor mode.
    #[must_use]
    pub fn monitoring(mut self) -> Self {
        self.mode = Mode::Monitor;
        self
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads a prefix or a bare address.
fn prefix_of(text: &str) -> IpNet {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .unwrap_or_else(|_| panic!("{text} is no prefix"))
}
