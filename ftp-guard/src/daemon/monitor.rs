//! The monitor as the daemon has it: one task reads what the programs tell, and draws what follows from
//! it; others ask what is known.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{detect::Consequences, history::HistoryHandle, witness::WitnessHandle};
use crate::{
    control::feed::{EventSink, Reader},
    datapath::TextReader,
    engine::{
        detect::{Detector, Finding, Rules},
        events::{Event, EventKind, LoginEvent, TransferEvent},
        monitor::{
            FileNames, Monitor, Settings,
            observation::{About, Observation, Seen},
            record::SessionRecord,
        },
    },
    telemetry::sessions::{MonitorFigures, SessionFigures},
};

/// Time between two looks at a ring buffer that is never empty. What follows from a record, a ban too, is
/// at most so late.
const BATCH: Duration = Duration::from_millis(50);

/// Time between two comparisons with the sessions that the kernel has.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Events that are heard at once.
const HEARD: usize = 256;

/// The sessions that the kernel has.
#[derive(Clone, Debug)]
pub struct Live {
    /// As of when.
    pub at: Timestamp,
    /// Their numbers.
    pub sessions: Arc<HashSet<u64>>,
}

/// Where sessions go that have ended.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// Where they are kept and exported.
    pub history: HistoryHandle,
    /// Where those are counted that would have been kept out.
    pub witness: WitnessHandle,
}

/// The way to the monitor. Clones lead to the same one.
#[derive(Clone, Debug)]
pub struct MonitorHandle(Arc<Mutex<Watching>>);

#[derive(Debug)]
struct Watching {
    settings: Settings,
    monitor: Monitor,
    detector: Detector,
    figures: SessionFigures,
}

/// What followed from one look.
#[derive(Debug, Default)]
struct Round {
    events: Vec<Event>,
    ended: Vec<SessionRecord>,
    findings: Vec<Finding>,
}

impl MonitorHandle {
    /// A monitor that has seen nothing yet.
    #[must_use]
    pub fn new(file_names: FileNames, rules: Rules) -> Self {
        let settings = Settings {
            file_names,
            secret: secret(),
        };
        Self(Arc::new(Mutex::new(Watching {
            settings,
            monitor: Monitor::new(settings),
            detector: Detector::new(rules),
            figures: SessionFigures::default(),
        })))
    }

    /// Follows a configuration, after each reload.
    pub fn set(&self, file_names: FileNames, rules: Rules) {
        let mut watching = self.lock();
        watching.settings.file_names = file_names;
        let settings = watching.settings;
        watching.monitor.set(settings);
        watching.detector.set(rules);
    }

    /// The rules of detection in force.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.lock().detector.rules().clone()
    }

    /// What is known of a session that lives.
    #[must_use]
    pub fn record(&self, session: u64) -> Option<SessionRecord> {
        self.lock().monitor.record(session).cloned()
    }

    /// What is known of all sessions that live.
    #[must_use]
    pub fn records(&self) -> Vec<SessionRecord> {
        self.lock().monitor.live().cloned().collect()
    }

    /// Looks at what is known of each session that lives, without a copy. It waits meanwhile.
    pub fn each(&self, look: impl FnMut(&SessionRecord)) {
        self.lock().monitor.live().for_each(look);
    }

    /// How many sessions are watched.
    #[must_use]
    pub fn watched(&self) -> u64 {
        self.lock().monitor.live().count() as u64
    }

    /// What a scrape tells, but for what the programs have lost.
    #[must_use]
    pub fn figures(&self) -> MonitorFigures {
        let watching = self.lock();
        MonitorFigures {
            sessions: watching.figures.clone(),
            losses: watching.monitor.losses(),
            watched: watching.monitor.live().count() as u64,
            ..MonitorFigures::default()
        }
    }

    /// A panic while it was held left a record half changed at worst, which is shown as it is.
    fn lock(&self) -> MutexGuard<'_, Watching> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, told: &mut TextReader) -> Round {
        let mut watching = self.lock();
        let mut seen = Vec::new();
        told.read(|told| watching.monitor.take(told, &mut seen));
        watching.conclude(seen)
    }

    fn hear(&self, events: &[Arc<Event>]) -> Round {
        let mut watching = self.lock();
        let mut round = Round::default();
        for event in events {
            if let EventKind::SessionEnded(ended) = &event.kind
                && ended.part == "session"
            {
                watching.monitor.note_end(ended.id, &ended.reason);
            }
            watching.detector.take_event(event, &mut round.findings);
        }
        watching.count(&round);
        round
    }

    fn sweep(&self, live: Option<&Live>) -> Round {
        let mut watching = self.lock();
        let mut seen = Vec::new();
        if let Some(live) = live {
            let is_live = |session| live.sessions.contains(&session);
            // Not now: what began since then is none of them.
            watching.monitor.sweep(live.at, &is_live, &mut seen);
        }
        let mut round = watching.conclude(seen);
        let before = round.findings.len();
        watching
            .detector
            .tick(Timestamp::now(), &mut round.findings);
        for finding in &round.findings[before..] {
            watching.figures.detected(&finding.event);
        }
        round
    }
}

/// Sixteen bytes that nobody knows: the hasher's keys are drawn from the kernel's random numbers.
fn secret() -> [u8; 16] {
    let draw = || RandomState::new().hash_one(()).to_ne_bytes();
    let mut secret = [0; 16];
    secret[..8].copy_from_slice(&draw());
    secret[8..].copy_from_slice(&draw());
    secret
}

impl Watching {
    fn conclude(&mut self, seen: Vec<Observation>) -> Round {
        let mut round = Round::default();
        for observation in seen {
            self.figures.observe(&observation);
            self.detector.take(&observation, &mut round.findings);
            let Observation { time, about, seen } = observation;
            let kind = match seen {
                Seen::Login { accepted, code } => EventKind::Login(login(&about, accepted, code)),
                Seen::Transferred(transfer) => EventKind::Transfer(TransferEvent {
                    session: about.session,
                    client: about.client,
                    server: about.server,
                    user: about.user.as_deref().map(str::to_owned),
                    transfer,
                }),
                Seen::Ended(record) => {
                    round.ended.push(*record);
                    continue;
                }
                _ => continue,
            };
            round.events.push(Event { time, kind });
        }
        self.count(&round);
        round
    }

    fn count(&mut self, round: &Round) {
        for finding in &round.findings {
            self.figures.detected(&finding.event);
        }
    }
}

fn login(about: &About, accepted: bool, code: u16) -> LoginEvent {
    LoginEvent {
        session: about.session,
        client: about.client,
        server: about.server,
        user: about.user.as_deref().map(str::to_owned),
        anonymous: about.anonymous,
        accepted,
        code,
    }
}

/// Reads what the programs tell, and hears of what else happens, until the runtime ends.
pub async fn follow(
    mut told: TextReader,
    monitor: MonitorHandle,
    mut live: watch::Receiver<Option<Live>>,
    events: EventSink,
    mut consequences: Consequences,
    keeping: Keeping,
) {
    let mut happened: Reader = events.from_next();
    let mut told_living = false;
    let mut sweeps = interval(SWEEP_EVERY);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let round = tokio::select! {
            ready = told.readable() => match ready {
                Ok(()) => monitor.read(&mut told),
                Err(error) => {
                    tracing::error!("sessions are no longer watched: {error}");
                    return;
                }
            },
            () = happened.wait() => monitor.hear(&happened.take(HEARD)),
            _ = sweeps.tick() => {
                let live = live.borrow_and_update().clone();
                if let Some(live) = live.as_ref().filter(|_| !told_living) {
                    let numbers: Vec<u64> = live.sessions.iter().copied().collect();
                    keeping.history.history().living(&numbers);
                    told_living = true;
                }
                consequences.flush();
                monitor.sweep(live.as_ref())
            }
        };
        // Bans first: they are what somebody waits for.
        consequences.draw(round.findings);
        if !round.events.is_empty() {
            events.publish_all(round.events);
        }
        for record in &round.ended {
            keeping.history.session(record);
            keeping.witness.session(record);
        }
        tokio::time::sleep(BATCH).await;
    }
}
