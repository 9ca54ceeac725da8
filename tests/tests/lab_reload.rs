//! Reloads under traffic: what stays listed is never absent for an instant.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, SERVER, Site,
    clients::{Client, Direction, Negotiation, Transfer},
    flood::{Flood, Pace, Sources},
    guard::{Guard, Settings},
    probe::{Answer, expect_control_port},
    servers::{self, FtpServer, Make},
    wait_until,
};
use nix::sys::signal::Signal;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

/// Entries of a large list.
const MANY: usize = 10_000;

/// A list of [`MANY`] entries, most of which no other seed has, around the client's own.
///
/// One list in two lists the client's network; the other excludes it and lists the client, so that
/// whatever covers the client changes with each reload.
fn list(seed: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let mut text = if seed.is_multiple_of(2) {
        "10.231.0.0/25\n!10.231.0.0/16\nfd00:231::/64\n!fd00:231::/32\n".to_owned()
    } else {
        format!(
            "{}\n!10.231.0.0/24\n{}\n!fd00:231::/60\n",
            CLIENT.v4, CLIENT.v6
        )
    };
    let mut lines = BTreeSet::new();
    while lines.len() < MANY - 4 {
        lines.insert(match random.random_range(0..4) {
            0 => {
                let [a, b, c, _] = random.random::<[u8; 4]>();
                format!("{}.{b}.{c}.0/24 label=\"seed {seed}\"", 100 + a % 50)
            }
            1 => {
                let [a, b, c, d] = random.random::<[u8; 4]>();
                format!("{}.{b}.{c}.{d}", 100 + a % 50)
            }
            2 => format!("2001:db8:{:x}::/48", random.random::<u16>()),
            _ => format!(
                "2001:db8::{:x}:{:x}",
                random.random::<u16>(),
                random.random::<u16>()
            ),
        });
    }
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// What makes the daemon read its files again.
#[derive(Clone, Copy, Debug)]
enum Cause {
    Change,
    Command,
    Hangup,
}

/// Replaces the list as an editor does, by renaming, and waits until the kernel holds it.
fn reload(guard: &mut Guard, seed: u64, cause: Cause) -> Result<()> {
    let folder = guard.folder();
    let target = folder.outside(&guard.settings().list_file());
    match cause {
        Cause::Change => {
            folder.write("guard/allow.d/new.tmp", list(seed))?;
            fs::rename(folder.outside("guard/allow.d/new.tmp"), &target)?;
        }
        Cause::Command => {
            fs::write(&target, list(seed))?;
            guard.ask(&["reload"])?;
        }
        Cause::Hangup => {
            fs::write(&target, list(seed))?;
            guard.daemon()?.signal(Signal::SIGHUP)?;
        }
    }
    // One address that this list alone has.
    let witness = list(seed)
        .lines()
        .find(|line| line.contains("seed"))
        .map(str::to_owned);
    let witness = witness.unwrap_or_default();
    let address = witness.split('/').next().unwrap_or_default().to_owned();
    wait_until(
        &format!("the kernel holds list {seed} ({cause:?})"),
        LIMIT,
        || {
            let status = guard.status()?;
            let held = count(&status, "ipv4") + count(&status, "ipv6");
            let ours = guard.ask(&["allow", "test", &address])?["allowed"] == true;
            Ok((ours && held == MANY as u64).then_some(()))
        },
    )
}

fn count(status: &Value, family: &str) -> u64 {
    status["allowlist"][family].as_u64().unwrap_or_default()
}

#[test]
fn ten_thousand_entries_change_under_traffic_without_a_dropped_packet() {
    Site::test(|site| {
        let server = FtpServer::start(Make::ProFtpd, &site.server, &servers::Settings::default())?;
        let list = list(0).lines().map(str::to_owned).collect();
        let mut guard = Guard::start(
            &site.server,
            Settings {
                list,
                more: Settings::unlimited(),
                ..Settings::default()
            },
        )?;
        let status = guard.status()?;
        ensure!(
            count(&status, "ipv4") + count(&status, "ipv6") == MANY as u64,
            "{status}"
        );

        let upload = Transfer {
            size: 16 << 20,
            rate: Some(1 << 20),
            ..Transfer::new(
                Client::Curl,
                Family::V4,
                Negotiation::Epsv,
                Direction::Upload,
            )
        };
        let mut transfer = upload.start(&site.client, &server)?;
        // Beside the transfer, enough packets of the listed source that one meets every instant.
        let targets = Family::BOTH.map(|family| SERVER.at(family, 990));
        let pace = Pace::PerMillisecond(10);
        let stream = Flood::start(&site.client, &CLIENT, &SERVER, &targets, Sources::Own, pace)?;

        // Each way once at least, and again as far as the transfer reaches.
        let start = Instant::now();
        let mut reloads = 0;
        for cause in [Cause::Change, Cause::Command, Cause::Hangup].repeat(2) {
            if reloads >= 3 && start.elapsed() > Duration::from_secs(8) {
                break;
            }
            reloads += 1;
            reload(&mut guard, reloads, cause)?;
            let dropped = guard.counted(&[("verdict", "drop")])?;
            ensure!(
                dropped == 0,
                "{dropped} packets dropped by reload {reloads} ({cause:?})"
            );
        }
        ensure!(transfer.goes_on()?, "the transfer ended before the reloads");
        let sent = stream.stop()?;
        transfer.finish(LIMIT)?;
        let dropped = guard.counted(&[("verdict", "drop")])?;
        ensure!(
            dropped == 0,
            "{dropped} packets of a listed source were dropped"
        );
        let passed = guard.counted(&[("reason", "listed"), ("class", "control")])?;
        ensure!(
            passed > sent / 2,
            "of {sent} packets sent the guard saw {passed}"
        );
        Ok(())
    });
}

/// A reload with a mistake changes nothing, and says where the mistake is.
#[test]
fn a_wrong_file_changes_nothing_and_is_named() {
    Site::test(|site| {
        let mut guard = Guard::start(&site.server, Settings::default())?;
        let before = guard
            .cli(&["allow", "export"])?
            .expect(0)?
            .text()
            .to_owned();
        let wrong = "10.231.0.3\n192.0.2.1 expires=tomorrow\n";
        let place = "site.list:2:19: ";

        guard.folder().write(&guard.settings().list_file(), wrong)?;
        wait_until("the daemon refuses the changed file", LIMIT, || {
            Ok(guard.daemon()?.stderr().contains(place).then_some(()))
        })?;
        let last = &guard.status()?["daemon"]["last_reload"];
        ensure!(
            last["success"] == false && last["cause"] == "files",
            "{last}"
        );
        ensure!(last["error"].to_string().contains(place), "{last}");

        guard.cli(&["reload"])?.expect(78)?.says(place)?;
        let said = guard.daemon()?.stderr().matches(place).count();
        guard.daemon()?.signal(Signal::SIGHUP)?;
        wait_until("the daemon refuses the signal", LIMIT, || {
            Ok((guard.daemon()?.stderr().matches(place).count() > said).then_some(()))
        })?;

        ensure!(
            guard.cli(&["allow", "export"])?.text() == before,
            "the allowlist has changed"
        );
        expect(site, Answer::Nothing, Answer::Refused)?;

        // Put right, it is taken by itself.
        guard
            .folder()
            .write(&guard.settings().list_file(), "10.231.0.3\nfd00:231::3\n")?;
        wait_until("the stranger is listed", LIMIT, || {
            Ok((guard.ask(&["allow", "test", "10.231.0.3"])?["allowed"] == true).then_some(()))
        })?;
        expect(site, Answer::Refused, Answer::Nothing)
    });
}

#[test]
fn a_mode_that_was_changed_by_command_persists() {
    Site::test(|site| {
        let mut guard = Guard::start(&site.server, Settings::default())?;
        guard.cli(&["mode"])?.expect(0)?.says("enforce")?;
        expect(site, Answer::Nothing, Answer::Refused)?;
        ensure!(
            guard.ask(&["mode", "monitor"])?["changed"] == true,
            "not changed"
        );
        ensure!(
            guard.ask(&["mode", "monitor"])?["changed"] == false,
            "changed twice"
        );
        expect(site, Answer::Refused, Answer::Refused)?;
        let file = guard.folder().read(&guard.settings().file())?;
        ensure!(file.starts_with("mode = \"monitor\"\n"), "{file}");

        guard.kill9()?;
        guard.launch()?;
        ensure!(
            guard.status()?["mode"] == "monitor",
            "the mode was forgotten"
        );
        expect(site, Answer::Refused, Answer::Refused)?;
        guard.ask(&["mode", "enforce"])?;
        guard.terminate()?;
        guard.launch()?;
        ensure!(
            guard.status()?["mode"] == "enforce",
            "the mode was forgotten"
        );
        expect(site, Answer::Nothing, Answer::Refused)
    });
}

/// What the stranger and the client get from port 21, where nobody listens.
fn expect(site: &Site, stranger: Answer, client: Answer) -> Result<()> {
    expect_control_port(&site.stranger, stranger)?;
    expect_control_port(&site.client, client)
}
