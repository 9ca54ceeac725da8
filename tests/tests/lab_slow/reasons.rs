//! One client of each kind.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use ftp_guard_tests::lab::{
    Family, SERVER, Site,
    guard::Guard,
    servers::{self, FtpServer, Make},
    wait_until,
};

use crate::{
    LIMIT,
    clients::{Control, download, narrow, wait_for_the_end},
    counted, ended_after, join, settings, shown,
};

/// A client: what it does, and when it expects its end.
type Case = fn() -> Result<()>;

const LOGIN: u64 = 3;
const IDLE: u64 = 4;
const DATA_IDLE: u64 = 2;

fn times() -> String {
    format!("login_time = \"{LOGIN}s\"\nidle_time = \"{IDLE}s\"\ndata_idle_time = \"{DATA_IDLE}s\"")
}

/// Connects to a server that accepts and is silent.
fn unheard() -> Result<()> {
    let mut control = Control::connect(990)?;
    let from = Instant::now();
    control.wait_for_the_end()?;
    ended_after("no greeting", from, LOGIN)
}

fn says_nothing() -> Result<()> {
    let mut control = Control::greeted()?;
    let from = Instant::now();
    control.wait_for_the_end()?;
    ended_after("nothing said", from, LOGIN)
}

/// Guesses on, all the time that it has.
fn guesses() -> Result<()> {
    let mut control = Control::greeted()?;
    let from = Instant::now();
    control.say("USER somebody")?;
    control.expect("331")?;
    thread::sleep(Duration::from_millis(1500));
    control.say("USER nobody")?;
    control.wait_for_the_end()?;
    ended_after("USER alone", from, LOGIN)
}

fn idles() -> Result<()> {
    let mut control = Control::logged_in()?;
    thread::sleep(Duration::from_secs(2));
    control.say("NOOP")?;
    control.expect("200")?;
    let from = Instant::now();
    control.wait_for_the_end()?;
    ended_after("idle", from, IDLE)
}

fn waits_at_a_port() -> Result<()> {
    let mut control = Control::logged_in()?;
    control.passive()?;
    let from = Instant::now();
    control.wait_for_the_end()?;
    ended_after("a port, and nobody connects", from, IDLE)
}

/// Asks for ports without end; the settings permit four.
fn takes_ports() -> Result<()> {
    let mut control = Control::logged_in()?;
    for _ in 0..4 {
        control.passive()?;
    }
    let from = Instant::now();
    control.say("EPSV")?;
    control.wait_for_the_end()?;
    ended_after("ports", from, 0)
}

/// Downloads, and does not read. Its host answers the probes of its closed window all the while.
fn does_not_read() -> Result<()> {
    let mut control = Control::logged_in()?;
    let mut data = narrow(control.passive()?)?;
    control.say("RETR big.bin")?;
    control.expect("150")?;
    let from = Instant::now();
    // The server learns that its data connection is gone, and says so on a session that lives.
    control.expect("426")?;
    ended_after("a reader that does not read", from, DATA_IDLE)?;
    control.say("NOOP")?;
    control.expect("200")?;
    wait_for_the_end(&mut data)?;
    let from = Instant::now();
    control.wait_for_the_end()?;
    ended_after("the session behind it", from, IDLE)
}

/// Uploads nothing.
fn does_not_write() -> Result<()> {
    let mut control = Control::logged_in()?;
    let to = control.passive()?;
    let mut data = narrow(to)?;
    control.say("STOR upload.bin")?;
    control.expect("150")?;
    let from = Instant::now();
    wait_for_the_end(&mut data)?;
    ended_after("a writer that does not write", from, DATA_IDLE)
}

#[test]
fn each_ends_with_its_reason_and_a_partner_goes_on() {
    Site::test(|site| {
        let server = FtpServer::start(
            Make::Vsftpd,
            &site.server,
            &servers::Settings {
                rate: Some(24 << 10),
                ..servers::Settings::default()
            },
        )?;
        // Twelve seconds at that rate: longer than any time of the slow.
        let contents: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        server.put("partner.bin", &contents)?;
        server.put("big.bin", &vec![7; 8 << 20])?;
        let silent = site
            .server
            .enter(|| TcpListener::bind(SERVER.at(Family::V4, 990)))?;
        let guard = Guard::start(&site.server, settings(&times()))?;

        let copy = contents.clone();
        let partner = site
            .stranger
            .thread(move || download("partner.bin", &copy).map(drop));
        let cases: [(&str, Case); 8] = [
            ("unheard", unheard),
            ("says nothing", says_nothing),
            ("guesses", guesses),
            ("idles", idles),
            ("waits at a port", waits_at_a_port),
            ("takes ports", takes_ports),
            ("does not read", does_not_read),
            ("does not write", does_not_write),
        ];
        let mut threads: Vec<_> = cases
            .into_iter()
            .map(|(what, case)| (what, site.client.thread(case)))
            .collect();
        threads.push(("partner", partner));
        join(threads)?;
        let expected = BTreeMap::from([
            ("login_timeout", 3),
            ("idle_timeout", 3),
            ("data_idle_timeout", 2),
            ("ports_held", 1),
        ]);
        let found = counted(&site.server, "ended")?;
        // The session of the upload idles as well, or its server closes it.
        let idle = found.get("idle_timeout").copied().unwrap_or(0);
        ensure!(idle == 3 || idle == 4, "{found:?}");
        let but = |counts: &BTreeMap<&'static str, u64>| {
            let others = counts
                .iter()
                .filter(|(reason, _)| **reason != "idle_timeout");
            others
                .map(|(reason, count)| (*reason, *count))
                .collect::<Vec<_>>()
        };
        ensure!(but(&found) == but(&expected), "{found:?}");
        ensure!(counted(&site.server, "would_end")?.is_empty());
        wait_until("the source has its places back", LIMIT, || {
            let sources = guard.ask(&["sessions", "--sources"])?;
            Ok(sources["sources"]
                .as_array()
                .is_some_and(Vec::is_empty)
                .then_some(()))
        })?;
        drop(silent);
        Ok(())
    });
}

#[test]
fn monitor_mode_tells_and_ends_nothing() {
    Site::test(|site| {
        let _server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let settings = ftp_guard_tests::lab::guard::Settings {
            mode: "monitor",
            ..settings(&times())
        };
        let guard = Guard::start(&site.server, settings)?;
        let mut controls = site
            .client
            .enter(|| Ok::<_, anyhow::Error>([Control::greeted()?, Control::logged_in()?]))?;
        let sessions = shown(&guard)?;
        // Numbers of sessions are those of the processors that saw them begin: in no order.
        let mut logins: Vec<_> = sessions
            .iter()
            .map(|session| (session["profile"].as_str(), session["login"].as_str()))
            .collect();
        logins.sort_unstable();
        ensure!(
            logins == [(Some("slow"), Some("no")), (Some("slow"), Some("yes"))],
            "{logins:?}"
        );
        let wanted = BTreeMap::from([("idle_timeout", 1), ("login_timeout", 1)]);
        wait_until("both would end", LIMIT, || {
            Ok((counted(&site.server, "would_end")? == wanted).then_some(()))
        })?;
        thread::sleep(Duration::from_secs(3));
        ensure!(counted(&site.server, "would_end")? == wanted, "once each");
        ensure!(counted(&site.server, "ended")?.is_empty());
        for control in &mut controls {
            control.say("NOOP")?;
            let code = control.expect("")?;
            ensure!(code.starts_with("200") || code.starts_with("530"), "{code}");
        }
        // Enforced, it is the end of those that still are too slow.
        guard.cli(&["mode", "enforce"])?.expect(0)?;
        controls[0].wait_for_the_end()?;
        Ok(())
    });
}
