//! Ten thousand sessions that end in every way there is, and nothing of them is left.

mod client;
mod server;
mod wire;

use std::{
    env,
    ops::Range,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ftp_guard_common::session::HALF_CLOSED_LINGER_NS;
use ftp_guard_tests::{
    lab::{
        Family, Process, SERVER, Site,
        clients::session::Session as RealSession,
        guard::{self, Guard},
        probe::{Answer, knock},
        servers::{self, FtpServer, Make},
        stack::listening_ports,
        tables::Tables,
        wait_until,
    },
    report,
};
use tokio::{sync::Semaphore, task::JoinSet};

use client::{End, Session};

/// Set for the process that is the small server.
const SERVER_MARK: &str = "FTP_GUARD_SMALL_SERVER";
/// Sessions that are opened and ended one by one, whatever others do.
const STEADY: usize = 9_000;
/// Sessions at a time.
const AT_A_TIME: usize = 200;
/// Sessions that live when the client's power goes, and again when the server is killed.
const AT_ONCE: usize = 500;
/// Time for a program to come up.
const LIMIT: Duration = Duration::from_secs(20);
/// Time for the tables to become empty: the linger time, the server's patience with a client that is
/// silent, the kernel's with one that is gone, and room for a loaded machine.
const EMPTY_AFTER: Duration =
    Duration::from_nanos(HALF_CLOSED_LINGER_NS).saturating_add(Duration::from_secs(30));
/// By how much the daemon's memory may grow over half of the sessions: 200 bytes of each. Measured: half a megabyte once,
/// then nothing.
const GROWTH_KIB: u64 = 1 << 10;

#[test]
fn ten_thousand_sessions_leave_nothing() -> Result<()> {
    if env::var_os(SERVER_MARK).is_some() {
        return server::serve();
    }
    Site::test(|site| {
        // Else a server's socket whose client is gone lives for minutes (tcp(7)).
        site.server.sysctl("net/ipv4/tcp_orphan_retries", "2")?;
        let mut small = start_server(site)?;
        let mut guard = Guard::start(&site.server, settings())?;

        // Two halves alike: what the second takes more than the first has leaked.
        half(site, &guard, 0..STEADY / 2)?;
        small = kill_server(site, &guard, small).with_context(|| dropped(&guard))?;
        until_empty(&guard)?;
        let before = guard.memory_kib()?;
        half(site, &guard, STEADY / 2..STEADY)?;
        power_off(site, &guard).with_context(|| dropped(&guard))?;
        ensure!(
            guard.ask(&["sessions"])?["sessions"]
                .as_array()
                .is_some_and(Vec::is_empty),
            "`sessions` tells of some"
        );
        let after = guard.memory_kib()?;
        report!("the daemon's memory: {before} KiB, then {after} KiB");
        ensure!(
            after <= before + GROWTH_KIB,
            "the daemon's memory grew from {before} to {after} KiB"
        );
        drop(small);
        Ok(())
    });
    Ok(())
}

fn settings() -> guard::Settings {
    guard::Settings {
        passive: format!("{}-{}", server::PASSIVE.start(), server::PASSIVE.end()),
        sessions: vec!["pinhole_timeout = \"5s\"".to_owned()],
        more: guard::Settings::unlimited(),
        ..guard::Settings::default()
    }
}

/// The small server, as a process of its own that can be killed.
fn start_server(site: &Site) -> Result<Process> {
    let mut command = Command::new(env::current_exe()?);
    command
        .args([
            "--exact",
            "--nocapture",
            "ten_thousand_sessions_leave_nothing",
        ])
        .env(SERVER_MARK, "1");
    let process = site.server.spawn(command)?;
    wait_until("the small server listens", LIMIT, || {
        Ok(listening_ports(&site.server)?.contains(&21).then_some(()))
    })?;
    Ok(process)
}

/// Runs `work` on a runtime whose sockets are the client's.
fn on_client<T: Send>(site: &Site, work: impl AsyncFnOnce() -> Result<T> + Send) -> Result<T> {
    site.client.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(work())
    })
}

/// [`steady`], with the time it took and, when it fails, what the guard dropped.
fn half(site: &Site, guard: &Guard, numbers: Range<usize>) -> Result<()> {
    let (start, count) = (Instant::now(), numbers.len());
    steady(site, numbers).with_context(|| dropped(guard))?;
    report!("{count} sessions in {:.1?}", start.elapsed());
    Ok(())
}

fn dropped(guard: &Guard) -> String {
    format!("dropped until now: {:?}", guard.dropped())
}

/// Opens and ends sessions, [`AT_A_TIME`] of them at a time.
fn steady(site: &Site, numbers: Range<usize>) -> Result<()> {
    on_client(site, async || {
        let free = Arc::new(Semaphore::new(AT_A_TIME));
        let mut tasks = JoinSet::new();
        for number in numbers {
            let permit = Arc::clone(&free).acquire_owned().await?;
            tasks.spawn(async move {
                let session = Session::open(number).await?;
                // Each plan (there are 20) with each end.
                let end = End::ALL[number / 20 % End::ALL.len()];
                let ended = session.end(end).await;
                drop(permit);
                ended.with_context(|| format!("session {number}, {end:?}"))
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    })
}

/// Opens [`AT_ONCE`] sessions, and tells that the guard knows them all.
async fn open_at_once(guard: &Guard) -> Result<Vec<Session>> {
    let mut tasks = JoinSet::new();
    for number in 0..AT_ONCE {
        tasks.spawn(Session::open(number));
    }
    let mut sessions = Vec::new();
    while let Some(session) = tasks.join_next().await {
        sessions.push(session??);
    }
    let tables = Tables::read(guard)?;
    ensure!(
        tables.sessions >= AT_ONCE && tables.live >= AT_ONCE,
        "{AT_ONCE} sessions live: {tables}"
    );
    Ok(sessions)
}

/// The client is gone without a word, and the server gives up waiting.
fn power_off(site: &Site, guard: &Guard) -> Result<()> {
    on_client(site, async || {
        let sessions = open_at_once(guard).await?;
        site.set_link(&site.client, false)?;
        // Nothing that the client's stack says now is heard.
        drop(sessions);
        Ok(())
    })?;
    until_empty(guard).context("after the client's power was off")?;
    site.set_link(&site.client, true)?;
    // The client has given up asking for the server's Ethernet address.
    wait_until("the client reaches the server again", LIMIT, || {
        let targets = Family::BOTH.map(|family| SERVER.at(family, 21));
        let answers = knock(&site.client, &targets, Duration::from_secs(1));
        let connected = answers
            .iter()
            .all(|(_, answer)| *answer == Answer::Connected);
        Ok(connected.then_some(()))
    })
}

/// The server is killed, and the kernel closes its sockets.
fn kill_server(site: &Site, guard: &Guard, small: Process) -> Result<Process> {
    on_client(site, async || {
        let sessions = open_at_once(guard).await?;
        drop(small);
        for mut session in sessions {
            // An end is an end, by FIN or by RST.
            let _ = session.see_the_end().await;
        }
        Ok(())
    })?;
    start_server(site)
}

fn until_empty(guard: &Guard) -> Result<()> {
    let mut last = Tables::default();
    let start = Instant::now();
    wait_until("the tables are empty", EMPTY_AFTER, || {
        last = Tables::read(guard)?;
        Ok(last.are_empty().then_some(()))
    })
    .with_context(|| last.to_string())?;
    report!("the tables were empty after {:.1?}", start.elapsed());
    Ok(())
}

/// Real servers that are killed in the midst of sessions with data connections.
#[test]
fn killed_servers_leave_nothing() {
    Site::test(|site| {
        // Pure-FTPd serves half as many clients as it has passive ports.
        let told = servers::Settings {
            passive: 50000..=50099,
            ..servers::Settings::default()
        };
        let settings = guard::Settings {
            passive: told.passive_range(),
            ..settings()
        };
        let guard = Guard::start(&site.server, settings)?;
        for make in Make::ALL {
            let server = FtpServer::start(make, &site.server, &told)?;
            let mut sessions = Vec::new();
            for number in 0..10 {
                let family = Family::BOTH[number % 2];
                let mut session = RealSession::log_in(&site.client, family, server.port())?;
                let target = session.passive()?;
                let data = site.client.enter(|| std::net::TcpStream::connect(target))?;
                sessions.push((session, data));
            }
            let tables = Tables::read(&guard)?;
            ensure!(
                tables.live == sessions.len() && tables.flows >= sessions.len(),
                "{make}, {} sessions with a data connection each: {tables}",
                sessions.len()
            );
            server.kill()?;
            until_empty(&guard).with_context(|| make.to_string())?;
        }
        Ok(())
    });
}
