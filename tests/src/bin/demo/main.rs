//! The demonstration: real FTP servers behind the guard, a client that is listed and a stranger.
//!
//! It says what it does, ends with what the kernel and the server counted, and exits with 1 when
//! anything is not as promised. Needs root; everything happens in network namespaces of its own.

mod report;

use std::{
    net::SocketAddr,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, SERVER, STRANGER, Site,
    clients::{Client, Direction, Negotiation, Transfer},
    flood::{Flood, Pace, Sources},
    guard::{Guard, Settings},
    probe::{Answer, expect, ftp_ports},
    servers::{self, FtpServer, Make},
    stack::Counters,
};

/// How long each flood lasts.
const FLOOD: Duration = Duration::from_secs(3);

/// Frames a millisecond: a flood for two cores that the server and both ends share.
const PACE: Pace = Pace::PerMillisecond(100);

fn main() -> ExitCode {
    let start = Instant::now();
    let site = match Site::new() {
        Ok(site) => site,
        Err(error) => {
            eprintln!("demo: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    match show(&site) {
        Ok(()) => {
            println!(
                "\nAll as promised, in {:.0} seconds.",
                start.elapsed().as_secs_f64()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            site.lab.print_logs();
            eprintln!("\ndemo: NOT as promised: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn show(site: &Site) -> Result<()> {
    introduce();
    step("The guard starts: `ftp-guard run`");
    let guard = Guard::start(&site.server, Settings::default())?;
    attached(&guard)?;

    let mut transfers = 0;
    for make in [Make::Vsftpd, Make::ProFtpd] {
        step(&format!("The client moves files to and from {make}"));
        let server = FtpServer::start(make, &site.server, &servers::Settings::default())?;
        transfers += moves_files(site, &server)?;
    }

    step("The stranger tries, with vsftpd running");
    let server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
    stack_answers_elsewhere(site)?;
    let before = Counters::settled(&site.server)?;
    knocks_in_vain(site)?;
    let mut flooded = floods(site, Sources::Own, "its own address")?;
    flooded += floods(site, Sources::Random, "random sources")?;
    let after = Counters::settled(&site.server)?;

    step("The client downloads while the stranger floods");
    let flood = start_flood(site, Sources::Random)?;
    for family in Family::BOTH {
        let (negotiation, direction) = (Negotiation::Epsv, Direction::Download);
        let download = Transfer::new(Client::Curl, family, negotiation, direction);
        download.make(&site.client, &server)?;
        transfers += 1;
    }
    let during = flood.stop()?;
    flooded += during;
    println!(
        "  two files, checksum right, beside {} SYNs",
        report::number(during)
    );

    report::kernel(&guard)?;
    report::server(&before, &after)?;
    conclude(&guard, transfers, flooded)
}

fn introduce() {
    println!("A lab of network namespaces on one segment:");
    for (name, addresses, what) in [
        ("server", SERVER, "FTP servers, and the guard on eth0"),
        ("client", CLIENT, "on the allowlist"),
        ("stranger", STRANGER, "on no allowlist"),
    ] {
        println!(
            "  {name:<9} {:<11} {:<14} {what}",
            addresses.v4, addresses.v6
        );
    }
}

fn attached(guard: &Guard) -> Result<()> {
    let status = guard.status()?;
    let interface = &status["interfaces"][0];
    println!(
        "  attached to {} in {} mode, {}; {} IPv4 and {} IPv6 entries on the allowlist",
        interface["interface"].as_str().context("not attached")?,
        interface["mode"].as_str().context("no XDP mode")?,
        status["mode"].as_str().context("no mode")?,
        status["allowlist"]["ipv4"],
        status["allowlist"]["ipv6"],
    );
    Ok(())
}

fn conclude(guard: &Guard, transfers: usize, flooded: u64) -> Result<()> {
    let dropped = guard.counted(&[("verdict", "drop"), ("reason", "not_listed")])?;
    println!(
        "\n{transfers} checked transfers of the client; {} packets of the stranger dropped in XDP, \
         of {} SYNs in floods and {} knocks with retransmissions.",
        report::number(dropped),
        report::number(flooded),
        targets().len(),
    );
    // A veth's ring may lose frames of a flood before XDP sees them.
    ensure!(dropped > flooded / 2, "too few packets were dropped in XDP");
    let hurt = guard.counted(&[("verdict", "drop")])? - dropped;
    ensure!(
        hurt == 0,
        "{hurt} packets were dropped for another reason than `not_listed`"
    );
    Ok(())
}

fn step(what: &str) {
    println!("\n{what}");
}

/// Every way of negotiation that curl knows, and one of each other client.
fn moves_files(site: &Site, server: &FtpServer) -> Result<usize> {
    let mut transfers = Vec::new();
    for family in Family::BOTH {
        transfers.extend(Transfer::all(Client::Curl, family));
    }
    let up = Direction::Upload;
    transfers.push(Transfer::new(
        Client::Lftp,
        Family::V4,
        Negotiation::Pasv,
        up,
    ));
    transfers.push(Transfer::new(
        Client::Ftplib,
        Family::V6,
        Negotiation::Eprt,
        up,
    ));
    for transfer in &transfers {
        let start = Instant::now();
        transfer.make(&site.client, server)?;
        let mode = if transfer.negotiation.is_active() {
            "active"
        } else {
            "passive"
        };
        println!(
            "  {:<28} {mode:<8} checksum right, {} ms",
            transfer.to_string(),
            start.elapsed().as_millis()
        );
    }
    Ok(transfers.len())
}

/// The stranger is kept from FTP alone.
fn stack_answers_elsewhere(site: &Site) -> Result<()> {
    let targets = Family::BOTH.map(|family| SERVER.at(family, 22));
    expect(&site.stranger, &targets, Answer::Refused)?;
    println!("  port 22: the server's stack answers the stranger (nobody listens there)");
    Ok(())
}

fn knocks_in_vain(site: &Site) -> Result<()> {
    let targets = targets();
    expect(&site.stranger, &targets, Answer::Nothing)?;
    println!(
        "  ports 21, 990, 20, 989 and the passive range: {} knocks, no answer",
        targets.len()
    );
    Ok(())
}

fn floods(site: &Site, sources: Sources, name: &str) -> Result<u64> {
    let flood = start_flood(site, sources)?;
    thread::sleep(FLOOD);
    let sent = flood.stop()?;
    println!(
        "  {} SYNs from {name} in {} s",
        report::number(sent),
        FLOOD.as_secs()
    );
    Ok(sent)
}

fn start_flood(site: &Site, sources: Sources) -> Result<Flood> {
    Flood::start(
        &site.stranger,
        &STRANGER,
        &SERVER,
        &targets(),
        sources,
        PACE,
    )
}

/// Every FTP port, over both IP versions.
fn targets() -> Vec<SocketAddr> {
    let ports = ftp_ports(servers::Settings::default().passive);
    let at = |family| ports.iter().map(move |port| SERVER.at(family, *port));
    Family::BOTH.into_iter().flat_map(at).collect()
}
