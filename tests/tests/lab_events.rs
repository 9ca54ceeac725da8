//! Events as they come from the kernel to who follows them, and the sysctls that SYN cookies need.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use ftp_guard_tests::lab::{
    Arena, CLIENT, Family, Host, Process, SERVER, STRANGER, Site,
    clients::session::Session,
    flood::{Flood, Pace, Sources},
    guard::{Guard, Settings},
    metrics::Scrape,
    probe::{Answer, expect},
    servers::{self, FtpServer, Make},
    wait_until,
};
use nix::sys::signal::Signal;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(20);

/// `ftp-guard events --follow --json` on a guard's host.
struct Follower(Process);

impl Follower {
    fn start(host: &Host, guard: &Guard) -> Result<Self> {
        let follower = host.spawn(guard.command(&["events", "--follow", "--json"])?)?;
        // It follows once the daemon has read the request; nothing tells when that is, but an event that
        // is made until one is shown.
        let follower = Self(follower);
        wait_until("an event is shown", LIMIT, || {
            guard.ask(&["ban", "add", "203.0.113.1", "--for", "1h"])?;
            guard.ask(&["ban", "remove", "203.0.113.1"])?;
            Ok((!follower.events()?.is_empty()).then_some(()))
        })?;
        Ok(follower)
    }

    /// What it has shown so far.
    fn events(&self) -> Result<Vec<Value>> {
        let text = self.0.stdout();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: {line}")))
            .collect()
    }

    fn of(&self, event: &str) -> Result<Vec<Value>> {
        let mut events = self.events()?;
        events.retain(|found| found["event"] == event);
        Ok(events)
    }

    /// Interrupts it, and checks that this is a clean end.
    fn interrupt(self) -> Result<()> {
        self.0.signal(Signal::SIGINT)?;
        let output = self.0.output(LIMIT)?;
        ensure!(output.code() == 0, "{}: {}", output.code(), output.stderr);
        ensure!(output.stdout.ends_with('\n'), "half a line");
        Ok(())
    }
}

#[test]
fn a_stranger_is_an_event_within_a_second() {
    Site::test(|site| {
        let mut guard = Guard::start(&site.server, Settings::default())?;
        let follower = Follower::start(&site.server, &guard)?;
        for family in Family::BOTH {
            let target = SERVER.at(family, 21);
            let knock = site.stranger.thread(move || {
                let started = std::time::Instant::now();
                let _ = std::net::TcpStream::connect_timeout(&target, Duration::from_millis(300));
                started
            });
            let source = STRANGER.ip(family).to_string();
            let found = wait_until("the event", LIMIT, || {
                let drops = follower.of("drop")?;
                Ok(drops.into_iter().find(|drop| drop["source"] == *source))
            })?;
            let after = knock.join().expect("it knocks").elapsed();
            ensure!(after < Duration::from_millis(1300), "shown {after:?} later");
            let is = |field: &str, value: Value| {
                ensure!(found[field] == value, "{field} is not {value}: {found}");
                Ok(())
            };
            is("verdict", "drop".into())?;
            is("reason", "not_listed".into())?;
            is("hook", "xdp".into())?;
            is("class", "control".into())?;
            is("destination", SERVER.ip(family).to_string().into())?;
            is("destination_port", 21.into())?;
            is("flags", "syn".into())?;
            is("suppressed", 0.into())?;
            ensure!(found["bytes"].as_u64() >= Some(60), "{found}");
            ensure!(found["source_port"].as_u64() >= Some(1024), "{found}");
            let time: jiff::Timestamp = found["time"].as_str().context("a time")?.parse()?;
            let age = jiff::Timestamp::now().duration_since(time).as_secs_f64();
            ensure!((-0.1..5.0).contains(&age), "{age} s old");
        }
        follower.interrupt()?;

        // Those of the past, filtered, as lines for people.
        let address = STRANGER.ip(Family::V4).to_string();
        let shown = guard.cli(&["events", "--source", &address, "--reason", "not_listed"])?;
        shown.expect(0)?.says("drop not_listed")?.says(&address)?;
        ensure!(!shown.text().contains("banned"), "{shown}");
        guard.cli(&["events", "--reason", "listed"])?.expect(2)?;
        let one = guard.cli(&["events", "--limit", "1", "--json"])?;
        ensure!(one.text().lines().count() == 1, "{one}");

        // The log has them too, and a session that is ended is one.
        ensure!(guard.daemon()?.stderr().contains("drop not_listed"));
        Ok(())
    });
}

#[test]
fn a_session_that_is_ended_by_a_ban_is_two_events() {
    Site::test(|site| {
        let server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let guard = Guard::start(&site.server, Settings::default())?;
        let _session = Session::log_in(&site.client, Family::V4, server.port())?;
        let client = CLIENT.ip(Family::V4).to_string();
        guard.ask(&["ban", "add", &client, "--for", "1h"])?;
        let events = wait_until("the end is told", LIMIT, || {
            let shown = guard.cli(&["events", "--json", "--source", &client])?;
            let events: Vec<Value> = shown
                .text()
                .lines()
                .map(serde_json::from_str)
                .collect::<Result<_, _>>()?;
            let ended = events.iter().any(|event| event["event"] == "session_ended");
            Ok(ended.then_some(events))
        })?;
        let find = |name: &str| events.iter().find(|event| event["event"] == name);
        let ban = find("ban_added").context("no ban")?;
        ensure!(ban["prefix"] == format!("{client}/32"), "{ban}");
        let ended = find("session_ended").context("no end")?;
        ensure!(ended["reason"] == "banned", "{ended}");
        ensure!(ended["part"] == "session", "{ended}");
        Ok(())
    });
}

#[test]
fn a_flood_is_sampled_and_every_packet_is_accounted_for() {
    const PER_SECOND: u64 = 5;
    const BURST: u64 = 20;
    Site::test(|site| {
        let settings = Settings {
            more: vec![format!(
                "[events]\nper_second = {PER_SECOND}\nburst = {BURST}\njournal = false"
            )],
            ..Settings::default()
        };
        let mut guard = Guard::start(&site.server, settings)?;
        let follower = Follower::start(&site.server, &guard)?;
        let started = std::time::Instant::now();
        let flood = Flood::start(
            &site.stranger,
            &STRANGER,
            &SERVER,
            &[SERVER.at(Family::V4, 21)],
            Sources::Random,
            Pace::PerMillisecond(10),
        )?;
        wait_until("a few thousand packets", LIMIT, || {
            Ok((flood.sent() >= 5_000).then_some(()))
        })?;
        flood.stop()?;
        let lasted = started.elapsed().as_secs_f64();
        let (dropped, reported, suppressed) = wait_until("all is told", LIMIT, || {
            let dropped = guard.counted(&[("verdict", "drop"), ("reason", "not_listed")])?;
            let reported = follower
                .of("drop")?
                .iter()
                .filter(|drop| drop["reason"] == "not_listed")
                .count() as u64;
            let suppressed = suppressed(&guard.status()?, "not_listed");
            let whole = dropped == reported + suppressed;
            Ok(whole.then_some((dropped, reported, suppressed)))
        })?;
        let cpus = fs::read_to_string("/proc/cpuinfo")?
            .matches("processor\t")
            .count() as u64;
        let most = cpus * (BURST + PER_SECOND * (lasted.ceil() as u64 + 1));
        ensure!(
            reported >= BURST && reported <= most,
            "{reported}, {most} at most"
        );
        println!("{dropped} dropped in {lasted:.1} s, {reported} reported, {suppressed} not");

        let scrape = Scrape::of(&site.server, Guard::METRICS)?;
        let labels = [("reason", "not_listed")];
        let exported = scrape.sum("ftp_guard_events_suppressed_total", &labels)?;
        ensure!(exported == suppressed as f64, "{exported} exported");
        let drops = scrape.sum("ftp_guard_events_total", &[("event", "drop")])?;
        ensure!(drops == reported as f64, "{drops} events exported");
        ensure!(!guard.daemon()?.stderr().contains("drop not_listed"));

        // The next daemon reads on: what came while none ran is told, as far as it was sampled.
        guard.kill9()?;
        expect(
            &site.stranger,
            &[SERVER.at(Family::V6, 990)],
            Answer::Nothing,
        )?;
        guard.launch()?;
        wait_until("the successor tells", LIMIT, || {
            let shown = guard.cli(&["events", "--json"])?;
            let source = STRANGER.ip(Family::V6).to_string();
            Ok(shown.text().contains(&source).then_some(()))
        })
    });
}

fn suppressed(status: &Value, reason: &str) -> u64 {
    let counts = status["flood"]["events"]["suppressed"].as_array();
    let counts = counts.into_iter().flatten();
    counts
        .filter(|count| count["reason"] == reason)
        .filter_map(|count| count["packets"].as_u64())
        .sum()
}

/// The two sysctls of a host.
fn sysctls(host: &Host) -> Result<BTreeMap<&'static str, String>> {
    host.enter(|| {
        ["tcp_syncookies", "tcp_timestamps"]
            .into_iter()
            .map(|name| {
                let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"))?;
                Ok((name, text.trim().to_owned()))
            })
            .collect()
    })
}

fn values(tcp_syncookies: &str, tcp_timestamps: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("tcp_syncookies", tcp_syncookies.to_owned()),
        ("tcp_timestamps", tcp_timestamps.to_owned()),
    ])
}

fn with_cookies(setting: &str) -> Settings {
    Settings {
        more: vec![format!("[limits]\nsyn_cookies = \"{setting}\"")],
        ..Settings::default()
    }
}

#[test]
fn sysctls_are_set_while_cookies_are_on_and_put_back_by_detach() {
    // In this one the other end of the server's cable takes what a program answers.
    Arena::test(|arena| {
        let host = &arena.server;
        host.sysctl("net/ipv4/tcp_syncookies", "0")?;
        host.sysctl("net/ipv4/tcp_timestamps", "1")?;
        let before = values("0", "1");
        let settings = Settings {
            interfaces: Arena::interfaces(),
            ..with_cookies("always")
        };
        let mut guard = Guard::start(host, settings)?;
        ensure!(sysctls(host)? == values("2", "2"), "{:?}", sysctls(host)?);
        let cookies = guard.status()?["flood"]["cookies"].clone();
        ensure!(cookies["engaged"] == true, "{cookies}");
        ensure!(cookies["sysctls_set"] == true, "{cookies}");
        ensure!(cookies["unavailable"].is_null(), "{cookies}");

        // The end of a daemon ends no cookies; its successor knows what the sysctls were.
        guard.terminate()?;
        ensure!(sysctls(host)? == values("2", "2"));
        guard.launch()?;
        ensure!(guard.status()?["flood"]["cookies"]["engaged"] == true);
        guard.cli(&["detach"])?.expect(0)?;
        guard.join()?;
        ensure!(sysctls(host)? == before, "{:?}", sysctls(host)?);

        // Without a daemon, too, and after a hard end of it.
        guard.launch()?;
        guard.kill9()?;
        ensure!(sysctls(host)? == values("2", "2"));
        guard.cli(&["status"])?.says("tcp_syncookies")?;
        guard.cli(&["detach"])?.expect(0)?;
        ensure!(sysctls(host)? == before, "{:?}", sysctls(host)?);

        // What somebody else has set meanwhile stays.
        guard.launch()?;
        host.sysctl("net/ipv4/tcp_timestamps", "0")?;
        wait_until("the change is noticed", LIMIT, || {
            let warnings = guard.status()?["warnings"].to_string();
            Ok(warnings.contains("tcp_timestamps is 0").then_some(()))
        })?;
        guard.cli(&["detach"])?.expect(0)?;
        guard.join()?;
        ensure!(sysctls(host)? == values("0", "0"), "{:?}", sysctls(host)?);
        Ok(())
    });
}

#[test]
fn where_cookies_are_not_possible_status_says_why() {
    Site::test(|site| {
        let host = &site.server;
        let before = sysctls(host)?;
        for (settings, why) in [
            // The other end of a veth takes no answers unless it polls.
            (with_cookies("off"), "veth"),
            (with_cookies("always"), "veth"),
            (
                Settings {
                    xdp_mode: "generic",
                    ..with_cookies("auto")
                },
                "",
            ),
            (
                Settings {
                    role: "router",
                    ..with_cookies("always")
                },
                "router",
            ),
        ] {
            let mut guard = Guard::start(host, settings)?;
            let cookies = guard.status()?["flood"]["cookies"].clone();
            ensure!(cookies["engaged"] == false, "{cookies}");
            let unavailable = cookies["unavailable"].as_str().unwrap_or_default();
            ensure!(
                unavailable.contains(why) && unavailable.is_empty() == why.is_empty(),
                "{cookies}"
            );
            ensure!(sysctls(host)? == before);
            guard.cli(&["detach"])?.expect(0)?;
            guard.join()?;
        }
        Ok(())
    });
}
