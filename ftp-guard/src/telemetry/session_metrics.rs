//! What sessions do, written for a scrape.

use ftp_guard_common::text::TextKind;
use prometheus::{
    Registry,
    core::{Collector, Desc},
    proto::{Bucket, Histogram, LabelPair, Metric as Sample, MetricFamily, MetricType},
};

use super::{
    kinds::{TypeClass, VerbClass},
    metrics::{counter, gauge, plain, plain_counter},
    session_catalogue::{
        ANONYMOUS, BEGUN, BINARY, COMMANDS, CONFLICTING, DETECTIONS, DURATION, FINISHED, FOREIGN,
        INCOMPLETE, LOGINS, LOST_BYTES, LOST_RECORDS, ODD_PORTS, OVERLONG, REPLIES, SOFTWARE,
        SOFTWARE_OVERFLOW, TRANSFERRED, TRANSFERS, UNWATCHED, WATCHED, WATCHED_MAX,
    },
    sessions::{
        DURATIONS, Durations, MonitorFigures, REPLIES as CODES, SIDES, SessionFigures, TLS_MODES,
    },
};
use crate::engine::monitor::{Monitor, observation::Protocol, record::Direction};

const RESULTS: [&str; 2] = ["refused", "accepted"];

/// Writes them.
pub(super) fn fill(registry: &Registry, figures: &MonitorFigures) -> prometheus::Result<()> {
    let sessions = &figures.sessions;
    who(registry, sessions)?;
    transfers(registry, sessions)?;
    said(registry, sessions)?;

    plain(registry, WATCHED, figures.watched as f64)?;
    plain(registry, WATCHED_MAX, Monitor::MOST_SESSIONS as f64)?;
    let losses = &figures.losses;
    plain_counter(registry, UNWATCHED, losses.sessions)?;
    plain_counter(registry, CONFLICTING, losses.conflicting_bytes)?;
    let lost = counter(registry, LOST_BYTES)?;
    for (side, bytes) in SIDES.iter().zip([losses.client_bytes, losses.server_bytes]) {
        lost.get_metric_with_label_values(&[*side])?.inc_by(bytes);
    }
    let lost = counter(registry, LOST_RECORDS)?;
    for kind in TextKind::ALL {
        lost.get_metric_with_label_values(&[name_of(kind)])?
            .inc_by(figures.told_lost[kind as usize]);
    }
    Ok(())
}

/// Sessions, logins, software.
fn who(registry: &Registry, sessions: &SessionFigures) -> prometheus::Result<()> {
    let begun = counter(registry, BEGUN)?;
    let finished = counter(registry, FINISHED)?;
    let logins = counter(registry, LOGINS)?;
    for (number, mode) in TLS_MODES.iter().enumerate() {
        let tls = mode.as_str();
        begun
            .get_metric_with_label_values(&[tls])?
            .inc_by(sessions.begun[number]);
        finished
            .get_metric_with_label_values(&[tls])?
            .inc_by(sessions.ended[number]);
        for (result, count) in RESULTS.iter().zip(sessions.logins[number]) {
            logins
                .get_metric_with_label_values(&[*result, tls])?
                .inc_by(count);
        }
    }
    let anonymous = counter(registry, ANONYMOUS)?;
    for (result, count) in RESULTS.iter().zip(sessions.anonymous) {
        anonymous
            .get_metric_with_label_values(&[*result])?
            .inc_by(count);
    }
    let software = gauge(registry, SOFTWARE)?;
    for (product, version) in sessions.server_software() {
        software
            .get_metric_with_label_values(&[product, version])?
            .set(1);
    }
    plain_counter(registry, SOFTWARE_OVERFLOW, sessions.software_overflow)
}

fn transfers(registry: &Registry, sessions: &SessionFigures) -> prometheus::Result<()> {
    let transfers = counter(registry, TRANSFERS)?;
    let incomplete = counter(registry, INCOMPLETE)?;
    let bytes = counter(registry, TRANSFERRED)?;
    for (number, direction) in Direction::ALL.iter().enumerate() {
        let name = direction.as_str();
        for (class, count) in TypeClass::ALL.iter().zip(sessions.transfers[number]) {
            // Listings have no type, and only hidden ones have that: no rows that stay zero for ever.
            if count > 0 || possible(*direction, *class) {
                transfers
                    .get_metric_with_label_values(&[name, class.as_str()])?
                    .inc_by(count);
            }
        }
        if *direction != Direction::Hidden {
            incomplete
                .get_metric_with_label_values(&[name])?
                .inc_by(sessions.incomplete[number]);
        }
        bytes
            .get_metric_with_label_values(&[name])?
            .inc_by(sessions.bytes[number]);
    }
    registry.register(Box::new(DurationCollector::new(sessions.durations)?))
}

fn possible(direction: Direction, class: TypeClass) -> bool {
    match direction {
        Direction::Hidden => class == TypeClass::Hidden,
        Direction::Listing => class == TypeClass::None,
        Direction::Upload | Direction::Download => class != TypeClass::Hidden,
    }
}

/// Commands, replies, detections, and what is no FTP.
fn said(registry: &Registry, sessions: &SessionFigures) -> prometheus::Result<()> {
    let commands = counter(registry, COMMANDS)?;
    for (class, count) in VerbClass::ALL.iter().zip(sessions.commands) {
        commands
            .get_metric_with_label_values(&[class.as_str()])?
            .inc_by(count);
    }
    let replies = counter(registry, REPLIES)?;
    for (code, count) in CODES.iter().zip(sessions.replies) {
        replies
            .get_metric_with_label_values(&[*code])?
            .inc_by(count);
    }
    let detections = counter(registry, DETECTIONS)?;
    for (rule, severity, count) in sessions.detections() {
        detections
            .get_metric_with_label_values(&[rule, severity.as_str()])?
            .inc_by(count);
    }
    let foreign = counter(registry, FOREIGN)?;
    let overlong = counter(registry, OVERLONG)?;
    let binary = counter(registry, BINARY)?;
    for (number, side) in SIDES.iter().enumerate() {
        for (protocol, count) in Protocol::ALL.iter().zip(sessions.foreign[number]) {
            foreign
                .get_metric_with_label_values(&[protocol.as_str(), side])?
                .inc_by(count);
        }
        overlong
            .get_metric_with_label_values(&[*side])?
            .inc_by(sessions.overlong[number]);
        binary
            .get_metric_with_label_values(&[*side])?
            .inc_by(sessions.binary[number]);
    }
    plain_counter(registry, ODD_PORTS, sessions.odd_ports)
}

const fn name_of(kind: TextKind) -> &'static str {
    match kind {
        TextKind::Client => "client",
        TextKind::Server => "server",
        TextKind::Began => "began",
        TextKind::Ended => "ended",
        TextKind::DataBegan => "data_began",
        TextKind::DataEnded => "data_ended",
        TextKind::OddPort => "odd_port",
    }
}

/// Durations that were counted already: the crate's own histograms only count for themselves.
struct DurationCollector {
    description: Desc,
    durations: [Durations; Direction::ALL.len()],
}

impl DurationCollector {
    fn new(durations: [Durations; Direction::ALL.len()]) -> prometheus::Result<Self> {
        let labels = DURATION
            .labels
            .iter()
            .map(|label| (*label).to_owned())
            .collect();
        let description = Desc::new(
            DURATION.name.to_owned(),
            DURATION.help.to_owned(),
            labels,
            std::collections::HashMap::new(),
        )?;
        Ok(Self {
            description,
            durations,
        })
    }
}

impl Collector for DurationCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.set_name(DURATION.name.to_owned());
        family.set_help(DURATION.help.to_owned());
        family.set_field_type(MetricType::HISTOGRAM);
        let samples = Direction::ALL.iter().zip(&self.durations);
        family.set_metric(
            samples
                .map(|(direction, durations)| sample(direction.as_str(), durations))
                .collect(),
        );
        vec![family]
    }
}

fn sample(direction: &str, durations: &Durations) -> Sample {
    let mut so_far = 0;
    let mut buckets = Vec::with_capacity(DURATIONS.len());
    for (end, count) in DURATIONS.iter().zip(durations.classes) {
        so_far += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*end);
        bucket.set_cumulative_count(so_far);
        buckets.push(bucket);
    }
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets);
    histogram.set_sample_count(durations.classes.iter().sum());
    histogram.set_sample_sum(durations.sum);
    let mut label = LabelPair::default();
    label.set_name(DURATION.labels[0].to_owned());
    label.set_value(direction.to_owned());
    let mut sample = Sample::default();
    sample.set_label(vec![label]);
    sample.set_histogram(histogram);
    sample
}

#[cfg(test)]
#[path = "session_metrics_tests.rs"]
mod tests;
