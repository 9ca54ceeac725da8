//! Hundreds of slow transfers run while the daemon is ended, killed and replaced, while its
//! configuration and its allowlist change, and while it first comes: none is cut.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ftp_guard_tests::{
    lab::{
        Family, Site, Tls,
        clients::{Client, Direction, Negotiation, Running, Transfer},
        guard::{self, Guard},
        servers::{self, FtpServer, Make},
        wait_until,
    },
    report,
};
use nix::sys::signal::Signal;

/// Transfers that run at once.
const TRANSFERS: usize = 208;
/// As many as are there when the guard first comes.
const ADOPTED: usize = 48;
/// Bytes a second of each transfer. The server keeps to it: a slow client alone leaves the data
/// waiting in its socket, and nothing on the wire.
const RATE: u32 = 6 << 10;
/// Bytes of each transfer: three quarters of a minute (after a full one curl no longer waits for the
/// reply to an upload), and half of it.
const SIZE: usize = 256 << 10;
const ADOPTED_SIZE: usize = SIZE / 2;
/// Time for all transfers to begin, and for each to end, on a loaded machine.
const LIMIT: Duration = Duration::from_secs(180);

/// Entries of the list that replaces the first one.
const ENTRIES: u32 = 10_000;

#[test]
fn no_transfer_is_cut_when_the_daemon_comes_and_goes() {
    Site::test(|site| {
        let server = start_server(site)?;
        let mut guard = Guard::start(&site.server, settings())?;
        let mut transfers = start_transfers(site, &server, TRANSFERS, SIZE)?;

        let start = Instant::now();
        guard.terminate()?;
        guard.launch()?;
        guard.kill9()?;
        guard.launch()?;
        all_go_on(&mut transfers).context("after the daemon was replaced")?;

        let changed = guard::Settings {
            sessions: vec!["max_pinholes = 8".to_owned()],
            ..settings()
        };
        let folder = guard.folder();
        folder.write(&changed.file(), changed.toml(&folder))?;
        guard.cli(&["reload"])?.expect(0)?;
        guard.daemon()?.signal(Signal::SIGHUP)?;
        // Else it finds the list that is written next while that is still empty.
        wait_until("the reload that the signal asked for", LIMIT, || {
            let said = guard.daemon()?.stderr();
            Ok(said.contains("reloaded (signal)").then_some(()))
        })?;

        // The client stays listed, by another entry.
        let mut list = "10.231.0.0/29\nfd00:231::/125\n".to_owned();
        for number in 0..ENTRIES {
            let [_, a, b, c] = number.to_be_bytes();
            list += &format!("100.{a}.{b}.{c}\n");
        }
        folder.write(&changed.list_file(), list)?;
        wait_until("the kernel holds the new list", LIMIT, || {
            let held = guard.status()?["allowlist"]["ipv4"].as_u64();
            Ok((held > Some(ENTRIES.into())).then_some(()))
        })?;
        all_go_on(&mut transfers).context("after the reloads")?;
        report!(
            "{} transfers met two successions and the reloads of {:.1?}",
            transfers.len(),
            start.elapsed()
        );

        finish(transfers)?;
        let dropped = guard.dropped()?;
        ensure!(dropped.is_empty(), "packets were dropped: {dropped:?}");
        Ok(())
    });
}

#[test]
fn transfers_that_run_already_are_adopted() {
    Site::test(|site| {
        let server = start_server(site)?;
        let mut transfers = start_transfers(site, &server, ADOPTED, ADOPTED_SIZE)?;
        let guard = Guard::start(&site.server, settings())?;
        all_go_on(&mut transfers).context("when the guard had come")?;
        let sessions = guard.ask(&["sessions"])?;
        let known = sessions["sessions"].as_array().map_or(0, Vec::len);
        ensure!(
            known == ADOPTED,
            "{ADOPTED} sessions run, and the guard knows {known}: {sessions}"
        );
        finish(transfers)?;
        let dropped = guard.dropped()?;
        ensure!(dropped.is_empty(), "packets were dropped: {dropped:?}");
        Ok(())
    });
}

fn server_settings() -> servers::Settings {
    servers::Settings {
        passive: 50000..=50999,
        rate: Some(RATE),
        ..servers::Settings::default()
    }
}

fn start_server(site: &Site) -> Result<FtpServer> {
    FtpServer::start(Make::Vsftpd, &site.server, &server_settings())
}

fn settings() -> guard::Settings {
    guard::Settings {
        passive: server_settings().passive_range(),
        ..guard::Settings::default()
    }
}

/// Every way that curl can negotiate with either encryption, up and down in turn.
fn transfer(number: usize, size: usize) -> Transfer {
    let ways = [
        (Tls::Clear, Family::V4, Negotiation::Pasv),
        (Tls::Auth, Family::V4, Negotiation::Pasv),
        (Tls::Clear, Family::V6, Negotiation::Epsv),
        (Tls::Auth, Family::V6, Negotiation::Epsv),
        (Tls::Clear, Family::V4, Negotiation::Port),
        (Tls::Auth, Family::V4, Negotiation::Epsv),
        (Tls::Clear, Family::V6, Negotiation::Eprt),
    ];
    let (tls, family, negotiation) = ways[number / 2 % ways.len()];
    let direction = Direction::BOTH[number % 2];
    Transfer {
        tls,
        size,
        patience_s: 60,
        ..Transfer::new(Client::Curl, family, negotiation, direction)
    }
}

/// Starts transfers of `size` bytes each and waits until something of each has arrived.
fn start_transfers<'s>(
    site: &Site,
    server: &'s FtpServer,
    count: usize,
    size: usize,
) -> Result<Vec<Running<'s>>> {
    let start = Instant::now();
    let started: Vec<_> = (0..count)
        .map(|number| transfer(number, size).start(&site.client, server))
        .collect::<Result<_>>()?;
    for running in &started {
        let what = format!("{} flows", running.transfer());
        wait_until(&what, LIMIT, || Ok((running.arrived() > 0).then_some(())))?;
    }
    report!("{count} transfers flow after {:.1?}", start.elapsed());
    Ok(started)
}

/// Makes sure that no client has ended.
fn all_go_on(transfers: &mut Vec<Running<'_>>) -> Result<()> {
    for number in 0..transfers.len() {
        if !transfers[number].goes_on()? {
            let ended = transfers.remove(number);
            let transfer = *ended.transfer();
            ended.finish(LIMIT)?;
            bail!("{transfer} was done too soon to prove anything");
        }
    }
    Ok(())
}

fn finish(transfers: Vec<Running<'_>>) -> Result<()> {
    transfers
        .into_iter()
        .try_for_each(|transfer| transfer.finish(LIMIT))
}
