//! The topology of floods: partner and attacker each on a cable of its own.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, OwnedFd},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;

use super::{
    Addresses, CLIENT, End, Family, Host, Lab, SERVER, accounts,
    flood::{Kind, Recipe},
};
use crate::{packet::Macs, sys};

/// A server with two interfaces. What an attacker sends fills no queue that the partner's packets need.
///
/// ```text
///   partner  10.231.0.2 ---- eth0  10.231.0.1  server  10.232.0.1  eth1 ---- attacker  10.232.0.2
/// ```
///
/// and the same numbers below fd00:231:: and fd00:232::. The server's default route leads to the
/// attacker, who throws away all that comes: answers to addresses that do not exist end there. Frames that
/// an XDP program sends back get lost on a veth whose other end has no program: here both have one.
pub struct Arena {
    /// The lab that the hosts are in.
    pub lab: Lab,
    /// Where the FTP server and the guard run.
    pub server: Host,
    /// The partner, whom the allowlist names.
    pub partner: Host,
    /// The attacker.
    pub attacker: Host,
    // Attached as long as they are open.
    _links: [OwnedFd; 2],
}

/// Whose addresses a flood pretends to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoofed {
    /// Anybody's.
    Anywhere,
    /// Those of the allowlist; one frame in 16 has the partner's own.
    Listed,
}

impl Arena {
    /// The server's interface towards the partner.
    pub const PARTNER_SIDE: &str = "eth0";
    /// The server's interface towards the attacker, and the attacker's own.
    pub const ATTACKER_SIDE: &str = "eth1";
    /// Prefixes that the allowlist names besides the partner, for either IP version. Nobody has an
    /// address of them (RFC 2544, RFC 5180: benchmarks).
    pub const ELSEWHERE: [&str; 2] = ["198.18.7.0/24", "2001:2:0:7::/64"];

    const SERVER_OUTSIDE: Addresses = Addresses::outside(1);
    const ATTACKER: Addresses = Addresses::outside(2);

    /// Makes the hosts, cables and routes, and the accounts that FTP servers need.
    ///
    /// # Errors
    /// When the kernel, `ip` or `ethtool` refuse; root is needed.
    pub fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let (server, partner) = (lab.host("server")?, lab.host("partner")?);
        let attacker = lab.host("attacker")?;
        let end = |host, interface| End { host, interface };
        let (near, far) = (Self::PARTNER_SIDE, Self::ATTACKER_SIDE);
        lab.connect(end(&server, near), end(&partner, near))?;
        lab.connect(end(&server, far), end(&attacker, far))?;
        server.configure(near, &SERVER)?;
        partner.configure(near, &CLIENT)?;
        server.configure(far, &Self::SERVER_OUTSIDE)?;
        attacker.configure(far, &Self::ATTACKER)?;

        for scope in ["all", "default", near, far] {
            // Allowlisted addresses that come from the attacker are to reach the guard, and the stack.
            server.sysctl(&format!("net/ipv4/conf/{scope}/rp_filter"), "0")?;
        }
        let Addresses { v4, v6, .. } = Self::ATTACKER;
        let mac = Self::ATTACKER.mac_text();
        server.ip(&[
            format!("neigh add {v4} lladdr {mac} dev {far} nud permanent"),
            format!("neigh add {v6} lladdr {mac} dev {far} nud permanent"),
            format!("route add default via {v4} dev {far}"),
            format!("route add ::/0 via {v6} dev {far}"),
        ])?;
        // Live frames arrive at a veth that polls: with an XDP program, or with GRO (kernel 5.13).
        let mut ethtool = Command::new("ethtool");
        ethtool.args(["-K", far, "gro", "on"]);
        let output = server.run(ethtool, Duration::from_secs(10))?;
        ensure!(output.success(), "ethtool: {}", output.stderr);
        let links = [
            attach(&attacker, far, &sys::load_drop_program()?)?,
            attach(&partner, near, &sys::load_pass_program()?)?,
        ];
        accounts::install(&lab)?;
        Ok(Self {
            lab,
            server,
            partner,
            attacker,
            _links: links,
        })
    }

    /// Runs a test in a new arena. When it fails, the logs of every program are printed.
    ///
    /// # Panics
    /// When the test returns an error or panics.
    pub fn test(body: impl FnOnce(&Self) -> Result<()>) {
        let arena = Self::new().expect("cannot make the arena");
        arena.lab.judge(|| body(&arena));
    }

    /// The interfaces to guard.
    #[must_use]
    pub fn interfaces() -> Vec<String> {
        [Self::PARTNER_SIDE, Self::ATTACKER_SIDE]
            .map(str::to_owned)
            .into()
    }

    /// The lines of the allowlist.
    #[must_use]
    pub fn list() -> Vec<String> {
        let partner = CLIENT.ips().map(|address| address.to_string());
        partner
            .into_iter()
            .chain(Self::ELSEWHERE.map(str::to_owned))
            .collect()
    }

    /// A flood of the server's ports from the attacker's interface.
    ///
    /// # Errors
    /// Never: the prefixes are valid.
    pub fn recipe(
        &self,
        kind: Kind,
        sources: Spoofed,
        family: Family,
        ports: &[u16],
    ) -> Result<Recipe> {
        let index = usize::from(family == Family::V6);
        let sources = match sources {
            Spoofed::Anywhere => vec![["0.0.0.0/0", "2000::/3"][index].parse()?],
            Spoofed::Listed => {
                let elsewhere: IpNet = Self::ELSEWHERE[index].parse()?;
                let mut all = vec![elsewhere; 15];
                all.push(CLIENT.ip(family).into());
                all
            }
        };
        Ok(Recipe {
            kind,
            sources,
            target: SERVER.ip(family),
            ports: ports.to_vec(),
            tags: Vec::new(),
            macs: Macs {
                destination: Self::SERVER_OUTSIDE.mac,
                source: Self::ATTACKER.mac,
            },
        })
    }
}

/// Attaches an XDP program to an interface of `host`, for as long as the link lives that is returned.
///
/// # Errors
/// When there is no such interface, or the program does not fit it.
pub fn attach(host: &Host, interface: &str, program: &OwnedFd) -> Result<OwnedFd> {
    host.enter(|| -> Result<OwnedFd> {
        let index = nix::net::if_::if_nametoindex(interface)?;
        Ok(sys::attach_xdp(program.as_fd(), index)?)
    })
    .with_context(|| format!("cannot attach a program to {interface} of {}", host.name()))
}

/// The counters of an interface's driver, as `ethtool -S` names them.
///
/// # Errors
/// When `ethtool` fails.
pub fn driver_counters(host: &Host, interface: &str) -> Result<BTreeMap<String, u64>> {
    let mut command = Command::new("ethtool");
    command.args(["-S", interface]);
    let output = host.run(command, Duration::from_secs(10))?;
    ensure!(output.success(), "ethtool: {}", output.stderr);
    let pairs = output.stdout.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_owned(), value.trim().parse().ok()?))
    });
    Ok(pairs.collect())
}
