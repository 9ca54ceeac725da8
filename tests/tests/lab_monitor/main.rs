//! Real servers and clients, and what the guard tells of them: who logged in, what was transferred, over
//! what; and never a password.

mod secrets;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Family, Site, Tls, USER,
    clients::{Client, Direction, Negotiation, Transfer},
    guard::{Guard, Settings},
    metrics::Scrape,
    servers::{Make, Pair},
    stack::Counters,
    wait_until,
};
use serde_json::Value;

/// Time for something to be told.
const LIMIT: Duration = Duration::from_secs(15);

/// Events of a kind, oldest first.
fn events(guard: &Guard, kind: &str) -> Result<Vec<Value>> {
    let answer = guard.cli(&["events", "--json"])?;
    answer.expect(0)?;
    let mut events = Vec::new();
    for line in answer.text().lines() {
        let event: Value = serde_json::from_str(line)?;
        if event["event"] == kind {
            events.push(event);
        }
    }
    Ok(events)
}

/// Waits until there are so many events of a kind.
fn await_events(guard: &Guard, kind: &str, count: usize) -> Result<Vec<Value>> {
    wait_until(&format!("{count} events {kind}"), LIMIT, || {
        let events = events(guard, kind)?;
        Ok((events.len() >= count).then_some(events))
    })
}

/// A guard with these lines more in its configuration.
fn guarded(site: &Site, lines: &str) -> Result<Guard> {
    let settings = Settings {
        passive: Pair::passive_range(),
        more: [Settings::unlimited(), vec![lines.to_owned()]].concat(),
        ..Settings::default()
    };
    Guard::start(&site.server, settings)
}

fn understood(make: Make) {
    Site::test(|site| {
        let servers = Pair::start(make, &site.server)?;
        let guard = guarded(site, "")?;
        let mut transfers = 0;
        for client in Client::ALL {
            for family in Family::BOTH {
                for transfer in Transfer::all(client, family) {
                    let before = retransmitted(site)?;
                    transfer
                        .make(&site.client, servers.of(Tls::Clear))
                        .with_context(|| transfer.to_string())?;
                    transfers += 1;
                    let told = await_events(&guard, "transfer", 1)?;
                    let told = files(told);
                    let last = wait_until("the transfer is told", LIMIT, || {
                        let told = files(events(&guard, "transfer")?);
                        Ok(told.get(transfers - 1).cloned())
                    })
                    .with_context(|| format!("{transfer}: {told:?}"))?;
                    check(&transfer, &last, retransmitted(site)? - before)?;
                }
            }
        }
        let logins = events(&guard, "login")?;
        ensure!(logins.len() >= transfers, "{} logins", logins.len());
        for login in &logins {
            ensure!(
                login["user"] == USER && login["accepted"] == true && login["anonymous"] == false,
                "{login}"
            );
        }
        let scrape = Scrape::of(&site.server, Guard::METRICS)?;
        let counted: f64 = ["upload", "download"]
            .into_iter()
            .map(|way| scrape.sum("ftp_guard_transfers_total", &[("direction", way)]))
            .sum::<Result<f64>>()?;
        ensure!(
            counted as usize == transfers,
            "{counted} transfers are counted of {transfers}"
        );
        Ok(())
    });
}

/// Transfers of files, without the listings that clients make before.
fn files(mut told: Vec<Value>) -> Vec<Value> {
    told.retain(|event| event["direction"] != "listing");
    told
}

/// Segments that the stacks of both hosts have sent again.
fn retransmitted(site: &Site) -> Result<i64> {
    let hosts = [&site.client, &site.server];
    let segments = hosts.map(|host| Counters::read(host)?.get("Tcp.RetransSegs"));
    segments.into_iter().sum()
}

/// What crosses the wire twice counts twice.
fn check(transfer: &Transfer, told: &Value, again: i64) -> Result<()> {
    let direction = match transfer.direction {
        Direction::Download => "download",
        Direction::Upload => "upload",
    };
    let mode = match transfer.negotiation {
        Negotiation::Pasv | Negotiation::Epsv => "passive",
        Negotiation::Port | Negotiation::Eprt => "active",
    };
    let size = transfer.size as i64;
    let bytes = told["bytes"].as_i64().context("a number of bytes")?;
    let is_size = (size..=size + again * 65_536).contains(&bytes);
    let is_right = told["direction"] == direction
        && told["mode"] == mode
        && is_size
        && told["file_type"] == "bin"
        && told["code"] == 226
        && told["complete"] == true
        && told["encrypted"] == false
        && told["user"] == USER;
    ensure!(is_right, "{transfer}: {told}");
    Ok(())
}

#[test]
fn transfers_at_vsftpd_are_understood() {
    understood(Make::Vsftpd);
}

#[test]
fn transfers_at_proftpd_are_understood() {
    understood(Make::ProFtpd);
}

#[test]
fn encrypted_sessions_are_told_without_what_cannot_be_read() {
    Site::test(|site| {
        let servers = Pair::start(Make::Vsftpd, &site.server)?;
        let guard = guarded(site, "")?;
        for (tls, mode) in [(Tls::Auth, "explicit"), (Tls::Implicit, "implicit")] {
            let transfer = Transfer {
                tls,
                ..Transfer::new(
                    Client::Curl,
                    Family::V4,
                    Negotiation::Epsv,
                    Direction::Download,
                )
            };
            transfer.make(&site.client, servers.of(tls))?;
            let record = wait_until("the session is kept", LIMIT, || {
                let answer = guard.cli(&["sessions", "--past", "--json"])?;
                answer.expect(0)?;
                let answer = answer.json()?;
                let all = answer["sessions"].as_array().context("no sessions")?;
                let of_mode =
                    |record: &&Value| record["tls"]["mode"] == mode && !record["ended"].is_null();
                Ok(all.iter().find(of_mode).cloned())
            })?;
            let version = record["tls"]["version"].as_str().unwrap_or_default();
            ensure!(["1.2", "1.3"].contains(&version), "{record}");
            ensure!(record["data_connections"].as_u64() >= Some(1), "{record}");
            ensure!(
                record["bytes_down"].as_u64() >= Some(transfer.size as u64),
                "{record}"
            );
            ensure!(record["login"] == "hidden", "{record}");
        }
        Ok(())
    });
}
