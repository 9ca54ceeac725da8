//! The metrics of floods and of what is done about them.

use ftp_guard_common::reason::Reason;
use prometheus::Registry;

use super::{
    catalogue::{
        ABSORBED, ATTACK, ATTACK_RATE, ATTACKS, BANS, COOKIES_AVAILABLE, COOKIES_ENGAGED, EVENTS,
        EVENTS_LOST, SUPPRESSED,
    },
    metrics::{counter, gauge, plain, plain_counter},
};
use crate::engine::sessions::view::TableFill;

/// What a scrape tells of floods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FloodFigures {
    /// Whether an attack is under way.
    pub under_attack: bool,
    /// How many there were.
    pub attacks: u64,
    /// Packets a second, of those that attacks are made of.
    pub packets_per_second: u64,
    /// Packets a second that are dropped or answered.
    pub absorbed_per_second: u64,
    /// Whether SYN cookies can be sent and are not switched off.
    pub cookies_available: bool,
    /// Whether they are sent where they have to be.
    pub cookies_engaged: bool,
    /// Bans in force, by origin.
    pub bans: Vec<(&'static str, u32)>,
    /// How full the tables of bans are.
    pub tables: Vec<TableFill>,
    /// Events by name.
    pub published: Vec<(&'static str, u64)>,
    /// Events that readers were too slow for.
    pub lost: u64,
    /// Packets that were dropped and not reported, by reason.
    pub suppressed: Vec<(Reason, u64)>,
}

/// Writes them.
pub(super) fn fill(registry: &Registry, flood: &FloodFigures) -> prometheus::Result<()> {
    let flag = |flag: bool| f64::from(u8::from(flag));
    plain(registry, ATTACK, flag(flood.under_attack))?;
    plain_counter(registry, ATTACKS, flood.attacks)?;
    plain(registry, ATTACK_RATE, flood.packets_per_second as f64)?;
    plain(registry, ABSORBED, flood.absorbed_per_second as f64)?;
    plain(registry, COOKIES_AVAILABLE, flag(flood.cookies_available))?;
    plain(registry, COOKIES_ENGAGED, flag(flood.cookies_engaged))?;
    let bans = gauge(registry, BANS)?;
    for (origin, count) in &flood.bans {
        bans.get_metric_with_label_values(&[*origin])?
            .set(i64::from(*count));
    }
    let events = counter(registry, EVENTS)?;
    for (event, count) in &flood.published {
        events
            .get_metric_with_label_values(&[*event])?
            .inc_by(*count);
    }
    plain_counter(registry, EVENTS_LOST, flood.lost)?;
    let suppressed = counter(registry, SUPPRESSED)?;
    for (reason, packets) in &flood.suppressed {
        suppressed
            .get_metric_with_label_values(&[reason.as_str()])?
            .inc_by(*packets);
    }
    Ok(())
}
