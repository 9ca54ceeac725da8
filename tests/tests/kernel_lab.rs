//! The smallest lab: what an initramfs can hold. It needs `ip`, `cat` and the guard's binary, no
//! bridge, no FTP server and no client, and runs on every supported kernel.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use aya::util::KernelVersion;
use ftp_guard::datapath::{TcKind, observe};
use ftp_guard_tests::lab::{
    Addresses, CLIENT, End, Family, Host, Lab, SERVER, STRANGER, Site,
    guard::{Guard, Settings},
};
use socket2::{Domain, Socket, Type};

/// Long enough for a SYN and its first retransmission (after 1 s), under emulation as well.
const PATIENCE: Duration = Duration::from_millis(2500);

/// One cable: the server with its guarded interface, and a peer with the addresses of two.
struct Pair {
    lab: Lab,
    server: Host,
    peer: Host,
}

impl Pair {
    fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let (server, peer) = (lab.host("server")?, lab.host("peer")?);
        let interface = Site::INTERFACE;
        lab.connect(
            End {
                host: &server,
                interface,
            },
            End {
                host: &peer,
                interface,
            },
        )?;
        server.configure(interface, &SERVER)?;
        peer.configure(interface, &CLIENT)?;
        let Addresses { v4, v6, .. } = STRANGER;
        peer.ip(&[
            format!("addr add {v4}/24 dev {interface}"),
            format!("addr add {v6}/64 dev {interface} nodad"),
        ])?;
        Ok(Self { lab, server, peer })
    }

    /// Whether a connection from one of the peer's addresses is accepted.
    fn connects(&self, from: &Addresses, family: Family, port: u16) -> bool {
        let (source, target) = (from.at(family, 0), SERVER.at(family, port));
        self.peer.enter(|| connect(source, target)).is_ok()
    }

    /// That the client gets in and the stranger does not, on these ports.
    fn guarded(&self, ports: &[u16]) -> Result<()> {
        for family in Family::BOTH {
            for port in ports {
                ensure!(
                    self.connects(&CLIENT, family, *port),
                    "the client at {port}, {family:?}"
                );
                ensure!(
                    !self.connects(&STRANGER, family, *port),
                    "the stranger at {port}, {family:?}"
                );
            }
        }
        Ok(())
    }
}

fn connect(source: SocketAddr, target: SocketAddr) -> Result<()> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
    socket.bind(&source.into())?;
    socket.connect_timeout(&target.into(), PATIENCE)?;
    Ok(())
}

#[test]
fn the_guard_enforces_on_this_kernel() {
    let pair = Pair::new().expect("cannot make the lab");
    pair.lab.judge(|| {
        // A listener's queue accepts on its behalf.
        let _listeners = [21, 22, 50000].map(|port| {
            let everywhere = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
            pair.server
                .enter(|| TcpListener::bind(everywhere))
                .expect("cannot listen")
        });
        for family in Family::BOTH {
            ensure!(
                pair.connects(&STRANGER, family, 21),
                "the pair is not connected"
            );
        }

        let mut guard = Guard::start(&pair.server, Settings::default())?;
        pair.guarded(&[21])?;
        for from in [&CLIENT, &STRANGER] {
            for family in Family::BOTH {
                ensure!(
                    !pair.connects(from, family, 50000),
                    "a data port is open without a session, {family:?}"
                );
            }
        }
        classified(&pair, &guard)?;
        for family in Family::BOTH {
            ensure!(
                pair.connects(&STRANGER, family, 22),
                "port 22 is shut, {family:?}"
            );
            explains(&guard, STRANGER.ip(family), "drop", "not_listed")?;
            explains(&guard, CLIENT.ip(family), "pass", "listed")?;
        }

        guard.kill9()?;
        pair.guarded(&[21])?;
        guard.launch()?;
        pair.guarded(&[21])?;
        classified(&pair, &guard)?;

        guard.ask(&["mode", "monitor"])?;
        ensure!(
            pair.connects(&STRANGER, Family::V4, 21),
            "monitor mode drops"
        );
        guard.ask(&["mode", "enforce"])?;
        let mode = &guard.status()?["interfaces"][0]["mode"];
        ensure!(mode == "native", "attached in {mode} mode");
        let dropped = guard.counted(&[("verdict", "drop"), ("reason", "not_listed")])?;
        ensure!(dropped >= 8, "{dropped} drops counted");

        guard.cli(&["detach"])?.expect(0)?;
        guard.join()?;
        ensure!(
            pair.connects(&STRANGER, Family::V6, 21),
            "detached, and the stranger is shut out"
        );
        Ok(())
    });
}

/// That the classifiers are attached in the way that this kernel has.
fn classified(pair: &Pair, guard: &Guard) -> Result<()> {
    let pins = guard.folder().outside(&guard.settings().pins());
    let seen = pair.server.enter(|| observe(&pins))?.context("no pins")?;
    let kinds: Vec<TcKind> = seen.attachments.iter().map(|it| it.tc).collect();
    let wanted = match KernelVersion::current()? >= KernelVersion::new(6, 6, 0) {
        true => TcKind::Tcx,
        false => TcKind::Clsact,
    };
    ensure!(kinds == [wanted], "classifiers by {kinds:?}");
    Ok(())
}

fn explains(guard: &Guard, source: IpAddr, verdict: &str, reason: &str) -> Result<()> {
    let explained = guard.ask(&["explain", &source.to_string()])?;
    let said = (explained["verdict"].as_str(), explained["reason"].as_str());
    ensure!(
        said == (Some(verdict), Some(reason)),
        "{source}: {explained}"
    );
    Ok(())
}
