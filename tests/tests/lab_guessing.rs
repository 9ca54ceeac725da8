//! Guessing at passwords: a script that does it at real servers is banned in the kernel within a second of
//! the refusal that is one too many, its open sessions end, and nobody else notices.

#[path = "lab_sessions/download.rs"]
mod download;

use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use aya::maps::{LpmTrie, Map, MapData, lpm_trie::Key};
use ftp_guard_common::{
    ban::BanValue,
    names::{BAN_V4_MAP, BAN_V6_MAP},
};
use ftp_guard_tests::lab::{
    CLIENT, Family, Host, SERVER, STRANGER, Site, USER,
    clients::session::Session,
    guard::{Guard, Settings},
    probe::{Answer, expect},
    servers::{self, FtpServer, Make},
    wait_until,
};

use self::download::Download;

/// `detect.max_failures` as it is when nothing is said.
const MAX_FAILURES: usize = 5;

/// From the refusal to the ban.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Servers take seconds to refuse a password.
const LIMIT: Duration = Duration::from_secs(30);

/// Guesses at passwords, as many for each connection as the server permits.
struct Script<'a> {
    host: &'a Host,
    server: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl<'a> Script<'a> {
    fn new(host: &'a Host, server: SocketAddr) -> Self {
        Self {
            host,
            server,
            connection: None,
        }
    }

    /// One guess; returns when the server has refused it.
    fn guess(&mut self, password: &str) -> Result<Instant> {
        for _ in 0..2 {
            match self.try_guess(password) {
                Ok(refused) => return Ok(refused),
                // The server has had enough of the old connection.
                Err(_) if self.connection.take().is_some() => {}
                Err(error) => return Err(error),
            }
        }
        bail!("no server takes a guess")
    }

    fn try_guess(&mut self, password: &str) -> Result<Instant> {
        let fresh = self.connection.is_none();
        if fresh {
            let stream = self
                .host
                .enter(|| TcpStream::connect_timeout(&self.server, LIMIT))?;
            stream.set_read_timeout(Some(LIMIT))?;
            self.connection = Some(BufReader::new(stream));
        }
        let connection = self.connection.as_mut().context("no connection")?;
        if fresh {
            ask(connection, "", "220")?;
        }
        ask(connection, &format!("USER {USER}\r\n"), "331")?;
        ask(connection, &format!("PASS {password}\r\n"), "530")?;
        Ok(Instant::now())
    }
}

/// Sends a line, and reads replies until one begins like this.
fn ask(connection: &mut BufReader<TcpStream>, line: &str, expected: &str) -> Result<()> {
    connection.get_mut().write_all(line.as_bytes())?;
    let mut reply = String::new();
    while !reply.starts_with(&format!("{expected} ")) {
        reply.clear();
        ensure!(
            connection.read_line(&mut reply)? > 0,
            "the connection has ended"
        );
        ensure!(
            !reply.starts_with('4') && !reply.starts_with("503"),
            "{reply}"
        );
    }
    Ok(())
}

/// Whether the kernel's table has a ban of an address.
fn banned(guard: &Guard, address: IpAddr) -> Result<bool> {
    let pins = guard.folder().outside(&guard.settings().pins());
    let open =
        |name: &str| -> Result<Map> { Ok(Map::LpmTrie(MapData::from_pin(pins.join(name))?)) };
    Ok(match address {
        IpAddr::V4(address) => {
            let table: LpmTrie<_, [u8; 4], BanValue> = open(BAN_V4_MAP)?.try_into()?;
            table.get(&Key::new(32, address.octets()), 0).is_ok()
        }
        IpAddr::V6(address) => {
            let table: LpmTrie<_, [u8; 16], BanValue> = open(BAN_V6_MAP)?.try_into()?;
            table.get(&Key::new(128, address.octets()), 0).is_ok()
        }
    })
}

fn guessing_is_banned(make: Make) {
    Site::test(|site| {
        let server = FtpServer::start(make, &site.server, &servers::Settings::default())?;
        // Both hosts of the lab are in one /64.
        let settings = Settings {
            more: vec!["[limits]".into(), "ipv6_source_prefix = 128".into()],
            ..Settings::default()
        };
        let guard = Guard::start(&site.server, settings.listing(&[CLIENT, STRANGER]))?;
        for family in Family::BOTH {
            // Another partner of the same profile, in the middle of a file.
            let partner = Download::start(&site.stranger, &server, family, false)?;
            let running = Download::start(&site.client, &server, family, true)?;
            let mut open = Session::log_in(&site.client, family, server.port())?;
            let mut script = Script::new(&site.client, SERVER.at(family, server.port()));
            let guesser = CLIENT.ip(family);
            let mut refused = Instant::now();
            for number in 1..=MAX_FAILURES {
                ensure!(
                    !banned(&guard, guesser)?,
                    "{family}: banned before guess {number}"
                );
                refused = script.guess(&format!("wrong-{number}"))?;
            }
            while !banned(&guard, guesser)? {
                let late = refused.elapsed();
                ensure!(late < AT_ONCE, "{family}: not banned after {late:?}");
                sleep(Duration::from_millis(5));
            }
            println!(
                "{make:?} {family}: banned {:?} after the refusal",
                refused.elapsed()
            );

            // The ban is told before its sessions are ended, and a whole file takes no longer than that.
            sleep(Duration::from_millis(300));
            // What becomes of a download at ProFTPD depends on which of its sockets ends first.
            if make == Make::Vsftpd {
                running.expect_broken()?;
            }
            ensure!(
                open.command("NOOP").is_err(),
                "{family}: the open session goes on"
            );
            let control = SERVER.at(family, server.port());
            expect(&site.client, &[control], Answer::Nothing)?;
            expect(&site.stranger, &[control], Answer::Connected)?;
            partner.finish()?;
            let mut again = Session::log_in(&site.stranger, family, server.port())?;
            ensure!(again.command("NOOP")?.starts_with("200"));
            ensure!(!banned(&guard, STRANGER.ip(family))?);

            let address = guesser.to_string();
            let list = guard.ask(&["ban", "list"])?.to_string();
            ensure!(
                list.contains(&address) && list.contains("login_failures"),
                "{list}"
            );
            wait_until("the detection is told", LIMIT, || {
                let events = guard.cli(&[
                    "events",
                    "--reason",
                    "login_failures",
                    "--severity",
                    "high",
                    "--source",
                    &address,
                ])?;
                let told = events.text().contains("5 failed logins within 10m");
                Ok((told && !events.text().contains("wrong-")).then_some(()))
            })?;
        }
        Ok(())
    });
}

#[test]
fn guessing_at_vsftpd_is_banned_within_a_second() {
    guessing_is_banned(Make::Vsftpd);
}

#[test]
fn guessing_at_proftpd_is_banned_within_a_second() {
    guessing_is_banned(Make::ProFtpd);
}

#[test]
fn whoever_is_never_banned_is_told_of_and_goes_on() {
    Site::test(|site| {
        let server = FtpServer::start(Make::ProFtpd, &site.server, &servers::Settings::default())?;
        let address = CLIENT.ip(Family::V4);
        let guard = Guard::start(
            &site.server,
            Settings {
                bans: vec![format!("never_ban = [\"{address}\"]")],
                ..Settings::default()
            },
        )?;
        let mut open = Session::log_in(&site.client, Family::V4, server.port())?;
        let mut script = Script::new(&site.client, SERVER.at(Family::V4, server.port()));
        for number in 0..=MAX_FAILURES {
            script.guess(&format!("wrong-{number}"))?;
        }
        wait_until("the detection is told", LIMIT, || {
            let events = guard.cli(&["events", "--reason", "login_failures"])?;
            let told = events.text().contains("5 failed logins");
            Ok((told && !events.text().contains("; banned")).then_some(()))
        })?;
        ensure!(open.command("NOOP")?.starts_with("200"));
        ensure!(
            guard.ask(&["ban", "list"])?["bans"]
                .as_array()
                .is_some_and(Vec::is_empty)
        );
        Ok(())
    });
}
