//! What the programs remember of attacks, and what they are told of SYN cookies.

use aya::maps::{Array, MapData, MapError};
use ftp_guard_common::{
    class::{Family, PortClass},
    config::GuardConfig,
    limits::{Attack, Sysctls},
    names::{ATTACK_MAP, SYSCTLS_MAP},
    reason::{Reason, Verdict},
    stats::StatsKey,
};

use super::{Datapath, error::DatapathError, load};

impl Datapath {
    /// What the programs remember of attacks.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn attack(&self) -> Result<Attack, DatapathError> {
        self.single(ATTACK_MAP)?
            .get(&0, 0)
            .map_err(|error| DatapathError::kernel("read what is known of attacks", error))
    }

    /// Since when the programs take this host's stack for one that takes cookies (CLOCK_MONOTONIC,
    /// nanoseconds); 0: they do not.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn cookies_since(&self) -> Result<u64, DatapathError> {
        Ok(self.tables.config()?.cookies_since_ns)
    }

    /// Tells the programs since when this host's stack takes cookies; 0: it does not.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn set_cookies_since(&mut self, ns: u64) -> Result<(), DatapathError> {
        let config = GuardConfig {
            cookies_since_ns: ns,
            ..self.tables.config()?
        };
        self.tables.set_config(config)
    }

    /// The sysctls as they were before a daemon changed them, if one did.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn saved_sysctls(&self) -> Result<Sysctls, DatapathError> {
        self.single(SYSCTLS_MAP)?
            .get(&0, 0)
            .map_err(|error| DatapathError::kernel("read the remembered sysctls", error))
    }

    /// Remembers the sysctls, beyond the end of this daemon.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn save_sysctls(&mut self, saved: &Sysctls) -> Result<(), DatapathError> {
        let failed = |error: MapError| DatapathError::kernel("remember the sysctls", error);
        let map = self
            .ebpf
            .map_mut(SYSCTLS_MAP)
            .ok_or_else(|| load::missing(SYSCTLS_MAP))?;
        let mut map: Array<&mut MapData, Sysctls> = map.try_into().map_err(failed)?;
        map.set(0, *saved, 0).map_err(failed)
    }

    /// Packets from clients that were dropped or answered on behalf of the servers, since the tables were
    /// made.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn absorbed(&self) -> Result<u64, DatapathError> {
        let absorbing = |reason: &&Reason| reason.verdict() != Verdict::Pass;
        let mut packets = 0;
        for reason in Reason::ALL.iter().filter(absorbing) {
            for class in PortClass::ALL {
                for family in Family::ALL {
                    let key = StatsKey {
                        verdict: reason.verdict(),
                        reason: *reason,
                        class,
                        family,
                    };
                    packets += self.tables.packets(key)?;
                }
            }
        }
        Ok(packets)
    }
}
