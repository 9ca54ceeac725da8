//! What a profile permits, and that other profiles are not affected.

use std::{
    io::{BufRead, BufReader, Write},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Family, Site,
    clients::{download::Download, session::Session},
    servers::{self, FtpServer, Make},
};

use crate::{
    LIMIT, connect, control, dropped_for, ensure_alive, ensure_refused, guard, log_in,
    log_in_times, puppet::Puppet, wait_for_room,
};

fn vsftpd(site: &Site) -> Result<FtpServer> {
    FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())
}

#[test]
fn sessions_of_a_source() {
    Site::test(|site| {
        let _ftp = vsftpd(site)?;
        let guard = guard(site, &["max_sessions = 3"], &[])?;
        let mut sessions = log_in_times(&site.client, 3)?;
        ensure_refused(&guard, &site.client, control(), "session_limit")?;
        // The other address is another source, the stranger has another profile.
        let _v6 = Session::log_in(&site.client, Family::V6, 21)?;
        let mut others = log_in_times(&site.stranger, 5)?;
        ensure_alive(&mut sessions)?;
        ensure_alive(&mut others)?;

        sessions.remove(0).command("QUIT")?;
        sessions.push(wait_for_room(&site.client)?);
        ensure_refused(&guard, &site.client, control(), "session_limit")?;
        ensure_alive(&mut sessions)
    });
}

#[test]
fn a_profile_is_changed_by_reload() {
    Site::test(|site| {
        let ftp = vsftpd(site)?;
        ftp.put("file.bin", &vec![1; 1 << 20])?;
        let mut running = guard(site, &["max_sessions = 1"], &[])?;
        let mut sessions = log_in_times(&site.client, 1)?;
        ensure_refused(&running, &site.client, control(), "session_limit")?;
        let folder = running.folder();
        let settings = running.settings().clone();
        let text = settings
            .toml(&folder)
            .replace("max_sessions = 1", "max_sessions = 2");
        folder.write(&settings.file(), text)?;
        running.cli(&["reload"])?.expect(0)?;
        sessions.push(log_in(&site.client)?);
        ensure_refused(&running, &site.client, control(), "session_limit")?;
        ensure_alive(&mut sessions)?;
        let download = Download::start(&site.stranger, Family::V4, 21, "file.bin")?;
        ensure!(download.finish()? == 1 << 20, "the stranger's download");
        running.terminate()?;
        Ok(())
    });
}

#[test]
fn new_connections_of_a_source() {
    Site::test(|site| {
        let _ftp = vsftpd(site)?;
        let limits = ["connections_per_second = 1", "connections_burst = 5"];
        let guard = guard(site, &limits, &[])?;
        let before = dropped_for(&guard, "source_rate")?;
        let start = Instant::now();
        let mut sessions = log_in_times(&site.client, 12)?;
        let took = start.elapsed();
        let dropped = dropped_for(&guard, "source_rate")? - before;
        // Five at once, then one a second: TCP asks again until it is let in.
        ensure!(took >= Duration::from_secs(5), "12 connections in {took:?}");
        ensure!(dropped > 0, "none was dropped: {:?}", guard.dropped()?);
        let start = Instant::now();
        let mut others = log_in_times(&site.stranger, 12)?;
        ensure!(start.elapsed() < took, "the stranger waits too");
        ensure_alive(&mut sessions)?;
        ensure_alive(&mut others)
    });
}

#[test]
fn data_connections_of_a_session() {
    Site::test(|site| {
        let _puppet = Puppet::start(&site.server, true)?;
        let guard = guard(site, &["max_data_connections = 2"], &[])?;
        let mut session = log_in(&site.client)?;
        let mut data = Vec::new();
        for _ in 0..2 {
            data.push(connect(&site.client, session.passive()?)?);
        }
        let third = session.passive()?;
        ensure_refused(&guard, &site.client, third, "data_limit")?;
        // The stranger has a session and a profile of its own.
        let mut other = log_in(&site.stranger)?;
        let mut others = Vec::new();
        for _ in 0..3 {
            others.push(connect(&site.stranger, other.passive()?)?);
        }
        // A second session of the client brings two more.
        let mut second = log_in(&site.client)?;
        data.push(connect(&site.client, third).context("with a second session")?);
        data.push(connect(&site.client, second.passive()?)?);
        let fifth = second.passive()?;
        ensure_refused(&guard, &site.client, fifth, "data_limit")?;
        ensure_alive(&mut [session, second, other])
    });
}

#[test]
fn packets_of_a_control_connection() {
    const COMMANDS: usize = 60;
    Site::test(|site| {
        let _ftp = vsftpd(site)?;
        let limits = [
            "control_packets_per_second = 20",
            "control_packets_burst = 20",
        ];
        let guard = guard(site, &limits, &[])?;
        let mut refused = [0, 0];
        for (host, refused) in [&site.client, &site.stranger].into_iter().zip(&mut refused) {
            let before = dropped_for(&guard, "control_rate")?;
            let stream = connect(host, control())?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LIMIT))?;
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            stream.read_line(&mut line)?;
            for _ in 0..COMMANDS {
                // A segment each, and not all in one burst of the sender.
                stream.get_mut().write_all(b"NOOP\r\n")?;
                std::thread::sleep(Duration::from_millis(1));
            }
            for number in 0..COMMANDS {
                line.clear();
                stream.read_line(&mut line)?;
                ensure!(
                    line.starts_with('5'),
                    "answer {number} before a login: {line:?}"
                );
            }
            *refused = dropped_for(&guard, "control_rate")? - before;
        }
        ensure!(refused[0] > 0, "no segment of the client was refused");
        ensure!(
            refused[1] == 0,
            "{} of the stranger's were refused",
            refused[1]
        );
        Ok(())
    });
}
