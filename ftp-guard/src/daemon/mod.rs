//! `ftp-guard run`: the daemon.
//!
//! One thread owns the [`Guard`] and with it the kernel ([`owner`]). Around it tokio
//! tasks bring what happens: requests on the control socket, scrapes, signals, file changes,
//! interfaces that come and go, and the time.

pub mod attack;
mod ban_events;
mod ban_query;
pub mod bans;
pub mod connections;
pub mod detect;
pub mod edit;
pub mod events;
mod failure;
mod flood;
pub mod guard;
pub mod history;
pub mod inputs;
pub mod kernel;
pub mod mode;
pub mod monitor;
pub mod names;
pub mod owner;
mod posture;
pub mod query;
pub mod reload;
mod resolve;
mod service;
mod sessions;
pub mod start;
pub mod status;
mod suggest;
pub mod wanted;
pub mod watch;
pub mod witness;

#[cfg(test)]
mod tests;

use std::{
    net::TcpListener,
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use ftp_guard_common::config::Mode;
use futures_util::StreamExt;
use jiff::Timestamp;
use sd_notify::NotifyState;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use self::{
    bans::Bans,
    detect::Consequences,
    guard::Guard,
    history::HistoryHandle,
    inputs::Inputs,
    kernel::Kernel,
    monitor::Keeping,
    names::Names,
    owner::{Ended, Owner},
    reload::Cause,
};
use crate::{
    control::{
        protocol::Failure,
        server::{Limits, Server},
        socket::ControlSocket,
    },
    datapath::{Datapath, EventReader, Settings, TextReader, allow::sizes, check_room},
    netlink,
    progress::Progress,
    telemetry::exporter,
};

/// How the daemon is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// A control socket other than the configured one.
    pub socket: Option<PathBuf>,
    /// Whether the programs log every packet that they drop.
    pub trace_packets: bool,
}

/// Runs the daemon until a signal or a command ends it.
///
/// # Errors
///
/// When it cannot start, or dies.
pub fn run(options: &Options) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start the runtime: {error}")))?;
    // The datapath's packet log, the sockets and the signals belong to the runtime.
    let entered = runtime.enter();
    let signals = Signals::new()
        .map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))?;
    let begun = Instant::now();
    let progress = Progress::of("reading the allowlist");
    let inputs = Inputs::load(&options.config)?;
    drop(progress);
    // Told when all is well: what is wrong with a file comes first.
    let (entries, reading) = (inputs.set.len(), inputs.took);
    let config = &inputs.config;
    // Before a predecessor's tables are replaced by some of another size.
    let names = Names::load(config, &inputs.set);
    let table = inputs.set.table_with(&names.book, Timestamp::now());
    check_room(&table, config.allow.max_entries)?;
    let bans = Bans::load(config)?;
    let datapath = Datapath::open(&Settings {
        pin_path: config.bpf.pin_path.clone(),
        max_entries: config.allow.max_entries,
        allow_sizes: sizes(&table),
        max_bans: config.bans.max_entries,
        trace: options.trace_packets,
        role: config.role,
        sessions: config.sessions.max,
        flows: config.sessions.max_data,
    })?;
    let adopted = datapath.adopted();
    let socket = options
        .socket
        .clone()
        .unwrap_or_else(|| config.control.socket.clone());
    // Both are taken before anything is attached: a daemon that cannot start leaves no trace.
    let listeners = listen(&inputs, &socket);
    let (control, metrics) = match listeners {
        Ok(listeners) => listeners,
        Err(failure) => return Err(abandon(datapath, adopted, failure)),
    };
    let reported = match datapath.event_reader() {
        Ok(reported) => reported,
        Err(error) => return Err(abandon(datapath, adopted, error.into())),
    };
    let told = match datapath.text_reader() {
        Ok(told) => told,
        Err(error) => return Err(abandon(datapath, adopted, error.into())),
    };
    let progress = Progress::of("filling the tables of the kernel");
    let mut guard = start::start(datapath, inputs, bans, names, adopted, &socket)?;
    drop(progress);
    tracing::info!(
        "read {entries} allowlist entries in {:.1} s, enforcing after {:.1} s",
        reading.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    let history = HistoryHandle::start(guard.config(), history::tables(adopted))
        .map_err(|error| Failure::failed(format!("cannot start the history: {error}")))?;
    guard.keep_in(history.clone());
    log_ready(&guard, adopted);
    drop(entered);
    let rings = Rings { reported, told };
    let result = runtime.block_on(serve(
        guard,
        rings,
        history.clone(),
        control,
        metrics,
        signals,
    ));
    history.stop();
    result
}

fn listen(
    inputs: &Inputs,
    socket: &std::path::Path,
) -> Result<(ControlSocket, Option<TcpListener>), Failure> {
    let control = ControlSocket::bind(socket)?;
    let metrics = inputs
        .config
        .metrics
        .listen
        .map(exporter::bind)
        .transpose()?;
    Ok((control, metrics))
}

fn abandon(datapath: Datapath, adopted: bool, failure: Failure) -> Failure {
    if !adopted && let Err(error) = datapath.detach_all() {
        tracing::error!("cannot undo the start: {error}");
    }
    failure
}

fn log_ready<K: Kernel>(guard: &Guard<K>, adopted: bool) {
    let status = match guard.status() {
        Ok(status) => status,
        Err(failure) => {
            tracing::warn!("the state cannot be read: {failure}");
            return;
        }
    };
    for warning in &status.warnings {
        tracing::warn!("{warning}");
    }
    for interface in &status.uncovered_interfaces {
        tracing::warn!("interface {interface} holds an address and is not guarded");
    }
    let interfaces: Vec<String> = status
        .interfaces
        .iter()
        .map(|interface| format!("{} ({})", interface.interface, interface.mode))
        .collect();
    tracing::info!(
        "ready: {} mode on {}; allowlist entries: {}{}",
        status
            .mode
            .map_or("unknown", |mode| Mode::from(mode).as_str()),
        interfaces.join(", "),
        status.allowlist.ipv4 + status.allowlist.ipv6,
        if adopted {
            "; took over from a predecessor"
        } else {
            ""
        }
    );
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// What the programs tell.
struct Rings {
    reported: EventReader,
    told: TextReader,
}

async fn serve<K: Kernel>(
    mut guard: Guard<K>,
    rings: Rings,
    history: HistoryHandle,
    mut control: ControlSocket,
    metrics: Option<TcpListener>,
    mut signals: Signals,
) -> Result<(), Failure> {
    let broken = |what: &str, error: std::io::Error| Failure::failed(format!("{what}: {error}"));
    let events = guard.events().clone();
    let logging = events::log(events.from_oldest(), guard.journal());
    let monitor = guard.monitor().clone();
    let live = guard.live_sessions();
    let asking = guard.asking();
    let witness = guard.witness().clone();
    let summary = service::summary(guard.config());
    let (owner, reports) = Owner::spawn(guard).map_err(|error| broken("owner thread", error))?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut tasks = JoinSet::new();

    let listener = control
        .listener()
        .map_err(|error| broken("control socket", error))?;
    let server = Server::new(
        owner.clone(),
        events.clone(),
        control.group(),
        Limits::default(),
    );
    let server = server.with_past(Arc::new(history.clone()));
    let serving = tokio::spawn(server.run(listener, stopped.clone()));
    if let Some(listener) = metrics {
        let source = owner.clone();
        tasks.spawn(async move {
            if let Err(error) = exporter::serve(listener, source, stopped).await {
                tracing::error!("metrics are no longer served: {error}");
            }
        });
    }
    tasks.spawn(watch::run(reports.watched, owner.clone()));
    tasks.spawn(history::look(monitor.clone(), history.history().clone()));
    tasks.spawn(history::follow(events.from_oldest(), history.clone()));
    let consequences = Consequences::new(owner.clone(), events.clone());
    tasks.spawn(monitor::follow(
        rings.told,
        monitor,
        live,
        events.clone(),
        consequences,
        Keeping {
            history,
            witness: witness.clone(),
        },
    ));
    tasks.spawn(witness::follow(events.from_oldest(), witness));
    tasks.spawn(events::forward(rings.reported, events));
    tasks.spawn(logging);
    if let Some(asking) = asking {
        tasks.spawn(resolve::run(asking, owner.clone()));
    }
    tasks.spawn(tick(owner.clone()));
    tasks.spawn(look(owner.clone()));
    tasks.spawn(follow_interfaces(owner.clone()));
    let (turn, mut turns) = mpsc::channel(1);
    if let Some(limit) = sd_notify::watchdog_enabled() {
        let datapath = owner.clone();
        let probe = move || service::probe(turn.clone(), datapath.clone());
        tasks.spawn(service::feed(limit, probe, service::tell));
    }
    service::tell(&[NotifyState::Ready, NotifyState::Status(&summary)]);

    let mut ended = reports.ended;
    let result = loop {
        tokio::select! {
            Some(turned) = turns.recv() => service::turned(turned),
            _ = signals.hangup.recv() => owner.reload(Cause::Signal).await,
            _ = signals.terminate.recv() => break Ok(()),
            _ = signals.interrupt.recv() => break Ok(()),
            ended = ended.wait_for(Option::is_some) => break match ended.map(|end| end.clone()) {
                Ok(Some(Ended::DetachFailed(failure))) => Err(failure),
                Ok(_) => {
                    tracing::info!("detached: nothing is enforced any more");
                    Ok(())
                }
                Err(_) => Err(Failure::failed(
                    "the thread that owns the guard has died; enforcement stays in place",
                )),
            },
        }
    };
    service::tell(&[NotifyState::Stopping]);
    let detached = ended.borrow().is_some();
    if result.is_ok() && !detached {
        tracing::info!(
            "ending; enforcement stays in place, in the kernel (`ftp-guard detach` removes it)"
        );
    }
    stop.send_replace(true);
    if let Err(error) = serving.await {
        tracing::error!("control socket: {error}");
    }
    tasks.shutdown().await;
    // With the last way to it the owner's thread ends, behind what it has begun.
    drop(owner);
    let idle = async { while ended.changed().await.is_ok() {} };
    if tokio::time::timeout(Duration::from_secs(10), idle)
        .await
        .is_err()
    {
        tracing::warn!("a change under way was cut off; the next start puts it right");
    }
    result
}

async fn tick(owner: Owner) {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        owner.tick();
    }
}

async fn look(owner: Owner) {
    let mut looks = interval(attack::LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        owner.look();
    }
}

async fn follow_interfaces(owner: Owner) {
    let mut changes = match netlink::changes() {
        Ok(changes) => pin!(changes),
        Err(error) => {
            tracing::warn!("no word of interface changes ({error}); looking every second");
            return;
        }
    };
    while changes.next().await.is_some() {
        owner.interfaces_changed().await;
    }
}
