//! Tables at their limit: what is new is refused by a reason that names the table, what lives goes on.

use std::net::TcpStream;

use anyhow::{Result, ensure};
use ftp_guard_tests::lab::{
    Family, SERVER, Site,
    guard::{self, Guard},
    metrics::Scrape,
    servers::{self, FtpServer, Make},
    wait_until,
};

use crate::{
    LIMIT, connect, control, dropped_for, ensure_alive, log_in, log_in_times, puppet::Puppet,
};

/// A guard whose tables have few places; one source may take them all.
fn small(site: &Site, places: u32) -> Result<Guard> {
    let settings = guard::Settings {
        sessions: vec![format!("max = {places}")],
        more: vec![
            "[profile.default]".to_owned(),
            "max_sessions = 0".to_owned(),
        ],
        ..guard::Settings::default()
    }
    .listing(&[ftp_guard_tests::lab::CLIENT, ftp_guard_tests::lab::STRANGER]);
    Guard::start(&site.server, settings)
}

#[test]
fn sessions() {
    Site::test(|site| {
        let ftp = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        ftp.put("file.bin", &vec![1; 1 << 20])?;
        let guard = small(site, 4)?;
        let mut sessions = log_in_times(&site.client, 4)?;
        // The handshake is made; the greeting is what is refused.
        let _fifth = connect(&site.stranger, control())?;
        ensure_told(site, &guard, "session_table_full")?;
        ensure_alive(&mut sessions)?;
        let passive = sessions[0].passive()?;
        connect(&site.client, passive)?;
        sessions.remove(0).command("QUIT")?;
        wait_until("the place is free", LIMIT, || Ok(log_in(&site.client).ok()))?;
        ensure_alive(&mut sessions)
    });
}

#[test]
fn connections_before_their_greeting() {
    Site::test(|site| {
        let _puppet = Puppet::start(&site.server, false)?;
        let guard = small(site, 3)?;
        let waiting = (0..3)
            .map(|_| connect(&site.client, control()))
            .collect::<Result<Vec<_>>>()?;
        // For its client the handshake ends with the SYN-ACK.
        let _fourth = connect(&site.client, control())?;
        ensure_told(site, &guard, "opening_table_full")?;
        drop(waiting);
        Ok(())
    });
}

#[test]
fn sources() {
    Site::test(|site| {
        let _ftp = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let guard = small(site, 2)?;
        // Sources are addresses: the client's two take both places.
        let mut sessions = vec![
            log_in(&site.client)?,
            ftp_guard_tests::lab::clients::session::Session::log_in(&site.client, Family::V6, 21)?,
        ];
        let _third = connect(&site.stranger, control())?;
        ensure_told(site, &guard, "source_table_full")?;
        ensure_alive(&mut sessions)?;
        drop(sessions);
        wait_until("the places are free", LIMIT, || {
            Ok(log_in(&site.stranger).ok())
        })?;
        Ok(())
    });
}

/// The reason is counted, in the metrics too, and told as an event.
fn ensure_told(site: &Site, guard: &Guard, reason: &str) -> Result<()> {
    wait_until(&format!("a drop as {reason}"), LIMIT, || {
        let egress = guard.status()?;
        let all = ["counters", "egress_counters"].map(|name| egress[name].to_string());
        Ok(all
            .iter()
            .any(|counters| counters.contains(reason))
            .then_some(()))
    })?;
    let scrape = Scrape::of(&site.server, Guard::METRICS)?;
    ensure!(scrape.text().contains(reason), "no metric names {reason}");
    wait_until(&format!("an event that names {reason}"), LIMIT, || {
        let events = guard.cli(&["events", "--json"])?;
        Ok(events.text().contains(reason).then_some(()))
    })?;
    let _ = dropped_for(guard, reason)?;
    let _: Option<TcpStream> = None;
    let _ = SERVER;
    Ok(())
}
