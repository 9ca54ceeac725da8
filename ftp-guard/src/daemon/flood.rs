//! Floods and what is done about them, for `status` and the metrics.

use ftp_guard_common::{
    config::Cookies,
    reason::Reason,
    stats::{Counter, StatsKey},
};

use super::{bans::BanFigures, guard::Guard, kernel::Kernel};
use crate::{
    control::{
        flood_view::{BanCountsView, CookiesView, EventCount, EventCounts, FloodView, ReasonCount},
        protocol::Failure,
    },
    datapath::Clock,
    engine::{
        cookies::{Phase, TcpSysctls},
        events::{EventKind, table_of},
        sessions::view::TableFill,
    },
    telemetry::flood::FloodFigures,
};

/// Counters of the hooks: XDP, egress, control.
pub(super) type Counters<'a> = [&'a [(StatsKey, Counter)]; 3];

impl<K: Kernel> Guard<K> {
    /// The figures of a scrape.
    pub(super) fn flood_figures(&self) -> Result<FloodFigures, Failure> {
        let (rate, attacks) = self.attack_figures()?;
        let bans = self.given_ban_figures();
        let (published, lost) = self.published();
        Ok(FloodFigures {
            under_attack: self.defence.attack_since_ns().is_some(),
            attacks,
            packets_per_second: rate,
            absorbed_per_second: self.defence.absorbed_rate,
            cookies_available: self.defence.unable.is_none()
                && self.config.limits.syn_cookies != Cookies::Off,
            cookies_engaged: self.engaged_since_ns().is_some(),
            bans: vec![("cli", bans.counts.cli), ("rule", bans.counts.rule)],
            tables: ban_tables(&bans),
            published,
            lost,
            suppressed: self.kernel.suppressed()?,
        })
    }

    /// What `status` tells.
    pub(super) fn flood_view(
        &self,
        bans: &BanFigures,
        counters: Counters<'_>,
    ) -> Result<FloodView, Failure> {
        let (packets_per_second, attacks) = self.attack_figures()?;
        let clock = Clock::at(self.kernel.now_ns());
        let since = self.defence.attack_since_ns();
        let (published, lost) = self.published();
        Ok(FloodView {
            under_attack: since.is_some(),
            since: since.map(|ns| clock.wall(ns)),
            attacks,
            packets_per_second,
            absorbed_per_second: self.defence.absorbed_rate,
            cookies: self.cookies_view(&clock, counters),
            limit_hits: limit_hits(counters),
            bans: BanCountsView {
                cli: bans.counts.cli,
                rule: bans.counts.rule,
                exempt: bans.counts.exempt,
            },
            events: EventCounts {
                published: published
                    .into_iter()
                    .filter(|(_, count)| *count > 0)
                    .map(|(event, count)| EventCount {
                        event: event.to_owned(),
                        count,
                    })
                    .collect(),
                lost,
                suppressed: reason_counts(self.kernel.suppressed()?),
            },
        })
    }

    fn cookies_view(&self, clock: &Clock, counters: Counters<'_>) -> CookiesView {
        let [xdp, ..] = counters;
        let of = |reason| packets(xdp, reason);
        let sysctls = self.kernel.sysctls().ok();
        CookiesView {
            setting: self.config.limits.syn_cookies.as_str().to_owned(),
            engaged: self.engaged_since_ns().is_some(),
            since: self.engaged_since_ns().map(|ns| clock.wall(ns)),
            unavailable: self.defence.unable.clone(),
            sent: of(Reason::SynCookie),
            accepted: of(Reason::CookieAccepted),
            failed: of(Reason::CookieFailed),
            sysctls_set: self.defence.phase() != Phase::Out,
            tcp_syncookies: sysctls.map(|now| now.tcp_syncookies),
            tcp_timestamps: sysctls.map(|now| now.tcp_timestamps),
        }
    }

    fn engaged_since_ns(&self) -> Option<u64> {
        match self.defence.phase() {
            Phase::Engaged { since_ns } => Some(since_ns),
            Phase::Out | Phase::Leaving { .. } => None,
        }
    }

    /// How many events of each name there were, and how many readers missed.
    fn published(&self) -> (Vec<(&'static str, u64)>, u64) {
        let mut counts: Vec<_> = EventKind::NAMES
            .into_iter()
            .zip(self.events.published())
            .collect();
        let lost = counts.iter().position(|(name, _)| *name == "lost");
        let lost = lost.map_or(0, |at| counts.remove(at).1);
        (counts, lost)
    }

    /// What deserves attention about SYN cookies.
    pub(super) fn cookie_warnings(&self) -> Vec<String> {
        let setting = self.config.limits.syn_cookies;
        let mut warnings = Vec::new();
        if let Some(why) = &self.defence.unable
            && setting != Cookies::Off
        {
            warnings.push(format!(
                "limits.syn_cookies is \"{}\", and there are none here: {why}; a flood of connection \
                 requests from listed addresses meets limits only",
                setting.as_str()
            ));
        }
        let now = self.kernel.sysctls().ok();
        if self.defence.phase() != Phase::Out
            && let Some(differences) = now.and_then(TcpSysctls::differences)
        {
            warnings.push(format!(
                "{differences}: somebody has changed what the guard set for SYN cookies; connections \
                 that were answered with one may fail"
            ));
        }
        warnings
    }
}

/// How full the tables of bans are.
pub(super) fn ban_tables(bans: &BanFigures) -> Vec<TableFill> {
    [("bans_v4", bans.ipv4), ("bans_v6", bans.ipv6)]
        .into_iter()
        .map(|(name, used)| TableFill {
            name,
            used,
            size: bans.max_entries,
        })
        .collect()
}

/// Packets that were counted under a reason, whatever was done with them.
fn packets(counters: &[(StatsKey, Counter)], reason: Reason) -> u64 {
    let of_reason = counters.iter().filter(|(key, _)| key.reason == reason);
    of_reason.map(|(_, counter)| counter.packets).sum()
}

/// Whether a packet of this reason was within the rules, and too much.
fn is_limit(reason: Reason) -> bool {
    table_of(reason).is_some()
        || matches!(
            reason,
            Reason::PinholeLimit
                | Reason::SourceRate
                | Reason::NetworkRate
                | Reason::TotalRate
                | Reason::SessionLimit
                | Reason::DataLimit
                | Reason::ControlRate
                | Reason::StrayAck
                | Reason::StrayRst
                | Reason::StrayFin
                | Reason::StrayData
        )
}

fn limit_hits(counters: Counters<'_>) -> Vec<ReasonCount> {
    let limits = Reason::ALL
        .iter()
        .copied()
        .filter(|reason| is_limit(*reason));
    reason_counts(
        limits
            .map(|reason| {
                let hits = counters.iter().map(|hook| packets(hook, reason)).sum();
                (reason, hits)
            })
            .collect(),
    )
}

/// Those that are not zero.
fn reason_counts(counts: Vec<(Reason, u64)>) -> Vec<ReasonCount> {
    counts
        .into_iter()
        .filter(|(_, packets)| *packets > 0)
        .map(|(reason, packets)| ReasonCount {
            reason: reason.as_str().to_owned(),
            packets,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ftp_guard_common::reason::Verdict;

    use super::*;

    #[test]
    fn every_reason_of_a_limit_drops() {
        let limits: Vec<_> = Reason::ALL
            .iter()
            .filter(|reason| is_limit(**reason))
            .collect();
        assert_eq!(limits.len(), 16);
        assert!(
            limits
                .iter()
                .all(|reason| reason.verdict() == Verdict::Drop)
        );
    }
}
