//! Bans against a real server: they close all ports to their sources, end what is under way, end by
//! themselves, and survive the daemon.

#[path = "lab_sessions/download.rs"]
mod download;

use std::{
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, Host, Identity, Router, SERVER, STRANGER, Site,
    clients::{Client, Direction, Negotiation, Transfer, session::Session},
    guard::{Guard, Settings},
    probe::{Answer, expect, expect_control_port},
    servers::{self, FtpServer, Make},
    wait_until,
};

use self::download::Download;

const LIMIT: Duration = Duration::from_secs(30);

/// For how long a ban lasts that is to end by itself: commands may take a second each on a loaded
/// machine.
const LASTS: u64 = 6;

fn start(site: &Site, settings: Settings) -> Result<(FtpServer, Guard)> {
    let server = FtpServer::start(Make::ProFtpd, &site.server, &servers::Settings::default())?;
    Ok((server, Guard::start(&site.server, settings)?))
}

fn download(client: &Host, server: &FtpServer, family: Family) -> Result<()> {
    let way = (Negotiation::Epsv, Direction::Download);
    Transfer::new(Client::Curl, family, way.0, way.1).make(client, server)
}

fn address(family: Family) -> String {
    CLIENT.ip(family).to_string()
}

/// Packets that were dropped as banned, at ports of a class.
fn dropped(guard: &Guard, class: &str) -> Result<u64> {
    guard.counted(&[("verdict", "drop"), ("reason", "banned"), ("class", class)])
}

/// A time as the guard prints it, in seconds since 1970.
fn seconds(time: &str) -> Result<u64> {
    let output = Command::new("date")
        .args(["-u", "-d", time, "+%s"])
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

#[test]
fn a_ban_ends_session_and_transfers_at_once_and_closes_all_ports() {
    Site::test(|site| {
        let (server, guard) = start(site, Settings::default())?;
        for family in Family::BOTH {
            let other = match family {
                Family::V4 => Family::V6,
                Family::V6 => Family::V4,
            };
            let running = [false, true].map(|active| {
                Download::start(&site.client, &server, family, active)
                    .with_context(|| format!("{family}, active: {active}"))
            });
            let mut idle = Session::log_in(&site.client, family, server.port())?;
            let mut waits = Session::log_in(&site.client, family, server.port())?;
            let open = waits.passive()?;
            let mut unconcerned = Session::log_in(&site.client, other, server.port())?;
            let before = ["control", "passive_data"].map(|class| dropped(&guard, class));

            let report = guard.ask(&["ban", "add", &address(family), "--reason", "test"])?;
            ensure!(
                report["banned"] == 1 && report["bans"][0]["active"] == true,
                "{report}"
            );
            for download in running {
                download?.expect_broken()?;
            }
            ensure!(
                idle.command("NOOP").is_err(),
                "{family}: the idle session goes on"
            );
            ensure!(
                waits.command("NOOP").is_err(),
                "{family}: the other session goes on"
            );
            expect(
                &site.client,
                &[SERVER.at(family, 21), SERVER.at(family, 990), open],
                Answer::Nothing,
            )?;
            let after = ["control", "passive_data"].map(|class| dropped(&guard, class));
            for (before, after) in before.into_iter().zip(after) {
                let (before, after) = (before?, after?);
                ensure!(
                    after > before,
                    "{family}: {before} and then {after} were counted"
                );
            }
            ensure!(unconcerned.command("NOOP")?.starts_with("200"));
            expect(&site.client, &[SERVER.at(other, 21)], Answer::Connected)?;
            let test = guard.ask(&["allow", "test", &address(family)])?;
            ensure!(
                test["reason"] == "banned" && test["ban"]["reason"] == "test",
                "{test}"
            );
            let sessions = guard.ask(&["sessions", "--client", &address(family)])?;
            ensure!(
                sessions["sessions"].as_array().is_some_and(Vec::is_empty),
                "{sessions}"
            );

            let again = guard.cli(&["ban", "add", &address(family), "--for", "1m"])?;
            again.expect(0)?.says("already banned until")?;
            guard
                .cli(&["ban", "remove", &address(family)])?
                .expect(0)?
                .says("no longer banned")?;
            download(&site.client, &server, family)?;
            let absent = guard.cli(&["ban", "remove", &address(family)])?;
            absent.expect(0)?.says("was not banned")?;
        }
        Ok(())
    });
}

#[test]
fn a_ban_ends_by_itself_also_without_a_daemon() {
    Site::test(|site| {
        let (server, mut guard) = start(site, Settings::default())?;
        let [v4, v6] = Family::BOTH.map(address);
        for daemon in [true, false] {
            let lasts = LASTS.to_string();
            let ban = guard.ask(&["ban", "add", &v4, &v6, "--for", &lasts])?;
            let until = seconds(ban["bans"][0]["until"].as_str().context("no end")?)?;
            if !daemon {
                guard.kill9()?;
            }
            expect_control_port(&site.client, Answer::Nothing)?;
            ensure!(now()? < until, "too slow to see the ban");
            wait_until("the ban ends", LIMIT, || {
                let v4 = [SERVER.at(Family::V4, 21)];
                Ok(expect(&site.client, &v4, Answer::Connected).ok())
            })?;
            ensure!(now()? >= until, "it ended too early");
            download(&site.client, &server, Family::V6)?;
        }
        guard.launch()?;
        wait_until("the bans are history", LIMIT, || {
            let history = guard.ask(&["ban", "list", "--history"])?;
            let bans = history["bans"].as_array().context("no bans")?;
            let expired = bans
                .iter()
                .filter(|ban| ban["end"] == "expired" && ban["count"] == 2);
            Ok((expired.count() == 2).then_some(()))
        })?;
        let none = guard.ask(&["ban", "list"])?;
        ensure!(none["bans"].as_array().is_some_and(Vec::is_empty), "{none}");
        Ok(())
    });
}

#[test]
fn a_prefix_is_banned_but_for_those_who_never_are() {
    Site::test(|site| {
        let settings = Settings {
            bans: vec![format!("never_ban = {:?}", Family::BOTH.map(address))],
            ..Settings::default().listing(&[CLIENT, STRANGER])
        };
        let (server, guard) = start(site, settings)?;
        let mut session = Session::log_in(&site.client, Family::V4, server.port())?;
        let mut stranger = Session::log_in(&site.stranger, Family::V4, server.port())?;
        let refused = guard.cli(&["ban", "add", "203.0.113.9", &address(Family::V4)])?;
        refused
            .expect(1)?
            .says("never_ban")?
            .says(&address(Family::V4))?;
        let none = guard.ask(&["ban", "list"])?;
        ensure!(none["bans"].as_array().is_some_and(Vec::is_empty), "{none}");

        let spared = Download::start(&site.client, &server, Family::V4, false)?;
        let wide = ["10.231.0.0/24", "fd00:231::/64"];
        let report = guard.ask(&["ban", "add", wide[0], wide[1], "--for", "1h"])?;
        ensure!(
            report["bans"][0]["exempt"][0] == format!("{}/32", CLIENT.v4),
            "{report}"
        );
        ensure!(
            stranger.command("NOOP").is_err(),
            "the stranger's session goes on"
        );
        ensure!(session.command("NOOP")?.starts_with("200"));
        expect_control_port(&site.stranger, Answer::Nothing)?;
        expect_control_port(&site.client, Answer::Connected)?;
        spared.finish()?;

        // Without the exemption the client is as everybody.
        let folder = guard.folder();
        let file = guard.settings().file();
        let text = folder.read(&file)?;
        let lines = text.lines().filter(|line| !line.starts_with("never_ban"));
        folder.write(&file, lines.collect::<Vec<_>>().join("\n") + "\n")?;
        guard.cli(&["reload"])?.expect(0)?;
        ensure!(
            session.command("NOOP").is_err(),
            "the client's session goes on"
        );
        expect_control_port(&site.client, Answer::Nothing)?;
        folder.write(&file, text)?;
        guard.cli(&["reload"])?.expect(0)?;
        expect_control_port(&site.client, Answer::Connected)
    });
}

#[test]
fn bans_survive_the_daemon_and_follow_their_file() {
    Site::test(|site| {
        let (server, mut guard) = start(site, Settings::default())?;
        let [v4, v6] = Family::BOTH.map(address);
        guard.ask(&["ban", "add", &v4, "--forever", "--by", "suite"])?;
        guard.ask(&["ban", "add", &v6])?;
        guard.kill9()?;
        expect_control_port(&site.client, Answer::Nothing)?;
        guard
            .cli(&["ban", "add", "203.0.113.9"])?
            .expect(1)?
            .says("no daemon answers")?;
        let listed = guard.ask(&["ban", "list"])?;
        ensure!(
            listed["running"] == false && listed["bans"][0]["by"] == "suite",
            "{listed}"
        );

        guard.launch()?;
        expect_control_port(&site.client, Answer::Nothing)?;
        let listed = guard.ask(&["ban", "list"])?;
        let active = listed["bans"].as_array().context("no bans")?;
        ensure!(
            active.len() == 2 && active.iter().all(|ban| ban["active"] == true),
            "{listed}"
        );
        guard.terminate()?;

        // A damaged file keeps a daemon from starting, and what is enforced in place.
        let (folder, file) = (guard.folder(), guard.settings().bans_file());
        let text = folder.read(&file)?;
        folder.write(&file, &text[..text.len() / 2])?;
        let refused = guard.run_in_vain(Identity::Root)?;
        ensure!(refused.code() == 78, "{}", refused.stderr);
        let place = folder.inside(&file).display().to_string();
        ensure!(refused.stderr.contains(&place), "{}", refused.stderr);
        ensure!(folder.read(&file)? == text[..text.len() / 2]);
        expect_control_port(&site.client, Answer::Nothing)?;

        // One ban was taken out while no daemon ran.
        let lines = text.lines().filter(|line| !line.contains("suite"));
        folder.write(&file, lines.collect::<Vec<_>>().join("\n"))?;
        guard.launch()?;
        expect(&site.client, &[SERVER.at(Family::V6, 21)], Answer::Nothing)?;
        download(&site.client, &server, Family::V4)?;
        guard.cli(&["detach"])?.expect(0)?;
        guard.join()?;
        download(&site.client, &server, Family::V6)?;
        guard.launch()?;
        expect(&site.client, &[SERVER.at(Family::V6, 21)], Answer::Nothing)
    });
}

#[test]
fn on_a_router_the_packets_of_a_running_transfer_are_dropped() {
    Router::test(|router| {
        let make = servers::Settings::default();
        let server = FtpServer::start(Make::ProFtpd, &router.server, &make)?;
        let settings = Settings {
            role: "router",
            interfaces: vec![Router::OUTER.to_owned()],
            ..Settings::default().listing(&[Router::CLIENT, Router::STRANGER])
        };
        let guard = Guard::start(&router.router, settings)?;
        let mut session = Session::log_in(&router.client, Family::V4, server.port())?;
        let mut other = Session::log_in(&router.stranger, Family::V4, server.port())?;
        let client = Router::CLIENT.v4.to_string();
        guard
            .cli(&["ban", "add", &client, "--for", "600"])?
            .expect(0)?;
        let before = dropped(&guard, "control")?;
        ensure!(session.command("NOOP").is_err(), "the session goes on");
        ensure!(dropped(&guard, "control")? > before);
        ensure!(other.command("NOOP")?.starts_with("200"));
        guard.cli(&["ban", "remove", &client])?.expect(0)?;
        expect(
            &router.client,
            &[SERVER.at(Family::V4, 21)],
            Answer::Connected,
        )
    });
}
