//! Names in the allowlist follow a real DNS server, and outlive it.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Addresses, CLIENT, STRANGER, Site,
    dns::NameServer,
    guard::{Guard, Settings},
    probe::{Answer, expect_control_port},
    wait_until,
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

/// `names.linger` here, and what comes on top before everybody knows.
const LINGER: Duration = Duration::from_secs(4);

const NAME: &str = "partner.example.net";

fn settings(site: &Site, more: &[&str]) -> Settings {
    let mut lines = Settings::unlimited();
    let file = site.server.folder().inside("guard/lib/names.json");
    lines.extend([
        "[names]".to_owned(),
        format!("servers = [{:?}]", NameServer::ADDRESS),
        format!("file = {file:?}"),
        "timeout = \"1s\"".to_owned(),
        "min_ttl = \"1s\"".to_owned(),
        "max_ttl = \"2s\"".to_owned(),
        format!("linger = \"{}s\"", LINGER.as_secs()),
    ]);
    lines.extend(more.iter().map(|line| (*line).to_owned()));
    Settings {
        list: vec![format!("host:{NAME} label=\"moves\"")],
        more: lines,
        ..Settings::default()
    }
}

/// The name is an alias, so that what stands behind it moves.
fn records(host: &Addresses) -> Vec<String> {
    vec![
        "partner CNAME line-1".to_owned(),
        format!("line-1 A {}", host.v4),
        format!("line-1 AAAA {}", host.v6),
    ]
}

/// What `allow list` tells of the name.
fn listed(guard: &Guard) -> Result<Value> {
    let list = guard.ask(&["allow", "list"])?;
    let names = list["names"].as_array().context("no names in the list")?;
    let found = names.iter().find(|name| name["host"] == NAME);
    found
        .cloned()
        .with_context(|| format!("{NAME} is not in {list}"))
}

fn wait_allowed(guard: &Guard, host: &Addresses, wanted: bool) -> Result<()> {
    for address in host.ips() {
        let what = format!("{address} is allowed: {wanted}");
        wait_until(&what, LIMIT, || {
            let test = guard.ask(&["allow", "test", &address.to_string()])?;
            Ok((test["allowed"] == wanted).then_some(()))
        })?;
    }
    Ok(())
}

fn wait_trouble(guard: &Guard, trouble: &str) -> Result<Value> {
    wait_until(&format!("the name is {trouble}"), LIMIT, || {
        let name = listed(guard)?;
        Ok((name["trouble"] == trouble).then_some(name))
    })
}

#[test]
fn a_name_that_moves_is_followed() {
    Site::test(|site| {
        let mut dns = NameServer::start(&site.server, &records(&CLIENT))?;
        let guard = Guard::start(&site.server, settings(site, &[]))?;
        wait_allowed(&guard, &CLIENT, true)?;
        // No FTP server listens here: a refusal comes from the stack, behind the guard.
        expect_control_port(&site.client, Answer::Refused)?;
        expect_control_port(&site.stranger, Answer::Nothing)?;
        let test = guard.ask(&["allow", "test", &CLIENT.v4.to_string()])?;
        ensure!(test["entry"]["host"] == NAME, "{test}");
        guard
            .cli(&["explain", &CLIENT.v4.to_string()])?
            .expect(0)?
            .says("host:partner.example.net")?;

        dns.publish(&records(&STRANGER))?;
        wait_allowed(&guard, &STRANGER, true)?;
        expect_control_port(&site.stranger, Answer::Refused)?;
        wait_allowed(&guard, &CLIENT, false)?;
        expect_control_port(&site.client, Answer::Nothing)?;
        let events = guard.cli(&["events", "--json"])?;
        events
            .expect(0)?
            .says("name_changed")?
            .says(&STRANGER.v4.to_string())?;

        // The name is gone: so are its addresses, after a while.
        dns.publish(&[])?;
        wait_trouble(&guard, "no_such_name")?;
        guard
            .cli(&["status"])?
            .expect(0)?
            .says("there is no such name")?;
        wait_allowed(&guard, &STRANGER, false)?;
        expect_control_port(&site.stranger, Answer::Nothing)
    });
}

#[test]
fn without_dns_the_last_good_answer_stays_even_over_a_restart() {
    Site::test(|site| {
        let mut dns = NameServer::start(&site.server, &records(&CLIENT))?;
        let mut guard = Guard::start(&site.server, settings(site, &[]))?;
        wait_allowed(&guard, &CLIENT, true)?;
        dns.stop()?;
        let name = wait_trouble(&guard, "failing")?;
        ensure!(name["failures"].as_u64() > Some(0), "{name}");
        thread::sleep(LINGER + Duration::from_secs(4));
        expect_control_port(&site.client, Answer::Refused)?;
        guard
            .cli(&["status"])?
            .expect(0)?
            .says("DNS gives no answer")?;

        // Nothing is left in the kernel, and DNS is still dead.
        guard.cli(&["detach"])?.expect(0)?;
        guard.join()?;
        guard.launch()?;
        expect_control_port(&site.client, Answer::Refused)?;
        expect_control_port(&site.stranger, Answer::Nothing)?;
        let name = wait_trouble(&guard, "failing")?;
        ensure!(
            name["addresses"].as_array().map(Vec::len) == Some(2),
            "{name}"
        );

        // It comes back, and knows better.
        dns.publish(&records(&STRANGER))?;
        dns.launch()?;
        wait_allowed(&guard, &STRANGER, true)?;
        wait_allowed(&guard, &CLIENT, false)?;
        expect_control_port(&site.client, Answer::Nothing)
    });
}

#[test]
fn too_many_addresses_are_cut_and_odd_ones_left_out() {
    Site::test(|site| {
        let mut all: Vec<String> = (1..=40)
            .map(|last| format!("partner A 198.51.100.{last}"))
            .collect();
        all.push("partner A 127.0.0.1".to_owned());
        all.push(format!("other A {}", CLIENT.v4));
        let _dns = NameServer::start(&site.server, &all)?;
        let guard = Guard::start(&site.server, settings(site, &[]))?;
        let name = wait_until("the name is answered", LIMIT, || {
            let name = listed(&guard)?;
            Ok((name["surplus"] == 8).then_some(name))
        })?;
        ensure!(
            name["addresses"].as_array().map(Vec::len) == Some(32),
            "{name}"
        );
        ensure!(name["refused"] == 1, "{name}");
        let loopback = guard.ask(&["allow", "test", "127.0.0.1"])?;
        ensure!(loopback["allowed"] == false, "{loopback}");
        guard
            .cli(&["status"])?
            .expect(0)?
            .says("names.max_addresses")?;

        let other = "host:other.example.net";
        let report = guard.ask(&["allow", "add", other])?;
        ensure!(report["names"][0]["outcome"] == "added", "{report}");
        let v4 = CLIENT.v4.to_string();
        wait_until("the new name lets in", LIMIT, || {
            let test = guard.ask(&["allow", "test", &v4])?;
            Ok((test["allowed"] == true).then_some(()))
        })?;
        // What people exclude by hand stays out, whatever DNS says.
        guard.ask(&["allow", "add", "--exclude", &v4])?;
        let test = guard.ask(&["allow", "test", &v4])?;
        ensure!(test["reason"] == "excluded", "{test}");
        guard.ask(&["allow", "remove", &v4])?;
        let test = guard.ask(&["allow", "test", &v4])?;
        ensure!(test["allowed"] == true, "{test}");
        guard.cli(&["allow", "export"])?.expect(0)?.says(other)?;
        let report = guard.ask(&["allow", "remove", other])?;
        ensure!(
            report["removed_names"][0] == "other.example.net",
            "{report}"
        );
        let test = guard.ask(&["allow", "test", &v4])?;
        ensure!(test["allowed"] == false, "{test}");
        Ok(())
    });
}
