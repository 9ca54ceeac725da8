//! What a valid configuration is.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ftp_guard_common::class::PortClass;
use ftp_guard_common::config::{Mode, Role};
use ftp_guard_common::ports::{PORTS, PortTable};

use super::detect::DetectSettings;
use super::history::{ExportSettings, HistorySettings};
use super::inspect::InspectSettings;
use super::limits::{BanSettings, EventSettings, Limits, ProfileSettings};
use super::names::NameSettings;
use crate::diagnostic::{Diagnostic, Diagnostics, position};
use crate::engine::allowlist::{DEFAULT_PROFILE, ProfileNumbers};

/// A valid configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file that it was read from.
    pub path: PathBuf,
    /// Whether packets are dropped or only counted.
    pub mode: Mode,
    /// Where the FTP servers are.
    pub role: Role,
    /// Interfaces to guard, at least one, without duplicates.
    pub interfaces: Vec<String>,
    /// How the program is attached.
    pub xdp_mode: XdpChoice,
    /// `[ftp]`
    pub ftp: FtpConfig,
    /// `[sessions]`
    pub sessions: SessionsConfig,
    /// `[allow]`
    pub allow: AllowConfig,
    /// `[names]`
    pub names: NameSettings,
    /// `[metrics]`
    pub metrics: MetricsConfig,
    /// `[control]`
    pub control: ControlConfig,
    /// `[bpf]`
    pub bpf: BpfConfig,
    /// `[profile.NAME]`; holds [`Config::DEFAULT_PROFILE`] always.
    pub profiles: BTreeMap<String, ProfileSettings>,
    /// `[limits]`
    pub limits: Limits,
    /// `[bans]`
    pub bans: BanSettings,
    /// `[events]`
    pub events: EventSettings,
    /// `[inspect]`
    pub inspect: InspectSettings,
    /// `[detect]`
    pub detect: DetectSettings,
    /// `[history]`
    pub history: HistorySettings,
    /// `[export]`
    pub export: ExportSettings,
}

/// How the XDP program is attached to an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XdpChoice {
    /// In the driver where that works, else generic, with a warning.
    #[default]
    Auto,
    /// In the driver, or not at all.
    Native,
    /// In the network stack, after the skb was made: any interface, slower.
    Generic,
}

impl XdpChoice {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Native, Self::Generic];

    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

/// Ports by class, no port in two of them, and what is made of data connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FtpConfig {
    /// Ports of control connections, at least one.
    pub control_ports: Vec<u16>,
    /// Ports that the server opens active data connections from.
    pub active_data_ports: Vec<u16>,
    /// Ports that the server listens on for passive data connections.
    pub passive: PassivePorts,
    /// What `auto` reads, absolute paths; empty: the usual places
    /// ([`server_config`](crate::server_config)).
    pub server_configs: Vec<PathBuf>,
    /// Whether PORT and EPRT may name a third host that is on the allowlist.
    pub fxp: bool,
    /// Whether passive ports outside the ranges are guarded while they are in use.
    pub guard_outside_range: bool,
}

/// Where the passive ports come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassivePorts {
    /// From the configuration.
    Ranges(Vec<PortRange>),
    /// From the configuration of the FTP server.
    Auto,
}

/// Sessions and their data connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionsConfig {
    /// Size of the tables of sessions, clients, pinholes and named destinations.
    pub max: u32,
    /// Size of the table of data connections.
    pub max_data: u32,
    /// How long a session may be without any packet.
    pub idle_timeout: Duration,
    /// How long a negotiated port waits for its data connection.
    pub pinhole_timeout: Duration,
    /// Negotiated ports that a session may leave unused within [`SessionsConfig::pinhole_timeout`].
    pub max_pinholes: u32,
}

/// Ports from `first` to `last`, both included, `first <= last`, none 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRange {
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

impl PortRange {
    /// The range of one port.
    #[must_use]
    pub const fn single(port: u16) -> Self {
        Self {
            first: port,
            last: port,
        }
    }

    /// Whether `port` is in the range.
    #[must_use]
    pub const fn contains(&self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// Where the allowlist is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowConfig {
    /// Absolute glob patterns.
    pub files: Vec<String>,
    /// The file that `allow add` and `allow remove` write.
    pub cli_file: PathBuf,
    /// Size of the kernel's tables: entries for each of IPv4 and IPv6.
    pub max_entries: u32,
}

/// The Prometheus exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Where it listens; `None`: nowhere.
    pub listen: Option<SocketAddr>,
}

/// The control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlConfig {
    /// Its path, at most [`ControlConfig::LONGEST_SOCKET_PATH`] bytes.
    pub socket: PathBuf,
}

impl ControlConfig {
    /// `sun_path` of unix(7) has 108 bytes, the last one for the terminator.
    pub const LONGEST_SOCKET_PATH: usize = 107;
}

/// The pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BpfConfig {
    /// The folder of the pinned maps and links, on a BPF file system.
    pub pin_path: PathBuf,
}

impl Config {
    /// Where the configuration is when nothing else is said.
    pub const DEFAULT_PATH: &str = "/etc/ftp-guard/ftp-guard.toml";

    /// The profile that exists without being configured, [`DEFAULT_PROFILE`].
    pub const DEFAULT_PROFILE: &str = DEFAULT_PROFILE;

    /// Reads the configuration file at `path`.
    ///
    /// # Errors
    /// All mistakes in the file at once, or the one reason why it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Diagnostics> {
        let bytes = std::fs::read(path)
            .map_err(|error| Diagnostic::whole_file(path, format!("cannot read: {error}")))?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(path, &text),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let lossy = String::from_utf8_lossy(error.as_bytes());
                let (line, column) = position(&lossy, valid);
                Err(Diagnostics::from(Diagnostic {
                    file: path.to_owned(),
                    line,
                    column,
                    message: "not UTF-8 text; save the file as UTF-8".to_owned(),
                }))
            }
        }
    }

    /// Reads a configuration from `text`; `path` is what mistakes are reported for.
    ///
    /// # Errors
    /// All mistakes at once, by line; a syntax error hides the others.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Diagnostics> {
        super::parse::parse(path, text)
    }

    /// The number of a [`PortClass`] for each port, with the passive ports as
    /// [`server_config::look`](crate::server_config::look) finds them.
    #[must_use]
    pub fn port_table(&self, passive: &[PortRange]) -> Box<PortTable> {
        let mut table = Box::new([PortClass::Other as u8; PORTS]);
        for port in &self.ftp.control_ports {
            table[usize::from(*port)] = PortClass::Control as u8;
        }
        for port in &self.ftp.active_data_ports {
            table[usize::from(*port)] = PortClass::ActiveData as u8;
        }
        for range in passive {
            table[usize::from(range.first)..=usize::from(range.last)]
                .fill(PortClass::PassiveData as u8);
        }
        table
    }

    /// The profiles by name, with the numbers by which the kernel's tables know them.
    pub fn profile_numbers(&self) -> impl Iterator<Item = (&str, u16)> {
        self.profiles
            .iter()
            .map(|(name, profile)| (name.as_str(), profile.number))
    }

    /// Gives profiles that the kernel's entries may refer to the numbers that they have there.
    pub fn keep_numbers(&mut self, known: &ProfileNumbers) {
        let names: Vec<String> = self.profiles.keys().cloned().collect();
        let numbers = known.assign(names.iter().map(String::as_str));
        for (name, profile) in &mut self.profiles {
            if let Some(number) = numbers.get(name.as_str()) {
                profile.number = *number;
            }
        }
    }

    /// The number by which the kernel's tables know a profile.
    #[must_use]
    pub fn profile_number(&self, name: &str) -> Option<u16> {
        self.profiles.get(name).map(|profile| profile.number)
    }

    /// The profile of a number. One that no profile has is judged as the default one.
    #[must_use]
    pub fn profile(&self, number: u16) -> Option<(&str, &ProfileSettings)> {
        let with = |number| {
            self.profiles
                .iter()
                .find(|(_, profile)| profile.number == number)
        };
        let (name, profile) = with(number).or_else(|| with(0))?;
        Some((name, profile))
    }
}
