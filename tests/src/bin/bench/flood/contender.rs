//! Who is measured: what stands between the attacker and the server.

use std::{fmt, os::fd::OwnedFd, process::Command, time::Duration};

use anyhow::{Result, ensure};
use ftp_guard_tests::{
    lab::{
        Arena, attach,
        guard::{self, Guard},
        servers, tables,
    },
    sys,
};

/// Time for `nft` to load its rules.
const LIMIT: Duration = Duration::from_secs(20);

/// What stands between the attacker and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// Nothing: the kernel as it comes.
    Nothing,
    /// The kernel's own SYN cookies, for each request.
    KernelCookies,
    /// nftables in the input chain: a set of partners, and the connections that conntrack knows.
    NftInput,
    /// nftables at the ingress of the devices: a set of partners.
    NftIngress,
    /// A program that drops whatever the attacker sends: the best that can be had, and no partner could
    /// come that way.
    XdpDrop,
    /// The guard.
    Guard,
}

impl Contender {
    pub const ALL: [Self; 6] = [
        Self::XdpDrop,
        Self::Guard,
        Self::NftIngress,
        Self::NftInput,
        Self::KernelCookies,
        Self::Nothing,
    ];

    /// Puts it into place.
    pub fn install(self, arena: &Arena) -> Result<Installed> {
        let mut installed = Installed {
            guard: None,
            _links: Vec::new(),
        };
        if self == Self::Guard {
            let settings = guard::Settings {
                interfaces: Arena::interfaces(),
                list: Arena::list(),
                ..guard::Settings::default()
            };
            let guard = Guard::start(&arena.server, settings)?;
            tables::wait_for_adoption(&guard)?;
            installed.guard = Some(guard);
            return Ok(installed);
        }
        // As with the guard, the partner's side of the cable sends segments of wire size.
        let pass = sys::load_pass_program()?;
        let link = attach(&arena.server, Arena::PARTNER_SIDE, &pass)?;
        installed._links.push(link);
        match self {
            Self::XdpDrop => {
                let drop = sys::load_drop_program()?;
                let link = attach(&arena.server, Arena::ATTACKER_SIDE, &drop)?;
                installed._links.push(link);
            }
            Self::KernelCookies => arena.server.sysctl("net/ipv4/tcp_syncookies", "2")?,
            Self::NftInput => nft(arena, &input_rules())?,
            Self::NftIngress => nft(arena, &ingress_rules())?,
            Self::Nothing | Self::Guard => {}
        }
        Ok(installed)
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nothing => "no guard",
            Self::KernelCookies => "kernel SYN cookies",
            Self::NftInput => "nftables input, conntrack",
            Self::NftIngress => "nftables netdev ingress",
            Self::XdpDrop => "XDP_DROP",
            Self::Guard => "ftp-guard",
        })
    }
}

/// A contender in place. What is not the guard's goes with the arena.
pub struct Installed {
    pub guard: Option<Guard>,
    // Attached as long as they are open.
    _links: Vec<OwnedFd>,
}

impl Installed {
    /// Takes it off.
    pub fn remove(self) -> Result<()> {
        if let Some(mut guard) = self.guard {
            guard.cli(&["detach"])?.expect(0)?;
            guard.join()?;
        }
        Ok(())
    }
}

fn nft(arena: &Arena, rules: &str) -> Result<()> {
    let folder = arena.lab.folder();
    folder.write("rules.nft", rules)?;
    let mut command = Command::new("nft");
    command.arg("-f").arg(folder.inside("rules.nft"));
    let output = arena.server.run(command, LIMIT)?;
    ensure!(output.success(), "nft: {}\n{rules}", output.stderr);
    Ok(())
}

/// The sets of partners, as the allowlist has them.
fn sets() -> String {
    let mut text = String::new();
    for (name, kind, colon) in [
        ("listed4", "ipv4_addr", false),
        ("listed6", "ipv6_addr", true),
    ] {
        let list = Arena::list();
        let elements: Vec<_> = list
            .iter()
            .filter(|net| net.contains(':') == colon)
            .collect();
        let elements = elements.iter().map(|net| net.as_str()).collect::<Vec<_>>();
        text += &format!(
            "  set {name} {{ type {kind}; flags interval; elements = {{ {} }} }}\n",
            elements.join(", ")
        );
    }
    text
}

fn ftp_ports() -> String {
    let passive = servers::Settings::default().passive_range();
    format!("{{ 20, 21, 989, 990, {passive} }}")
}

fn input_rules() -> String {
    format!(
        "table inet guard {{\n{}  chain input {{\n    type filter hook input priority 0; policy accept;\n    \
         ct state established,related accept\n    \
         ct state invalid drop\n    \
         tcp dport {ports} ip saddr @listed4 tcp flags & (fin|syn|rst|ack) == syn accept\n    \
         tcp dport {ports} ip6 saddr @listed6 tcp flags & (fin|syn|rst|ack) == syn accept\n    \
         tcp dport {ports} drop\n  }}\n}}\n",
        sets(),
        ports = ftp_ports()
    )
}

fn ingress_rules() -> String {
    format!(
        "table netdev guard {{\n{}  chain ingress {{\n    type filter hook ingress devices = {{ {}, {} }} \
         priority 0; policy accept;\n    \
         tcp dport {ports} ip saddr @listed4 accept\n    \
         tcp dport {ports} ip6 saddr @listed6 accept\n    \
         tcp dport {ports} drop\n  }}\n}}\n",
        sets(),
        Arena::PARTNER_SIDE,
        Arena::ATTACKER_SIDE,
        ports = ftp_ports()
    )
}
