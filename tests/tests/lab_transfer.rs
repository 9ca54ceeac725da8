//! Real servers behind an enforcing guard: listed clients move files, strangers reach nothing.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use ftp_guard_tests::lab::{
    Family, Host, SERVER, STRANGER, Site,
    clients::{Client, Direction, Negotiation, Transfer, session::Session},
    guard::{self, Guard},
    probe::{Answer, expect, ftp_ports},
    servers::{self, FtpServer, Make},
    stack::Counters,
    tap::Tap,
};

#[test]
fn vsftpd_serves_the_listed_and_nobody_else() {
    serves_the_listed_and_nobody_else(Make::Vsftpd);
}

#[test]
fn proftpd_serves_the_listed_and_nobody_else() {
    serves_the_listed_and_nobody_else(Make::ProFtpd);
}

#[test]
fn pure_ftpd_serves_the_listed_and_nobody_else() {
    serves_the_listed_and_nobody_else(Make::PureFtpd);
}

#[test]
fn pyftpdlib_serves_the_listed_and_nobody_else() {
    serves_the_listed_and_nobody_else(Make::Pyftpdlib);
}

fn serves_the_listed_and_nobody_else(make: Make) {
    Site::test(|site| {
        let settings = servers::Settings::default();
        let server = FtpServer::start(make, &site.server, &settings)?;
        let guard = Guard::start(&site.server, guard::Settings::default())?;
        for client in Client::ALL {
            for family in Family::BOTH {
                for transfer in Transfer::all(client, family) {
                    transfer.make(&site.client, &server)?;
                }
            }
        }
        let drops = guard.counted(&[("verdict", "drop")])?;
        ensure!(
            drops == 0,
            "{drops} packets of a listed client were dropped"
        );
        nothing_reaches_the_server(site, &guard)?;
        nobody_connects_to_active_data_ports(site, &guard)
    });
}

/// The stranger knocks at every FTP port, one of them open for the client's next data connection.
fn nothing_reaches_the_server(site: &Site, guard: &Guard) -> Result<()> {
    let mut session = Session::log_in(&site.client, Family::V4, 21)?;
    let open = session.passive()?.port();
    let ports = ftp_ports(servers::Settings::default().passive);
    ensure!(
        ports.contains(&open),
        "the server listens on {open}, outside its passive range"
    );

    let tap = Tap::open(&site.server, Site::INTERFACE)?;
    let before = Counters::settled(&site.server)?;
    expect(&site.stranger, &targets(&ports), Answer::Nothing)?;
    let after = Counters::settled(&site.server)?;
    for counter in [
        "Tcp.InSegs",
        "Tcp.PassiveOpens",
        "Tcp.AttemptFails",
        "Tcp.OutRsts",
    ] {
        let news = after.since(&before, counter)?;
        ensure!(
            news == 0,
            "the server's stack saw the stranger: {counter} grew by {news}"
        );
    }
    let seen = tap.tcp_segments_from(&STRANGER.ips())?;
    ensure!(seen == 0, "{seen} TCP packets of the stranger came through");

    // Each knock is one SYN at least.
    for (class, ports) in [
        ("control", 2),
        ("active_data", 2),
        ("passive_data", ports.len() - 4),
    ] {
        for family in ["ipv4", "ipv6"] {
            let labels = [
                ("verdict", "drop"),
                ("reason", "not_listed"),
                ("class", class),
                ("family", family),
            ];
            let counted = guard.counted(&labels)?;
            ensure!(
                counted >= ports as u64,
                "{counted} drops counted for {labels:?}"
            );
        }
    }
    // The listed client's data connection is there all the while.
    expect(
        &site.client,
        &[SERVER.at(Family::V4, open)],
        Answer::Connected,
    )
}

/// On these ports only the server opens connections, whoever asks.
fn nobody_connects_to_active_data_ports(site: &Site, guard: &Guard) -> Result<()> {
    expect(&site.client, &targets(&[20, 989]), Answer::Nothing)?;
    let counted = guard.counted(&[("verdict", "drop"), ("reason", "active_data_syn")])?;
    ensure!(counted >= 4, "{counted} SYNs to active data ports counted");
    Ok(())
}

/// What the other tests call shut out is let in when the guard only watches: they can fail.
#[test]
fn the_same_stranger_is_served_in_monitor_mode_and_counted() {
    Site::test(|site| {
        let server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let settings = guard::Settings {
            mode: "monitor",
            ..guard::Settings::default()
        };
        let guard = Guard::start(&site.server, settings)?;
        let transfers = [
            Transfer::new(
                Client::Curl,
                Family::V4,
                Negotiation::Pasv,
                Direction::Upload,
            ),
            Transfer::new(
                Client::Curl,
                Family::V6,
                Negotiation::Epsv,
                Direction::Download,
            ),
            Transfer::new(
                Client::Lftp,
                Family::V4,
                Negotiation::Port,
                Direction::Download,
            ),
        ];
        let before = Counters::settled(&site.server)?;
        for transfer in &transfers {
            transfer.make(&site.stranger, &server)?;
        }
        let after = Counters::settled(&site.server)?;
        ensure!(
            after.since(&before, "Tcp.PassiveOpens")? >= 5,
            "the server saw nobody"
        );
        let would = guard.counted(&[("verdict", "would_drop"), ("reason", "not_listed")])?;
        ensure!(
            would > 100,
            "only {would} packets of the stranger were counted"
        );
        ensure!(
            guard.counted(&[("verdict", "drop")])? == 0,
            "monitor mode dropped something"
        );
        unguarded(&site.stranger)?;

        guard.ask(&["mode", "enforce"])?;
        for transfer in &transfers {
            let output = transfer.attempt(&site.stranger, &server)?;
            ensure!(
                !output.success(),
                "{transfer}: the stranger was served in enforce mode"
            );
        }
        Ok(())
    });
}

/// The stack itself answers on all FTP ports: a connection on 21, refusals elsewhere.
fn unguarded(host: &Host) -> Result<()> {
    let ports = ftp_ports(servers::Settings::default().passive);
    let (control, others): (Vec<_>, Vec<_>) = ports.iter().partition(|port| **port == 21);
    expect(host, &targets(&control), Answer::Connected)?;
    expect(host, &targets(&others), Answer::Refused)
}

fn targets(ports: &[u16]) -> Vec<SocketAddr> {
    let at = |family| ports.iter().map(move |port| SERVER.at(family, *port));
    Family::BOTH.into_iter().flat_map(at).collect()
}
