//! What partners notice of floods: nothing. They log in and download while the server is flooded, and
//! their connections have what connections in peace have.

mod options;
mod partners;
mod switching;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Arena, Family, SERVER, Spoofed,
    clients::logins::{self, Plan},
    flood::{Generator, Kind, Rate},
    guard::{self, Guard},
    servers::{self, FtpServer, Make},
    tables, wait_until,
};

/// Frames a second: a flood by any measure, and one that a shared machine bears beside other suites.
const FLOOD: Rate = Rate::PerSecond(150_000);
/// No flood lasts longer; each test ends its own.
const FLOOD_LIMIT: Duration = Duration::from_secs(120);
/// Time for a state to be reached.
const LIMIT: Duration = Duration::from_secs(30);
/// Time for a login: one whose first SYN is lost takes a second longer, a second one three.
const LOGIN_LIMIT: Duration = Duration::from_secs(20);

/// Two floods at once would be one of twice the rate.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    // A test that failed has ended its flood.
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A guarded server that can be flooded.
struct Scene<'a> {
    arena: &'a Arena,
    guard: Guard,
    ftp: FtpServer,
}

impl<'a> Scene<'a> {
    /// Starts server and guard. Attacks are over after a second of peace.
    fn new(arena: &'a Arena, limits: &[&str]) -> Result<Self> {
        let ftp = FtpServer::start(Make::Vsftpd, &arena.server, &servers::Settings::default())?;
        let mut more = vec!["[limits]".to_owned(), "attack_hold = \"1s\"".to_owned()];
        more.extend(limits.iter().copied().map(str::to_owned));
        let settings = guard::Settings {
            interfaces: Arena::interfaces(),
            list: Arena::list(),
            more,
            ..guard::Settings::default()
        };
        let guard = Guard::start(&arena.server, settings)?;
        tables::wait_for_adoption(&guard)?;
        Ok(Self { arena, guard, ftp })
    }

    fn flood(&self, kind: Kind, sources: Spoofed, family: Family) -> Result<Generator> {
        let recipe = self
            .arena
            .recipe(kind, sources, family, &[self.ftp.port()])?;
        let side = Arena::ATTACKER_SIDE;
        Generator::start(
            &self.arena.attacker,
            side,
            &recipe,
            FLOOD,
            FLOOD_LIMIT,
            None,
        )
    }

    /// Waits until the guard itself answers connection requests.
    fn wait_for_cookies(&self) -> Result<()> {
        let before = self.counted("syn_cookie")?;
        wait_until(
            "connection requests are answered with cookies",
            LIMIT,
            || Ok((self.counted("syn_cookie")? > before).then_some(())),
        )
    }

    /// Whether the programs see an attack.
    fn is_attacked(&self) -> Result<bool> {
        Ok(tables::attack(&self.guard)?.since_ns != 0)
    }

    fn counted(&self, reason: &str) -> Result<u64> {
        self.guard.counted(&[("reason", reason)])
    }

    /// Has the partner log in so often, and makes sure that each login succeeds.
    fn log_in(&self, family: Family, count: usize, every: Duration) -> Result<Vec<Duration>> {
        let plan = Plan {
            count,
            every,
            limit: LOGIN_LIMIT,
        };
        let server = SERVER.at(family, self.ftp.port());
        let logins = logins::log_in(&self.arena.partner, server, plan);
        let lost = logins.iter().filter(|login| login.is_err()).count();
        let dropped = self.guard.dropped()?;
        let mut times = Vec::new();
        for login in logins {
            let login = login.with_context(|| format!("{lost} of {count} lost; {dropped:?}"));
            times.push(login?);
        }
        Ok(times)
    }
}

/// The slowest of some logins.
fn slowest(times: &[Duration]) -> Duration {
    times.iter().copied().max().unwrap_or_default()
}

/// Makes sure that a flood was one.
fn ensure_flooded(flood: Generator) -> Result<u64> {
    let offered = flood.stop()?;
    println!("{:.0} frames a second", offered.rate());
    ensure!(
        offered.frames > 5000,
        "a flood of {} frames",
        offered.frames
    );
    Ok(offered.frames)
}
