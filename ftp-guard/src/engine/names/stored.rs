//! What is kept of the names over a restart.

use std::net::IpAddr;
use std::time::Duration;

use ftp_guard_common::class::Family;
use serde::{Deserialize, Serialize};

use super::book::NameBook;
use super::held::Held;
use super::name::HostName;

/// The last good answers about a name. Times are seconds of Unix time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredName {
    /// The name.
    pub name: String,
    /// When the last good answer about IPv4 came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4_answered: Option<u64>,
    /// When the last good answer about IPv6 came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_answered: Option<u64>,
    /// The addresses of both.
    pub addresses: Vec<StoredAddress>,
}

/// An address in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAddress {
    /// The address.
    pub address: IpAddr,
    /// Since when answers leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
}

impl NameBook {
    /// What to keep. Names that were never answered are left out.
    #[must_use]
    pub fn stored(&self) -> Vec<StoredName> {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
        self.names
            .iter()
            .filter(|(_, pair)| {
                pair.halves()
                    .iter()
                    .any(|(_, held)| held.answered.is_some())
            })
            .map(|(name, pair)| StoredName {
                name: name.as_str().to_owned(),
                ipv4_answered: seconds(pair.v4.answered),
                ipv6_answered: seconds(pair.v6.answered),
                addresses: pair
                    .halves()
                    .into_iter()
                    .flat_map(|(_, held)| &held.addresses)
                    .map(|(address, left)| StoredAddress {
                        address: *address,
                        left: seconds(*left),
                    })
                    .collect(),
            })
            .collect()
    }

    /// Puts back what was kept of the names that are wanted; what the settings do not allow, and what is too
    /// old, is left out. A time that lies ahead is one when the clock was wrong: now.
    pub fn restore(&mut self, stored: &[StoredName], now: Duration) {
        for kept in stored {
            let Ok(name) = HostName::parse(&kept.name) else {
                continue;
            };
            if !self.names.contains_key(&name) {
                continue;
            }
            let time = |second: Option<u64>| second.map(|s| Duration::from_secs(s).min(now));
            for (family, answered) in [
                (Family::Ipv4, time(kept.ipv4_answered)),
                (Family::Ipv6, time(kept.ipv6_answered)),
            ] {
                let addresses = kept.addresses.iter();
                let held = Held {
                    addresses: addresses
                        .filter(|kept| kept.address.is_ipv4() == (family == Family::Ipv4))
                        .map(|kept| (kept.address, time(kept.left)))
                        .collect(),
                    answered,
                    ..Held::default()
                };
                self.put_back(&name, family, held, now);
            }
        }
    }
}
