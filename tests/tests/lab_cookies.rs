//! SYN cookies of the guard before a real listener: the connections are those that the stack's own cookies
//! make, and so is the SYN-ACK, to the byte.

use std::{
    io::{Read, Write},
    mem,
    net::{TcpListener, TcpStream},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    thread,
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use aya::programs::{TcAttachType, tc};
use etherparse::{SlicedPacket, TransportSlice};
use ftp_guard::datapath::{Hook, monotonic_ns};
use ftp_guard_common::{
    class::{Family as PacketFamily, PortClass},
    config::Cookies,
    reason::Reason,
    stats::StatsKey,
};
use ftp_guard_tests::{
    lab::{CLIENT, End, Family, Host, Lab, SERVER, Site, tap::Tap},
    policy::Policy,
    program::Guard,
    sys,
};
use nix::net::if_::if_nametoindex;
use socket2::{Domain, Socket, Type};

const PORT: u16 = 21;
const HOUR_NS: u64 = 3_600_000_000_000;
/// Long enough for a SYN and its first retransmission (after 1 s), under emulation as well.
const PATIENCE: Duration = Duration::from_millis(2500);
/// What passes over each connection, each way: more than a window without scaling.
const BYTES: usize = 300_000;

/// One cable between a server, whose programs see all of it, and a client.
struct Pair {
    server: Host,
    client: Host,
    guard: Guard,
    /// What the client's interface has in front of it: without a program there, frames that the server's
    /// interface sends back from XDP are lost (veth.c: veth_xdp_xmit).
    _pass: OwnedFd,
    _link: (OwnedFd, OwnedFd),
}

impl Pair {
    fn new(lab: &Lab) -> Result<Self> {
        let (server, client) = (lab.host("server")?, lab.host("client")?);
        let interface = Site::INTERFACE;
        let end = |host| End { host, interface };
        lab.connect(end(&server), end(&client))?;
        server.configure(interface, &SERVER)?;
        client.configure(interface, &CLIENT)?;
        for name in ["tcp_syncookies", "tcp_timestamps"] {
            server.sysctl(&format!("net/ipv4/{name}"), "2")?;
        }
        let mut guard = Guard::with(&policy(Cookies::Off))?;
        let pass = sys::load_pass_program()?;
        let attach = |host: &Host, program| {
            host.enter(|| -> Result<OwnedFd> {
                Ok(sys::attach_xdp(program, if_nametoindex(interface)?)?)
            })
        };
        let far = attach(&client, pass.as_fd())?;
        let program = guard.program()?.fd()?.as_fd().try_clone_to_owned()?;
        let near = attach(&server, program.as_fd())?;
        server.enter(|| -> Result<()> {
            // Only kernels before 6.6 need it.
            let _ = tc::qdisc_add_clsact(interface);
            let egress = guard.classifier(Hook::Egress)?;
            egress.attach(interface, TcAttachType::Egress)?;
            Ok(())
        })?;
        Ok(Self {
            server,
            client,
            guard,
            _pass: pass,
            _link: (near, far),
        })
    }

    fn count(&self, family: Family, reason: Reason) -> Result<u64> {
        let key = StatsKey {
            verdict: reason.verdict(),
            reason,
            class: PortClass::Control,
            family: match family {
                Family::V4 => PacketFamily::Ipv4,
                Family::V6 => PacketFamily::Ipv6,
            },
        };
        Ok(self.guard.cell(key)?.packets)
    }

    /// Connects, and passes bytes both ways.
    fn connect(&self, listener: &TcpListener, family: Family, client: &Client) -> Result<Made> {
        let tap = Tap::open(&self.client, Site::INTERFACE)?;
        let answered = self.count(family, Reason::SynCookie)?;
        let accepted = self.count(family, Reason::CookieAccepted)?;
        let near = self.client.enter(|| dial(family, client))?;
        let (far, _) = listener.accept()?;
        let echo = thread::spawn(move || -> Result<TcpStream> {
            let mut far = far;
            let mut bytes = vec![0; BYTES];
            far.read_exact(&mut bytes)?;
            far.write_all(&bytes)?;
            Ok(far)
        });
        let mut near = near;
        near.write_all(&vec![b'x'; BYTES])?;
        near.read_exact(&mut vec![0; BYTES])?;
        let far = echo.join().expect("the echo panicked")?;
        let answers = syn_acks(&tap, family)?;
        let [answer] = answers.as_slice() else {
            bail!("{} SYN-ACKs: {answers:02x?}", answers.len());
        };
        let by_guard = self.count(family, Reason::SynCookie)? - answered;
        ensure!(
            self.count(family, Reason::CookieAccepted)? - accepted == by_guard,
            "not every answer of the guard came back"
        );
        Ok(Made {
            by_guard: by_guard != 0,
            server: Side::of(&far)?,
            client: Side::of(&near)?,
            answer: answer.clone(),
        })
    }

    /// As if the listener had just been primed, however slow this machine is.
    fn has_just_been_primed(&mut self) -> Result<()> {
        let mut state = self.guard.state();
        let mut table = state.primed()?;
        for (key, mut primed) in table.entries()? {
            ensure!(primed.primed_ns != 0, "no request was let through");
            primed.primed_ns = monotonic_ns() + HOUR_NS;
            table.set(key, primed)?;
        }
        Ok(())
    }
}

fn policy(cookies: Cookies) -> Policy {
    let mut policy = Policy::new()
        .allowing(&format!("{}/32", CLIENT.v4))
        .allowing(&format!("{}/128", CLIENT.v6));
    policy.limits.cookies = cookies as u32;
    // Since the machine runs.
    policy.limits.cookies_since_ns = 1;
    policy
}

/// What a client's stack offers.
#[derive(Clone, Copy, Debug)]
struct Client {
    timestamps: bool,
    sack: bool,
    scaling: bool,
    mss: Option<u32>,
}

fn dial(family: Family, client: &Client) -> Result<TcpStream> {
    let target = SERVER.at(family, PORT);
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
    if let Some(mss) = client.mss {
        socket.set_tcp_mss(mss)?;
    }
    socket.connect_timeout(&target.into(), PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE * 4))?;
    Ok(socket.into())
}

/// What one side knows of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Side {
    /// TCPI_OPT_*: 1 timestamps, 2 SACK, 4 window scaling, 8 ECN.
    options: u8,
    /// What this side sends with, and takes.
    scales: (u8, u8),
    /// The largest segment that it sends.
    mss: u32,
}

impl Side {
    fn of(stream: &TcpStream) -> Result<Self> {
        // SAFETY: a struct of integers, for which zeros are a value.
        let mut info: libc::tcp_info = unsafe { mem::zeroed() };
        let mut length = libc::socklen_t::try_from(size_of_val(&info))?;
        // SAFETY: the kernel writes as many bytes as `length` says, or fewer.
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
        Ok(Self {
            // What is learned on the way, such as SACK blocks seen, is left out.
            options: info.tcpi_options & 0xf,
            scales: (
                info.tcpi_snd_rcv_wscale & 0xf,
                info.tcpi_snd_rcv_wscale >> 4,
            ),
            mss: info.tcpi_snd_mss,
        })
    }
}

/// A connection, and how it came about.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    by_guard: bool,
    server: Side,
    client: Side,
    /// The TCP header of the SYN-ACK, without what differs from one to the next: numbers, checksum, and of
    /// the server's timestamp all but the bits that carry options.
    answer: Vec<u8>,
}

fn syn_acks(tap: &Tap, family: Family) -> Result<Vec<Vec<u8>>> {
    let mut answers = Vec::new();
    for frame in tap.drain()? {
        let packet = SlicedPacket::from_ethernet(&frame)?;
        let Some(TransportSlice::Tcp(segment)) = packet.transport else {
            continue;
        };
        if !segment.syn() || !segment.ack() {
            continue;
        }
        ensure!(segment.source_port() == PORT, "a SYN-ACK of the client");
        let is_v4 = matches!(packet.net, Some(etherparse::NetSlice::Ipv4(_)));
        ensure!(is_v4 == (family == Family::V4), "of the other family");
        let mut header = segment.header_slice().to_vec();
        header[2..12].fill(0);
        header[16..18].fill(0);
        if let Some(at) = header[20..].windows(2).position(|pair| pair == [8, 10]) {
            let value = 20 + at + 2;
            header[value..value + 3].fill(0);
            header[value + 3] &= 0x3f;
            header[value + 4..value + 8].fill(0);
        }
        answers.push(header);
    }
    Ok(answers)
}

#[test]
fn connections_are_those_that_the_stacks_own_cookies_make() {
    let lab = Lab::new().expect("cannot make a lab (root is needed)");
    lab.judge(|| {
        let mut pair = Pair::new(&lab)?;
        for family in Family::BOTH {
            let address = SERVER.at(family, PORT);
            let listener = pair.server.enter(|| TcpListener::bind(address))?;
            for client in clients() {
                compare(&mut pair, &listener, family, &client)?;
            }
        }
        Ok(())
    });
}

/// All combinations of options, and a client that takes small segments only.
fn clients() -> Vec<Client> {
    let all = (0..8_u8).map(|bits| Client {
        timestamps: bits & 1 == 0,
        sack: bits & 2 == 0,
        scaling: bits & 4 == 0,
        mss: None,
    });
    let small = Client {
        timestamps: true,
        sack: true,
        scaling: true,
        mss: Some(900),
    };
    all.chain([small]).collect()
}

/// Connects three times: the stack answers, where there are no cookies and to what primes the listener, and
/// then the guard.
fn compare(pair: &mut Pair, listener: &TcpListener, family: Family, client: &Client) -> Result<()> {
    for (name, on) in [
        ("tcp_timestamps", client.timestamps),
        ("tcp_sack", client.sack),
        ("tcp_window_scaling", client.scaling),
    ] {
        let value = if on { "1" } else { "0" };
        pair.client.sysctl(&format!("net/ipv4/{name}"), value)?;
    }
    // The window depends a little on the client, and is that of the SYN-ACK that was learned from.
    pair.guard.state().primed()?.clear()?;
    pair.guard.install(&policy(Cookies::Off))?;
    let own = pair.connect(listener, family, client)?;
    ensure!(!own.by_guard, "the guard answered");
    pair.guard.install(&policy(Cookies::Always))?;
    let primer = pair.connect(listener, family, client)?;
    ensure!(primer == own, "{primer:02x?}, not {own:02x?}");
    pair.has_just_been_primed()?;
    let made = pair.connect(listener, family, client)?;
    let wanted = Made {
        by_guard: true,
        ..own
    };
    ensure!(
        made == wanted,
        "{client:?}, {family}: {made:02x?}, not {wanted:02x?}"
    );
    let (server, client) = (made.server, made.client);
    ensure!(
        server.options == client.options && server.scales == (client.scales.1, client.scales.0),
        "{server:?} and {client:?} do not agree"
    );
    Ok(())
}
