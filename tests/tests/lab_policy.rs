//! Commands that a profile refuses, with real servers and clients: the client gets a line and the end, the server
//! never sees the command and its socket ends, and clients of other profiles notice nothing.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    CLIENT, Family, Host, PASSWORD, SERVER, STRANGER, Site, Tls, USER,
    clients::{Client, Direction, Negotiation, Transfer, session::Session},
    guard::{self, Guard},
    metrics::Scrape,
    servers::{self, FtpServer, Make},
    wait_until,
};

/// Time for a step.
const LIMIT: Duration = Duration::from_secs(20);
/// Time in which a refused client has its line, and the end.
const SOON: Duration = Duration::from_secs(1);
/// Time in which the daemon, which looks once a second, has ended the server's socket.
const SWEPT: Duration = Duration::from_secs(4);

/// The name of a policy in the verdict table, its line of configuration, and what it refuses: before a login, or
/// behind one.
struct Policy {
    reason: &'static str,
    line: &'static str,
    before_login: bool,
    refused: &'static [&'static str],
}

const POLICIES: [Policy; 4] = [
    Policy {
        reason: "tls_required",
        line: "require_tls = true",
        before_login: true,
        refused: &[
            "USER lab\r\n",
            "PASS lab-secret\r\n",
            "NOOP\r\nuser lab\r\n",
        ],
    },
    Policy {
        reason: "anonymous_refused",
        line: "anonymous = false",
        before_login: true,
        refused: &["USER anonymous\r\n", "user FTP\r\n"],
    },
    Policy {
        reason: "read_only",
        line: "read_only = true",
        before_login: false,
        refused: &[
            "DELE victim\r\n",
            "\"DELE\" victim\r\n",
            "SITE CHMOD 000 victim\r\n",
            "NOOP\r\nRNFR victim\r\nRNTO gone\r\n",
        ],
    },
    Policy {
        reason: "command_denied",
        line: "deny_commands = [\"DELE\", \"SITE CHMOD\"]",
        before_login: false,
        refused: &["dele victim\n", "site  chmod 000 victim\r\n"],
    },
];

/// The client has the profile that is tried, the stranger none.
fn guard(site: &Site, line: &str) -> Result<Guard> {
    let mut settings = guard::Settings {
        more: vec!["[profile.tried]".to_owned(), line.to_owned()],
        ..guard::Settings::default()
    }
    .listing(&[STRANGER]);
    let clients = CLIENT
        .ips()
        .map(|address| format!("{address} profile=tried"));
    settings.list.extend(clients);
    Guard::start(&site.server, settings)
}

/// A control connection whose segments the test cuts.
struct Raw(BufReader<TcpStream>);

impl Raw {
    fn greeted(host: &Host, family: Family) -> Result<Self> {
        let to = SERVER.at(family, 21);
        let stream = host.enter(|| TcpStream::connect_timeout(&to, LIMIT))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        let mut raw = Self(BufReader::new(stream));
        raw.expect("220")?;
        Ok(raw)
    }

    fn logged_in(host: &Host, family: Family) -> Result<Self> {
        let mut raw = Self::greeted(host, family)?;
        raw.say(format!("USER {USER}\r\n").as_bytes())?;
        raw.expect("331")?;
        raw.say(format!("PASS {PASSWORD}\r\n").as_bytes())?;
        raw.expect("230")?;
        Ok(raw)
    }

    fn say(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.get_mut().write_all(bytes)?)
    }

    /// Reads up to the last line of a reply.
    fn expect(&mut self, code: &str) -> Result<String> {
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line)?;
            ensure!(read > 0, "{code} expected, the end came");
            ensure!(line.starts_with(code), "{code} expected, not {line}");
            if line.as_bytes().get(3) == Some(&b' ') {
                return Ok(line);
            }
        }
    }

    /// Says something in pieces, a segment each, and makes sure that it is refused.
    fn expect_refusal(mut self, pieces: &[&[u8]]) -> Result<()> {
        let (last, before) = pieces.split_last().context("no pieces")?;
        for piece in before {
            self.say(piece)?;
            thread::sleep(Duration::from_millis(2));
        }
        let start = Instant::now();
        self.say(last)?;
        self.expect("421").context("the line").and_then(|line| {
            ensure!(line.starts_with("421 Refused by policy: "), "{line}");
            Ok(())
        })?;
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).context("the end")?;
        ensure!(rest.is_empty(), "{:?}", rest.escape_ascii().to_string());
        let took = start.elapsed();
        ensure!(took < SOON, "it took {took:?}");
        Ok(())
    }
}

/// Packets that were dropped for a reason where commands are read.
fn refused(host: &Host, reason: &str) -> Result<u64> {
    let scrape = Scrape::of(host, Guard::METRICS)?;
    let labels = [("verdict", "drop"), ("reason", reason)];
    Ok(scrape.sum("ftp_guard_control_packets_total", &labels)? as u64)
}

fn ended(host: &Host) -> Result<u64> {
    let scrape = Scrape::of(host, Guard::METRICS)?;
    let name = "ftp_guard_sessions_ended_total";
    Ok(scrape.sum(name, &[("reason", "policy")])? as u64)
}

/// The server's sockets of control connections from the client.
fn sockets(site: &Site) -> Result<usize> {
    let mut command = Command::new("ss");
    command.args(["-Htn", "state", "connected", "sport", "=", ":21"]);
    let output = site.server.run(command, LIMIT)?;
    ensure!(output.success(), "{}", output.stderr);
    let of_client = |line: &&str| CLIENT.ips().iter().any(|ip| line.contains(&ip.to_string()));
    Ok(output.stdout.lines().filter(of_client).count())
}

fn policies_hold(make: Make) {
    Site::test(|site| {
        let ftp = FtpServer::start(make, &site.server, &servers::Settings::default())?;
        ftp.put("victim", b"alive")?;
        for policy in POLICIES {
            holds(site, &ftp, &policy).context(policy.reason)?;
        }
        Ok(())
    });
}

fn holds(site: &Site, ftp: &FtpServer, policy: &Policy) -> Result<()> {
    let mut guard = guard(site, policy.line)?;
    // Somebody else, all the while.
    let mut other = Session::log_in(&site.stranger, Family::V4, 21)?;
    let open = |family| match policy.before_login {
        true => Raw::greeted(&site.client, family),
        false => Raw::logged_in(&site.client, family),
    };
    let mut tried = 0;
    for text in policy.refused {
        let bytes = text.as_bytes();
        let whole: [&[u8]; 1] = [bytes];
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let halves: [&[u8]; 2] = [&bytes[..2], &bytes[2..]];
        let in_end: [&[u8]; 2] = [&bytes[..bytes.len() - 1], &bytes[bytes.len() - 1..]];
        let ways: [&[&[u8]]; 4] = [&whole, &single, &halves, &in_end];
        for (pieces, family) in ways.into_iter().zip(Family::BOTH.into_iter().cycle()) {
            // Replies to what comes before the refused command come between.
            if text.starts_with("NOOP") && pieces.len() > 1 {
                continue;
            }
            let raw = open(family)?;
            let refused = raw.expect_refusal(pieces);
            refused.with_context(|| format!("{text:?} in {} pieces, {family}", pieces.len()))?;
            tried += 1;
            // It counts connections, five at most, until it knows that they have ended.
            if ftp.make() == Make::PureFtpd {
                wait_until("the server's socket ends", SWEPT, || {
                    Ok((sockets(site)? == 0).then_some(()))
                })?;
            }
        }
    }
    let counted = refused(&site.server, policy.reason)?;
    ensure!(counted >= tried, "{counted} of {tried} counted");
    wait_until("the server's sockets end", SWEPT, || {
        Ok((sockets(site)? == 0 && ended(&site.server)? >= tried).then_some(()))
    })?;
    ensure!(ftp.get("victim")? == b"alive", "the file has changed");
    let answer = other.command("NOOP")?;
    ensure!(answer.starts_with("200"), "the other client: {answer}");
    guard.terminate()?;
    Ok(())
}

#[test]
fn policies_hold_before_vsftpd() {
    policies_hold(Make::Vsftpd);
}

#[test]
fn policies_hold_before_proftpd() {
    policies_hold(Make::ProFtpd);
}

#[test]
fn policies_hold_before_pure_ftpd() {
    policies_hold(Make::PureFtpd);
}

#[test]
fn policies_hold_before_pyftpdlib() {
    policies_hold(Make::Pyftpdlib);
}

/// What a client says when it is told to run these words.
fn said(host: &Host, program: &str, arguments: &[&str]) -> Result<(bool, String)> {
    let mut command = Command::new(program);
    command.args(arguments);
    let output = host.run(command, LIMIT)?;
    let text = format!("{}{}", output.stdout, output.stderr);
    Ok((output.success(), text))
}

#[test]
fn clients_understand_the_refusal() {
    Site::test(|site| {
        let ftp = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        ftp.put("victim", b"alive")?;
        let _guard = guard(site, "read_only = true")?;
        let server = SERVER.at(Family::V4, 21);
        let user = format!("{USER}:{PASSWORD}");
        let url = format!("ftp://{server}/");
        let quote = ["-sSv", "--user", &user, "--quote", "DELE victim", &url];
        let lftp = format!(
            "set net:max-retries 1; set ftp:ssl-allow no; debug 5; \
             open -u {USER},{PASSWORD} {server}; rm victim"
        );
        let python = format!(
            "import ftplib\nf = ftplib.FTP('{}', '{USER}', '{PASSWORD}')\nf.delete('victim')",
            server.ip()
        );
        let clients: [(&str, &[&str]); 3] = [
            ("curl", &quote),
            ("lftp", &["--norc", "-c", &lftp]),
            ("/usr/bin/python3", &["-c", &python]),
        ];
        for (client, arguments) in clients {
            let start = Instant::now();
            let (success, text) = said(&site.client, client, arguments)?;
            ensure!(!success, "{client} succeeds: {text}");
            let line = "421 Refused by policy: files can only be read by you.";
            ensure!(text.contains(line), "{client} does not say why: {text}");
            ensure!(start.elapsed() < LIMIT / 2, "{client} takes its time");
            ensure!(ftp.get("victim")? == b"alive", "{client} has changed it");
        }
        let log = std::fs::read_to_string(site.lab.folder().outside("log/vsftpd.log"))?;
        ensure!(
            log.contains("\"USER lab\""),
            "no commands in the log: {log}"
        );
        ensure!(!log.contains("DELE"), "the server has seen it: {log}");
        // The stranger may.
        let (success, text) = said(&site.stranger, "curl", &quote)?;
        ensure!(success, "the stranger: {text}");
        ensure!(ftp.get("victim").is_err(), "it was to be deleted");
        Ok(())
    });
}

#[test]
fn a_login_under_tls_is_let_in() {
    Site::test(|site| {
        let ftp = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let _guard = guard(site, "require_tls = true")?;
        for client in [Client::Curl, Client::Lftp, Client::Ftplib] {
            let transfer = Transfer {
                tls: Tls::Auth,
                ..Transfer::new(client, Family::V4, Negotiation::Epsv, Direction::Download)
            };
            transfer
                .make(&site.client, &ftp)
                .with_context(|| transfer.to_string())?;
        }
        let before = refused(&site.server, "tls_required")?;
        ensure!(before == 0, "{before} refused");
        let url = format!("ftp://{}/", SERVER.at(Family::V4, 21));
        let user = format!("{USER}:{PASSWORD}");
        let (success, text) = said(&site.client, "curl", &["-sSv", "--user", &user, &url])?;
        ensure!(
            !success && text.contains("421 Refused by policy: TLS"),
            "{text}"
        );
        Ok(())
    });
}
