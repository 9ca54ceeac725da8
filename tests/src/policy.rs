//! What a guard of the suites is told: mode, ports, allowlist, bans, limits, and what sessions may.

use std::collections::BTreeMap;

use ftp_guard::datapath::{CommandTable, SessionSettings};
use ftp_guard_common::{
    allow::{AllowValue, EntryKind},
    ban::{BanKind, BanValue},
    class::PortClass,
    config::{GuardConfig, Mode, Role},
    limits::Profile,
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
    /// Rates, the attack detector, cookies, events and the secret. Its other fields are not read.
    pub limits: GuardConfig,
    /// Profiles by number; one that is not here limits nothing.
    pub profiles: BTreeMap<u16, Profile>,
    /// The commands that profiles refuse.
    pub commands: CommandTable,
    /// The bans.
    pub bans: BTreeMap<IpNet, BanValue>,
    /// Whether the configuration says how many bans there are; else it says none.
    pub counts_bans: bool,
}

impl Policy {
    /// Enforces on control ports 21 and 990, active data ports 20 and 989 and the passive range
    /// 50000 to 50100, for nobody, without limits and bans.
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
            limits: GuardConfig {
                source_bits_v6: 64,
                secret: [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210],
                ..GuardConfig::default()
            },
            profiles: BTreeMap::new(),
            commands: CommandTable::new(),
            bans: BTreeMap::new(),
            counts_bans: true,
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

    /// Adds or replaces an entry of the ban table; `expires_s` is Unix time, 0 for never.
    pub fn ban(&mut self, prefix: IpNet, kind: BanKind, expires_s: u32) {
        self.bans.insert(
            prefix.trunc(),
            BanValue {
                expires_s,
                prefix_len: prefix.prefix_len(),
                kind: kind as u8,
                reserved: [0; 2],
            },
        );
    }

    /// The configuration block that says this.
    #[must_use]
    pub fn config(&self) -> GuardConfig {
        let of = |is_v4: bool| {
            let of_family = |prefix: &&IpNet| matches!(prefix, IpNet::V4(_)) == is_v4;
            let count = self.bans.keys().filter(of_family).count() as u32;
            if self.counts_bans { count } else { 0 }
        };
        GuardConfig {
            mode: self.mode as u32,
            role: self.sessions.role as u32,
            flags: self.sessions.flags,
            pinhole_ns: self.sessions.pinhole_ns,
            pinhole_interval_ns: self.sessions.pinhole_interval_ns,
            pinhole_burst_ns: self.sessions.pinhole_burst_ns,
            bans_v4: of(true),
            bans_v6: of(false),
            ..self.limits
        }
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
