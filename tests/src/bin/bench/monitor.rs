//! What it costs to read control connections: many sessions at vsftpd, each with a command a second, once
//! with a guard that reads them and once with one that does not.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    CLIENT, End, Family, Host, Lab, PASSWORD, SERVER, Site, USER,
    guard::{self, Guard},
    servers::{self, FtpServer, Make},
};
use serde_json::json;

use crate::{Options, load, machine, process};

/// Sessions at one time.
const SESSIONS: usize = 2000;
/// Sessions at one time, to see that it works.
const QUICK_SESSIONS: usize = 200;
/// Threads that hold them.
const HANDS: usize = 8;
/// Time between two commands of a session.
const PACE: Duration = Duration::from_secs(1);
/// Time for a reply.
const LIMIT: Duration = Duration::from_secs(60);

/// What was measured with one setting.
struct Measured {
    inspect: bool,
    /// Commands a second, all sessions together.
    commands: f64,
    /// Processor time of the daemon, in processors.
    cpu: f64,
    /// Resident memory of the daemon before the first session, in KiB.
    rss_before: u64,
    /// The same with all sessions.
    rss: u64,
}

/// Measures and prints.
pub fn run(options: &Options) -> Result<()> {
    let (sessions, seconds) = if options.quick {
        (QUICK_SESSIONS, 5)
    } else {
        (SESSIONS, 30)
    };
    let lab = Lab::new()?;
    lab.install_accounts()?;
    let (server, client) = (lab.host("server")?, lab.host("client")?);
    let interface = Site::INTERFACE;
    let ends = [&server, &client].map(|host| End { host, interface });
    lab.connect(ends[0], ends[1])?;
    server.configure(interface, &SERVER)?;
    client.configure(interface, &CLIENT)?;
    let _ftp = FtpServer::start(Make::Vsftpd, &server, &servers::Settings::default())?;
    let mut all = Vec::new();
    for inspect in [true, false] {
        let time = Duration::from_secs(seconds);
        all.push(measure(&server, &client, inspect, sessions, time)?);
    }
    print(&all, sessions, options)
}

fn measure(
    server: &Host,
    client: &Host,
    inspect: bool,
    sessions: usize,
    time: Duration,
) -> Result<Measured> {
    let mut more = guard::Settings::unlimited();
    more.push(format!("[inspect]\nenabled = {inspect}"));
    let settings = guard::Settings {
        more,
        ..guard::Settings::default()
    };
    let mut guard = Guard::start(server, settings)?;
    let pid = guard.daemon()?.id();
    let rss_before = process::resident_kib(pid)?;
    let hands: Vec<_> = (0..HANDS)
        .map(|_| client.thread(move || hold(sessions / HANDS)))
        .collect();
    let mut held = Vec::new();
    for hand in hands {
        held.push(join(hand)?);
    }
    let (start, cpu) = (Instant::now(), process::cpu_seconds(pid)?);
    let hands: Vec<_> = held
        .into_iter()
        .map(|sessions| client.thread(move || talk(sessions, time)))
        .collect();
    let mut commands = 0;
    let mut held = Vec::new();
    for hand in hands {
        let (sessions, count) = join(hand)?;
        held.push(sessions);
        commands += count;
    }
    let seconds = start.elapsed().as_secs_f64();
    let measured = Measured {
        inspect,
        commands: commands as f64 / seconds,
        cpu: (process::cpu_seconds(pid)? - cpu) / seconds,
        rss_before,
        rss: process::resident_kib(pid)?,
    };
    drop(held);
    guard.cli(&["detach"])?.expect(0)?;
    guard.join()?;
    Ok(measured)
}

fn join<T>(hand: thread::JoinHandle<Result<T>>) -> Result<T> {
    hand.join()
        .unwrap_or_else(|_| Err(anyhow::anyhow!("a client panicked")))
}

/// A control connection that is logged in.
struct Control(BufReader<TcpStream>);

impl Control {
    fn say(&mut self, line: &str) -> Result<()> {
        Ok(write!(self.0.get_mut(), "{line}\r\n")?)
    }

    fn expect(&mut self, code: &str) -> Result<()> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        ensure!(line.starts_with(code), "{code} expected, not {line:?}");
        Ok(())
    }
}

fn hold(count: usize) -> Result<Vec<Control>> {
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let stream = TcpStream::connect_timeout(&SERVER.at(Family::V4, 21), LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut control = Control(BufReader::new(stream));
        control.expect("220")?;
        control.say(&format!("USER {USER}"))?;
        control.expect("331")?;
        control.say(&format!("PASS {PASSWORD}"))?;
        control.expect("230")?;
        held.push(control);
    }
    Ok(held)
}

/// A command of each session, then their replies, again and again; how many there were.
fn talk(mut sessions: Vec<Control>, time: Duration) -> Result<(Vec<Control>, u64)> {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < time {
        let round = Instant::now();
        for control in &mut sessions {
            control.say("CWD /")?;
        }
        for control in &mut sessions {
            control.expect("250").context("a steady session")?;
            count += 1;
        }
        thread::sleep(PACE.saturating_sub(round.elapsed()));
    }
    Ok((sessions, count))
}

fn print(all: &[Measured], sessions: usize, options: &Options) -> Result<()> {
    let (processor, kernel) = machine();
    if options.json {
        let rows: Vec<_> = all
            .iter()
            .map(|row| {
                json!({
                    "inspect": row.inspect,
                    "commands_per_second": row.commands,
                    "daemon_cpu": row.cpu,
                    "daemon_rss_before_kib": row.rss_before,
                    "daemon_rss_kib": row.rss,
                })
            })
            .collect();
        let result = json!({
            "processor": processor,
            "kernel": kernel,
            "load": load(),
            "sessions": sessions,
            "settings": rows,
        });
        println!("{}", serde_json::to_string_pretty(&result)?);
        return Ok(());
    }
    println!(
        "{sessions} sessions at vsftpd, each with a command a second.\n\n\
         {processor}; Linux {kernel}; load {}.\n\n\
         | inspect | commands/s | daemon, processors | memory before, KiB | memory with all, KiB |\n\
         | --- | ---: | ---: | ---: | ---: |",
        load()
    );
    for row in all {
        let inspect = if row.inspect { "on" } else { "off" };
        println!(
            "| {inspect} | {:.0} | {:.4} | {} | {} |",
            row.commands, row.cpu, row.rss_before, row.rss
        );
    }
    Ok(())
}
