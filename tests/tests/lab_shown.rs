//! Sessions as the operator sees and ends them, and passive ports that the server's file tells.

use std::{net::TcpStream, time::Duration};

use anyhow::{Context as _, Result, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, STRANGER, Site,
    clients::session::Session,
    guard::{Guard, Settings},
    probe::{Answer, expect},
    servers::{self, FtpServer, Make},
    wait_until,
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(20);

fn sessions(guard: &Guard, arguments: &[&str]) -> Result<Vec<Value>> {
    let listing = guard.ask(&[&["sessions"], arguments].concat())?;
    let list = listing["sessions"].as_array().context("no list")?;
    Ok(list.clone())
}

#[test]
fn a_session_is_shown_and_killed() {
    Site::test(|site| {
        let server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let guard = Guard::start(&site.server, Settings::default())?;
        for family in Family::BOTH {
            shown_and_killed(site, &server, &guard, family)?;
        }
        Ok(())
    });
}

fn shown_and_killed(site: &Site, server: &FtpServer, guard: &Guard, family: Family) -> Result<()> {
    let client = CLIENT.ip(family).to_string();
    let mut session = Session::log_in(&site.client, family, server.port())?;
    let passive = session.passive()?;
    let shown = sessions(guard, &["--client", &client])?;
    ensure!(shown.len() == 1, "{shown:?}");
    let shown = &shown[0];
    ensure!(shown["tls"] == "clear", "{shown}");
    ensure!(shown["pinholes"][0]["port"] == passive.port(), "{shown}");
    ensure!(shown["bytes_out"].as_u64() > Some(20), "{shown}");
    let stranger = STRANGER.ip(family).to_string();
    ensure!(sessions(guard, &["--client", &stranger])?.is_empty());

    let _data = site
        .client
        .enter(|| TcpStream::connect_timeout(&passive, LIMIT))
        .context("the data connection")?;
    let shown = wait_until("the data connection is shown", LIMIT, || {
        let shown = sessions(guard, &[])?;
        Ok(shown[0]["data"].get(0).is_some().then_some(shown))
    })?;
    ensure!(shown[0]["data"][0]["kind"] == "passive", "{shown:?}");
    ensure!(
        shown[0]["pinholes"] == Value::Array(Vec::new()),
        "{shown:?}"
    );
    let status = guard.status()?;
    ensure!(
        status["role"] == "host" && status["sessions"]["clear"] == 1,
        "{status}"
    );
    ensure!(status["sessions"]["data_connections"] == 1, "{status}");
    ensure!(status["passive_ports"]["in_use"] == 1, "{status}");

    let number = &shown[0]["id"];
    let id = number.to_string();
    guard.cli(&["sessions"])?.expect(0)?.says(&client)?;
    let killed = guard.ask(&["kill", &id])?;
    ensure!(
        killed["sessions"] == 1 && killed["data_connections"] == 1,
        "{killed}"
    );
    // vsftpd, whose control connection ends first, closes the other one itself when it is quick.
    ensure!(killed["sockets"].as_u64() >= Some(1), "{killed}");
    ensure!(killed["ended"]["sessions"][0]["id"] == *number, "{killed}");
    ensure!(
        session.command("NOOP").is_err(),
        "the control connection goes on"
    );
    ensure!(sessions(guard, &[])?.is_empty());
    expect(&site.client, &[passive], Answer::Nothing)?;
    for target in [&id, &client] {
        let nothing = guard.cli(&["kill", target])?;
        nothing.expect(0)?.says("nothing to end")?;
    }
    // The allowlist lets the client in again.
    let mut again = Session::log_in(&site.client, family, server.port())?;
    ensure!(again.command("NOOP")?.starts_with("200"));
    let killed = guard.ask(&["kill", &client])?;
    ensure!(killed["sessions"] == 1, "{killed}");
    ensure!(again.command("NOOP").is_err(), "the second one goes on");
    Ok(())
}

#[test]
fn passive_ports_follow_the_servers_file() {
    Site::test(|site| {
        let settings = Settings::default();
        let mut guard = Guard::prepare(&site.server, settings.clone())?;
        let folder = guard.folder();
        let range = |first: u16| format!("pasv_min_port={first}\npasv_max_port={}\n", first + 9);
        let server = folder.inside("guard/vsftpd.conf");
        folder.write("guard/vsftpd.conf", range(50000))?;
        let text = settings.toml(&folder).replace(
            &format!("passive_ports = [\"{}\"]", settings.passive),
            &format!("passive_ports = \"auto\"\nserver_configs = [{server:?}]"),
        );
        folder.write(&settings.file(), text)?;
        let found = format!("50000-50009 (vsftpd, {}:1)", server.display());
        guard.cli(&["check"])?.expect(0)?.says(&found)?;
        guard.launch()?;
        let ranges = || Ok::<_, anyhow::Error>(guard.status()?["passive_ports"]["ranges"].clone());
        ensure!(ranges()? == serde_json::json!(["50000-50009"]));

        folder.write("guard/vsftpd.conf", range(51000))?;
        wait_until("the new range is in force", LIMIT, || {
            Ok((ranges()? == serde_json::json!(["51000-51009"])).then_some(()))
        })?;
        folder.write("guard/vsftpd.conf", "pasv_min_port=52000\n")?;
        wait_until("the mistake is told", LIMIT, || {
            let warnings = guard.status()?["warnings"].to_string();
            Ok(warnings.contains("vsftpd.conf:1:1: ").then_some(()))
        })?;
        ensure!(ranges()? == serde_json::json!(["51000-51009"]), "kept");
        guard.cli(&["reload"])?.expect(78)?;
        Ok(())
    });
}
