//! Profiles and limits, as the programs have them.

use aya::maps::{Array, Map, MapData};
use ftp_guard_common::{
    config::{Cookies, GuardConfig},
    limits::{
        ATTACK_WINDOW_NS, POLICY_COMMANDS, POLICY_NO_ANONYMOUS, POLICY_READ_ONLY,
        POLICY_REQUIRE_TLS, Profile, Rate,
    },
    names,
};

use super::{Datapath, DatapathError, pins::Pins};
use crate::config::{EventSettings, Limits, ProfileSettings};
use crate::engine::allowlist::name_tag;

/// Handshakes to one passive port from one source: a client that is offered a port connects once, and
/// again when its request was lost.
pub const HANDSHAKES: Rate = Rate::per_second(10, 20);

/// What the programs need to know about limits beside the profiles: a part of the configuration block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitSettings {
    /// New control connections of one network (/24, /48).
    pub network: Rate,
    /// New control connections of all sources together.
    pub total: Rate,
    /// Segments on control ports that belong to no connection, of one source.
    pub strays: Rate,
    /// The same, of all sources together.
    pub strays_total: Rate,
    /// Handshakes to one passive port from one source.
    pub handshakes: Rate,
    /// Events of one reason, on each CPU.
    pub events: Rate,
    /// How many requests and strays in a window are an attack; 0: none is.
    pub attack_count: u64,
    /// How long no window may have been at half of that until the attack is over, in nanoseconds.
    pub attack_hold_ns: u64,
    /// When connection requests are answered with SYN cookies.
    pub cookies: Cookies,
    /// Length in bits of the IPv6 prefix that counts as one source.
    pub source_bits_v6: u32,
}

impl LimitSettings {
    /// What the configuration says, in the programs' units.
    #[must_use]
    pub fn of(limits: &Limits, events: &EventSettings) -> Self {
        Self {
            network: Rate::per_second(
                limits.network_connections_per_second,
                limits.network_connections_burst,
            ),
            total: Rate::per_second(
                limits.total_connections_per_second,
                limits.total_connections_burst,
            ),
            strays: Rate::per_second(limits.stray_packets_per_second, limits.stray_packets_burst),
            strays_total: Rate::per_second(
                limits.total_stray_packets_per_second,
                limits.total_stray_packets_burst,
            ),
            handshakes: HANDSHAKES,
            events: Rate::per_second(events.per_second, events.burst),
            attack_count: attack_count(limits.attack_rate),
            attack_hold_ns: u64::try_from(limits.attack_hold.as_nanos()).unwrap_or(u64::MAX),
            cookies: limits.syn_cookies,
            source_bits_v6: u32::from(limits.ipv6_source_prefix),
        }
    }

    fn found(config: &GuardConfig) -> Self {
        Self {
            network: config.network,
            total: config.total,
            strays: config.strays,
            strays_total: config.strays_total,
            handshakes: config.handshakes,
            events: config.events,
            attack_count: config.attack_count,
            attack_hold_ns: config.attack_hold_ns,
            cookies: Cookies::from_number(config.cookies),
            source_bits_v6: config.source_bits_v6,
        }
    }

    fn written_to(&self, config: GuardConfig) -> GuardConfig {
        GuardConfig {
            network: self.network,
            total: self.total,
            strays: self.strays,
            strays_total: self.strays_total,
            handshakes: self.handshakes,
            events: self.events,
            attack_count: self.attack_count,
            attack_hold_ns: self.attack_hold_ns,
            cookies: self.cookies as u32,
            source_bits_v6: self.source_bits_v6,
            ..config
        }
    }
}

/// Events in a window that amount to so many a second; at least one, unless none is an attack.
fn attack_count(per_second: u32) -> u64 {
    const SECOND_NS: u64 = 1_000_000_000;
    (u64::from(per_second) * ATTACK_WINDOW_NS).div_ceil(SECOND_NS)
}

/// The part of a profile that the programs judge by. The times are the daemon's.
#[must_use]
pub fn kernel_profile(name: &str, settings: &ProfileSettings) -> Profile {
    Profile {
        connections: Rate::per_second(settings.connections_per_second, settings.connections_burst),
        packets: Rate::per_second(
            settings.control_packets_per_second,
            settings.control_packets_burst,
        ),
        sessions: settings.max_sessions,
        data: settings.max_data_connections,
        policy: policy(settings),
        reserved: 0,
        name_tag: name_tag(name),
    }
}

/// The `POLICY_*` bits of a profile.
fn policy(settings: &ProfileSettings) -> u32 {
    let bits = [
        (settings.require_tls, POLICY_REQUIRE_TLS),
        (!settings.anonymous, POLICY_NO_ANONYMOUS),
        (settings.read_only, POLICY_READ_ONLY),
        (!settings.deny_commands.is_empty(), POLICY_COMMANDS),
    ];
    let set = bits.into_iter().filter(|(set, _)| *set);
    set.fold(0, |bits, (_, bit)| bits | bit)
}

impl Datapath {
    /// Writes these profiles under their numbers, each at once; the others stay.
    ///
    /// # Errors
    ///
    /// A number that no profile can have; the kernel refuses.
    pub fn set_profiles(&mut self, profiles: &[(u16, Profile)]) -> Result<(), DatapathError> {
        let mut table = open(&self.pins)?;
        for (number, profile) in profiles {
            table
                .set(u32::from(*number), *profile, 0)
                .map_err(|error| {
                    DatapathError::kernel(format!("write the profile of number {number}"), error)
                })?;
        }
        Ok(())
    }

    /// The profiles of all numbers, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn profiles(&self) -> Result<Vec<(u16, Profile)>, DatapathError> {
        let table = open(&self.pins)?;
        (0..)
            .zip(table.iter())
            .map(|(number, profile)| Ok((number, profile.map_err(failed_reading)?)))
            .collect()
    }

    /// Changes the limits. The first call also draws the secret of the hashes, which later ones and
    /// later daemons keep: with another one all buckets would begin anew, and all cookies be void.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn set_limits(&mut self, settings: &LimitSettings) -> Result<(), DatapathError> {
        let config = self.tables.config()?;
        let secret = match config.secret {
            [0, 0] => random()?,
            drawn => drawn,
        };
        self.tables.set_config(GuardConfig {
            secret,
            ..settings.written_to(config)
        })
    }

    /// The limits, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn limits(&self) -> Result<LimitSettings, DatapathError> {
        Ok(LimitSettings::found(&self.tables.config()?))
    }
}

fn open(pins: &Pins) -> Result<Array<MapData, Profile>, DatapathError> {
    MapData::from_pin(pins.map(names::PROFILES_MAP))
        .and_then(|data| Array::try_from(Map::Array(data)))
        .map_err(|error| {
            let what = format!("open the pinned map {}", names::PROFILES_MAP);
            DatapathError::kernel(what, error)
        })
}

fn failed_reading(error: aya::maps::MapError) -> DatapathError {
    DatapathError::kernel("read the profiles", error)
}

/// Numbers that nobody can guess, and that are not both zero.
fn random() -> Result<[u64; 2], DatapathError> {
    let mut bytes = [0; 16];
    // SAFETY: the pointer and the length are those of `bytes`, which lives beyond the call.
    let drawn = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    // No request of up to 256 bytes is cut short or interrupted once the kernel has entropy
    // (getrandom(2)).
    if usize::try_from(drawn) != Ok(bytes.len()) {
        let error = std::io::Error::last_os_error();
        return Err(DatapathError::kernel("draw random numbers", error));
    }
    let number = u128::from_ne_bytes(bytes).max(1);
    Ok([(number >> 64) as u64, number as u64])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn limits() -> Limits {
        Limits {
            ipv6_source_prefix: 56,
            network_connections_per_second: 1,
            network_connections_burst: 2,
            total_connections_per_second: 3,
            total_connections_burst: 4,
            stray_packets_per_second: 5,
            stray_packets_burst: 6,
            total_stray_packets_per_second: 7,
            total_stray_packets_burst: 8,
            syn_cookies: Cookies::Always,
            attack_rate: 1000,
            attack_hold: Duration::from_secs(9),
        }
    }

    const EVENTS: EventSettings = EventSettings {
        per_second: 10,
        burst: 11,
        journal: true,
    };

    #[test]
    fn each_limit_comes_from_its_own_keys() {
        let settings = LimitSettings::of(&limits(), &EVENTS);
        let expected = LimitSettings {
            network: Rate::per_second(1, 2),
            total: Rate::per_second(3, 4),
            strays: Rate::per_second(5, 6),
            strays_total: Rate::per_second(7, 8),
            handshakes: Rate::per_second(10, 20),
            events: Rate::per_second(10, 11),
            attack_count: 100,
            attack_hold_ns: 9 * SECOND_NS,
            cookies: Cookies::Always,
            source_bits_v6: 56,
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn what_belongs_to_others_stays_in_the_configuration_block() {
        let others = GuardConfig {
            mode: 1,
            confirm_until_ns: 36,
            tai_offset_ns: 37,
            allow_generation: 4,
            flags: 3,
            adopt_until_ns: 5,
            cookies_since_ns: 6,
            secret: [7, 8],
            bans_v4: 9,
            bans_v6: 10,
            ..GuardConfig::default()
        };
        let settings = LimitSettings::of(&limits(), &EVENTS);
        let written = settings.written_to(others);
        assert_eq!(LimitSettings::found(&written), settings);
        assert_eq!(LimitSettings::default().written_to(written), others);
    }

    #[test]
    fn an_attack_is_counted_in_windows() {
        assert_eq!(attack_count(0), 0);
        assert_eq!(attack_count(1), 1);
        assert_eq!(attack_count(1000), 100);
        assert_eq!(attack_count(u32::MAX), 429_496_730);
    }

    #[test]
    fn a_bucket_that_is_always_full_passes_what_was_asked() {
        for per_second in [1, 3, 7, 1_000, 333_333, 700_000, 1_000_000] {
            let rate = Rate::per_second(per_second, 1);
            // Whole nanoseconds cost at most a thousandth.
            let passed = SECOND_NS.div_ceil(rate.interval_ns);
            let asked = u64::from(per_second);
            assert!(
                passed <= asked && passed * 1000 >= asked * 999,
                "{passed} of {asked}"
            );
        }
    }

    #[test]
    fn no_two_secrets_are_the_same() {
        assert_ne!(random().unwrap(), random().unwrap());
    }

    proptest! {
        /// Never more than the burst and what the rate permits meanwhile.
        #[test]
        fn a_rate_never_permits_more_than_was_asked(
            per_second in 1..=1_000_000u32,
            burst in 1..=50u32,
            // In thousandths of the time in which an empty bucket fills.
            gaps in prop::collection::vec(0..1_100u64, 1..200),
        ) {
            let rate = Rate::per_second(per_second, burst);
            let start = 1_000 * SECOND_NS;
            let (mut now, mut due, mut passed) = (start, 0, 0u64);
            for gap in gaps {
                now += rate.interval_ns * u64::from(burst) * gap / 1_000;
                let most = u64::from(burst) + (now - start) * u64::from(per_second) / SECOND_NS;
                while rate.allows(due, now) {
                    due = rate.after(due, now);
                    passed += 1;
                    prop_assert!(passed <= most, "{} by {}", passed, now - start);
                }
            }
        }
    }
}
