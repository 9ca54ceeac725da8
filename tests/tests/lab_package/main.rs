//! The package in a clean Debian 12 whose first process is systemd: installed, configured, started as the
//! unit has it, upgraded during a transfer, removed, purged.

#[path = "../lab_sessions/download.rs"]
#[expect(dead_code, reason = "shared with suites that break downloads off")]
mod download;

mod debian;

use std::time::Duration;

use anyhow::{Result, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, Site,
    probe::{Answer, expect_control_port},
    servers::{self, FtpServer, Make},
    wait_until,
};

use self::{
    debian::{Debian, package},
    download::Download,
};

const LIMIT: Duration = Duration::from_secs(60);

/// What `init` cannot know: the server is not one of this system's processes.
const FILL_IN: &str = "sed -i 's/^passive_ports = .*/passive_ports = [\"50000-50010\"]/' \
     /etc/ftp-guard/ftp-guard.toml";

#[test]
fn the_package_lives_its_life() {
    Site::test(|site| {
        let server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let debian = Debian::boot(&site.server, &[package(1)?, package(2)?])?;
        install(site, &debian)?;
        start(site, &debian)?;
        hardened(&debian)?;
        change(site, &debian)?;
        upgrade(site, &debian, &server)?;
        watchdog(site, &debian)?;
        remove(site, &debian)?;
        debian.halt()
    });
}

/// It starts nothing, and says what to do.
fn install(site: &Site, debian: &Debian) -> Result<()> {
    debian.sh("dpkg --install /root/ftp-guard_*-1_*.deb")?;
    ensure!(debian.unit("ActiveState")? == "inactive");
    ensure!(debian.unit("UnitFileState")? == "disabled");
    debian.ok(&["getent", "group", "ftp-guard"])?;
    debian.ok(&[
        "systemd-analyze",
        "verify",
        "--man=no",
        "/lib/systemd/system/ftp-guard.service",
    ])?;
    let check = debian.run(&["ftp-guard", "check"])?;
    ensure!(check.code() == 78, "{}", check.stderr);
    // Without a configuration the condition keeps the unit from starting.
    debian.ok(&["systemctl", "start", "ftp-guard"])?;
    ensure!(debian.unit("ActiveState")? == "inactive");
    expect_control_port(&site.stranger, Answer::Connected)?;
    for file in [
        "/usr/share/man/man1/ftp-guard.1.gz",
        "/usr/share/bash-completion/completions/ftp-guard",
        "/usr/share/zsh/vendor-completions/_ftp-guard",
        "/usr/share/fish/vendor_completions.d/ftp-guard.fish",
        "/usr/share/doc/ftp-guard/examples/ftp-guard.toml",
        "/usr/share/doc/ftp-guard/deployment.md",
        "/etc/fail2ban/action.d/ftp-guard.conf",
    ] {
        debian.ok(&["test", "-s", file])?;
    }
    let files = debian.ok(&[
        "dpkg-query",
        "--show",
        "--showformat=${Conffiles}",
        "ftp-guard",
    ])?;
    ensure!(
        !files.contains("ftp-guard.toml") && !files.contains("cli.list"),
        "{files}"
    );
    Ok(())
}

fn start(site: &Site, debian: &Debian) -> Result<()> {
    let found = debian.ok(&["ftp-guard", "init"])?;
    ensure!(found.contains("passive ports are not known"), "{found}");
    debian.sh("grep -q '^mode = \"monitor\"' /etc/ftp-guard/ftp-guard.toml")?;
    debian.sh("grep -q '^interfaces = \\[\"eth0\"\\]' /etc/ftp-guard/ftp-guard.toml")?;
    debian.sh(FILL_IN)?;
    let list = Family::BOTH.map(|family| CLIENT.ip(family).to_string());
    debian.sh(&format!(
        "printf '%s\\n' {} >/etc/ftp-guard/allow.d/partners.list",
        list.join(" ")
    ))?;
    debian.ok(&["ftp-guard", "check"])?;
    // READY comes when it is attached and answers.
    debian.ok(&["systemctl", "enable", "--now", "ftp-guard"])?;
    ensure!(debian.unit("ActiveState")? == "active");
    ensure!(debian.unit("StatusText")?.contains("eth0"));
    let status = debian.ok(&["ftp-guard", "status"])?;
    ensure!(
        status.contains("monitor") && status.contains("eth0 (index"),
        "{status}"
    );
    expect_control_port(&site.stranger, Answer::Connected)?;
    // It ends with 1 when a finding is an error.
    debian.ok(&["ftp-guard", "doctor"])?;
    debian.ok(&["ftp-guard", "status"])?;
    debian.ok(&["ftp-guard", "mode", "enforce", "--confirm-within", "10m"])?;
    expect_control_port(&site.stranger, Answer::Nothing)?;
    expect_control_port(&site.client, Answer::Connected)?;
    let pending = debian.ok(&["ftp-guard", "status"])?;
    ensure!(pending.contains("ftp-guard mode confirm"), "{pending}");
    debian.sh("grep -q '^mode = \"monitor\"' /etc/ftp-guard/ftp-guard.toml")?;
    debian.ok(&["ftp-guard", "mode", "confirm"])?;
    debian.sh("grep -q '^mode = \"enforce\"' /etc/ftp-guard/ftp-guard.toml")?;
    expect_control_port(&site.stranger, Answer::Nothing)
}

/// What the unit takes from the daemon is gone, and what it needs is there.
fn hardened(debian: &Debian) -> Result<()> {
    let daemon = debian.unit("MainPID")?;
    let status = debian.ok(&["cat", &format!("/proc/{daemon}/status")])?;
    // CAP_NET_ADMIN 12, CAP_PERFMON 38, CAP_BPF 39 (capability.h).
    let capabilities = format!("{:016x}", 1_u64 << 12 | 1 << 38 | 1 << 39);
    for line in [
        format!("CapEff:\t{capabilities}"),
        format!("CapBnd:\t{capabilities}"),
        "NoNewPrivs:\t1".to_owned(),
        "Seccomp:\t2".to_owned(),
    ] {
        ensure!(status.contains(&line), "{line:?} expected of {status}");
    }
    let socket = debian.sh("stat --format='%U %G %a' /run/ftp-guard/ftp-guard.sock")?;
    ensure!(socket == "root ftp-guard 660", "{socket}");
    // In the daemon's view of files; a read-only file system is nobody's to write.
    for (path, writable) in [
        ("/etc/ftp-guard/allow.d", true),
        ("/var/lib/ftp-guard", true),
        ("/run/ftp-guard", true),
        ("/sys/fs/bpf/ftp-guard", true),
        ("/proc/sys/net/ipv4/tcp_syncookies", true),
        ("/proc/sys/net/ipv4/tcp_timestamps", true),
        ("/proc/sys/kernel/core_pattern", false),
        ("/proc/sys/net/core/somaxconn", false),
        ("/sys/kernel", false),
        ("/sys/fs/cgroup", false),
        ("/etc/passwd", false),
        ("/usr/bin/ftp-guard", false),
    ] {
        let seen = format!("/proc/{daemon}/root{path}");
        let found = debian.run(&["test", "-w", &seen])?.success();
        ensure!(found == writable, "{path}: writable {found}");
    }
    let exposure = debian.ok(&["systemd-analyze", "security", "--no-pager", "ftp-guard"])?;
    let overall = exposure.lines().last().unwrap_or_default();
    println!("{overall}");
    ensure!(overall.contains("OK"), "{overall}");
    Ok(())
}

/// Files that the daemon writes itself, a reload that succeeds and one that does not.
fn change(site: &Site, debian: &Debian) -> Result<()> {
    debian.ok(&[
        "ftp-guard",
        "allow",
        "add",
        "198.51.100.9",
        "--label",
        "partner",
    ])?;
    debian.sh("grep -q 198.51.100.9 /etc/ftp-guard/allow.d/cli.list")?;
    debian.sh("grep -q '^mode = \"enforce\"' /etc/ftp-guard/ftp-guard.toml")?;
    debian.ok(&["systemctl", "reload", "ftp-guard"])?;
    debian.sh(
        "cp -p /etc/ftp-guard/ftp-guard.toml /root && echo oops >>/etc/ftp-guard/ftp-guard.toml",
    )?;
    let reload = debian.run(&["systemctl", "reload", "ftp-guard"])?;
    ensure!(!reload.success(), "a wrong file was reloaded");
    ensure!(debian.unit("ActiveState")? == "active");
    expect_control_port(&site.stranger, Answer::Nothing)?;
    debian.sh("cp -p /root/ftp-guard.toml /etc/ftp-guard/ && systemctl reload ftp-guard")?;
    // As a filter it needs no daemon.
    debian.ok(&["systemctl", "stop", "ftp-guard"])?;
    expect_control_port(&site.stranger, Answer::Nothing)?;
    debian.ok(&["systemctl", "start", "ftp-guard"])?;
    Ok(())
}

/// The daemon of the new package takes over; a transfer does not notice, and nobody gets in meanwhile.
fn upgrade(site: &Site, debian: &Debian, server: &FtpServer) -> Result<()> {
    let mut transfer = Download::start(&site.client, server, Family::V4, false)?;
    let before = debian.unit("MainPID")?;
    debian.sh("dpkg --install /root/ftp-guard_*-2_*.deb")?;
    transfer.read(1 << 20)?;
    let after = debian.unit("MainPID")?;
    ensure!(
        after != before && after != "0",
        "the daemon is still {before}"
    );
    ensure!(debian.unit("ActiveState")? == "active");
    ensure!(debian.unit("UnitFileState")? == "enabled");
    let log = debian.ok(&[
        "journalctl",
        "--unit=ftp-guard",
        "--output=cat",
        "--lines=20",
    ])?;
    ensure!(log.contains("took over from a predecessor"), "{log}");
    expect_control_port(&site.stranger, Answer::Nothing)?;
    debian.sh("ftp-guard allow list | grep -q 198.51.100.9")?;
    transfer.finish()
}

/// A datapath that no longer answers has the daemon killed and started again, and it is whole again.
fn watchdog(site: &Site, debian: &Debian) -> Result<()> {
    let drop_in = "/etc/systemd/system/ftp-guard.service.d";
    debian.sh(&format!(
        "mkdir {drop_in} && printf '[Service]\\nWatchdogSec=3s\\n' >{drop_in}/short.conf \
         && systemctl daemon-reload && systemctl restart ftp-guard"
    ))?;
    // Longer than the watchdog's patience: it is fed.
    std::thread::sleep(Duration::from_secs(5));
    ensure!(debian.unit("NRestarts")? == "0");
    debian.ok(&["rm", "/sys/fs/bpf/ftp-guard/FTPG_STATS"])?;
    wait_until("the watchdog has bitten", LIMIT, || {
        Ok((debian.unit("NRestarts")? != "0").then_some(()))
    })?;
    wait_until("the daemon is back", LIMIT, || {
        Ok((debian.unit("ActiveState")? == "active").then_some(()))
    })?;
    debian.ok(&["test", "-e", "/sys/fs/bpf/ftp-guard/FTPG_STATS"])?;
    let log = debian.ok(&[
        "journalctl",
        "--unit=ftp-guard",
        "--output=cat",
        "--lines=60",
    ])?;
    ensure!(log.contains("the watchdog is not fed"), "{log}");
    expect_control_port(&site.stranger, Answer::Nothing)?;
    expect_control_port(&site.client, Answer::Connected)
}

/// No filter stays without its program; what the administrator wrote stays until the purge.
fn remove(site: &Site, debian: &Debian) -> Result<()> {
    // Nobody knows which pins are to go.
    debian.sh("systemctl stop ftp-guard; echo oops >>/etc/ftp-guard/ftp-guard.toml")?;
    let refused = debian.run(&["dpkg", "--remove", "ftp-guard"])?;
    ensure!(
        !refused.success() && refused.stderr.contains("the package stays"),
        "{}",
        refused.stderr
    );
    expect_control_port(&site.stranger, Answer::Nothing)?;
    debian.sh("cp -p /root/ftp-guard.toml /etc/ftp-guard/ && systemctl start ftp-guard")?;
    debian.ok(&["dpkg", "--remove", "ftp-guard"])?;
    expect_control_port(&site.stranger, Answer::Connected)?;
    debian.sh("test ! -e /sys/fs/bpf/ftp-guard && test ! -e /usr/bin/ftp-guard")?;
    debian
        .sh("test -s /etc/ftp-guard/ftp-guard.toml && test -s /etc/ftp-guard/allow.d/cli.list")?;
    debian.sh("! systemctl is-active ftp-guard")?;
    debian.ok(&["dpkg", "--purge", "ftp-guard"])?;
    debian.sh("test ! -e /etc/ftp-guard && test ! -e /var/lib/ftp-guard")?;
    // Files may be the group's.
    debian.ok(&["getent", "group", "ftp-guard"])?;
    Ok(())
}
