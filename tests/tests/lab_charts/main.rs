//! Dashboard and alerts: a real Prometheus evaluates the expressions of both while a guard sees what they are about.
//! A panel without data, or an alert that asks for a series that there never is, would look like peace.

mod files;

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, Host, SERVER, STRANGER, Site, USER,
    clients::{Client, Direction, Negotiation, Transfer, session::Session},
    flood::{Flood, Pace, Sources},
    guard::{Guard, Settings},
    probe::{Answer, expect, knock},
    prometheus::Prometheus,
    servers::{self, FtpServer, Make},
    wait_until,
};

use self::files::{panels, read, selectors};

/// Time for a state to be reached, and to be scraped.
const LIMIT: Duration = Duration::from_secs(60);
/// Servers take seconds to refuse a password.
const REPLY: Duration = Duration::from_secs(30);
/// Time in which a SYN that is refused is sent twice.
const PATIENCE: Duration = Duration::from_millis(1500);

/// `detect.max_failures` as it is when nothing is said.
const MAX_FAILURES: usize = 5;
/// `max_sessions` of the profile here.
const MAX_SESSIONS: usize = 6;

/// Selectors of alerts that hold nothing here, and why.
const ABSENT: [(&str, &str); 5] = [
    ("mode=\"none\"", "no interface is missing"),
    ("mode=\"generic\"", "the driver runs the program itself"),
    ("_table_full", "no table is full"),
    ("reason=\"expired\"", "no entry has expired"),
    (
        "rule=\"vulnerable_software\"",
        "whether the server here has a hole is the distribution's affair",
    ),
];

/// Alerts that the traffic here is a reason for and that wait for nothing.
const REASONS: [&str; 3] = [
    "FtpGuardBruteForce",
    "FtpGuardCriticalDetection",
    "FtpGuardUnderAttack",
];

/// A control connection of somebody who is not let in.
struct Guesser(BufReader<TcpStream>);

impl Guesser {
    fn connect(host: &Host, server: SocketAddr) -> Result<Self> {
        let stream = host.enter(|| TcpStream::connect_timeout(&server, REPLY))?;
        stream.set_read_timeout(Some(REPLY))?;
        let mut guesser = Self(BufReader::new(stream));
        guesser.wait_for("220")?;
        Ok(guesser)
    }

    fn say(&mut self, line: &str) -> Result<()> {
        Ok(write!(self.0.get_mut(), "{line}\r\n")?)
    }

    /// Reads up to the last line of a reply, which is expected to have this code.
    fn wait_for(&mut self, code: &str) -> Result<()> {
        let mut line = String::new();
        while !line.starts_with(&format!("{code} ")) {
            line.clear();
            let read = self.0.read_line(&mut line)?;
            ensure!(
                read > 0 && line.starts_with(code),
                "{code} expected, not {line:?}"
            );
        }
        Ok(())
    }
}

/// What partners do: transfers of all kinds, a session too many, ports that were not negotiated, a command that the
/// profile denies, a path that leaves the folder.
fn partners(site: &Site, server: &FtpServer) -> Result<Vec<Session>> {
    for transfer in Transfer::all(Client::Curl, Family::V4) {
        transfer.make(&site.client, server)?;
    }
    let way = (Negotiation::Epsv, Direction::Download);
    Transfer::new(Client::Curl, Family::V6, way.0, way.1).make(&site.client, server)?;

    let mut held = vec![Session::log_in(&site.client, Family::V4, server.port())?];
    held[0].command("CWD ../../../../../../etc")?;
    let mut denied = Session::log_in(&site.client, Family::V4, server.port())?;
    // The guard answers in the server's name and ends the session: whether the line arrives is not the matter here.
    let _ = denied.command("SITE CHMOD 000 victim");
    let control = [SERVER.at(Family::V4, server.port())];
    while held.len() <= MAX_SESSIONS {
        let answers = knock(&site.client, &control, PATIENCE);
        if answers.iter().all(|(_, answer)| *answer == Answer::Nothing) {
            break;
        }
        held.push(Session::log_in(&site.client, Family::V4, server.port())?);
    }
    ensure!(held.len() <= MAX_SESSIONS, "{} sessions", held.len());
    // At its limit the client is refused, and is never answered with a cookie.
    held.truncate(1);
    expect(
        &site.client,
        &[SERVER.at(Family::V4, 50_009)],
        Answer::Nothing,
    )?;
    Ok(held)
}

/// What others do: a backdoor is tried, passwords are guessed until the source is banned, and a flood.
fn others(site: &Site, guard: &Guard, server: &FtpServer) -> Result<()> {
    let control = SERVER.at(Family::V4, server.port());
    Guesser::connect(&site.stranger, control)?.say("USER smile:)")?;
    for number in 1..=MAX_FAILURES {
        let mut guesser = Guesser::connect(&site.stranger, control)?;
        guesser.say(&format!("USER {USER}"))?;
        guesser.wait_for("331")?;
        guesser.say(&format!("PASS wrong-{number}"))?;
        guesser.wait_for("530")?;
    }
    wait_until("the guesser is banned", LIMIT, || {
        let answers = knock(&site.stranger, &[control], PATIENCE);
        let silent = answers.iter().all(|(_, answer)| *answer == Answer::Nothing);
        Ok(silent.then_some(()))
    })?;
    flood(guard, "not_listed", &site.stranger, Sources::Random)?;
    flood(guard, "syn_cookie", &site.client, Sources::Own)
}

/// Floods the control port until a thousand packets were counted under a reason.
fn flood(guard: &Guard, reason: &str, host: &Host, sources: Sources) -> Result<()> {
    let own = match sources {
        Sources::Own => &CLIENT,
        Sources::Random => &STRANGER,
    };
    let targets = [SERVER.at(Family::V4, 21)];
    let flood = Flood::start(
        host,
        own,
        &SERVER,
        &targets,
        sources,
        Pace::PerMillisecond(2),
    )?;
    wait_until(&format!("a thousand times {reason}"), LIMIT, || {
        Ok((guard.counted(&[("reason", reason)])? >= 1000).then_some(()))
    })?;
    flood.stop().map(drop)
}

/// Waits until every expression has data, a number at least once; tells all that have none.
fn all_have_data(prometheus: &Prometheus, asked: &[(String, String)]) -> Result<()> {
    let mut empty: Vec<&(String, String)> = asked.iter().collect();
    let waited = wait_until("all have data", LIMIT, || {
        let mut still = Vec::new();
        for question in &empty {
            let values = prometheus
                .query(&question.1)
                .with_context(|| format!("{}: {}", question.0, question.1))?;
            if values.iter().all(|value| value.is_nan()) {
                still.push(*question);
            }
        }
        empty = still;
        Ok(empty.is_empty().then_some(()))
    });
    waited.with_context(|| format!("without data: {empty:#?}"))
}

#[test]
fn no_panel_is_empty_and_no_alert_asks_in_vain() {
    Site::test(|site| {
        site.take_answers()?;
        let server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let settings = Settings {
            more: [
                "[limits]",
                // Both hosts of the lab are in one /64.
                "ipv6_source_prefix = 128",
                "attack_rate = 200",
                "[profile.default]",
                &format!("max_sessions = {MAX_SESSIONS}"),
                "deny_commands = [\"SITE CHMOD\"]",
            ]
            .map(str::to_owned)
            .to_vec(),
            ..Settings::default()
        }
        .listing(&[CLIENT, STRANGER]);
        let guard = Guard::start(&site.server, settings)?;
        let rules = read("prometheus/ftp-guard.rules.yml")?;
        let prometheus = Prometheus::start_with_rules(&site.server, Guard::METRICS, &rules)?;
        // Counters that are there before anything happens are seen to grow.
        wait_until("the first scrape", LIMIT, || {
            Ok((prometheus.query("up")? == [1.0]).then_some(()))
        })?;

        let held = partners(site, &server)?;
        others(site, &guard, &server)?;
        all_have_data(&prometheus, &panels()?)?;
        drop(held);

        let alerts = prometheus.alerts()?;
        ensure!(
            alerts.len() == rules.matches("- alert: ").count(),
            "{} alerts",
            alerts.len()
        );
        let mut asked = Vec::new();
        for alert in &alerts {
            let name = alert["name"].as_str().context("an alert without name")?;
            let query = alert["query"].as_str().context(name.to_owned())?;
            let of_alert = selectors(query);
            ensure!(!of_alert.is_empty(), "{name} asks for nothing: {query}");
            for selector in of_alert {
                if !ABSENT.iter().any(|(part, _)| selector.contains(part)) {
                    asked.push((name.to_owned(), format!("last_over_time({selector}[10m])")));
                }
            }
        }
        all_have_data(&prometheus, &asked)?;

        wait_until("each alert was evaluated, and some came", LIMIT, || {
            let alerts = prometheus.alerts()?;
            for alert in &alerts {
                ensure!(alert["health"] != "err", "{alert}");
            }
            let healthy = alerts.iter().all(|alert| alert["health"] == "ok");
            let came = |name: &&str| {
                let mut of_name = alerts.iter().filter(|alert| alert["name"] == **name);
                of_name.any(|alert| alert["state"] == "firing")
            };
            Ok((healthy && REASONS.iter().all(came)).then_some(()))
        })
    });
}
