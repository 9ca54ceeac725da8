//! The raw sender, and the site with a cable of its own to it.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    net::TcpListener,
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use aya::programs::xdp::XdpMode;
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use ftp_guard_tests::{
    lab::{
        self, Addresses, CLIENT, End, Family, SERVER, STRANGER,
        servers::{FtpServer, Make, Settings},
        stack::Counters,
        tap::Tap,
    },
    model,
    packet::{Macs, hex},
    policy::Policy,
    program::{Guard, now_s},
};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::{
    shapes,
    variant::{Envelope, Variant},
};

/// A service that is no FTP.
pub(crate) const OTHER_PORT: u16 = 22;
/// What is added to a variant's name when that service answered it.
pub(crate) const AT_OTHER_PORT: &str = " (at port 22)";

/// FTP ports, besides the FTP server's own, on which the server host listens.
const MORE_PORTS: [u16; 4] = [990, 20, 989, 50_050];

/// Variants between two knocks at the other port. Their frames must fit the receive ring of a veth
/// interface (256).
const BATCH: usize = 32;
/// Source ports of variants and of knocks.
const FIRST_PORT: u16 = 1024;
const FIRST_KNOCK: u16 = 61_000;

const PATIENCE: Duration = Duration::from_secs(10);

/// The way from the stranger to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cable {
    Direct,
    Switched,
}

/// Numbers of the sender's addresses on either segment. Each round of variants has its own: the
/// server goes on answering half-open connections of the last one for a minute.
const SENDERS: Range<u8> = 0x40..0x60;

/// A second segment, of the server and the stranger alone.
const fn direct(number: u8) -> Addresses {
    Addresses {
        mac: [0x02, 0, 0, 1, 0, number],
        v4: std::net::Ipv4Addr::new(10, 232, 0, number),
        v6: std::net::Ipv6Addr::new(0xfd00, 0x232, 0, 0, 0, 0, 0, number as u16),
    }
}

/// The usual site, a direct cable, listeners and a guard.
pub(crate) struct Site<'a> {
    pub(crate) site: &'a lab::Site,
    _ftp: FtpServer,
    guard: RefCell<Guard>,
    policy: Policy,
    _listeners: Vec<TcpListener>,
}

/// Runs a test at such a site.
pub(crate) fn test(body: impl FnOnce(&Site<'_>) -> Result<()>) {
    lab::Site::test(|site| body(&Site::new(site)?));
}

impl<'a> Site<'a> {
    fn new(site: &'a lab::Site) -> Result<Self> {
        let ftp = FtpServer::start(Make::Vsftpd, &site.server, &Settings::default())?;
        site.lab.connect(
            End {
                host: &site.server,
                interface: "eth1",
            },
            End {
                host: &site.stranger,
                interface: "eth1",
            },
        )?;
        site.server.configure("eth1", &direct(1))?;
        site.stranger.configure("eth1", &direct(3))?;
        for (cable, interface) in [(Cable::Switched, "eth0"), (Cable::Direct, "eth1")] {
            let mac = stranger(cable).mac_text();
            let neighbours: Vec<_> = SENDERS
                .flat_map(|number| source(cable, number).ips())
                .map(|ip| format!("neigh replace {ip} lladdr {mac} dev {interface} nud permanent"))
                .collect();
            site.server.ip(&neighbours)?;
        }
        // Room for thousands of incomplete packets, in any order.
        for (parameter, value) in [
            ("net/ipv4/ipfrag_high_thresh", "268435456"),
            ("net/ipv6/ip6frag_high_thresh", "268435456"),
            ("net/ipv4/ipfrag_max_dist", "0"),
        ] {
            site.server.sysctl(parameter, value)?;
        }

        let mut listeners = Vec::new();
        for port in MORE_PORTS.into_iter().chain([OTHER_PORT]) {
            listeners.push(site.server.enter(|| TcpListener::bind(("::", port)))?);
        }
        let policy = Policy::new()
            .allowing(&CLIENT.v4.to_string())
            .allowing(&CLIENT.v6.to_string());
        Ok(Self {
            site,
            _ftp: ftp,
            guard: RefCell::new(Guard::with(&policy)?),
            policy,
            _listeners: listeners,
        })
    }

    /// Attaches the guard to both interfaces of the server.
    pub(crate) fn attach(&self, mode: XdpMode) -> Result<()> {
        let guard = &mut *self.guard.borrow_mut();
        self.site.server.enter(|| -> Result<()> {
            for interface in [lab::Site::INTERFACE, "eth1"] {
                guard
                    .program()?
                    .attach(interface, mode)
                    .with_context(|| format!("cannot attach to {interface}, {mode:?}"))?;
            }
            Ok(())
        })
    }

    /// How many TCP segments the server's stack has taken from IP, over both IP versions.
    pub(crate) fn segments_received(&self) -> Result<i64> {
        Counters::settled(&self.site.server)?.get("Tcp.InSegs")
    }
}

fn stranger(cable: Cable) -> Addresses {
    match cable {
        Cable::Direct => direct(3),
        Cable::Switched => STRANGER,
    }
}

fn server(cable: Cable) -> Addresses {
    match cable {
        Cable::Direct => direct(1),
        Cable::Switched => SERVER,
    }
}

/// Addresses that no kernel has, so that none answers the server's answers.
fn source(cable: Cable, number: u8) -> Addresses {
    match cable {
        Cable::Direct => direct(number),
        Cable::Switched => Addresses::number(number),
    }
}

/// The raw sender.
pub(crate) struct Attacker<'a> {
    site: &'a Site<'a>,
    tap: Tap,
    /// Sees what the server's stack gets, that is what XDP has passed.
    behind: Tap,
    cable: Cable,
    sender: u8,
    guarded: bool,
    identification: u16,
    knocks: u16,
}

impl<'a> Attacker<'a> {
    pub(crate) fn new(site: &'a Site<'a>, cable: Cable) -> Result<Self> {
        let interface = match cable {
            Cable::Direct => "eth1",
            Cable::Switched => lab::Site::INTERFACE,
        };
        stay_on_one_cpu()?;
        Ok(Self {
            site,
            tap: Tap::open(&site.site.stranger, interface)?,
            behind: Tap::open(&site.site.server, interface)?,
            cable,
            sender: SENDERS.start,
            guarded: false,
            identification: 0,
            knocks: 0,
        })
    }

    /// Says that from now on the guard is there.
    pub(crate) fn expect_guard(&mut self) {
        self.guarded = true;
        self.knocks = 0;
    }

    /// Knocks at the other port since then.
    pub(crate) fn knocks(&self) -> i64 {
        self.knocks.into()
    }

    /// Sends all variants; returns the names of those that the server answered.
    pub(crate) fn send(&mut self, variants: &[Variant]) -> Result<BTreeSet<String>> {
        ensure!(
            variants.len() < usize::from(FIRST_KNOCK - FIRST_PORT),
            "{} variants are more than there are ports",
            variants.len()
        );
        self.sender += 1;
        ensure!(
            SENDERS.contains(&self.sender),
            "the sender is out of addresses"
        );
        let mut reached = BTreeSet::new();
        let numbered: Vec<_> = variants.iter().zip(FIRST_PORT..).collect();
        for batch in numbered.chunks(BATCH) {
            for (variant, source_port) in batch {
                self.identification = self.identification.wrapping_add(1);
                let envelope = self.envelope(variant.family, *source_port);
                for frame in (variant.frames)(&envelope) {
                    self.tap.send(&frame).context("cannot send a frame")?;
                }
            }
            for (family, server_port, source_port) in self.knock()? {
                let answered = numbered
                    .get(usize::from(source_port - FIRST_PORT))
                    .filter(|(variant, _)| variant.family == family);
                let (variant, _) = answered.context("an answer to no variant")?;
                let at = if server_port == OTHER_PORT {
                    AT_OTHER_PORT
                } else {
                    ""
                };
                reached.insert(format!("{}{at}", variant.name));
            }
            self.look_behind()?;
        }
        Ok(reached)
    }

    fn envelope(&self, family: Family, source_port: u16) -> Envelope {
        Envelope {
            macs: Macs {
                destination: server(self.cable).mac,
                source: stranger(self.cable).mac,
            },
            source: source(self.cable, self.sender).ip(family),
            destination: server(self.cable).ip(family),
            source_port,
            identification: self.identification,
        }
    }

    /// Asks for a connection to the other port and takes the answers until it is answered: then all
    /// that was sent before has been dealt with, and its answers are there too.
    ///
    /// Returns the family, the server's port and the sender's port of each answer to a variant.
    fn knock(&mut self) -> Result<Vec<(Family, u16, u16)>> {
        self.knocks += 1;
        let own_port = FIRST_KNOCK + self.knocks % 4000;
        let envelope = self.envelope(Family::V4, own_port);
        self.tap.send(&shapes::syn(&envelope, OTHER_PORT))?;
        let to = source(self.cable, self.sender);
        let mut answers = Vec::new();
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let Some(frame) = self.tap.receive()? else {
                thread::sleep(Duration::from_micros(100));
                continue;
            };
            match answer(&frame, &to) {
                Some((Family::V4, OTHER_PORT, port)) if port == own_port => return Ok(answers),
                Some(answer) if answer.2 < FIRST_KNOCK => answers.push(answer),
                _ => {}
            }
        }
        bail!("the server does not answer at port {OTHER_PORT}: nothing can be concluded")
    }

    /// Once the guard is there: what reaches the server's stack is what the rules pass.
    fn look_behind(&self) -> Result<()> {
        let frames = self.behind.drain()?;
        if self.guarded {
            for frame in frames.iter().filter(|frame| frame.len() >= 14) {
                let judgement = model::judge(frame, &self.site.policy, now_s());
                ensure!(
                    judgement.passes(),
                    "behind the guard there is a frame of {:?}: {}",
                    judgement.key,
                    hex(frame)
                );
            }
        }
        Ok(())
    }
}

/// The segment of a server that this frame carries to one of the sender's addresses: its family and
/// both ports, the server's first.
fn answer(frame: &[u8], to: &Addresses) -> Option<(Family, u16, u16)> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
        return None;
    };
    let family = match packet.net? {
        NetSlice::Ipv4(ip) if ip.header().destination_addr() == to.v4 => Family::V4,
        NetSlice::Ipv6(ip) if ip.header().destination_addr() == to.v6 => Family::V6,
        _ => return None,
    };
    Some((family, tcp.source_port(), tcp.destination_port()))
}

/// Keeps the calling thread on one CPU: what it sends from several is dealt with in any order.
fn stay_on_one_cpu() -> Result<()> {
    let this_thread = Pid::from_raw(0);
    let allowed = sched_getaffinity(this_thread)?;
    let mut one = CpuSet::new();
    let first = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu) == Ok(true));
    one.set(first.context("no CPU to run on")?)?;
    Ok(sched_setaffinity(this_thread, &one)?)
}
