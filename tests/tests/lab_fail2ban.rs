//! A real fail2ban reads the log of a real vsftpd and bans through the guard, by the action file that the
//! package brings.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, Host, Process, SERVER, Site, USER,
    guard::{Guard, Settings},
    packages::Package,
    probe::{Answer, expect},
    servers::{self, FtpServer, Make},
    wait_until,
};

const LIMIT: Duration = Duration::from_secs(60);
const ACTION: &str = include_str!("../../dist/fail2ban/action.d/ftp-guard.conf");
const FAILURES: usize = 3;
/// How curl ends when the server denies the login, and when the connection breaks.
const CURL_DENIED: i32 = 67;
const CURL_RESET: i32 = 56;

#[test]
fn failed_logins_are_banned_and_unbanned() {
    Site::test(|site| {
        let settings = servers::Settings::default();
        let _server = FtpServer::start(Make::Vsftpd, &site.server, &settings)?;
        // The rule of the guard's own would ban as well, and sooner.
        let guard = Guard::start(
            &site.server,
            Settings {
                more: vec!["[detect]".into(), "ban = []".into()],
                ..Settings::default()
            },
        )?;
        let fail2ban = Fail2ban::start(&site.server, &guard)?;
        for family in Family::BOTH {
            let address = CLIENT.ip(family).to_string();
            let control = [SERVER.at(family, 21)];
            for attempt in 1..=FAILURES {
                expect(&site.client, &control, Answer::Connected)?;
                let code = guess(&site.client, family)?;
                // vsftpd logs before it answers: the ban may end the last session before it hears.
                let cut = attempt == FAILURES && code == CURL_RESET;
                ensure!(code == CURL_DENIED || cut, "curl ended with {code}");
            }
            let ban = wait_until("the ban is in the guard", LIMIT, || {
                let bans = guard.ask(&["ban", "list"])?;
                let bans = bans["bans"].as_array().context("no bans")?;
                let of = |ban: &&serde_json::Value| {
                    let prefix = ban["prefix"].as_str().unwrap_or_default();
                    prefix.starts_with(&format!("{address}/"))
                };
                Ok(bans.iter().find(of).cloned())
            })?;
            ensure!(
                ban["by"] == "fail2ban" && ban["reason"] == "jail vsftpd",
                "{ban}"
            );
            ensure!(ban["until"].is_string(), "the ban has no end: {ban}");
            expect(&site.client, &control, Answer::Nothing)?;
            // Each may come again.
            fail2ban.client(&["set", "vsftpd", "banip", &address])?;
            fail2ban.client(&["set", "vsftpd", "unbanip", &address])?;
            wait_until("the ban is lifted", LIMIT, || {
                let bans = guard.ask(&["ban", "list"])?;
                Ok((bans["bans"] == serde_json::json!([])).then_some(()))
            })?;
            expect(&site.client, &control, Answer::Connected)?;
        }
        Ok(())
    });
}

/// A login with a wrong password; how curl ends.
fn guess(client: &Host, family: Family) -> Result<i32> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "20"])
        .args(["--user", &format!("{USER}:wrong")])
        .arg(format!("ftp://{}/", SERVER.at(family, 21)));
    Ok(client.run(curl, LIMIT)?.code())
}

/// fail2ban with files of its own.
struct Fail2ban {
    host: Host,
    package: Package,
    _process: Process,
}

impl Fail2ban {
    fn start(host: &Host, guard: &Guard) -> Result<Self> {
        let folder = host.folder();
        let package = Package::find("fail2ban")?;
        let mut copy = Command::new("cp");
        copy.arg("--recursive")
            .args([package.path("etc/fail2ban"), folder.inside("fail2ban")]);
        ensure!(
            host.run(copy, LIMIT)?.success(),
            "no copy of fail2ban's files"
        );
        folder.write("fail2ban/action.d/ftp-guard.conf", ACTION)?;
        let command = guard.command(&[])?;
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        let inside = |name: &str| folder.inside(name).display().to_string();
        folder.write(
            "fail2ban/jail.local",
            format!(
                "[DEFAULT]\nbackend = polling\nbantime = 600\nfindtime = 600\n\
                 maxretry = {FAILURES}\n[sshd]\nenabled = false\n\
                 [vsftpd]\nenabled = true\nlogpath = {log}\n\
                 action = ftp-guard[guard=\"{guard}\"]\n",
                log = inside("log/vsftpd.log"),
                guard = words.join(" "),
            ),
        )?;
        folder.write("fail2ban/jail.d/defaults-debian.conf", "")?;
        // vsftpd makes it with its first line.
        if !folder.outside("log/vsftpd.log").exists() {
            folder.write("log/vsftpd.log", "")?;
        }
        let mut server = program(&package, "fail2ban-server")?;
        server
            .args([
                "-f",
                "-c",
                &inside("fail2ban"),
                "-s",
                &inside("fail2ban.sock"),
            ])
            .args(["-p", &inside("fail2ban.pid"), "--loglevel", "INFO"])
            .args(["--logtarget", "STDOUT", "start"]);
        folder.write(
            "fail2ban/fail2ban.local",
            format!("[Definition]\ndbfile = {}\n", inside("fail2ban.sqlite3")),
        )?;
        let process = host.spawn(server)?;
        let mut started = Self {
            host: host.clone(),
            package,
            _process: process,
        };
        wait_until("fail2ban watches vsftpd's log", LIMIT, || {
            if let Some(status) = started._process.ended()? {
                bail!("it ended, {status}: {}", started._process.stdout());
            }
            Ok(started.client(&["status", "vsftpd"]).ok())
        })?;
        Ok(started)
    }

    fn client(&self, command: &[&str]) -> Result<String> {
        let inside = |name: &str| self.host.folder().inside(name).display().to_string();
        let mut client = program(&self.package, "fail2ban-client")?;
        client
            .args(["-c", &inside("fail2ban"), "-s", &inside("fail2ban.sock")])
            .args(command);
        let output = self.host.run(client, LIMIT)?;
        ensure!(output.success(), "fail2ban-client: {}", output.stderr);
        Ok(output.stdout)
    }
}

fn program(package: &Package, name: &str) -> Result<Command> {
    let program = package.path(&format!("usr/bin/{name}"));
    ensure!(program.is_file(), "{} is missing", program.display());
    let mut command = Command::new("python3");
    command
        .env("PYTHONPATH", package.path("usr/lib/python3/dist-packages"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(program);
    Ok(command)
}
