//! The metrics: one table of names and help texts, filled from what the kernel says at a scrape.

use std::collections::BTreeMap;

use ftp_guard_common::{
    ABI_VERSION,
    allow::EntryKind,
    class::Family,
    config::Mode,
    stats::{Counter, StatsKey},
};
use prometheus::{
    Encoder, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
    process_collector::ProcessCollector,
};

/// A metric: its name behind `ftp_guard_`, its type, its labels, what it says.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name.
    pub name: &'static str,
    /// `counter` or `gauge`.
    pub kind: &'static str,
    /// Labels, in order.
    pub labels: &'static [&'static str],
    /// Help text.
    pub help: &'static str,
}

const PACKETS: Metric = Metric {
    name: "ftp_guard_packets_total",
    kind: "counter",
    labels: &["verdict", "reason", "class", "family"],
    help: "Packets that the guard has judged, by verdict, reason, class of the destination port \
           and IP version.",
};
const BYTES: Metric = Metric {
    name: "ftp_guard_bytes_total",
    kind: "counter",
    labels: &["verdict", "reason", "class", "family"],
    help: "Bytes of the packets that the guard has judged, from the Ethernet header on.",
};
const ENTRIES: Metric = Metric {
    name: "ftp_guard_allowlist_entries",
    kind: "gauge",
    labels: &["family", "kind"],
    help: "Allowlist entries that the kernel holds, by IP version and kind (allow, exclude).",
};
const CAPACITY: Metric = Metric {
    name: "ftp_guard_allowlist_max_entries",
    kind: "gauge",
    labels: &[],
    help: "Allowlist entries of one IP version that fit into the kernel (allow.max_entries).",
};
const ATTACHED: Metric = Metric {
    name: "ftp_guard_interface_attached",
    kind: "gauge",
    labels: &["interface", "mode"],
    help: "1 for each interface that the guard's program runs on, with its XDP mode (native, \
           generic); 0 with mode \"none\" for a configured interface without it.",
};
const MODE: Metric = Metric {
    name: "ftp_guard_mode",
    kind: "gauge",
    labels: &["mode"],
    help: "1 for the mode in force (enforce, monitor), 0 for the other.",
};
const RELOADS: Metric = Metric {
    name: "ftp_guard_reloads_total",
    kind: "counter",
    labels: &["result"],
    help: "Reloads of the configuration and the allowlists, by result (success, failure).",
};
const RELOAD_SUCCESS: Metric = Metric {
    name: "ftp_guard_last_reload_success",
    kind: "gauge",
    labels: &[],
    help: "1 if the last reload was applied, 0 if it was refused; the start counts as one.",
};
const RELOAD_TIME: Metric = Metric {
    name: "ftp_guard_last_reload_success_timestamp_seconds",
    kind: "gauge",
    labels: &[],
    help: "Unix time of the last reload that was applied; the start counts as one.",
};
const BUILD: Metric = Metric {
    name: "ftp_guard_build_info",
    kind: "gauge",
    labels: &["version", "abi"],
    help: "1, with the daemon's version and the layout number of its pinned tables.",
};

/// All metrics of the guard; those of the process come from the `prometheus` crate.
pub const METRICS: [Metric; 10] = [
    PACKETS,
    BYTES,
    ENTRIES,
    CAPACITY,
    ATTACHED,
    MODE,
    RELOADS,
    RELOAD_SUCCESS,
    RELOAD_TIME,
    BUILD,
];

/// The state that a scrape tells.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counters that are not zero.
    pub counters: Vec<(StatsKey, Counter)>,
    /// Entries in the kernel by family and kind.
    pub entries: EntryCounts,
    /// Room for entries of one family.
    pub max_entries: u32,
    /// Interfaces with the program: name and XDP mode.
    pub attached: Vec<(String, &'static str)>,
    /// Configured interfaces without it.
    pub missing: Vec<String>,
    /// The mode in force.
    pub mode: Mode,
    /// Reloads that were applied.
    pub reloads_applied: u64,
    /// Reloads that were refused.
    pub reloads_refused: u64,
    /// Whether the last one was applied.
    pub last_reload_success: bool,
    /// Unix time of the last one that was applied.
    pub last_reload_seconds: f64,
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
    let packets = counter(registry, PACKETS)?;
    let bytes = counter(registry, BYTES)?;
    for (key, count) in &snapshot.counters {
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

fn counter(registry: &Registry, metric: Metric) -> prometheus::Result<IntCounterVec> {
    let family = IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels)?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

fn gauge(registry: &Registry, metric: Metric) -> prometheus::Result<IntGaugeVec> {
    let family = IntGaugeVec::new(Opts::new(metric.name, metric.help), metric.labels)?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

fn plain(registry: &Registry, metric: Metric, value: f64) -> prometheus::Result<()> {
    let gauge = prometheus::Gauge::with_opts(Opts::new(metric.name, metric.help))?;
    gauge.set(value);
    registry.register(Box::new(gauge))
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
