//! The laboratory itself: what the other suites rely on.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Family, Identity, Lab, Site,
    clients::{Client, Direction, Negotiation, Transfer},
    servers::{FtpServer, Make, Settings},
    tap::Tap,
    wait_until,
};

const LIMIT: Duration = Duration::from_secs(20);

/// Set for the process that `a_killed_test_leaves_nothing` kills, and for all that it starts.
const MARK: &str = "FTP_GUARD_LAB_MARK";

#[test]
fn a_dropped_process_is_gone_with_its_children() {
    let lab = Lab::new().unwrap();
    lab.judge(|| {
        let host = lab.host("host")?;
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 4711 & echo started; wait"]);
        let process = host.spawn(command)?;
        wait_until("the shell's word", LIMIT, || {
            Ok(process.stdout().contains("started").then_some(()))
        })?;
        let group = process.id();
        ensure!(
            members(group)? == 2,
            "the shell and its child share a group"
        );
        drop(process);
        wait_until("the end of the group", LIMIT, || {
            Ok((members(group)? == 0).then_some(()))
        })
    });
}

#[test]
fn nobody_can_do_nothing() {
    let lab = Lab::new().unwrap();
    lab.judge(|| {
        let host = lab.host("host")?;
        let mut command = Command::new("cat");
        command.arg("/proc/self/status");
        let status = host.run_as(Identity::Nobody, command, LIMIT)?.stdout;
        for line in [
            "Uid:\t65534\t65534\t65534\t65534",
            "CapEff:\t0000000000000000",
            "NoNewPrivs:\t1",
        ] {
            ensure!(status.contains(line), "not found: {line:?} in\n{status}");
        }
        Ok(())
    });
}

#[test]
fn the_segment_carries_frames_as_a_wire_would() {
    Site::test(|site| {
        for host in [&site.server, &site.client] {
            host.disable_offloads(Site::INTERFACE)?;
        }
        let tap = Tap::open(&site.client, Site::INTERFACE)?;
        let server = FtpServer::start(Make::Vsftpd, &site.server, &Settings::default())?;
        let negotiation = Negotiation::Epsv;
        Transfer::new(Client::Curl, Family::V6, negotiation, Direction::Download)
            .make(&site.client, &server)?;
        let frames = tap.drain()?;
        let longest = frames.iter().map(Vec::len).max();
        // An Ethernet header and an MTU of 1500 bytes.
        ensure!(
            longest == Some(1514),
            "the longest of {} frames: {longest:?}",
            frames.len()
        );
        Ok(())
    });
}

#[test]
fn a_program_that_does_not_end_is_an_error_and_is_killed() {
    let lab = Lab::new().unwrap();
    lab.judge(|| {
        let host = lab.host("host")?;
        let mut command = Command::new("sleep");
        command.arg("4712");
        let error = host.run(command, Duration::from_millis(100)).unwrap_err();
        ensure!(
            format!("{error:#}").contains("the end of host-sleep"),
            "{error:#}"
        );
        Ok(())
    });
}

#[test]
fn a_killed_test_leaves_nothing() -> Result<()> {
    if env::var_os(MARK).is_some() {
        return be_killed();
    }
    let mark = format!("{MARK}={}", std::process::id());
    let (name, value) = mark.split_once('=').context("a mark")?;
    let mut victim = Command::new(env::current_exe()?)
        .args(["--exact", "--nocapture", "a_killed_test_leaves_nothing"])
        .env(name, value)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = BufReader::new(victim.stdout.take().context("no output")?);
    let started = output
        .lines()
        .map_while(Result::ok)
        .any(|line| line.contains("the lab stands"));
    let before = marked(&mark)?;
    victim.kill()?;
    victim.wait()?;
    ensure!(started, "the victim did not make its lab");
    // The victim, its lab's init, the FTP server, and a process that left the server's group.
    ensure!(before.len() >= 4, "found only {before:?}");
    wait_until("the end of the victim's processes", LIMIT, || {
        Ok(marked(&mark)?.is_empty().then_some(()))
    })
}

/// Makes a lab with a server and a daemon, says so and waits to be killed.
fn be_killed() -> Result<()> {
    let site = Site::new()?;
    let _server = FtpServer::start(Make::Pyftpdlib, &site.server, &Settings::default())?;
    let mut daemon = Command::new("setsid");
    daemon.args(["--fork", "sleep", "4713"]);
    ensure!(site.server.run(daemon, LIMIT)?.success(), "setsid failed");
    println!("the lab stands");
    loop {
        thread::park();
    }
}

/// How many processes are in a process group.
fn members(group: u32) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // After the name in parentheses: state, parent, group.
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let mut fields = after.split_whitespace();
        let alive = fields.next().is_some_and(|state| state != "Z");
        count += usize::from(alive && fields.nth(1) == Some(group.to_string().as_str()));
    }
    Ok(count)
}

/// The command lines of the processes that carry the mark in their environment.
fn marked(mark: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
        {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push(String::from_utf8_lossy(&command).replace('\0', " "));
        }
    }
    Ok(found)
}
