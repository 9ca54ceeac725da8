//! From monitor mode to enforce mode: who would have been dropped is named and counted, those who logged in are
//! proposed, and with those entries the guard enforces without shutting them out.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, SERVER, STRANGER, Site, Tls, USER,
    clients::{Client, Direction, Negotiation, Transfer, session::Session},
    guard::{Guard, Settings},
    probe::{Answer, expect_control_port},
    servers::{self, FtpServer, Make, Pair},
    wait_until,
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);

/// A guard in monitor mode whose allowlist has nobody.
fn monitor(site: &Site) -> Result<Guard> {
    let settings = Settings {
        mode: "monitor",
        list: Vec::new(),
        ..Settings::default()
    };
    Guard::start(&site.server, settings)
}

fn list<'v>(value: &'v Value, name: &str) -> Result<&'v [Value]> {
    let list = value[name].as_array();
    Ok(list.with_context(|| format!("no {name}: {value}"))?)
}

/// What a file and a listing of it may come to: what crosses the wire twice counts twice.
fn is_about(bytes: &Value, size: u64) -> bool {
    bytes
        .as_u64()
        .is_some_and(|bytes| (size..=size + size / 5).contains(&bytes))
}

/// Logs in from the stranger's host with a password that is wrong.
fn guess(site: &Site) -> Result<()> {
    let to = SERVER.at(Family::V4, 21);
    let stream = site
        .stranger
        .enter(|| TcpStream::connect_timeout(&to, LIMIT))?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut stream = BufReader::new(stream);
    for (said, code) in [
        (String::new(), "220"),
        (format!("USER {USER}\r\n"), "331"),
        ("PASS guessed\r\n".to_owned(), "530"),
        ("QUIT\r\n".to_owned(), "221"),
    ] {
        stream.get_mut().write_all(said.as_bytes())?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        ensure!(line.starts_with(code), "{said:?}: {line:?}");
    }
    Ok(())
}

/// Waits until the history has so many ended sessions of clients that would have been dropped.
fn await_past(guard: &Guard, count: usize) -> Result<()> {
    wait_until("the sessions are in the history", LIMIT, || {
        let past = guard.ask(&["sessions", "--past", "--since", "1h"])?;
        let ended = list(&past, "sessions")?
            .iter()
            .filter(|one| one["state"] == "ended" && one["would_drop"] == "not_listed");
        Ok((ended.count() == count).then_some(()))
    })
}

/// What `status` says of a client.
fn witnessed(status: &Value, client: &str) -> Result<Value> {
    let clients = list(&status["would_drop"], "clients")?;
    let found = clients.iter().find(|one| one["client"] == client);
    found
        .cloned()
        .with_context(|| format!("{client} is not named: {}", status["would_drop"]))
}

#[test]
fn what_monitor_mode_saw_becomes_the_allowlist() {
    Site::test(|site| {
        let server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let guard = monitor(site)?;
        let [client4, client6] = Family::BOTH.map(|family| CLIENT.ip(family).to_string());
        let stranger = STRANGER.ip(Family::V4).to_string();

        // A session that lives says that it would not.
        let living = Session::log_in(&site.client, Family::V4, server.port())?;
        let shown = wait_until("the session is shown", LIMIT, || {
            let listing = guard.ask(&["sessions"])?;
            let shown = list(&listing, "sessions")?.first().cloned();
            Ok(shown.filter(|one| one["record"]["login"] == "accepted"))
        })?;
        ensure!(shown["would_drop"] == "not_listed", "{shown}");
        guard
            .cli(&["sessions"])?
            .expect(0)?
            .says("would drop: not_listed")?;
        let told = witnessed(&guard.status()?, &client4)?;
        ensure!(told["sessions"] == 1 && told["logins"] == 1, "{told}");
        drop(living);

        let passive =
            |family, direction| Transfer::new(Client::Curl, family, Negotiation::Epsv, direction);
        let transfers = [
            passive(Family::V4, Direction::Download),
            passive(Family::V4, Direction::Upload),
            passive(Family::V6, Direction::Download),
        ];
        for transfer in &transfers {
            transfer
                .make(&site.client, &server)
                .with_context(|| transfer.to_string())?;
        }
        guess(site)?;
        await_past(&guard, 5)?;

        let status = wait_until("all are counted", LIMIT, || {
            let status = guard.status()?;
            let told = witnessed(&status, &stranger)?;
            Ok((told["sessions"] == 1).then_some(status))
        })?;
        for (client, sessions, logins) in [(&client4, 3, 3), (&client6, 1, 1), (&stranger, 1, 0)] {
            let told = witnessed(&status, client)?;
            ensure!(
                told["sessions"] == sessions
                    && told["logins"] == logins
                    && told["reason"] == "not_listed",
                "{told}"
            );
        }
        // Reports are sampled: of who comes late there may be none.
        let told = witnessed(&status, &client4)?;
        ensure!(told["packets"].as_u64() >= Some(1), "{told}");
        guard
            .cli(&["status"])?
            .expect(0)?
            .says("would have been dropped since")?
            .says(&client4)?
            .says(&stranger)?;

        let proposed = guard.ask(&["allow", "suggest", "--since", "1h"])?;
        let entries = list(&proposed, "entries")?;
        let [one, other] = entries else {
            anyhow::bail!("{proposed}");
        };
        ensure!(one["prefix"] == format!("{client4}/32"), "{one}");
        ensure!(other["prefix"] == format!("{client6}/128"), "{other}");
        ensure!(
            one["sessions"] == 3 && one["logins"] == 3 && one["transfers"] == 2,
            "{one}"
        );
        let size = transfers[0].size as u64 + transfers[1].size as u64;
        ensure!(is_about(&one["bytes"], size), "{size}: {one}");
        ensure!(one["days"].as_u64() >= Some(1), "{one}");
        ensure!(one["users"][0] == USER, "{one}");
        ensure!(
            other["sessions"] == 1 && is_about(&other["bytes"], transfers[2].size as u64),
            "{other}"
        );
        ensure!(proposed["left_out"]["failed_logins"] == 1, "{proposed}");
        ensure!(guard.status()?["allowlist"]["ipv4"] == 0, "it was added");
        let text = guard.cli(&["allow", "suggest"])?;
        text.expect(0)?
            .says(&format!("{client4} "))?
            .says("# Not proposed: 1 client, only failed logins.")?;
        let none = guard.ask(&["allow", "suggest", "--min-sessions", "4"])?;
        ensure!(
            list(&none, "entries")?.is_empty() && none["left_out"]["too_few"] == 2,
            "{none}"
        );

        guard
            .cli(&["allow", "suggest", "--apply"])?
            .expect(0)?
            .says("2 entries added")?;
        let again = guard.ask(&["allow", "suggest", "--apply"])?;
        ensure!(
            again["applied"]["added"] == 0 && again["left_out"]["listed"] == 2,
            "{again}"
        );
        let listed = guard.ask(&["allow", "list"])?;
        let label = &list(&listed, "entries")?[0]["label"];
        ensure!(
            label
                .as_str()
                .is_some_and(|label| label.starts_with("seen in monitor mode: 3 sessions on")),
            "{label}"
        );
        let told = guard.status()?;
        ensure!(
            witnessed(&told, &client4).is_err(),
            "{}",
            told["would_drop"]
        );

        guard.ask(&["mode", "enforce"])?;
        for transfer in &transfers {
            transfer
                .make(&site.client, &server)
                .with_context(|| format!("enforced: {transfer}"))?;
        }
        expect_control_port(&site.stranger, Answer::Nothing)?;
        ensure!(guard.status()?.get("would_drop").is_none(), "it enforces");
        Ok(())
    });
}

#[test]
fn under_tls_a_data_connection_stands_for_a_login() {
    Site::test(|site| {
        let servers = Pair::start(Make::Vsftpd, &site.server)?;
        let settings = Settings {
            mode: "monitor",
            list: Vec::new(),
            passive: Pair::passive_range(),
            ..Settings::default()
        };
        let guard = Guard::start(&site.server, settings)?;
        let transfer = Transfer {
            tls: Tls::Auth,
            ..Transfer::new(
                Client::Curl,
                Family::V4,
                Negotiation::Epsv,
                Direction::Download,
            )
        };
        transfer.make(&site.client, servers.of(Tls::Auth))?;
        await_past(&guard, 1)?;
        let proposed = guard.ask(&["allow", "suggest"])?;
        let entries = list(&proposed, "entries")?;
        ensure!(entries.len() == 1, "{proposed}");
        let entry = &entries[0];
        let size = transfer.size as u64;
        ensure!(
            entry["logins"] == 1 && entry["transfers"] == 1 && is_about(&entry["bytes"], size),
            "{size}: {entry}"
        );
        guard
            .cli(&["allow", "suggest"])?
            .says("user unknown (TLS)")?;
        Ok(())
    });
}

#[test]
fn a_guard_that_only_enforced_has_nothing_to_propose_from() {
    Site::test(|site| {
        let guard = Guard::start(&site.server, Settings::default())?;
        expect_control_port(&site.stranger, Answer::Nothing)?;
        wait_until("the history is there", LIMIT, || {
            let answer = guard.cli(&["sessions", "--past"])?;
            Ok(answer.success().then_some(()))
        })?;
        guard
            .cli(&["allow", "suggest"])?
            .expect(1)?
            .says("`ftp-guard mode monitor`")?;
        Ok(())
    });
}
