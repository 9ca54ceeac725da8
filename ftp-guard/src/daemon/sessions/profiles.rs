//! What profiles say of the connections of their sources.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    config::{Config, ProfileSettings},
    engine::sessions::Patience,
};

/// How long the sources of each profile may take, by its number; a number that no profile has stands for
/// the default one.
pub fn patience(config: &Config) -> Vec<Patience> {
    let by_number: BTreeMap<u16, &ProfileSettings> = config
        .profiles
        .values()
        .map(|profile| (profile.number, profile))
        .collect();
    let highest = by_number.keys().last().copied().unwrap_or(0);
    let default = by_number.get(&0).copied();
    (0..=highest)
        .map(|number| {
            by_number
                .get(&number)
                .copied()
                .or(default)
                .map_or_else(Patience::default, times)
        })
        .collect()
}

fn times(profile: &ProfileSettings) -> Patience {
    let nanoseconds = |time: Option<Duration>| {
        time.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    };
    Patience {
        login_ns: nanoseconds(profile.login_time),
        idle_ns: nanoseconds(profile.idle_time),
        data_idle_ns: nanoseconds(profile.data_idle_time),
    }
}

/// The name of the profile of a number.
pub fn name(config: &Config, number: u16) -> &str {
    let profile = config.profile(number);
    profile.map_or(Config::DEFAULT_PROFILE, |(name, _)| name)
}
