//! Metrics: what the kernel counted, as Prometheus reads it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftp_guard_tests::lab::{
    Family, SERVER, STRANGER, Site,
    clients::{Client, Direction, Negotiation, Transfer},
    guard::{Guard, Settings},
    metrics::Scrape,
    probe::{Answer, expect},
    prometheus::{Prometheus, check_metrics},
    servers::{self, FtpServer, Make},
    wait_until,
};

const LIMIT: Duration = Duration::from_secs(60);

const PACKETS: &str = "ftp_guard_packets_total";
const BYTES: &str = "ftp_guard_bytes_total";

#[test]
fn prometheus_reads_what_the_kernel_counted() {
    Site::test(|site| {
        let server = FtpServer::start(Make::PureFtpd, &site.server, &servers::Settings::default())?;
        let guard = Guard::start(&site.server, Settings::default())?;
        let download = Transfer::new(
            Client::Curl,
            Family::V4,
            Negotiation::Pasv,
            Direction::Download,
        );
        download.make(&site.client, &server)?;
        let targets = [SERVER.at(Family::V4, 21), SERVER.at(Family::V6, 50003)];
        expect(&site.stranger, &targets, Answer::Nothing)?;

        let scrape = Scrape::of(&site.server, Guard::METRICS)?;
        check_metrics(&site.server, &scrape)?;
        agrees_with_status(&guard, &scrape)?;
        tells_of_sessions(&guard, &scrape)?;
        tells_the_state(&guard, site)?;
        for address in STRANGER.ips() {
            ensure!(
                !scrape.text().contains(&address.to_string()),
                "an address is in a label"
            );
        }

        let prometheus = Prometheus::start(&site.server, Guard::METRICS)?;
        let drops = format!("sum({PACKETS}{{verdict=\"drop\",reason=\"not_listed\"}})");
        let counted = guard.counted(&[("verdict", "drop"), ("reason", "not_listed")])?;
        ensure!(counted >= 4, "two knocks are two SYNs each");
        wait_until("Prometheus tells the drops", LIMIT, || {
            Ok((prometheus.query(&drops)? == [counted as f64]).then_some(()))
        })?;
        ensure!(prometheus.query("up")? == [1.0], "the scrape fails");
        Ok(())
    });
}

/// The exporter and `status` read the same counters of the kernel.
fn agrees_with_status(guard: &Guard, scrape: &Scrape) -> Result<()> {
    for labels in [
        [
            ("verdict", "drop"),
            ("reason", "not_listed"),
            ("class", "control"),
            ("family", "ipv4"),
        ],
        [
            ("verdict", "drop"),
            ("reason", "not_listed"),
            ("class", "passive_data"),
            ("family", "ipv6"),
        ],
        [
            ("verdict", "pass"),
            ("reason", "data_flow"),
            ("class", "passive_data"),
            ("family", "ipv4"),
        ],
    ] {
        let kernel = guard.counted(&labels)?;
        let exported = scrape.sum(PACKETS, &labels)?;
        ensure!(
            kernel > 0 && exported == kernel as f64,
            "{labels:?}: {kernel} and {exported}"
        );
        // An Ethernet, an IP and a TCP header: no packet is shorter.
        let bytes = scrape.sum(BYTES, &labels)?;
        ensure!(
            bytes >= exported * 54.0,
            "{labels:?}: {exported} packets of {bytes} bytes"
        );
    }
    Ok(())
}

/// Sessions, the hooks that make them, tables and passive ports.
fn tells_of_sessions(guard: &Guard, scrape: &Scrape) -> Result<()> {
    for hook in ["egress", "control"] {
        let labels = [("reason", "session"), ("class", "control")];
        let name = |unit: &str| format!("ftp_guard_{hook}_{unit}_total");
        let packets = scrape.sum(&name("packets"), &labels)?;
        ensure!(packets >= 1.0, "{hook}: no packet of a session");
        let bytes = scrape.sum(&name("bytes"), &labels)?;
        ensure!(bytes >= packets * 54.0, "{hook}: {packets}, {bytes} bytes");
    }
    let passive = &guard.settings().passive;
    let (first, last) = passive.split_once('-').context("no range")?;
    let ports = last.parse::<f64>()? - first.parse::<f64>()? + 1.0;
    let labels = [("state", "configured")];
    let configured = scrape.sum("ftp_guard_passive_ports", &labels)?;
    ensure!(configured == ports, "{configured} ports, {ports} expected");
    for table in [
        "sessions",
        "flows",
        "pinholes",
        "named",
        "clients",
        "listeners",
    ] {
        let labels = [("table", table)];
        let size = scrape.sum("ftp_guard_table_size", &labels)?;
        let used = scrape.sum("ftp_guard_table_entries", &labels)?;
        ensure!(used < size, "{table}: {used} of {size}");
    }
    for name in [
        "ftp_guard_sessions",
        "ftp_guard_data_connections",
        "ftp_guard_pinholes",
        "ftp_guard_passive_outside_range",
    ] {
        let found = scrape.sum(name, &[])?;
        ensure!(found == 0.0, "{name} is {found} behind the only transfer");
    }
    Ok(())
}

/// Allowlist, interfaces, mode, reloads, build, process.
fn tells_the_state(guard: &Guard, site: &Site) -> Result<()> {
    guard.ask(&["allow", "add", "192.0.2.1"])?;
    guard.ask(&["mode", "monitor"])?;
    guard.cli(&["reload"])?.expect(0)?;
    guard
        .folder()
        .write(&guard.settings().list_file(), "nonsense\n")?;
    guard.cli(&["reload"])?.expect(78)?;
    let scrape = Scrape::of(&site.server, Guard::METRICS)?;
    check_metrics(&site.server, &scrape)?;
    let is = |name: &str, labels: &[(&str, &str)], value: f64| -> Result<()> {
        let found = scrape.sum(name, labels)?;
        ensure!(
            found == value,
            "{name} {labels:?} is {found}, {value} expected"
        );
        Ok(())
    };
    is("ftp_guard_allowlist_entries", &[("family", "ipv4")], 2.0)?;
    is("ftp_guard_allowlist_entries", &[("family", "ipv6")], 1.0)?;
    is("ftp_guard_mode", &[("mode", "monitor")], 1.0)?;
    is("ftp_guard_mode", &[("mode", "enforce")], 0.0)?;
    is(
        "ftp_guard_interface_attached",
        &[("interface", Site::INTERFACE), ("mode", "native")],
        1.0,
    )?;
    is("ftp_guard_last_reload_success", &[], 0.0)?;
    is("ftp_guard_build_info", &[], 1.0)?;
    ensure!(scrape.sum("ftp_guard_reloads_total", &[("result", "success")])? >= 1.0);
    ensure!(scrape.sum("ftp_guard_reloads_total", &[("result", "failure")])? >= 1.0);
    ensure!(scrape.sum("process_open_fds", &[])? > 3.0);
    guard.ask(&["mode", "enforce"]).map(drop)
}
