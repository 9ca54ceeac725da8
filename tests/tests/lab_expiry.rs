//! Allowlist entries end to the second.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    process::Command,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, ensure};
use ftp_guard::frame::{FrameSpec, TcpFlags, tcp_frame};
use ftp_guard_tests::lab::{
    Family, SERVER, STRANGER, Site,
    guard::{Guard, Settings},
    probe::{Answer, expect_control_port},
    tap::{Tap, tcp_source},
    wait_until,
};

const LIMIT: Duration = Duration::from_secs(30);

/// For how long the entry lasts: commands may take a second each on a loaded machine.
const LASTS: u64 = 8;

/// Between sending a frame and the guard's look at it, on a loaded machine.
const WAY: Duration = Duration::from_millis(500);

/// A SYN of the stranger, known by its source.
struct Sent {
    source: SocketAddr,
    before: Duration,
    after: Duration,
}

/// The kernel itself ends the entry: no daemon runs when its second comes.
#[test]
fn an_entry_ends_to_the_second_without_a_daemon() {
    Site::test(|site| {
        let settings = Settings {
            more: Settings::unlimited(),
            ..Settings::default()
        };
        let mut guard = Guard::start(&site.server, settings)?;
        let end = now()?.as_secs() + LASTS;
        let [v4, v6] = STRANGER.ips().map(|address| address.to_string());
        guard.ask(&["allow", "add", &v4, &v6, "--expires", &rfc3339(end)?])?;
        guard.kill9()?;

        let end = Duration::from_secs(end);
        let seen = Tap::open(&site.server, Site::INTERFACE)?;
        let sent = send_until(site, end + Duration::from_secs(2))?;
        wait_until("the last frame was judged", LIMIT, || {
            let dropped = guard.counted(&[("verdict", "drop"), ("reason", "expired")])?;
            Ok(
                (dropped >= sent.iter().filter(|sent| sent.before >= end).count() as u64)
                    .then_some(()),
            )
        })?;
        let came: BTreeSet<_> = seen
            .drain()?
            .iter()
            .filter_map(|frame| tcp_source(frame))
            .collect();

        let early: Vec<_> = sent.iter().filter(|sent| sent.after + WAY < end).collect();
        let late: Vec<_> = sent.iter().filter(|sent| sent.before >= end).collect();
        ensure!(
            early.len() > 20 && late.len() > 20,
            "{} and {} sent",
            early.len(),
            late.len()
        );
        let lost = early
            .iter()
            .filter(|sent| !came.contains(&sent.source))
            .count();
        ensure!(
            lost == 0,
            "{lost} of {} were dropped before the end",
            early.len()
        );
        let leaked: Vec<_> = late
            .iter()
            .filter(|sent| came.contains(&sent.source))
            .map(|sent| sent.before - end)
            .collect();
        ensure!(
            leaked.is_empty(),
            "came through, so long after the end: {leaked:?}"
        );

        expect_control_port(&site.client, Answer::Refused)?;
        swept(&mut guard, &v4)
    });
}

/// The next daemon takes the entry out of the kernel, and a running one does when the time comes.
/// The file keeps it.
fn swept(guard: &mut Guard, ended: &str) -> Result<()> {
    let held = |guard: &Guard, entries: u64| -> Result<Option<()>> {
        Ok((guard.status()?["allowlist"]["ipv4"] == entries).then_some(()))
    };
    ensure!(
        held(guard, 2)?.is_some(),
        "the entry left the kernel by itself"
    );
    guard.launch()?;
    wait_until("the next daemon sweeps", LIMIT, || held(guard, 1))?;
    let test = guard.ask(&["allow", "test", ended])?;
    ensure!(
        test["allowed"] == false && test["reason"] == "expired",
        "{test}"
    );

    let report = guard.ask(&["allow", "add", "192.0.2.1", "--expires", "2s"])?;
    ensure!(report["added"] == 1, "{report}");
    wait_until("a running daemon sweeps", LIMIT, || held(guard, 1))
}

/// Sends SYNs of the stranger, each from another port, until `end`.
fn send_until(site: &Site, end: Duration) -> Result<Vec<Sent>> {
    let tap = Tap::open(&site.stranger, Site::INTERFACE)?;
    let mut sent = Vec::new();
    for port in 10_000_u16.. {
        for family in Family::BOTH {
            let source = STRANGER.at(family, port);
            let mut frame = tcp_frame(&FrameSpec {
                source: source.ip(),
                destination: SERVER.ip(family),
                source_port: port,
                destination_port: 21,
                flags: TcpFlags::SYN,
                vlans: Vec::new(),
                payload: Vec::new(),
            });
            frame[..6].copy_from_slice(&SERVER.mac);
            frame[6..12].copy_from_slice(&STRANGER.mac);
            let before = now()?;
            tap.send(&frame)?;
            sent.push(Sent {
                source,
                before,
                after: now()?,
            });
        }
        if now()? > end {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(sent)
}

/// Time since 1970.
fn now() -> Result<Duration> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?)
}

/// A time in seconds since 1970 as RFC 3339 writes it.
fn rfc3339(seconds: u64) -> Result<String> {
    let mut command = Command::new("date");
    command.args([
        "--utc",
        &format!("--date=@{seconds}"),
        "+%Y-%m-%dT%H:%M:%SZ",
    ]);
    let output = command.output()?;
    ensure!(output.status.success(), "date: {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
