//! Those who take their time or try again and again: many sessions without a login, passive ports that
//! nobody uses, wrong passwords. Each ends as the profile says, and the partner does not notice.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Family, Host, Site, USER,
    clients::download::Download,
    guard::Guard,
    in_parallel,
    servers::{self, FtpServer, Make},
    tables::{Proven, Tables},
    wait_until,
};

use crate::{LIMIT, connect, control, dropped_for, ensure_alive, guard, log_in, puppet::Puppet};

/// Sessions of one source that do not log in.
const SLOW: usize = 1000;
/// How long they may take.
const LOGIN_TIME: Duration = Duration::from_secs(5);

#[test]
fn a_thousand_sessions_that_do_not_log_in() {
    Site::test(|site| {
        allow_many_files()?;
        let _puppet = Puppet::start(&site.server, true)?;
        let guard = guard(
            site,
            &[
                "login_time = \"5s\"",
                "max_sessions = 0",
                "connections_per_second = 0",
            ],
            &[],
        )?;
        let mut partner = [log_in(&site.stranger)?];
        let start = Instant::now();
        let numbers: Vec<_> = (0..SLOW).collect();
        let slow = in_parallel(8, &numbers, |number| -> Result<TcpStream> {
            let mut stream = connect(&site.client, control())?;
            stream.set_read_timeout(Some(LIMIT))?;
            let mut greeting = [0; 3];
            stream.read_exact(&mut greeting)?;
            if number % 10 == 0 {
                // A word now and then is no login.
                stream.write_all(b"NOOP\r\n")?;
            }
            Ok(stream)
        });
        let slow = slow.into_iter().collect::<Result<Vec<_>>>()?;
        println!("{SLOW} sessions after {:?}", start.elapsed());
        let mut second = [log_in(&site.stranger).context("among slow sessions")?];

        let ended = in_parallel(8, &slow, |stream| ends(stream));
        let alive = ended.iter().filter(|ended| !**ended).count();
        println!("all ended after {:?}", start.elapsed());
        ensure!(alive == 0, "{alive} of {SLOW} sessions go on");
        ensure!(start.elapsed() >= LOGIN_TIME, "they ended too soon");
        ensure_alive(&mut partner)?;
        ensure_alive(&mut second)?;
        wait_until("nothing is left of them", LIMIT, || {
            let (tables, proven) = (Tables::read(&guard)?, Proven::read(&guard)?);
            Ok((tables.live == 2 && proven.opening == 0 && proven.sources == 1).then_some(()))
        })
        .with_context(|| format!("{:?} {:?}", Tables::read(&guard), Proven::read(&guard)))?;
        let events = guard.cli(&["events", "--json", "--reason", "login_timeout"])?;
        ensure!(!events.text().is_empty(), "no event tells of it");
        Ok(())
    });
}

/// Whether the guard ends a connection, by a reset, within the limit.
fn ends(mut stream: &TcpStream) -> bool {
    let mut rest = [0; 64];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return true,
            // The answer to its only command.
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn passive_ports_that_nobody_uses() {
    Site::test(|site| {
        let settings = servers::Settings {
            passive: 50_000..=50_100,
            ..servers::Settings::default()
        };
        let ftp = FtpServer::start(Make::Vsftpd, &site.server, &settings)?;
        ftp.put("file.bin", &vec![1; 1 << 20])?;
        let guard = guard(site, &[], &[])?;
        let mut greedy = log_in(&site.client)?;
        let mut ports = 0;
        while greedy.passive().is_ok() {
            ports += 1;
            ensure!(ports < 100, "nobody stops it");
        }
        println!("{ports} ports");
        ensure!(
            dropped_egress(&guard, "pinhole_limit")?,
            "not for the limit's sake"
        );
        wait_until("the session is ended", LIMIT, || {
            let events = guard.cli(&["events", "--json", "--reason", "ports_held"])?;
            Ok(events.text().contains("ports_held").then_some(()))
        })?;
        let download = Download::start(&site.stranger, Family::V4, 21, "file.bin")?;
        ensure!(download.finish()? == 1 << 20, "the partner's download");
        // Who was greedy can begin anew.
        let download = Download::start(&site.client, Family::V4, 21, "file.bin")?;
        ensure!(download.finish()? == 1 << 20, "the client's download");
        Ok(())
    });
}

#[test]
fn wrong_passwords() {
    const TRY_FOR: Duration = Duration::from_secs(6);
    Site::test(|site| {
        let _ftp = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let limits = ["connections_per_second = 2", "connections_burst = 5"];
        let guard = guard(site, &limits, &[])?;
        let start = Instant::now();
        let tries = in_parallel(10, &[(); 10], |()| {
            let mut refused = 0;
            while start.elapsed() < TRY_FOR {
                refused += usize::from(try_wrongly(&site.client).is_ok());
            }
            refused
        });
        let (tries, took): (usize, _) = (tries.iter().sum(), start.elapsed());
        println!("{tries} wrong passwords in {took:?}");
        ensure!(tries > 0, "the server heard none");
        // The first connections at once, then two a second.
        let most = 5 + 2 * (took.as_secs() as usize + 1);
        ensure!(tries <= most, "{tries} wrong passwords in {took:?}");
        let reason = dropped_for(&guard, "source_rate")? + dropped_for(&guard, "session_limit")?;
        ensure!(reason > 0, "none was refused: {:?}", guard.dropped()?);
        ensure_alive(&mut [log_in(&site.stranger)?])
    });
}

/// One connection and one wrong password, as those do who try many.
fn try_wrongly(host: &Host) -> Result<()> {
    let stream = connect(host, control())?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    for command in ["", &format!("USER {USER}\r\n"), "PASS wrong\r\n"] {
        stream.get_mut().write_all(command.as_bytes())?;
        line.clear();
        ensure!(stream.read_line(&mut line)? > 0, "the connection ended");
    }
    ensure!(line.starts_with("530"), "{line}");
    Ok(())
}

fn dropped_egress(guard: &Guard, reason: &str) -> Result<bool> {
    let status = guard.status()?;
    Ok(status["egress_counters"].to_string().contains(reason))
}

/// A shell's usual limit is 1024, which it may raise; each connection takes three here.
fn allow_many_files() -> Result<()> {
    let wanted = 4 * SLOW as libc::rlim_t;
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the struct is whole.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    ensure!(
        known && limit.rlim_max >= wanted,
        "{wanted} open files are needed"
    );
    limit.rlim_cur = limit.rlim_cur.max(wanted);
    // SAFETY: the struct is whole.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0;
    ensure!(set, "RLIMIT_NOFILE: {}", std::io::Error::last_os_error());
    Ok(())
}
