//! Real servers and real clients in every combination of negotiation, encryption and IP version:
//! what works without the guard works with it, and at the moment that a passive port is open, a
//! stranger who is on the allowlist too does not get in.

mod combination;

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::{
    lab::{
        CLIENT, Family, SERVER, STRANGER, Site, Tls,
        clients::{Client, Direction, Negotiation},
        guard::{self, Guard},
        in_parallel,
        servers::{Make, Pair},
        thief::Thief,
    },
    report,
};

use combination::{Combination, Flaw};

/// Transfers at a time. They wait more than they work.
const WORKERS: usize = 6;
/// Time for a transfer on a loaded machine.
const LIMIT: Duration = Duration::from_secs(30);
/// Time for a transfer that is not expected to work.
const HANGS_AFTER: Duration = Duration::from_secs(10);

/// Reasons for which a stranger's SYN to a passive port is dropped who is on the allowlist.
const REFUSALS: [&str; 3] = ["pasv_theft", "no_session", "not_listening"];

#[test]
fn vsftpd() {
    matrix(Make::Vsftpd);
}

#[test]
fn proftpd() {
    matrix(Make::ProFtpd);
}

#[test]
fn pure_ftpd() {
    matrix(Make::PureFtpd);
}

#[test]
fn pyftpdlib() {
    matrix(Make::Pyftpdlib);
}

/// The matrix can fail: without a guard the stranger gets what was opened for the client.
#[test]
fn without_a_guard_the_stranger_gets_in() {
    Site::test(|site| {
        let servers = Pair::start(Make::Vsftpd, &site.server)?;
        for tls in Tls::ALL {
            let thief = Thief::new(
                &site.client,
                &site.stranger,
                &site.server,
                SERVER,
                Pair::PASSIVE,
            )?;
            let combination = Combination {
                client: Client::Ftplib,
                tls,
                family: Family::V4,
                negotiation: Negotiation::Pasv,
            };
            let theft = thief
                .watch(|| serve(site, &servers, combination, &[Direction::Download], LIMIT))
                .err()
                .with_context(|| format!("{tls}: the stranger got nothing"))?;
            ensure!(theft.to_string().contains("Connected"), "{theft:#}");
        }
        Ok(())
    });
}

/// Transfers of a combination.
fn serve(
    site: &Site,
    servers: &Pair,
    combination: Combination,
    directions: &[Direction],
    limit: Duration,
) -> Result<()> {
    for direction in directions {
        combination
            .transfer(*direction)
            .start(&site.client, servers.of(combination.tls))?
            .finish(limit)?;
    }
    Ok(())
}

fn matrix(make: Make) {
    Site::test(|site| {
        let servers = Pair::start(make, &site.server)?;
        let working = without_guard(make, site, &servers)?;
        let settings = guard::Settings {
            passive: Pair::passive_range(),
            ..guard::Settings::default()
        };
        let settings = settings.listing(&[CLIENT, STRANGER]);
        let guard = Guard::start(&site.server, settings)?;
        let thief = Thief::new(
            &site.client,
            &site.stranger,
            &site.server,
            SERVER,
            Pair::PASSIVE,
        )?;
        for tls in Tls::ALL {
            let working: Vec<_> = working.iter().filter(|one| one.tls == tls).collect();
            with_guard(site, &servers, &guard, &thief, &working)?;
        }
        let drops = guard.counted(&[("verdict", "drop")])?;
        let refused = refused(&guard)?;
        ensure!(
            drops == refused,
            "{drops} packets were dropped, only {refused} of them the stranger's"
        );
        Ok(())
    });
}

/// Tries all combinations and returns those that work, which are the ones that are expected to.
fn without_guard(make: Make, site: &Site, servers: &Pair) -> Result<Vec<Combination>> {
    let flaws: BTreeSet<_> = Combination::all(make)
        .iter()
        .filter_map(|combination| combination.flaw(make))
        .map(Flaw::why)
        .collect();
    let (left_out, all): (Vec<_>, Vec<_>) = Combination::all(make)
        .into_iter()
        .partition(|combination| matches!(combination.flaw(make), Some(Flaw::Races(_))));
    let outcomes = in_parallel(WORKERS, &all, |combination| {
        let flaw = combination.flaw(make);
        let limit = flaw.map_or(LIMIT, |_| HANGS_AFTER);
        let attempt = || serve(site, servers, *combination, &Direction::BOTH, limit);
        match attempt() {
            // Seen on a busy machine: lftp closes its data connection before vsftpd has read the end of TLS.
            Err(_) if flaw.is_none() => attempt(),
            outcome => outcome,
        }
    });
    let mut surprises = Vec::new();
    let mut working = Vec::new();
    let mut failing = 0;
    for (combination, outcome) in all.into_iter().zip(outcomes) {
        match (combination.flaw(make), outcome) {
            (None, Ok(())) => working.push(combination),
            (None, Err(error)) => surprises.push(format!("{combination} fails: {error:#}")),
            (Some(flaw), Ok(())) => surprises.push(format!("{combination} works: {}", flaw.why())),
            (Some(_), Err(_)) => failing += 1,
        }
    }
    report!(
        "{make}: {} combinations work without the guard, {failing} do not, {} were left out ({})",
        working.len(),
        left_out.len(),
        flaws.into_iter().collect::<Vec<_>>().join("; ")
    );
    ensure!(
        surprises.is_empty(),
        "{make} without a guard: {}",
        surprises.join("\n")
    );
    Ok(working)
}

/// Makes the transfers of all combinations, which have the encryption in common. The stranger tries
/// each of the passive ones' ports.
fn with_guard(
    site: &Site,
    servers: &Pair,
    guard: &Guard,
    thief: &Thief<'_>,
    combinations: &[&Combination],
) -> Result<()> {
    let jobs: Vec<(Combination, Direction)> = combinations
        .iter()
        .flat_map(|combination| Direction::BOTH.map(|direction| (**combination, direction)))
        .collect();
    let before = refused(guard)?;
    let (outcomes, knocked) = thief.watch(|| {
        in_parallel(WORKERS, &jobs, |(combination, direction)| {
            serve(site, servers, *combination, &[*direction], LIMIT)
        })
    })?;
    for ((combination, direction), outcome) in jobs.iter().zip(outcomes) {
        outcome.with_context(|| format!("{combination}, {direction}, with the guard"))?;
    }
    let passive = jobs
        .iter()
        .filter(|(combination, _)| !combination.negotiation.is_active());
    let passive = passive.count();
    ensure!(
        knocked >= passive,
        "{passive} passive data connections, and the stranger knocked at {knocked}"
    );
    // Over both IP versions.
    let counted = refused(guard)? - before;
    ensure!(
        counted >= 2 * passive as u64,
        "{passive} passive ports, and {counted} SYNs of the stranger were counted"
    );
    Ok(())
}

/// How many packets were dropped for a reason that concerns the stranger.
fn refused(guard: &Guard) -> Result<u64> {
    let count = |reason| guard.counted(&[("verdict", "drop"), ("reason", reason)]);
    REFUSALS.into_iter().map(count).sum()
}
