//! The pinned maps, typed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aya::{
    maps::{Array, Map, MapData, MapError, MapInfo, PerCpuArray},
    programs::TcAttachType,
};
use ftp_guard_common::{
    ban::BanValue,
    config::{GuardConfig, Mode, ModeSetting, Role},
    names,
    ports::PortTable,
    stats::{Counter, StatsKey},
};

use super::{error::DatapathError, pins::Pins, ports::Ports, prefixes::Prefixes};

/// The maps of one guard, opened by their pins.
pub struct Tables {
    config: Array<MapData, GuardConfig>,
    ports: Ports,
    /// The bans.
    pub bans: Prefixes<BanValue>,
    stats: PerCpuArray<MapData, Counter>,
    stats_egress: PerCpuArray<MapData, Counter>,
    stats_control: PerCpuArray<MapData, Counter>,
}

/// A hook behind the XDP program, with counters of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// The classifier on egress; the class in its counters is that of the source port.
    Egress,
    /// The classifier on ingress, which reads control connections.
    Control,
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Egress, Self::Control];

    /// The name in metrics, JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Control => "control",
        }
    }

    /// The name of its program.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Egress => names::EGRESS_PROGRAM,
            Self::Control => names::CONTROL_PROGRAM,
        }
    }

    pub(super) const fn attach_type(self) -> TcAttachType {
        match self {
            Self::Egress => TcAttachType::Egress,
            Self::Control => TcAttachType::Ingress,
        }
    }
}

/// What the programs need to know about sessions: a part of the configuration block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionSettings {
    /// Where the servers are.
    pub role: Role,
    /// Sum of the `FLAG_*` constants of [`ftp_guard_common::config`].
    pub flags: u32,
    /// How long a pinhole or a named destination holds, in nanoseconds.
    pub pinhole_ns: u64,
    /// Time between two unused pinholes of a session, once its burst is used up, in nanoseconds.
    pub pinhole_interval_ns: u64,
    /// The burst less one, in the same unit.
    pub pinhole_burst_ns: u64,
}

impl Tables {
    /// Opens the pinned maps.
    pub fn open(pins: &Pins) -> Result<Self, DatapathError> {
        fn open<T>(pins: &Pins, name: &str, kind: fn(MapData) -> Map) -> Result<T, DatapathError>
        where
            T: TryFrom<Map, Error = MapError>,
        {
            MapData::from_pin(pins.map(name))
                .and_then(|data| T::try_from(kind(data)))
                .map_err(|error| {
                    DatapathError::kernel(format!("open the pinned map {name}"), error)
                })
        }
        Ok(Self {
            config: open(pins, names::CONFIG_MAP, Map::Array)?,
            ports: Ports::open(pins)?,
            bans: Prefixes::open(
                pins,
                [names::BAN_V4_MAP, names::BAN_V6_MAP],
                "the bans",
                |value: &BanValue| value.prefix_len,
            )?,
            stats: open(pins, names::STATS_MAP, Map::PerCpuArray)?,
            stats_egress: open(pins, names::STATS_EGRESS_MAP, Map::PerCpuArray)?,
            stats_control: open(pins, names::STATS_CONTROL_MAP, Map::PerCpuArray)?,
        })
    }

    /// The mode, and until when it holds.
    pub fn mode(&self) -> Result<ModeSetting, DatapathError> {
        Ok(self.config()?.mode_setting())
    }

    /// Changes the mode.
    pub fn set_mode(&mut self, setting: ModeSetting) -> Result<(), DatapathError> {
        for config in mode_steps(self.config()?, setting) {
            self.set_config(config)?;
        }
        Ok(())
    }

    /// Tells the programs how far TAI, the clock that they read, is ahead of UTC.
    pub fn refresh_clock(&mut self) -> Result<(), DatapathError> {
        let tai_offset_ns = tai_offset()?;
        let config = self.config()?;
        if config.tai_offset_ns == tai_offset_ns {
            return Ok(());
        }
        self.set_config(GuardConfig {
            tai_offset_ns,
            ..config
        })
    }

    /// Changes what concerns sessions.
    pub fn set_session_config(&mut self, settings: &SessionSettings) -> Result<(), DatapathError> {
        let config = GuardConfig {
            role: settings.role as u32,
            flags: settings.flags,
            pinhole_ns: settings.pinhole_ns,
            pinhole_interval_ns: settings.pinhole_interval_ns,
            pinhole_burst_ns: settings.pinhole_burst_ns,
            ..self.config()?
        };
        self.set_config(config)
    }

    /// Makes the programs look every live connection up in the allowlist again.
    pub fn raise_allow_generation(&mut self) -> Result<(), DatapathError> {
        let config = self.config()?;
        self.set_config(GuardConfig {
            allow_generation: config.allow_generation.wrapping_add(1),
            ..config
        })
    }

    /// Until when data connections that nobody has seen begin are taken over.
    pub fn adopt_until(&mut self, ns: u64) -> Result<(), DatapathError> {
        let config = GuardConfig {
            adopt_until_ns: ns,
            ..self.config()?
        };
        self.set_config(config)
    }

    /// The configuration block.
    pub fn config(&self) -> Result<GuardConfig, DatapathError> {
        self.config
            .get(&0, 0)
            .map_err(|error| DatapathError::kernel("read the configuration map", error))
    }

    /// Replaces the configuration block.
    pub fn set_config(&mut self, config: GuardConfig) -> Result<(), DatapathError> {
        self.config
            .set(0, config, 0)
            .map_err(|error| DatapathError::kernel("write the configuration map", error))
    }

    /// Replaces the classes in the port table and keeps the programs' bits. Readers see each port's
    /// class change at once, old or new.
    pub fn set_ports(&mut self, ports: &PortTable) {
        self.ports.set_classes(ports);
    }

    /// The ports that carry bits of the programs' own, and those bits.
    pub fn port_bits(&self) -> Vec<(u16, u8)> {
        self.ports.bits()
    }

    /// Clears the programs' bits of some ports.
    pub fn clear_port_bits(&mut self, ports: &[u16]) {
        self.ports.clear_bits(ports);
    }

    /// Entries of the IPv4 and of the IPv6 ban table, as the programs are told.
    pub fn ban_counts(&self) -> Result<(u32, u32), DatapathError> {
        let config = self.config()?;
        Ok((config.bans_v4, config.bans_v6))
    }

    /// Tells the programs how many entries the ban tables have.
    pub fn set_ban_counts(&mut self, (v4, v6): (u32, u32)) -> Result<(), DatapathError> {
        let config = self.config()?;
        if (config.bans_v4, config.bans_v6) == (v4, v6) {
            return Ok(());
        }
        self.set_config(GuardConfig {
            bans_v4: v4,
            bans_v6: v6,
            ..config
        })
    }

    /// Every counter of the XDP program that has counted, summed over the CPUs.
    pub fn counters(&self) -> Result<Vec<(StatsKey, Counter)>, DatapathError> {
        read_counters(&self.stats)
    }

    /// The packets that the XDP program has counted under one key, summed over the CPUs.
    pub fn packets(&self, key: StatsKey) -> Result<u64, DatapathError> {
        self.stats
            .get(&key.index(), 0)
            .map(|values| values.iter().map(|value| value.packets).sum())
            .map_err(|error| DatapathError::kernel("read the counters", error))
    }

    /// Every counter of another hook that has counted, summed over the CPUs.
    pub fn hook_counters(&self, hook: Hook) -> Result<Vec<(StatsKey, Counter)>, DatapathError> {
        read_counters(match hook {
            Hook::Egress => &self.stats_egress,
            Hook::Control => &self.stats_control,
        })
    }
}

/// The configuration blocks on the way to a mode. The programs read while the map is written: the first step
/// sees to it that no packet meets enforce mode without the deadline that belongs to it.
fn mode_steps(now: GuardConfig, setting: ModeSetting) -> [GuardConfig; 2] {
    let first = match setting.mode {
        Mode::Enforce => GuardConfig {
            confirm_until_ns: setting.confirm_until_ns,
            ..now
        },
        Mode::Monitor => GuardConfig {
            mode: setting.mode as u32,
            ..now
        },
    };
    let second = GuardConfig {
        mode: setting.mode as u32,
        confirm_until_ns: setting.confirm_until_ns,
        ..now
    };
    [first, second]
}

/// Every counter of a counter table that has counted, summed over the CPUs.
pub(super) fn read_counters<T: std::borrow::Borrow<MapData>>(
    stats: &PerCpuArray<T, Counter>,
) -> Result<Vec<(StatsKey, Counter)>, DatapathError> {
    let mut counters = Vec::new();
    for key in StatsKey::all() {
        let values = stats
            .get(&key.index(), 0)
            .map_err(|error| DatapathError::kernel("read the counters", error))?;
        let sum = values
            .iter()
            .fold(Counter::default(), |sum, value| Counter {
                packets: sum.packets + value.packets,
                bytes: sum.bytes + value.bytes,
            });
        if sum.packets > 0 {
            counters.push((key, sum));
        }
    }
    Ok(counters)
}

/// The number of entries that a pinned map was made for, or nothing when it is not pinned.
pub fn pinned_capacity(pins: &Pins, name: &str) -> Result<Option<u32>, DatapathError> {
    let pin = pins.map(name);
    if !pin.exists() {
        return Ok(None);
    }
    MapInfo::from_pin(&pin)
        .map(|info| Some(info.max_entries()))
        .map_err(|error| DatapathError::kernel(format!("open the pinned map {name}"), error))
}

/// The layout number that the pins carry; nothing when there are no pins, 0 when a daemon died before
/// it wrote one.
pub fn pinned_abi(pins: &Pins) -> Result<Option<u32>, DatapathError> {
    if !pins.map(names::ABI_MAP).exists() {
        return Ok(None);
    }
    let failed = |error| DatapathError::kernel("read the layout number of the pins", error);
    let map = open_abi(pins)?;
    map.get(&0, 0).map(Some).map_err(failed)
}

/// Writes the layout number beside the pins.
pub fn write_abi(pins: &Pins, number: u32) -> Result<(), DatapathError> {
    open_abi(pins)?
        .set(0, number, 0)
        .map_err(|error| DatapathError::kernel("write the layout number of the pins", error))
}

fn open_abi(pins: &Pins) -> Result<Array<MapData, u32>, DatapathError> {
    MapData::from_pin(pins.map(names::ABI_MAP))
        .and_then(|data| Array::try_from(Map::Array(data)))
        .map_err(|error| DatapathError::kernel("read the layout number of the pins", error))
}

/// Unix time in seconds, as the programs count it.
pub fn unix_time_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

/// Nanoseconds by which CLOCK_TAI is ahead of CLOCK_REALTIME: whole seconds, 0 until a time daemon
/// sets them.
fn tai_offset() -> Result<i64, DatapathError> {
    // SAFETY: all fields of `timex` are integers, for which zero is a value.
    let mut clock: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `clock` is a valid `timex`; modes 0 only reads (adjtimex(2)).
    let state = unsafe { libc::adjtimex(&raw mut clock) };
    if state < 0 {
        let error = std::io::Error::last_os_error();
        return Err(DatapathError::kernel("read the clock", error));
    }
    Ok(i64::from(clock.tai) * 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enforce_mode_is_never_without_its_deadline() {
        let monitor = ModeSetting::lasting(Mode::Monitor);
        let enforce = ModeSetting::lasting(Mode::Enforce);
        let trial = ModeSetting {
            mode: Mode::Enforce,
            confirm_until_ns: 9,
        };
        let block = |setting: ModeSetting| GuardConfig {
            mode: setting.mode as u32,
            confirm_until_ns: setting.confirm_until_ns,
            flags: 3,
            ..GuardConfig::default()
        };
        for from in [monitor, enforce, trial] {
            for to in [monitor, enforce, trial] {
                let [first, last] = mode_steps(block(from), to);
                assert_eq!(last, block(to), "{from:?} to {to:?}");
                // Whatever stands in between comes to what one of the two comes to.
                for now in [8, 9] {
                    let between = first.mode_setting().in_force(|| now);
                    let ends = [from, to].map(|setting| setting.in_force(|| now));
                    assert!(ends.contains(&between), "{from:?} to {to:?} at {now}");
                }
            }
        }
    }
}
