//! What is not FTP passes an enforcing guard, for anyone.

use std::{
    io::{Read, Write},
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Family, SERVER, Site,
    guard::{self, Guard},
    metrics::fetch,
    probe::{Answer, expect_control_port},
    stack::listening_ports,
    wait_until,
};
use rand::RngCore;

const LIMIT: Duration = Duration::from_secs(20);

/// A datagram of six fragments.
const FRAGMENTED: usize = 8000;

#[test]
fn a_stranger_uses_everything_but_ftp() {
    Site::test(|site| {
        let guard = Guard::start(&site.server, guard::Settings::default())?;
        resolves_neighbours(site)?;
        for family in Family::BOTH {
            pings(site, family)?;
            echoes_tcp(site, family).with_context(|| format!("port 22, {family:?}"))?;
            echoes_udp(site, family).with_context(|| format!("UDP, {family:?}"))?;
        }
        serves_http(site)?;

        let dropped = guard.counted(&[("verdict", "drop")])?;
        ensure!(
            dropped == 0,
            "{dropped} packets that are not FTP were dropped"
        );
        for (reason, least) in [("not_ip", 1), ("not_tcp", 20), ("not_ftp", 100)] {
            let passed = guard.counted(&[("verdict", "pass"), ("reason", reason)])?;
            ensure!(
                passed >= least,
                "the guard saw only {passed} packets as {reason}"
            );
        }
        // And the guard was there all the while.
        expect_control_port(&site.stranger, Answer::Nothing)
    });
}

/// ARP and NDP: the stranger forgets the server's Ethernet address and finds it again.
fn resolves_neighbours(site: &Site) -> Result<()> {
    for family in Family::BOTH {
        site.stranger
            .ip(&[format!("neigh flush dev {}", Site::INTERFACE)])?;
        ping(site, family, 56)?;
        let mut command = Command::new("ip");
        command.args(["neigh", "show", &SERVER.ip(family).to_string()]);
        let found = site.stranger.run(command, LIMIT)?.stdout;
        ensure!(
            found.contains(&SERVER.mac_text()),
            "the neighbour was not found: {found}"
        );
    }
    Ok(())
}

fn pings(site: &Site, family: Family) -> Result<()> {
    ping(site, family, 56)?;
    ping(site, family, FRAGMENTED)
}

fn ping(site: &Site, family: Family, size: usize) -> Result<()> {
    let mut command = Command::new("ping");
    command.args(["-c", "3", "-i", "0.2", "-W", "5", "-s", &size.to_string()]);
    command.arg(SERVER.ip(family).to_string());
    let output = site.stranger.run(command, LIMIT)?;
    ensure!(
        output.success() && output.stdout.contains(" 0% packet loss"),
        "{}",
        output.stdout
    );
    Ok(())
}

/// A megabyte there and back over TCP port 22.
fn echoes_tcp(site: &Site, family: Family) -> Result<()> {
    let listener = site.server.enter(|| TcpListener::bind(everywhere(22)))?;
    let echo = thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut received = Vec::new();
        stream.read_to_end(&mut received)?;
        stream.write_all(&received)?;
        Ok(())
    });
    let mut sent = vec![0; 1 << 20];
    rand::rng().fill_bytes(&mut sent);
    let target = SERVER.at(family, 22);
    let mut stream = site
        .stranger
        .enter(|| TcpStream::connect_timeout(&target, LIMIT))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(&sent)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut returned = Vec::new();
    stream.read_to_end(&mut returned)?;
    ensure!(
        returned == sent,
        "{} of {} bytes came back whole",
        returned.len(),
        sent.len()
    );
    echo.join()
        .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}

/// A small datagram and one of several fragments, there and back.
fn echoes_udp(site: &Site, family: Family) -> Result<()> {
    let listener = site.server.enter(|| UdpSocket::bind(everywhere(5353)))?;
    listener.set_read_timeout(Some(LIMIT))?;
    let echo = thread::spawn(move || -> Result<()> {
        let mut datagram = vec![0; 1 << 16];
        for _ in 0..2 {
            let (length, from) = listener.recv_from(&mut datagram)?;
            listener.send_to(&datagram[..length], from)?;
        }
        Ok(())
    });
    let socket = site.stranger.enter(|| match family {
        Family::V4 => UdpSocket::bind("0.0.0.0:0"),
        Family::V6 => UdpSocket::bind("[::]:0"),
    })?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.connect(SERVER.at(family, 5353))?;
    for size in [100, FRAGMENTED] {
        let mut sent = vec![0; size];
        rand::rng().fill_bytes(&mut sent);
        socket.send(&sent)?;
        let mut returned = vec![0; 1 << 16];
        let length = socket
            .recv(&mut returned)
            .with_context(|| format!("{size} bytes"))?;
        ensure!(returned[..length] == sent, "another datagram came back");
    }
    echo.join()
        .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}

fn serves_http(site: &Site) -> Result<()> {
    let folder = site.lab.folder();
    folder.write("www/page.txt", "a page")?;
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-m", "http.server", "--bind", "::", "--directory"]);
    command.arg(folder.inside("www")).arg("80");
    let _server = site.server.spawn(command)?;
    wait_until("the web server listens", LIMIT, || {
        Ok(listening_ports(&site.server)?.contains(&80).then_some(()))
    })?;
    for family in Family::BOTH {
        let page = fetch(
            &site.stranger,
            &format!("http://{}/page.txt", SERVER.at(family, 80)),
        )?;
        ensure!(page == "a page", "another page came: {page}");
    }
    Ok(())
}

/// Both IP versions: Linux clears IPV6_V6ONLY by default.
fn everywhere(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)
}
