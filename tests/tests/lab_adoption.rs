//! What a daemon finds and what it makes of it: pins of another layout, tables of another size, several
//! interfaces that come and go with the configuration.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, Map, MapData};
use ftp_guard_common::names::ABI_MAP;
use ftp_guard_tests::lab::{
    Addresses, CLIENT, End, Family, Identity, SERVER, STRANGER, Site,
    flood::{Flood, Pace, Sources},
    guard::{self, Guard},
    probe::{Answer, expect, expect_control_port},
    servers::{self, FtpServer, Make},
    tap::Tap,
    wait_until,
};

const LIMIT: Duration = Duration::from_secs(20);

/// A second cable between server and stranger.
const SECOND: &str = "eth1";
const SERVER_SECOND: Addresses = second(1);
const STRANGER_SECOND: Addresses = second(3);

const fn second(number: u8) -> Addresses {
    let Addresses { mac, v4, .. } = Addresses::number(number);
    let [a, b, _, d] = v4.octets();
    Addresses {
        mac: [mac[0], mac[1], mac[2], mac[3], 9, mac[5]],
        v4: std::net::Ipv4Addr::new(a, b, 9, d),
        v6: std::net::Ipv6Addr::new(0xfd00, 0x231, 9, 0, 0, 0, 0, number as u16),
    }
}

#[test]
fn pins_of_another_layout_are_refused() {
    Site::test(|site| {
        let _server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let mut guard = Guard::start(&site.server, guard::Settings::default())?;
        guard.kill9()?;
        let pin = format!("{}/{ABI_MAP}", guard.settings().pins());
        let pin = guard.folder().outside(&pin);
        let mut abi: Array<_, u32> = Map::Array(MapData::from_pin(pin)?).try_into()?;
        abi.set(0, 999, 0)?;

        let refused = guard.run_in_vain(Identity::Root)?;
        ensure!(refused.code() == 1, "exit code {}", refused.code());
        for words in ["table layout 999", "ftp-guard detach"] {
            ensure!(
                refused.stderr.contains(words),
                "no word of {words}: {}",
                refused.stderr
            );
        }
        expect_control_port(&site.stranger, Answer::Nothing)?;

        guard.cli(&["detach"])?.expect(0)?;
        expect_control_port(&site.stranger, Answer::Connected)?;
        guard.launch()?;
        expect_control_port(&site.stranger, Answer::Nothing)
    });
}

#[test]
fn tables_of_another_size_take_over_under_fire() {
    Site::test(|site| {
        let _server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let settings = guard::Settings::default();
        let mut guard = Guard::start(&site.server, settings.clone())?;
        let tap = Tap::open(&site.server, Site::INTERFACE)?;
        let targets = [SERVER.at(Family::V4, 21), SERVER.at(Family::V6, 21)];
        let pace = Pace::PerMillisecond(5);
        let unlisted = Flood::start(
            &site.stranger,
            &STRANGER,
            &SERVER,
            &targets,
            Sources::Own,
            pace,
        )?;
        for max_entries in [100, 30_000, 50_000] {
            guard.terminate()?;
            let folder = guard.folder();
            let changed = guard::Settings {
                max_entries,
                ..settings.clone()
            };
            folder.write(&settings.file(), changed.toml(&folder))?;
            guard.launch()?;
            let lists = [("verdict", "drop"), ("reason", "not_listed")];
            ensure!(guard.counted(&lists)? > 0, "the counters did not survive");
            expect_control_port(&site.client, Answer::Connected)
                .with_context(|| format!("with {max_entries} entries"))?;
        }
        let sent = unlisted.stop()?;
        let leaked = tap.tcp_segments_from(&STRANGER.ips())?;
        ensure!(leaked == 0, "{leaked} of {sent} SYNs came through");
        let listed = tap_sees_the_client(site, &tap)?;
        ensure!(listed > 0, "the tap sees nothing at all");
        Ok(())
    });
}

/// The tap is alive: segments of the client pass it.
fn tap_sees_the_client(site: &Site, tap: &Tap) -> Result<usize> {
    tap.drain()?;
    expect_control_port(&site.client, Answer::Connected)?;
    Ok(tap.tcp_segments_from(&CLIENT.ips())?)
}

#[test]
fn interfaces_come_and_go_with_the_configuration() {
    Site::test(|site| {
        let _server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let near = End {
            host: &site.server,
            interface: SECOND,
        };
        let far = End {
            host: &site.stranger,
            interface: SECOND,
        };
        site.lab.connect(near, far)?;
        site.server.configure(SECOND, &SERVER_SECOND)?;
        site.stranger.configure(SECOND, &STRANGER_SECOND)?;
        let both = guard::Settings {
            interfaces: vec![Site::INTERFACE.to_owned(), SECOND.to_owned()],
            ..guard::Settings::default()
        };
        let one = guard::Settings::default();
        let guard = Guard::start(&site.server, both.clone())?;
        let first = [SERVER.at(Family::V4, 21)];
        let second = [SERVER_SECOND.at(Family::V4, 21)];
        ensure!(
            guard.attached()? == both.interfaces,
            "attached to {:?}",
            guard.attached()?
        );
        expect(&site.stranger, &first, Answer::Nothing)?;
        expect(&site.stranger, &second, Answer::Nothing)?;

        let folder = guard.folder();
        folder.write(&one.file(), one.toml(&folder))?;
        guard.cli(&["reload"])?.expect(0)?;
        ensure!(guard.attached()? == one.interfaces);
        expect(&site.stranger, &first, Answer::Nothing)?;
        expect(&site.stranger, &second, Answer::Connected)?;
        let status = guard.cli(&["status"])?;
        status.expect(0)?.says(SECOND)?;

        folder.write(&both.file(), both.toml(&folder))?;
        guard.cli(&["reload"])?.expect(0)?;
        expect(&site.stranger, &second, Answer::Nothing)
    });
}

#[test]
fn dropped_packets_are_logged_when_asked_for() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, guard::Settings::default())?;
        let daemon = site
            .server
            .spawn(guard.command(&["run", "--trace-packets"])?)?;
        wait_until("the daemon answers", LIMIT, || {
            Ok(guard.cli(&["status"])?.success().then_some(()))
        })?;
        expect_control_port(&site.stranger, Answer::Nothing)?;
        wait_until("the packet is in the log", LIMIT, || {
            let log = daemon.stdout() + &daemon.stderr();
            // `drop` and `not_listed` and `control` by their numbers.
            Ok(log.contains("verdict 1 reason 16 class 1").then_some(()))
        })
    });
}
