//! What many sources together must not do.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Host, SERVER, Site,
    servers::{self, FtpServer, Make},
};
use socket2::{Domain, Socket, Type};

use crate::{LIMIT, control, dropped_for, ensure_alive, ensure_refused, guard, log_in_times};

/// An address of the client in another /24 than the lab's.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

#[test]
fn new_connections_of_a_network() {
    Site::test(|site| {
        let _ftp = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let limits = [
            "[limits]",
            "network_connections_per_second = 1",
            "network_connections_burst = 6",
            // Half of a second is enough for the test, and nobody knocks for longer.
            "syn_cookies = \"off\"",
        ];
        let guard = guard(site, &[], &limits)?;
        elsewhere(site)?;
        guard.ask(&["allow", "add", &ELSEWHERE.to_string()])?;
        // Client and stranger are in one /24, and each by itself is far from its own limit.
        let mut sessions = log_in_times(&site.client, 3)?;
        sessions.extend(log_in_times(&site.stranger, 3)?);
        let before = dropped_for(&guard, "network_rate")?;
        for host in [&site.stranger, &site.client] {
            sessions.extend(log_in_times(host, 4)?);
        }
        let dropped = dropped_for(&guard, "network_rate")? - before;
        ensure!(dropped > 0, "none was dropped: {:?}", guard.dropped()?);
        // Another network at the same moment.
        let before = dropped_for(&guard, "network_rate")?;
        for _ in 0..3 {
            connect_from(&site.client, ELSEWHERE.into())?;
        }
        ensure!(
            dropped_for(&guard, "network_rate")? == before,
            "the other network waits"
        );
        ensure_alive(&mut sessions)
    });
}

#[test]
fn new_connections_of_all() {
    Site::test(|site| {
        let _ftp = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let limits = [
            "[limits]",
            "total_connections_per_second = 1",
            "total_connections_burst = 4",
            "syn_cookies = \"off\"",
        ];
        let guard = guard(site, &[], &limits)?;
        let mut sessions = log_in_times(&site.client, 2)?;
        sessions.extend(log_in_times(&site.stranger, 2)?);
        ensure_refused_soon(&guard, &site.client)?;
        ensure_alive(&mut sessions)
    });
}

/// Knocks until the bucket, which fills up by one a second, is empty.
fn ensure_refused_soon(guard: &ftp_guard_tests::lab::guard::Guard, host: &Host) -> Result<()> {
    let mut last = Ok(());
    for _ in 0..5 {
        last = ensure_refused(guard, host, control(), "total_rate");
        if last.is_ok() || dropped_for(guard, "total_rate")? > 0 {
            return Ok(());
        }
    }
    last
}

/// Gives the client the other address.
fn elsewhere(site: &Site) -> Result<()> {
    let interface = Site::INTERFACE;
    site.client
        .ip(&[format!("addr add {ELSEWHERE}/32 dev {interface}")])?;
    site.server
        .ip(&[format!("route add {ELSEWHERE}/32 dev {interface}")])
}

/// Connects to the control port from one of the host's addresses.
fn connect_from(host: &Host, source: IpAddr) -> Result<Socket> {
    let server = SocketAddr::new(SERVER.v4.into(), 21);
    host.enter(|| -> Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
        socket.connect_timeout(&server.into(), LIMIT)?;
        Ok(socket)
    })
    .with_context(|| format!("from {source}"))
}
