//! Enforce mode that has to be confirmed: the kernel keeps to the deadline, whatever becomes of the daemon.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ftp_guard_tests::lab::{
    Site,
    guard::{Guard, Settings},
    metrics::Scrape,
    probe::{Answer, expect_control_port},
    wait_until,
};
use serde_json::Value;

/// The shortest time that can be asked for, in seconds.
const SHORTEST: u64 = 10;
/// Enough to be sure that a stranger is refused.
const SURE: Duration = Duration::from_secs(2);
/// For what is due at the deadline on a loaded machine.
const LIMIT: Duration = Duration::from_secs(20);

/// A guard in monitor mode.
fn monitor(site: &Site) -> Result<Guard> {
    let settings = Settings {
        mode: "monitor",
        ..Settings::default()
    };
    let guard = Guard::start(&site.server, settings)?;
    expect_control_port(&site.stranger, Answer::Refused)?;
    Ok(guard)
}

/// Puts it into enforce mode until a deadline; when that is at the earliest and at the latest.
fn try_out(guard: &Guard, seconds: u64) -> Result<(Instant, Instant)> {
    let within = Duration::from_secs(seconds);
    let early = Instant::now() + within;
    let report = guard.ask(&[
        "mode",
        "enforce",
        "--confirm-within",
        &format!("{seconds}s"),
    ])?;
    let late = Instant::now() + within;
    ensure!(
        report["mode"] == "enforce" && report["deadline"]["seconds_left"] == seconds,
        "{report}"
    );
    ensure!(
        in_file(guard)? == "monitor",
        "what is not confirmed is in the file"
    );
    Ok((early, late))
}

/// The mode that the configuration file says.
fn in_file(guard: &Guard) -> Result<String> {
    let path = guard.folder().outside(&guard.settings().file());
    let text = std::fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("mode = "));
    Ok(line.context("no mode in the file")?.replace('"', ""))
}

/// A stranger is refused at least until shortly before `early`, and gets through behind `late`.
fn falls_back(site: &Site, early: Instant, late: Instant) -> Result<()> {
    let mut refused = 0;
    while Instant::now() + SURE < early {
        expect_control_port(&site.stranger, Answer::Nothing)?;
        refused += 1;
    }
    ensure!(refused > 0, "the stranger was never seen refused");
    std::thread::sleep(late.saturating_duration_since(Instant::now()));
    expect_control_port(&site.stranger, Answer::Refused)
}

fn mode(status: &Value) -> (&str, bool, bool) {
    (
        status["mode"].as_str().unwrap_or_default(),
        status["deadline"].is_object(),
        status["fell_back"].is_string(),
    )
}

#[test]
fn a_killed_daemon_cannot_keep_the_guard_from_falling_back() {
    Site::test(|site| {
        let mut guard = monitor(site)?;
        let (early, late) = try_out(&guard, SHORTEST)?;
        guard.kill9()?;
        let status = guard.status()?;
        ensure!(mode(&status) == ("enforce", true, false), "{status}");
        ensure!(status["running"] == false, "{status}");
        falls_back(site, early, late)?;
        let status = guard.status()?;
        ensure!(mode(&status) == ("monitor", false, true), "{status}");
        guard
            .cli(&["status"])?
            .expect(1)?
            .says("nobody confirmed enforce mode in time")?;

        // The next daemon tells it, and puts the configuration right.
        guard.launch()?;
        guard
            .cli(&["events", "--kind", "mode_fell_back"])?
            .expect(0)?
            .says("mode is monitor again since")?;
        guard
            .cli(&["mode", "confirm"])?
            .expect(1)?
            .says("monitor mode again")?
            .says("mode enforce --confirm-within")?;
        expect_control_port(&site.stranger, Answer::Refused)
    });
}

#[test]
fn confirmed_in_time_it_stays() {
    Site::test(|site| {
        let mut guard = monitor(site)?;
        let (_, late) = try_out(&guard, SHORTEST)?;
        let confirmed = guard.ask(&["mode", "confirm"])?;
        ensure!(
            confirmed["changed"] == true && confirmed["deadline"].is_null(),
            "{confirmed}"
        );
        ensure!(in_file(&guard)? == "enforce", "it is not in the file");
        let again = guard.ask(&["mode", "confirm"])?;
        ensure!(again["changed"] == false, "{again}");
        std::thread::sleep(late.saturating_duration_since(Instant::now()));
        std::thread::sleep(Duration::from_secs(1));
        expect_control_port(&site.stranger, Answer::Nothing)?;
        guard.kill9()?;
        let status = guard.status()?;
        ensure!(mode(&status) == ("enforce", false, false), "{status}");
        expect_control_port(&site.stranger, Answer::Nothing)
    });
}

#[test]
fn another_daemon_adopts_the_deadline() {
    Site::test(|site| {
        let mut guard = monitor(site)?;
        let (early, late, before) = replace(&mut guard)?;
        let status = guard.status()?;
        ensure!(
            mode(&status) == ("enforce", true, false),
            "the new daemon lost the deadline: {status}"
        );
        ensure!(
            seconds_apart(&before, &status["deadline"]["at"])? <= 1,
            "the deadline was {before}: {status}"
        );
        let scrape = Scrape::of(&site.server, Guard::METRICS)?;
        let told = scrape.sum("ftp_guard_mode_deadline_timestamp_seconds", &[])?;
        ensure!(told > 1e9, "the metric says {told}");
        falls_back(site, early, late)?;
        wait_until("the daemon has noticed", LIMIT, || {
            let told = guard.cli(&["events", "--kind", "mode_fell_back"])?;
            Ok(told.says("mode is monitor again").is_ok().then_some(()))
        })?;
        let status = guard.status()?;
        ensure!(mode(&status) == ("monitor", false, true), "{status}");
        let scrape = Scrape::of(&site.server, Guard::METRICS)?;
        ensure!(
            scrape.sum("ftp_guard_mode_fallbacks_total", &[])? > 0.0
                && scrape.sum("ftp_guard_mode_deadline_timestamp_seconds", &[])? == 0.0,
            "the metrics say something else"
        );
        ensure!(in_file(&guard)? == "monitor", "the file has changed");
        Ok(())
    });
}

/// Puts another daemon in the place of this one while a deadline is pending: the bounds of [`try_out`], and the
/// deadline that was told before. A loaded machine gets more time for it.
fn replace(guard: &mut Guard) -> Result<(Instant, Instant, Value)> {
    for seconds in [15, 60] {
        let (early, late) = try_out(guard, seconds)?;
        let before = guard.status()?["deadline"]["at"].clone();
        guard.kill9()?;
        guard.launch()?;
        guard.ask(&["reload"])?;
        if Instant::now() + 2 * SURE < early {
            return Ok((early, late, before));
        }
        guard.ask(&["mode", "monitor"])?;
    }
    bail!("a daemon takes longer to start than the deadline is away")
}

/// How far two moments are apart.
fn seconds_apart(one: &Value, other: &Value) -> Result<i64> {
    let seconds = |value: &Value| -> Result<i64> {
        let text = value.as_str().context("no time")?;
        Ok(text.parse::<jiff::Timestamp>()?.as_second())
    };
    Ok((seconds(one)? - seconds(other)?).abs())
}
