//! Sessions end in every way, and leave nothing in the tables.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Family, Host, SERVER, Site,
    clients::{Client, Direction, Negotiation, Transfer, session::Session},
    guard::{Guard, Settings},
    servers::{self, FtpServer, Make},
    wait_until,
};
use socket2::SockRef;

use crate::tables::{Tables, expect_empty, expect_live};

const LIMIT: Duration = Duration::from_secs(60);

/// Sessions in all, and how many live at once.
const SESSIONS: usize = 10_000;
const AT_ONCE: usize = 250;

/// How a session ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    ClientFin,
    ClientReset,
    ServerFin,
    ServerReset,
}

impl Ending {
    const ALL: [Self; 4] = [
        Self::ClientFin,
        Self::ClientReset,
        Self::ServerFin,
        Self::ServerReset,
    ];
}

/// Opens a control connection with a greeting.
fn greeted(
    client: &Host,
    listener: &TcpListener,
    to: SocketAddr,
    count: usize,
) -> Result<Vec<(TcpStream, TcpStream)>> {
    client.enter(|| {
        let mut pairs = Vec::new();
        for _ in 0..count {
            let mut client = TcpStream::connect_timeout(&to, LIMIT)?;
            client.set_read_timeout(Some(LIMIT))?;
            let mut server = listener.accept()?.0;
            server.write_all(b"220 ready\r\n")?;
            client.read_exact(&mut [0; 11])?;
            pairs.push((client, server));
        }
        Ok(pairs)
    })
}

fn reset(stream: TcpStream) -> Result<()> {
    Ok(SockRef::from(&stream).set_linger(Some(Duration::ZERO))?)
}

fn end((client, mut server): (TcpStream, TcpStream), ending: Ending) -> Result<()> {
    let (mut first, mut second) = match ending {
        Ending::ClientReset => {
            reset(client)?;
            // Its reader sees an error.
            ensure!(server.read(&mut [0; 1]).is_err());
            return Ok(());
        }
        Ending::ServerReset => return reset(server),
        Ending::ClientFin => (client, server),
        Ending::ServerFin => (server, client),
    };
    first.shutdown(std::net::Shutdown::Write)?;
    ensure!(second.read(&mut [0; 1])? == 0, "no end came");
    drop(second);
    ensure!(first.read(&mut [0; 1])? == 0, "no end came back");
    Ok(())
}

#[test]
fn ten_thousand_sessions_that_end_in_every_way_leave_nothing() {
    Site::test(|site| {
        let settings = Settings {
            more: Settings::unlimited(),
            ..Settings::default()
        };
        let guard = Guard::start(&site.server, settings)?;
        for (family, port) in [(Family::V4, 21), (Family::V6, 990)] {
            let to = SERVER.at(family, port);
            let listener = site.server.enter(|| TcpListener::bind(to))?;
            for round in 0..SESSIONS / 2 / AT_ONCE {
                let pairs = greeted(&site.client, &listener, to, AT_ONCE)?;
                if round % 4 == 0 {
                    expect_live(&guard, AT_ONCE, 0)?;
                }
                for (number, pair) in pairs.into_iter().enumerate() {
                    let ending = Ending::ALL[number % Ending::ALL.len()];
                    end(pair, ending).with_context(|| format!("{ending:?}"))?;
                }
                if round % 4 == 0 {
                    expect_live(&guard, 0, 0)?;
                }
            }
        }
        let full = guard.counted(&[("reason", "session_table_full")])?;
        ensure!(full == 0, "the table was full");
        expect_empty(&guard)
    });
}

#[test]
fn a_client_that_loses_its_power_leaves_nothing_once_the_server_gives_up() {
    Site::test(|site| {
        let server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let guard = Guard::start(&site.server, Settings::default())?;
        // A quarter of an hour otherwise.
        site.server.sysctl("net/ipv4/tcp_retries2", "3")?;
        site.server.sysctl("net/ipv4/tcp_orphan_retries", "2")?;
        let download = Transfer {
            size: 24 << 20,
            rate: Some(64 << 10),
            ..Transfer::new(
                Client::Curl,
                Family::V4,
                Negotiation::Epsv,
                Direction::Download,
            )
        };
        let mut running = download.start(&site.client, &server)?;
        wait_until("the transfer has begun", LIMIT, || {
            ensure!(running.goes_on()?, "it ended early");
            Ok((running.arrived() > 0).then_some(()))
        })?;
        expect_live(&guard, 1, 1)?;
        site.set_link(&site.client, false)?;
        wait_until("the server gives up", LIMIT, || {
            let tables = Tables::read(&guard)?;
            Ok((tables.live() + tables.live_flows() == 0).then_some(()))
        })?;
        expect_empty(&guard)
    });
}

#[test]
fn a_server_that_is_killed_leaves_nothing() {
    Site::test(|site| {
        let server =
            FtpServer::start(Make::Pyftpdlib, &site.server, &servers::Settings::default())?;
        let guard = Guard::start(&site.server, Settings::default())?;
        let mut sessions = Vec::new();
        for number in 0..20 {
            let family = Family::BOTH[number % 2];
            sessions.push(Session::log_in(&site.client, family, server.port())?);
        }
        let ports: Vec<_> = sessions
            .iter_mut()
            .take(10)
            .map(Session::passive)
            .collect::<Result<_>>()?;
        let data: Vec<_> = site.client.enter(|| {
            ports
                .iter()
                .map(|to| TcpStream::connect_timeout(to, LIMIT))
                .collect::<std::io::Result<_>>()
        })?;
        expect_live(&guard, 20, 10)?;
        // By SIGKILL, all its processes.
        drop(server);
        expect_live(&guard, 0, 0)?;
        expect_empty(&guard)?;
        drop(data);
        Ok(())
    });
}

/// What a daemon missed while it was away is put right by its successor.
#[test]
fn what_ended_while_the_daemon_was_away_leaves_nothing() {
    Site::test(|site| {
        let server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let mut guard = Guard::start(&site.server, Settings::default())?;
        let mut stays = Session::log_in(&site.client, Family::V4, server.port())?;
        let goes = Session::log_in(&site.client, Family::V4, server.port())?;
        expect_live(&guard, 2, 0)?;
        guard.kill9()?;
        drop(goes);
        let during = Session::log_in(&site.client, Family::V4, server.port())?;
        guard.launch()?;
        expect_live(&guard, 2, 0)?;
        ensure!(stays.command("NOOP")?.starts_with("200"));
        drop((stays, during));
        expect_empty(&guard)
    });
}
