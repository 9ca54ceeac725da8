//! `init` on a host with real servers: what it finds, what it writes, and that a guard runs with it.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, Host, Identity, STRANGER, Site,
    clients::session::Session,
    guard::{Guard, Settings},
    probe::{Answer, expect_control_port},
    servers::{self, FtpServer, Make},
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

/// A host whose guard has no files yet.
fn bare(host: &Host) -> Result<Guard> {
    let guard = Guard::prepare(host, Settings::default())?;
    let settings = guard.settings();
    for file in [settings.file(), settings.list_file()] {
        fs::remove_file(guard.folder().outside(&file))?;
    }
    Ok(guard)
}

fn server(host: &Host, make: Make, port: u16, first: u16) -> Result<FtpServer> {
    let settings = servers::Settings {
        port,
        passive: first..=first + 10,
        ..servers::Settings::default()
    };
    FtpServer::start(make, host, &settings)
}

/// What a list of objects has under a name, in order.
fn column(report: &Value, list: &str, name: &str) -> Vec<Value> {
    let rows = report[list].as_array().into_iter().flatten();
    rows.map(|row| row[name].clone()).collect()
}

#[test]
fn three_servers_a_session_and_a_guard_that_runs_with_what_was_written() {
    Site::test(|site| {
        let folder = site.lab.folder();
        let _vsftpd = server(&site.server, Make::Vsftpd, 21, 50_000)?;
        let _proftpd = server(&site.server, Make::ProFtpd, 2121, 51_000)?;
        let _pure_ftpd = server(&site.server, Make::PureFtpd, 3121, 52_000)?;
        // It was given its settings as arguments, and this is how Debian's wrapper keeps them.
        folder.write("pure/PassivePortRange", "52000 52010\n")?;
        folder.write("pure/TLS", "1\n")?;
        let mut guard = bare(&site.server)?;
        let session = Session::log_in(&site.client, Family::V4, 21)?;
        let _other = Session::log_in(&site.client, Family::V4, 2121)?;

        let configurations = ["vsftpd-21.conf", "proftpd-2121.conf", "pure"];
        let configurations = configurations.map(|name| folder.inside(name).display().to_string());
        let socket = guard.folder().inside(&guard.settings().socket());
        let socket = socket.display().to_string();
        let mut init = vec!["init", "--propose", "--socket", &socket];
        for path in &configurations {
            init.extend(["--server-config", path]);
        }
        let report = guard.ask(&init)?;
        let expect = |list: &str, name: &str, expected: Value| {
            let found = Value::from(column(&report, list, name));
            ensure!(found == expected, "{list}.{name}: {found} in {report:#}");
            Ok(())
        };
        let source = CLIENT.ip(Family::V4).to_string();
        expect("interfaces", "name", json!(["eth0"]))?;
        expect("interfaces", "guarded", json!([true]))?;
        expect(
            "configurations",
            "server",
            json!(["vsftpd", "ProFTPD", "Pure-FTPd"]),
        )?;
        let ranges = json!([["50000-50010"], ["51000-51010"], ["52000-52010"]]);
        expect("configurations", "passive_ports", ranges)?;
        for configuration in column(&report, "configurations", "tls") {
            ensure!(configuration[0]["tls"] == "offered", "{configuration}");
        }
        expect("sessions", "source", json!([source]))?;
        expect("sessions", "ports", json!([[21, 2121]]))?;
        expect("files", "state", json!(["made", "made"]))?;
        let mut found = column(&report, "servers", "server");
        found.dedup();
        ensure!(found == ["vsftpd", "proftpd", "pure-ftpd"], "{report:#}");
        ensure!(report["settings"]["control_ports"] == json!([21, 990, 2121, 3121]));
        ensure!(report["settings"]["passive_ports"].is_null(), "{report:#}");
        ensure!(
            report["remarks"] == json!([]) && report["unseen"] == json!([]),
            "{report:#}"
        );

        guard
            .cli(&["check"])?
            .expect(0)?
            .says("1 allowlist entry")?
            .says("passive ports: 51000-51010 (ProFTPD, ")?;

        // Once more is no error, and something else is not overwritten.
        let again = guard.ask(&init)?;
        let states = column(&again, "files", "state");
        ensure!(states == ["unchanged", "unchanged"], "{again:#}");
        let list = guard.folder().outside("guard/allow.d/proposed.list");
        let kept = "203.0.113.9  # mine\n";
        fs::write(&list, kept)?;
        guard
            .cli(&init)?
            .expect(1)?
            .says("--force")?
            .says("proposed.list")?;
        ensure!(fs::read_to_string(&list)? == kept, "it was overwritten");
        init.push("--force");
        let forced = guard.ask(&init)?;
        let backup = forced["files"][0]["backup"].as_str().context("no backup")?;
        let name = Path::new(backup).file_name().context("no name")?;
        ensure!(
            fs::read_to_string(list.with_file_name(name))? == kept,
            "{forced:#}"
        );
        ensure!(fs::read_to_string(&list)?.contains(&source), "not replaced");

        // A lab has its own places for what the guard keeps.
        let file = guard.folder().outside(&guard.settings().file());
        let text = fs::read_to_string(&file)?;
        let own = |name: &str| folder.inside(name).display().to_string();
        let text = text
            .replace("/sys/fs/bpf/ftp-guard", &own(&guard.settings().pins()))
            .replace("/var/lib/ftp-guard", &own("guard/lib"));
        fs::write(&file, text)?;
        guard.launch()?;
        let status = guard.status()?;
        ensure!(status["mode"] == "monitor", "{status:#}");
        let sessions = guard.ask(&["sessions"])?;
        ensure!(sessions.to_string().contains(&source), "{sessions:#}");
        // A stranger is counted, and comes in all the same.
        drop(Session::log_in(&site.stranger, Family::V4, 3121)?);
        ensure!(
            guard.counted(&[("verdict", "would_drop"), ("reason", "not_listed")])? > 0,
            "nothing is counted"
        );
        guard.cli(&["mode", "enforce"])?.expect(0)?;
        expect_control_port(&site.stranger, Answer::Nothing)?;
        let mut session = session;
        ensure!(
            session.command("NOOP")?.starts_with('2'),
            "the session was cut"
        );
        drop(Session::log_in(&site.client, Family::V4, 2121)?);

        // The new configuration would end enforcement: that is said.
        guard.cli(&init)?.expect(0)?.says("mode = \"enforce\"")?;
        Ok(())
    });
}

#[test]
fn a_server_on_an_odd_port_is_found_by_what_it_was_started_with() {
    Site::test(|site| {
        let _vsftpd = server(&site.server, Make::Vsftpd, 2121, 50_000)?;
        let guard = bare(&site.server)?;
        let mut session = Session::log_in(&site.stranger, Family::V6, 2121)?;
        // Where it waits for data is no control port.
        let data = session.passive()?;
        let report = guard.ask(&["init", "--dry-run"])?;
        let settings = &report["settings"];
        ensure!(
            settings["control_ports"] == json!([21, 990, 2121]),
            "{data}: {report:#}"
        );
        let path = site.lab.folder().inside("vsftpd-2121.conf");
        ensure!(settings["server_configs"] == json!([path]), "{report:#}");
        ensure!(settings["passive_ports"].is_null(), "{report:#}");
        let text = report["files"][0]["text"].as_str().context("no text")?;
        let source = STRANGER.ip(Family::V6);
        ensure!(
            text.contains(&format!("\n# {source}  # port 2121\n")),
            "{text}"
        );
        let file = guard.folder().outside(&guard.settings().file());
        ensure!(!file.exists(), "a dry run writes nothing");
        Ok(())
    });
}

#[test]
fn a_server_whose_configuration_nobody_reads_leaves_something_to_fill_in() {
    Site::test(|site| {
        let _server = server(&site.server, Make::Pyftpdlib, 2121, 50_000)?;
        // Its configuration could be read, but it was started without any.
        let _other = server(&site.server, Make::PureFtpd, 3121, 52_000)?;
        let guard = bare(&site.server)?;
        let report = guard.ask(&["init"])?;
        ensure!(
            column(&report, "servers", "server").contains(&"ftp_server".into()),
            "{report:#}"
        );
        ensure!(
            report["settings"]["passive_ports"] == json!(["50000-50100"]),
            "{report:#}"
        );
        let remarks = report["remarks"].to_string();
        ensure!(
            remarks.contains("passive range of ftp_server on port 2121"),
            "{remarks}"
        );
        ensure!(
            remarks.contains("the configuration of pure-ftpd (process "),
            "{remarks}"
        );
        guard.cli(&["check"])?.expect(0)?;
        Ok(())
    });
}

#[test]
fn nobody_sees_less_and_is_told() {
    Site::test(|site| {
        let _vsftpd = server(&site.server, Make::Vsftpd, 2121, 50_000)?;
        let guard = bare(&site.server)?;
        let as_nobody = |arguments: &[&str]| -> Result<_> {
            let command = guard.command(arguments)?;
            site.server.run_as(Identity::Nobody, command, LIMIT)
        };
        let output = as_nobody(&["init", "--dry-run", "--json"])?;
        ensure!(output.code() == 0, "{}", output.stderr);
        let report: Value = serde_json::from_str(&output.stdout)?;
        let unseen = report["unseen"].to_string();
        ensure!(
            unseen.contains("2121") && unseen.contains("Root"),
            "{report:#}"
        );
        ensure!(
            column(&report, "interfaces", "name") == ["eth0"],
            "{report:#}"
        );
        let output = as_nobody(&["init"])?;
        ensure!(
            output.code() == 77 && output.stderr.contains("run it as root"),
            "{}: {}",
            output.code(),
            output.stderr
        );
        Ok(())
    });
}
