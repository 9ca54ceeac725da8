//! The metrics, filled from what the kernel says at a scrape.

use std::time::Duration;

use std::collections::BTreeMap;

use ftp_guard_common::{
    ABI_VERSION,
    allow::EntryKind,
    class::Family,
    config::Mode,
    session::{FlowKind, Tls},
    stats::{Counter, StatsKey},
};
use jiff::Timestamp;
use prometheus::{
    Encoder, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
    process_collector::ProcessCollector,
};

use super::{
    catalogue::{
        ATTACHED, BUILD, BYTES, CAPACITY, CONTROL_BYTES, CONTROL_PACKETS, DATA, EGRESS_BYTES,
        EGRESS_PACKETS, ENDED, ENTRIES, EXHAUSTION, MEMORY, MODE, MODE_DEADLINE, MODE_FALLBACKS,
        Metric, NAME_ADDRESSES, NAME_AGE, NAMES, OUTSIDE, PACKETS, PASSIVE, PINHOLES,
        RELOAD_SUCCESS, RELOAD_TIME, RELOADS, SESSIONS, TABLE_ENTRIES, TABLE_SIZE, WOULD_END,
    },
    flood::{self, FloodFigures},
    kept::{self, KeptFigures},
    session_metrics,
    sessions::MonitorFigures,
};
use crate::control::view::MemoryView;
use crate::engine::sessions::view::{SessionFigures, SessionsInfo};

/// Names of hosts in the allowlist, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameFigures {
    /// How many there are.
    pub names: u64,
    /// Those that DNS gives no answer for, or says are gone or have no address.
    pub failing: u64,
    /// Addresses of all.
    pub addresses: u64,
    /// How old the oldest last good answer is.
    pub oldest: Option<Duration>,
}

/// The state that a scrape tells.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counters of the XDP program that are not zero.
    pub counters: Vec<(StatsKey, Counter)>,
    /// Those of the classifier on egress.
    pub egress: Vec<(StatsKey, Counter)>,
    /// Those of the classifier that reads control connections.
    pub control: Vec<(StatsKey, Counter)>,
    /// Sessions and what belongs to them.
    pub live: Live,
    /// Floods and what is done about them.
    pub flood: FloodFigures,
    /// What sessions do.
    pub monitor: MonitorFigures,
    /// What is kept and exported.
    pub kept: KeptFigures,
    /// Entries in the kernel by family and kind.
    pub entries: EntryCounts,
    /// Room for entries of one family.
    pub max_entries: u32,
    /// Memory of the allowlist.
    pub memory: MemoryView,
    /// Names of hosts in the allowlist.
    pub names: NameFigures,
    /// Interfaces with the program: name and XDP mode.
    pub attached: Vec<(String, &'static str)>,
    /// Configured interfaces without it.
    pub missing: Vec<String>,
    /// The mode in force.
    pub mode: Mode,
    /// When it ends unless it is confirmed.
    pub mode_deadline: Option<Timestamp>,
    /// How often it ended so.
    pub mode_fallbacks: u64,
    /// Reloads that were applied.
    pub reloads_applied: u64,
    /// Reloads that were refused.
    pub reloads_refused: u64,
    /// Whether the last one was applied.
    pub last_reload_success: bool,
    /// Unix time of the last one that was applied.
    pub last_reload_seconds: f64,
}

/// Sessions and what belongs to them, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Sessions, passive ports and tables.
    pub figures: SessionFigures,
    /// Live data connections of each kind.
    pub data: [(FlowKind, u64); 3],
    /// Pinholes that have not expired.
    pub pinholes: u64,
}

impl Live {
    /// Counts what `info` lists.
    #[must_use]
    pub fn of(figures: SessionFigures, info: &SessionsInfo) -> Self {
        let mut data = [FlowKind::Passive, FlowKind::Active, FlowKind::Outgoing].map(|k| (k, 0));
        let of_sessions = info.sessions.iter().flat_map(|session| &session.data);
        for flow in of_sessions.chain(&info.orphans) {
            for (kind, count) in &mut data {
                *count += u64::from(*kind == flow.kind);
            }
        }
        let pinholes = info.sessions.iter().map(|session| session.pinholes.len());
        Self {
            figures,
            data,
            pinholes: pinholes.sum::<usize>() as u64,
        }
    }
}

/// How many entries the kernel holds, by family and whether they exclude.
pub type EntryCounts = BTreeMap<(Family, bool), u64>;

/// Writes a snapshot and the metrics of this process in the Prometheus text format.
///
/// # Errors
///
/// When the names or labels of two metrics clash: a mistake in this file.
pub fn render(snapshot: &Snapshot) -> prometheus::Result<String> {
    let registry = Registry::new();
    fill(&registry, snapshot)?;
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
}

fn fill(registry: &Registry, snapshot: &Snapshot) -> prometheus::Result<()> {
    judged(registry, (PACKETS, BYTES), &snapshot.counters)?;
    judged(registry, (EGRESS_PACKETS, EGRESS_BYTES), &snapshot.egress)?;
    judged(
        registry,
        (CONTROL_PACKETS, CONTROL_BYTES),
        &snapshot.control,
    )?;
    connections(registry, snapshot)?;
    flood::fill(registry, &snapshot.flood)?;
    session_metrics::fill(registry, &snapshot.monitor)?;
    kept::fill(registry, &snapshot.kept)?;
    state(registry, snapshot)
}

/// The counters of one hook.
fn judged(
    registry: &Registry,
    (packets, bytes): (Metric, Metric),
    counters: &[(StatsKey, Counter)],
) -> prometheus::Result<()> {
    let packets = counter(registry, packets)?;
    let bytes = counter(registry, bytes)?;
    for (key, count) in counters {
        let labels = [
            key.verdict.as_str(),
            key.reason.as_str(),
            key.class.as_str(),
            key.family.as_str(),
        ];
        packets
            .get_metric_with_label_values(&labels)?
            .inc_by(count.packets);
        bytes
            .get_metric_with_label_values(&labels)?
            .inc_by(count.bytes);
    }
    Ok(())
}

/// Sessions, data connections, passive ports, tables.
fn connections(registry: &Registry, snapshot: &Snapshot) -> prometheus::Result<()> {
    let figures = &snapshot.live.figures;
    let sessions = [
        (Tls::Clear, figures.clear),
        (Tls::Encrypted, figures.encrypted),
        (Tls::Unknown, figures.unknown),
    ];
    let family = gauge(registry, SESSIONS)?;
    for (tls, count) in sessions {
        family
            .get_metric_with_label_values(&[tls.as_str()])?
            .set(i64::from(count));
    }

    let family = gauge(registry, DATA)?;
    for (kind, count) in snapshot.live.data {
        family
            .get_metric_with_label_values(&[kind.as_str()])?
            .set(whole(count));
    }

    let entries = gauge(registry, TABLE_ENTRIES)?;
    let sizes = gauge(registry, TABLE_SIZE)?;
    for table in figures.tables.iter().chain(&snapshot.flood.tables) {
        let labels = [table.name];
        let set = |family: &IntGaugeVec, value: u32| {
            let metric = family.get_metric_with_label_values(&labels)?;
            metric.set(i64::from(value));
            prometheus::Result::Ok(())
        };
        set(&entries, table.used)?;
        set(&sizes, table.size)?;
    }
    plain(registry, PINHOLES, snapshot.live.pinholes as f64)?;

    let passive = &figures.passive;
    let family = gauge(registry, PASSIVE)?;
    for (state, count) in [
        ("configured", passive.configured),
        ("listening", passive.listening),
        ("in_use", passive.in_use),
        ("highest", passive.highest),
    ] {
        family
            .get_metric_with_label_values(&[state])?
            .set(i64::from(count));
    }
    plain(registry, OUTSIDE, passive.outside.len() as f64)?;
    let exhausted = passive
        .exhausted_in
        .map_or(f64::INFINITY, |time| time.as_secs_f64());
    plain(registry, EXHAUSTION, exhausted)?;
    for (metric, counts) in [(ENDED, &figures.ended), (WOULD_END, &figures.would_end)] {
        let family = counter(registry, metric)?;
        for (reason, count) in counts.iter() {
            family
                .get_metric_with_label_values(&[reason.as_str()])?
                .inc_by(count);
        }
    }
    Ok(())
}

/// What holds for the guard as a whole.
fn state(registry: &Registry, snapshot: &Snapshot) -> prometheus::Result<()> {
    let entries = gauge(registry, ENTRIES)?;
    for family in [Family::Ipv4, Family::Ipv6] {
        for kind in [EntryKind::Allow, EntryKind::Exclude] {
            let excludes = kind == EntryKind::Exclude;
            let count = snapshot.entries.get(&(family, excludes)).copied();
            entries
                .get_metric_with_label_values(&[family.as_str(), kind_name(kind)])?
                .set(whole(count.unwrap_or(0)));
        }
    }
    plain(registry, CAPACITY, f64::from(snapshot.max_entries))?;
    let memory = gauge(registry, MEMORY)?;
    for (part, bytes) in [
        ("kernel", snapshot.memory.kernel_bytes),
        ("kernel_used", snapshot.memory.kernel_used_bytes),
        ("daemon", snapshot.memory.daemon_bytes),
    ] {
        memory
            .get_metric_with_label_values(&[part])?
            .set(whole(bytes));
    }
    let names = gauge(registry, NAMES)?;
    let sound = snapshot.names.names.saturating_sub(snapshot.names.failing);
    for (state, count) in [("resolved", sound), ("failing", snapshot.names.failing)] {
        names
            .get_metric_with_label_values(&[state])?
            .set(whole(count));
    }
    plain(registry, NAME_ADDRESSES, snapshot.names.addresses as f64)?;
    let oldest = snapshot.names.oldest.unwrap_or_default();
    plain(registry, NAME_AGE, oldest.as_secs_f64())?;

    let attached = gauge(registry, ATTACHED)?;
    for (interface, mode) in &snapshot.attached {
        attached
            .get_metric_with_label_values(&[interface.as_str(), mode])?
            .set(1);
    }
    for interface in &snapshot.missing {
        attached
            .get_metric_with_label_values(&[interface.as_str(), "none"])?
            .set(0);
    }

    let modes = gauge(registry, MODE)?;
    for mode in [Mode::Enforce, Mode::Monitor] {
        modes
            .get_metric_with_label_values(&[mode.as_str()])?
            .set(i64::from(mode == snapshot.mode));
    }

    let deadline = snapshot.mode_deadline.map_or(0, Timestamp::as_second);
    plain(registry, MODE_DEADLINE, deadline as f64)?;
    plain_counter(registry, MODE_FALLBACKS, snapshot.mode_fallbacks)?;

    let reloads = counter(registry, RELOADS)?;
    for (result, count) in [
        ("success", snapshot.reloads_applied),
        ("failure", snapshot.reloads_refused),
    ] {
        reloads
            .get_metric_with_label_values(&[result])?
            .inc_by(count);
    }
    let success = f64::from(u8::from(snapshot.last_reload_success));
    plain(registry, RELOAD_SUCCESS, success)?;
    plain(registry, RELOAD_TIME, snapshot.last_reload_seconds)?;
    gauge(registry, BUILD)?
        .get_metric_with_label_values(&[env!("CARGO_PKG_VERSION"), &ABI_VERSION.to_string()])?
        .set(1);
    Ok(())
}

/// The name of a kind of entry in metrics and JSON.
#[must_use]
pub fn kind_name(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Allow => "allow",
        EntryKind::Exclude => "exclude",
    }
}

pub(super) fn counter(registry: &Registry, metric: Metric) -> prometheus::Result<IntCounterVec> {
    let family = IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels)?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

pub(super) fn gauge(registry: &Registry, metric: Metric) -> prometheus::Result<IntGaugeVec> {
    let family = IntGaugeVec::new(Opts::new(metric.name, metric.help), metric.labels)?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

pub(super) fn plain(registry: &Registry, metric: Metric, value: f64) -> prometheus::Result<()> {
    let gauge = prometheus::Gauge::with_opts(Opts::new(metric.name, metric.help))?;
    gauge.set(value);
    registry.register(Box::new(gauge))
}

/// A counter without labels.
pub(super) fn plain_counter(
    registry: &Registry,
    metric: Metric,
    value: u64,
) -> prometheus::Result<()> {
    let counter = prometheus::IntCounter::with_opts(Opts::new(metric.name, metric.help))?;
    counter.inc_by(value);
    registry.register(Box::new(counter))
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
