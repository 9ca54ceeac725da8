//! What the guard does at one moment, and what has changed since the moment before.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::Duration,
};

use serde::Serialize;

use crate::control::{
    counters_view::CountersView,
    session_view::{DataView, SessionView, SourceView},
    view::CounterView,
};

/// What the guard does at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken, since some moment that all of them share.
    pub taken: Duration,
    /// Counters and figures.
    pub guard: CountersView,
    /// Live sessions.
    pub sessions: Vec<SessionView>,
    /// Data connections of none of them.
    pub other_data: Vec<DataView>,
    /// Sources.
    pub sources: Vec<SourceView>,
}

impl Snapshot {
    /// All data connections, each with the session that it belongs to.
    pub fn data(&self) -> impl Iterator<Item = (&DataView, Option<&SessionView>)> {
        let of_sessions = self
            .sessions
            .iter()
            .flat_map(|session| session.data.iter().map(move |data| (data, Some(session))));
        of_sessions.chain(self.other_data.iter().map(|data| (data, None)))
    }
}

/// Packets of one hook, verdict and reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Where they were judged: `xdp`, `egress` or `control`.
    pub hook: &'static str,
    /// `pass`, `drop`, `would_drop` or `answer`.
    pub verdict: String,
    /// Name of the reason.
    pub reason: String,
    /// Packets a second.
    pub packets_per_second: f64,
    /// Their bytes, a second.
    pub bytes_per_second: f64,
    /// Packets since the guard's tables were made.
    pub packets: u64,
}

/// The two ends of a data connection: client, server.
pub type Ends = (SocketAddr, SocketAddr);

/// What has changed between two moments.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Rates of packets.
    pub rates: Vec<Rate>,
    /// Bytes a second of each live data connection.
    pub speeds: HashMap<Ends, f64>,
}

impl Changes {
    /// What has changed; without a moment before rates are zero, and speeds the mean ones.
    #[must_use]
    pub fn between(before: Option<&Snapshot>, after: &Snapshot) -> Self {
        Self {
            rates: rates(before, after),
            speeds: speeds(before, after),
        }
    }

    /// Packets a second that `ftpg_xdp` gave a verdict.
    #[must_use]
    pub fn of_verdict(&self, verdict: &str) -> f64 {
        let own = self.rates.iter();
        own.filter(|rate| rate.hook == "xdp" && rate.verdict == verdict)
            .fold(0.0, |sum, rate| sum + rate.packets_per_second)
    }

    /// Bytes a second that a hook has judged.
    #[must_use]
    pub fn bytes_of(&self, hook: &str) -> f64 {
        let own = self.rates.iter().filter(|rate| rate.hook == hook);
        // A sum of nothing is -0.
        own.fold(0.0, |sum, rate| sum + rate.bytes_per_second)
    }

    /// The speed of a session's data connections together, bytes a second.
    #[must_use]
    pub fn speed_of(&self, session: &SessionView) -> f64 {
        let data = session.data.iter();
        data.fold(0.0, |sum, data| sum + self.speed(data))
    }

    /// The speed of a data connection, bytes a second.
    #[must_use]
    pub fn speed(&self, data: &DataView) -> f64 {
        let ends = (data.client, data.server);
        self.speeds.get(&ends).copied().unwrap_or(0.0)
    }
}

type Sums<'a> = BTreeMap<(&'static str, &'a str, &'a str), (u64, u64)>;

fn sums(guard: &CountersView) -> Sums<'_> {
    let mut sums = Sums::new();
    let hooks: [(&str, &[CounterView]); 3] = [
        ("xdp", &guard.counters),
        ("egress", &guard.egress_counters),
        ("control", &guard.control_counters),
    ];
    for (hook, counters) in hooks {
        for counter in counters {
            let sum = sums
                .entry((hook, &*counter.verdict, &*counter.reason))
                .or_default();
            sum.0 = sum.0.saturating_add(counter.packets);
            sum.1 = sum.1.saturating_add(counter.bytes);
        }
    }
    sums
}

fn rates(before: Option<&Snapshot>, after: &Snapshot) -> Vec<Rate> {
    let old = before.map(|before| sums(&before.guard)).unwrap_or_default();
    let seconds = before.map_or(0.0, |before| between(before, after));
    let each = sums(&after.guard).into_iter();
    each.map(|((hook, verdict, reason), (packets, bytes))| {
        let (packets_before, bytes_before) =
            old.get(&(hook, verdict, reason)).copied().unwrap_or((0, 0));
        // Counters that are lower than before began anew: the guard was taken off and put on again.
        let a_second = |now: u64, before: u64| match seconds > 0.0 {
            true => now.checked_sub(before).unwrap_or(now) as f64 / seconds,
            false => 0.0,
        };
        Rate {
            hook,
            verdict: verdict.to_owned(),
            reason: reason.to_owned(),
            packets_per_second: a_second(packets, packets_before),
            bytes_per_second: a_second(bytes, bytes_before),
            packets,
        }
    })
    .collect()
}

fn speeds(before: Option<&Snapshot>, after: &Snapshot) -> HashMap<Ends, f64> {
    let bytes = |data: &DataView| data.bytes_in.saturating_add(data.bytes_out);
    let old: HashMap<Ends, u64> = before
        .into_iter()
        .flat_map(Snapshot::data)
        .map(|(data, _)| ((data.client, data.server), bytes(data)))
        .collect();
    let seconds = before.map_or(0.0, |before| between(before, after));
    after
        .data()
        .map(|(data, _)| {
            let ends = (data.client, data.server);
            let speed = match old.get(&ends) {
                Some(before) if seconds > 0.0 && *before <= bytes(data) => {
                    (bytes(data) - before) as f64 / seconds
                }
                _ if data.age_seconds >= 0.1 => bytes(data) as f64 / data.age_seconds,
                _ => 0.0,
            };
            (ends, speed)
        })
        .collect()
}

fn between(before: &Snapshot, after: &Snapshot) -> f64 {
    after.taken.saturating_sub(before.taken).as_secs_f64()
}
