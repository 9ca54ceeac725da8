//! Limits of profiles, of networks and of tables, with real connections: what is beyond a limit is
//! refused for the reason that says so, and nobody else notices.

mod aggregates;
mod profiles;
mod puppet;
mod slow;
mod tables;

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, Host, SERVER, STRANGER, Site,
    clients::session::Session,
    guard::{self, Guard},
    probe::{self, Answer},
    wait_until,
};

/// Time for what has ended to be known.
const LIMIT: Duration = Duration::from_secs(30);
/// Time in which a SYN that is refused is sent twice.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A guard with a profile `tried`, which the client has, and further lines of configuration. The
/// stranger is listed too, without a profile.
fn guard(site: &Site, profile: &[&str], more: &[&str]) -> Result<Guard> {
    let mut lines = vec!["[profile.tried]"];
    lines.extend(profile);
    lines.extend(more);
    let mut settings = guard::Settings {
        more: lines.into_iter().map(str::to_owned).collect(),
        ..guard::Settings::default()
    }
    .listing(&[STRANGER]);
    let clients = CLIENT
        .ips()
        .map(|address| format!("{address} profile=tried"));
    settings.list.extend(clients);
    Guard::start(&site.server, settings)
}

fn log_in(host: &Host) -> Result<Session> {
    Session::log_in(host, Family::V4, 21)
}

fn log_in_times(host: &Host, count: usize) -> Result<Vec<Session>> {
    (0..count)
        .map(|number| log_in(host).with_context(|| format!("login {number}")))
        .collect()
}

fn control() -> SocketAddr {
    SERVER.at(Family::V4, 21)
}

fn connect(host: &Host, target: SocketAddr) -> Result<TcpStream> {
    let stream = host.enter(|| TcpStream::connect_timeout(&target, LIMIT));
    stream.with_context(|| format!("{} to {target}", host.name()))
}

/// Makes sure that `host` gets no answer from `target`, for this reason.
fn ensure_refused(guard: &Guard, host: &Host, target: SocketAddr, reason: &str) -> Result<()> {
    let before = dropped_for(guard, reason)?;
    for (_, answer) in probe::knock(host, &[target], PATIENCE) {
        ensure!(answer == Answer::Nothing, "{answer:?} from {target}");
    }
    let dropped = guard.dropped()?;
    ensure!(
        dropped_for(guard, reason)? > before,
        "not dropped as {reason}: {dropped:?}"
    );
    Ok(())
}

fn dropped_for(guard: &Guard, reason: &str) -> Result<u64> {
    guard.counted(&[("verdict", "drop"), ("reason", reason)])
}

/// Makes sure that sessions still serve.
fn ensure_alive(sessions: &mut [Session]) -> Result<()> {
    for (number, session) in sessions.iter_mut().enumerate() {
        let answer = session.command("NOOP");
        let answer = answer.with_context(|| format!("session {number}"))?;
        ensure!(answer.starts_with("200"), "session {number}: {answer}");
    }
    Ok(())
}

/// Waits until `host` can log in again.
fn wait_for_room(host: &Host) -> Result<Session> {
    wait_until("there is room again", LIMIT, || {
        match probe::knock(host, &[control()], PATIENCE)[..] {
            [(_, Answer::Connected)] => log_in(host).map(Some),
            [(_, Answer::Nothing)] => Ok(None),
            _ => bail!("refused by the server"),
        }
    })
}
