//! Enforcement outlives the daemon, and ends only when it is told to.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use aya::programs::links::{FdLink, PinnedLink};
use ftp_guard_tests::lab::{
    Family, Identity, SERVER, STRANGER, Site,
    clients::{Client, Direction, Negotiation, Transfer},
    flood::{Flood, Pace, Sources},
    guard::{self, Guard},
    probe::{Answer, expect_control_port},
    servers::{self, FtpServer, Make},
    tap::Tap,
    wait_until,
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);

/// What each link on an interface is called in its pin.
const LINKS: [&str; 3] = ["link", "egress", "control"];

/// How often the daemon is replaced under fire.
const TAKEOVERS: usize = 3;

#[test]
fn a_killed_daemon_leaves_enforcement_and_its_successor_takes_over() {
    Site::test(|site| {
        let server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let mut guard = Guard::start(&site.server, guard::Settings::default())?;
        guard.ask(&[
            "allow",
            "add",
            "192.0.2.0/24",
            "2001:db8::7",
            "--label",
            "a partner",
        ])?;
        let program = program_id(&guard)?;
        let behind = programs(&guard)?;

        let slow = Transfer {
            size: 8 << 20,
            rate: Some(256 << 10),
            ..upload()
        };
        let mut transfer = slow.start(&site.client, &server)?;
        wait_until("the transfer flows", LIMIT, || {
            Ok((transfer.arrived() > 100 << 10).then_some(()))
        })?;

        let tap = Tap::open(&site.server, Site::INTERFACE)?;
        let targets = [SERVER.at(Family::V4, 21), SERVER.at(Family::V6, 50000)];
        let pace = Pace::PerMillisecond(10);
        let flood = Flood::start(
            &site.stranger,
            &STRANGER,
            &SERVER,
            &targets,
            Sources::Own,
            pace,
        )?;

        guard.kill9()?;
        ensure!(
            guard.status()?["running"] == false,
            "a killed daemon answers"
        );
        let before = flood.sent();
        stranger_gets(site, Answer::Nothing)?;
        ensure!(
            flood.sent() > before + 1000,
            "the flood is too thin to prove anything"
        );

        for _ in 0..TAKEOVERS {
            guard.launch()?;
            guard.kill9()?;
        }
        guard.launch()?;
        ensure!(
            transfer.goes_on()?,
            "the transfer ended before the new daemon had taken over"
        );
        ensure!(
            program_id(&guard)? != program,
            "the successor runs the old program"
        );
        let now = programs(&guard)?;
        ensure!(
            behind
                .iter()
                .zip(&now)
                .all(|(old, new)| old.0 == new.0 && old.1 != new.1),
            "links were {behind:?} with their programs, and are {now:?}"
        );
        let sent = flood.stop()?;
        let leaked = tap.tcp_segments_from(&STRANGER.ips())?;
        ensure!(leaked == 0, "{leaked} of {sent} SYNs came through");
        let counted = guard.counted(&[("verdict", "drop"), ("reason", "not_listed")])?;
        ensure!(
            counted >= sent / 2,
            "{sent} SYNs were sent and only {counted} dropped"
        );

        transfer.finish(LIMIT)?;
        // To the passive range over IPv4 there was nothing but the transfer.
        let hurt = [
            ("verdict", "drop"),
            ("class", "passive_data"),
            ("family", "ipv4"),
        ];
        let hurt = guard.counted(&hurt)?;
        ensure!(hurt == 0, "{hurt} packets of the transfer were dropped");

        let list = guard.cli(&["allow", "list"])?;
        list.expect(0)?
            .says("192.0.2.0/24")?
            .says("2001:db8::7")?
            .says("a partner")?;
        ensure!(
            guard.ask(&["allow", "test", "192.0.2.77"])?["allowed"] == true,
            "not in the kernel"
        );
        Ok(())
    });
}

#[test]
fn sigterm_leaves_enforcement_in_place_and_says_so() {
    Site::test(|site| {
        let mut guard = Guard::start(&site.server, guard::Settings::default())?;
        let output = guard.terminate()?;
        ensure!(output.success(), "SIGTERM: {}", output.status);
        ensure!(
            output.stderr.contains("enforcement stays in place"),
            "{}",
            output.stderr
        );
        stranger_gets(site, Answer::Nothing)?;
        let status = guard.status()?;
        ensure!(
            status["running"] == false && status["mode"] == "enforce",
            "{status}"
        );
        ensure!(guard.attached()? == [Site::INTERFACE], "{status}");
        Ok(())
    });
}

#[test]
fn detach_ends_enforcement_with_and_without_a_daemon() {
    Site::test(|site| {
        let mut guard = Guard::start(&site.server, guard::Settings::default())?;
        stranger_gets(site, Answer::Nothing)?;
        guard.cli(&["detach"])?.expect(0)?.says(Site::INTERFACE)?;
        let output = guard.join()?;
        ensure!(output.success(), "the daemon ended with {}", output.status);
        nothing_is_left(site, &guard)?;
        stranger_gets(site, Answer::Refused)?;

        guard.launch()?;
        stranger_gets(site, Answer::Nothing)?;
        guard.kill9()?;
        guard.cli(&["detach"])?.expect(0)?.says(Site::INTERFACE)?;
        nothing_is_left(site, &guard)?;
        stranger_gets(site, Answer::Refused)?;
        guard.cli(&["detach"])?.expect(0)?;
        Ok(())
    });
}

#[test]
fn an_interface_that_comes_back_is_guarded_again() {
    Site::test(|site| {
        let guard = Guard::start(&site.server, guard::Settings::default())?;
        site.unplug_server()?;
        wait_until("the guard misses the interface", LIMIT, || {
            let status = guard.status()?;
            let missing = status["missing_interfaces"] == Value::from(vec![Site::INTERFACE]);
            Ok((missing && guard.attached()?.is_empty()).then_some(()))
        })?;
        site.plug_server()?;
        wait_until("the guard is back on the interface", LIMIT, || {
            Ok((guard.attached()? == [Site::INTERFACE]).then_some(()))
        })?;
        stranger_gets(site, Answer::Nothing)?;
        expect_control_port(&site.client, Answer::Refused)
    });
}

#[test]
fn a_renamed_interface_stays_guarded_and_is_told_by_its_new_name() {
    const RENAMED: &str = "lan0";
    Site::test(|site| {
        let guard = Guard::start(&site.server, guard::Settings::default())?;
        let program = program_id(&guard)?;
        site.server.ip(&[
            format!("link set {} down", Site::INTERFACE),
            format!("link set {} name {RENAMED}", Site::INTERFACE),
            format!("link set {RENAMED} up"),
            // Going down has taken the IPv6 address, and only that.
            format!("addr add {}/64 dev {RENAMED} nodad", SERVER.v6),
        ])?;
        stranger_gets(site, Answer::Nothing)?;
        wait_until("the status has the new name", LIMIT, || {
            Ok((guard.attached()? == [RENAMED]).then_some(()))
        })?;

        let renamed = guard::Settings {
            interfaces: vec![RENAMED.to_owned()],
            ..guard::Settings::default()
        };
        let folder = guard.folder();
        folder.write(&renamed.file(), renamed.toml(&folder))?;
        guard.cli(&["reload"])?.expect(0)?;
        ensure!(guard.attached()? == [RENAMED], "{:?}", guard.attached()?);
        ensure!(
            program_id(&guard)? == program,
            "the program was taken off and put on again"
        );
        stranger_gets(site, Answer::Nothing)?;
        expect_control_port(&site.client, Answer::Refused)?;

        guard.cli(&["detach"])?.expect(0)?.says(RENAMED)?;
        stranger_gets(site, Answer::Refused)
    });
}

#[test]
fn a_program_that_somebody_took_off_is_put_back() {
    Site::test(|site| {
        let guard = Guard::start(&site.server, guard::Settings::default())?;
        for link in LINKS {
            std::fs::remove_file(pin_of(&guard, link))?;
            wait_until("the guard is back on the interface", LIMIT, || {
                let attached = guard.attached()? == [Site::INTERFACE];
                Ok((attached && pin_of(&guard, link).exists()).then_some(()))
            })?;
        }
        stranger_gets(site, Answer::Nothing)
    });
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    Site::test(|site| {
        let guard = Guard::start(&site.server, guard::Settings::default())?;
        let output = guard.run_in_vain(Identity::Root)?;
        ensure!(
            output.code() == 1,
            "exit code {}: {}",
            output.code(),
            output.stderr
        );
        ensure!(
            output.stderr.contains("another ftp-guard daemon"),
            "{}",
            output.stderr
        );
        ensure!(
            guard.status()?["running"] == true,
            "the first daemon is gone"
        );
        stranger_gets(site, Answer::Nothing)
    });
}

/// Nobody listens on port 21, so that an unguarded stack refuses.
fn stranger_gets(site: &Site, wanted: Answer) -> Result<()> {
    expect_control_port(&site.stranger, wanted)
}

/// The pin of one of the [`LINKS`].
fn pin_of(guard: &Guard, link: &str) -> PathBuf {
    let pins = guard.folder().outside(&guard.settings().pins());
    pins.join(format!("{link}-{}", Site::INTERFACE))
}

/// The kernel ids of all links, and those of the programs behind them.
fn programs(guard: &Guard) -> Result<Vec<(u32, u32)>> {
    LINKS
        .into_iter()
        .map(|link| {
            let link = FdLink::from(PinnedLink::from_pin(pin_of(guard, link))?);
            let info = link.info()?;
            Ok((info.id(), info.program_id()))
        })
        .collect()
}

/// Neither a program on the interface nor a pin.
fn nothing_is_left(site: &Site, guard: &Guard) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(["-details", "link", "show", "dev", Site::INTERFACE]);
    let link = site.server.run(command, LIMIT)?.stdout;
    ensure!(!link.contains("xdp"), "{link}");
    let pins = guard.folder().outside(&guard.settings().pins());
    ensure!(!pins.exists(), "the folder of the pins is still there");
    Ok(())
}

fn program_id(guard: &Guard) -> Result<u64> {
    let status = guard.status()?;
    let id = status["interfaces"][0]["program_id"].as_u64();
    id.with_context(|| format!("no program: {status}"))
}

fn upload() -> Transfer {
    Transfer::new(
        Client::Curl,
        Family::V4,
        Negotiation::Pasv,
        Direction::Upload,
    )
}
