//! Clients that take their time are ended by their profile, each with its reason, while the partners'
//! sessions and transfers go on.

mod clients;
mod crowd;
mod reasons;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, Host, STRANGER,
    guard::{Guard, Settings},
    metrics::Scrape,
};

/// Time for a step.
const LIMIT: Duration = Duration::from_secs(30);

/// How much later than the profile says an ending may come: the daemon looks once a second, and the
/// machine may be busy with other suites.
const LATE: Duration = Duration::from_secs(4);

/// A profile for the client, `slow`, and one for the partner, which is the stranger of other suites.
fn settings(slow: &str) -> Settings {
    let entry = |profile: &str| {
        let hosts = match profile {
            "slow" => CLIENT,
            _ => STRANGER,
        };
        let line = |family| format!("{} profile={profile}", hosts.ip(family));
        Family::BOTH.map(line)
    };
    Settings {
        list: [entry("slow"), entry("partners")].concat(),
        sessions: vec!["max_pinholes = 4".to_owned()],
        more: vec![
            format!("[profile.slow]\n{slow}\nmax_sessions = 0\nconnections_per_second = 0"),
            "[profile.partners]\nlogin_time = \"10s\"\nidle_time = \"10s\"\ndata_idle_time = \"10s\""
                .to_owned(),
            "[limits]\nnetwork_connections_per_second = 0\ntotal_connections_per_second = 0"
                .to_owned(),
        ],
        ..Settings::default()
    }
}

/// How many were ended, or `would_end`, of each reason that has some.
fn counted(host: &Host, what: &str) -> Result<BTreeMap<&'static str, u64>> {
    let scrape = Scrape::of(host, Guard::METRICS)?;
    let name = format!("ftp_guard_sessions_{what}_total");
    let mut counts = BTreeMap::new();
    for reason in [
        "login_timeout",
        "idle_timeout",
        "data_idle_timeout",
        "ports_held",
        "killed",
        "revoked",
        "banned",
    ] {
        let count = scrape.sum(&name, &[("reason", reason)])? as u64;
        if count > 0 {
            counts.insert(reason, count);
        }
    }
    Ok(counts)
}

/// Checks that something that began at `from` has ended just now, after `time`.
fn ended_after(what: &str, from: Instant, time: u64) -> Result<()> {
    let (took, time) = (from.elapsed(), Duration::from_secs(time));
    // A tick of the kernel's coarse clock.
    let soonest = time.saturating_sub(Duration::from_millis(50));
    ensure!(
        (soonest..time + LATE).contains(&took),
        "{what}: ended after {took:?} instead of {time:?}"
    );
    Ok(())
}

/// Joins threads of a test, each named by what it does.
fn join(threads: Vec<(&str, std::thread::JoinHandle<Result<()>>)>) -> Result<()> {
    let mut failed = Vec::new();
    for (what, thread) in threads {
        match thread.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failed.push(format!("{what}: {error:#}")),
            Err(_) => failed.push(format!("{what}: panicked")),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// Sessions of `sessions --json`.
fn shown(guard: &Guard) -> Result<Vec<serde_json::Value>> {
    let listing = guard.ask(&["sessions"])?;
    let sessions = listing["sessions"].as_array().context("no sessions")?;
    Ok(sessions.clone())
}
