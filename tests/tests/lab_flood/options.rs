//! Connections that begin with a cookie of the guard have what others have.

use std::{
    net::{SocketAddr, TcpStream},
    os::fd::AsRawFd,
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{Arena, CLIENT, Family, SERVER, Spoofed, flood::Kind, wait_until};

use crate::{LIMIT, LOGIN_LIMIT, Scene, alone, ensure_flooded};

/// What an end of a connection has agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Agreed {
    time_stamps: bool,
    sack: bool,
    /// Window scales: the peer's and the own one.
    scales: Option<(u8, u8)>,
    /// Longest segment that is sent, in bytes.
    mss: u32,
}

#[test]
fn window_scaling_sack_and_mss() {
    let _alone = alone();
    Arena::test(|arena| {
        let scene = Scene::new(arena, &[])?;
        let peace = both_ends_of_all(&scene)?;
        for (client, server) in &peace {
            for end in [client, server] {
                ensure!(
                    end.sack && end.scales.is_some() && end.time_stamps,
                    "in peace: {end:?}"
                );
            }
        }
        let flood = scene.flood(Kind::SynWithOptions, Spoofed::Listed, Family::V4)?;
        scene.wait_for_cookies()?;
        let accepted = scene.counted("cookie_accepted")?;
        let under_flood = both_ends_of_all(&scene)?;
        let accepted = scene.counted("cookie_accepted")? - accepted;
        ensure_flooded(flood)?;
        ensure!(
            accepted >= 2,
            "{accepted} of 2 connections began with a cookie"
        );
        ensure!(
            under_flood == peace,
            "client and server, IPv4 and IPv6; under the flood {under_flood:?}, in peace {peace:?}"
        );
        Ok(())
    });
}

/// What client and server have agreed on, for either IP version.
fn both_ends_of_all(scene: &Scene<'_>) -> Result<Vec<(Agreed, Agreed)>> {
    let both = Family::BOTH.map(|family| -> Result<_> {
        let target = SERVER.at(family, scene.ftp.port());
        let partner = &scene.arena.partner;
        // A SYN that is let through for the listener to answer proves nothing of cookies.
        wait_until("a connection", LIMIT, || {
            let before = scene.counted("cookie_accepted")?;
            let stream = partner.enter(|| TcpStream::connect_timeout(&target, LOGIN_LIMIT))?;
            let local = stream.local_addr()?;
            // The server has greeted: its end is there.
            stream.set_read_timeout(Some(LOGIN_LIMIT))?;
            let mut first = [0];
            stream.peek(&mut first).context("no greeting")?;
            let cookie = scene.counted("cookie_accepted")? > before;
            if scene.is_attacked()? && !cookie {
                return Ok(None);
            }
            Ok(Some((
                of_socket(&stream)?,
                of_server(scene, family, local)?,
            )))
        })
    });
    both.into_iter().collect()
}

/// TCP_INFO of a socket of this process.
fn of_socket(stream: &TcpStream) -> Result<Agreed> {
    // SAFETY: `tcp_info` is a struct of integers, for which zeros are a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>())?;
    // SAFETY: the kernel writes no more than `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    ensure!(result == 0, "TCP_INFO: {}", std::io::Error::last_os_error());
    // include/uapi/linux/tcp.h: TCPI_OPT_TIMESTAMPS, TCPI_OPT_SACK, TCPI_OPT_WSCALE.
    let has = |bit: u8| info.tcpi_options & bit != 0;
    // Two fields of four bits, the peer's first.
    let scales = info.tcpi_snd_rcv_wscale;
    Ok(Agreed {
        time_stamps: has(1),
        sack: has(2),
        scales: has(4).then_some((scales & 0xf, scales >> 4)),
        mss: info.tcpi_snd_mss,
    })
}

/// The same of the server's socket, as `ss` prints it.
fn of_server(scene: &Scene<'_>, family: Family, client: SocketAddr) -> Result<Agreed> {
    let mut command = Command::new("ss");
    command.args([
        "--tcp",
        "--info",
        "--options",
        "--numeric",
        "--no-header",
        "--oneline",
    ]);
    command.arg(format!("dport = :{}", client.port()));
    let output = scene.arena.server.run(command, Duration::from_secs(10))?;
    ensure!(output.success(), "ss: {}", output.stderr);
    let address = CLIENT.ip(family).to_string();
    let line = output.stdout.lines().find(|line| line.contains(&address));
    let line = line.with_context(|| format!("no socket of {client}: {}", output.stdout))?;
    let words: Vec<_> = line.split_whitespace().collect();
    let value = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
    let scales = value("wscale:").and_then(|scales| {
        let (peer, own) = scales.split_once(',')?;
        Some((peer.parse().ok()?, own.parse().ok()?))
    });
    Ok(Agreed {
        time_stamps: words.contains(&"ts"),
        sack: words.contains(&"sack"),
        scales,
        mss: value("mss:").context("no mss")?.parse()?,
    })
}
