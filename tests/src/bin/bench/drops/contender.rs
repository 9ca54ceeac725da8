//! Who discards.

use std::{fmt::Write, os::fd::OwnedFd, process::Command};

use anyhow::{Result, ensure};
use ftp_guard_tests::{
    lab::{
        attach,
        flood::Rig,
        guard::{self, Guard},
    },
    lists as entries, sys,
};
use ipnet::IpNet;

/// Who discards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// A program that discards whatever comes: the best that can be had.
    XdpDrop,
    /// The guard.
    Guard,
    /// xdp-filter, which denies one port.
    FilterPort,
    /// xdp-filter, which denies all but some sources.
    FilterSources,
    /// nftables at the ingress of the device.
    NftIngress,
    /// nftables before the connection tracking.
    NftRaw,
    /// nftables in the input chain, behind the connection tracking.
    NftInput,
    /// iptables before the connection tracking, with a set of ipset.
    Ipset,
}

impl Contender {
    pub const ALL: [Self; 8] = [
        Self::XdpDrop,
        Self::Guard,
        Self::FilterPort,
        Self::FilterSources,
        Self::NftIngress,
        Self::NftRaw,
        Self::NftInput,
        Self::Ipset,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::XdpDrop => "XDP_DROP",
            Self::Guard => "ftp-guard",
            Self::FilterPort => "xdp-filter, port",
            Self::FilterSources => "xdp-filter, sources",
            Self::NftIngress => "nftables, netdev ingress",
            Self::NftRaw => "nftables, raw prerouting",
            Self::NftInput => "nftables, input with conntrack",
            Self::Ipset => "iptables raw with ipset",
        }
    }

    /// What the guard's rate should be, of this one's, at the least.
    pub fn aim(self) -> Option<f64> {
        match self {
            Self::XdpDrop => Some(0.85),
            Self::Guard => None,
            Self::FilterPort => Some(1.0),
            Self::FilterSources
            | Self::NftIngress
            | Self::NftRaw
            | Self::NftInput
            | Self::Ipset => Some(1.0),
        }
    }

    /// Puts it into place on the rig's server.
    pub fn install(self, rig: &Rig, list: &[IpNet]) -> Result<Installed> {
        let mut installed = Installed::default();
        match self {
            Self::XdpDrop => {
                let program = sys::load_drop_program()?;
                installed._link = Some(attach(&rig.server, Rig::INTERFACE, &program)?);
            }
            Self::Guard => {
                let settings = guard::Settings {
                    interfaces: vec![Rig::INTERFACE.to_owned()],
                    list: entries::text(list),
                    ..guard::Settings::default()
                };
                installed._guard = Some(Guard::start(&rig.server, settings)?);
            }
            Self::FilterPort => {
                filter(rig, "load --mode native --policy allow --features tcp eth0")?;
                filter(rig, "port --mode dst --proto tcp 21")?;
            }
            Self::FilterSources => {
                filter(rig, "load --mode native --policy deny --features ipv4 eth0")?;
                for net in list {
                    filter(rig, &format!("ip --mode src {}", net.network()))?;
                }
            }
            Self::NftIngress => {
                let head = "type filter hook ingress device eth0 priority 0; policy accept;";
                nft(rig, "netdev", head, "", list)?;
            }
            Self::NftRaw => {
                let head = "type filter hook prerouting priority raw; policy accept;";
                nft(rig, "ip", head, "", list)?;
            }
            Self::NftInput => {
                let head = "type filter hook input priority 0; policy accept;";
                let first = "ct state established,related accept; ct state invalid drop;";
                nft(rig, "ip", head, first, list)?;
            }
            Self::Ipset => ipset(rig, list)?,
        }
        Ok(installed)
    }
}

/// A contender in place. What is neither of these goes with the rig.
#[derive(Default)]
pub struct Installed {
    _guard: Option<Guard>,
    // Attached as long as it is open.
    _link: Option<OwnedFd>,
}

fn filter(rig: &Rig, arguments: &str) -> Result<()> {
    let mut command = Command::new("xdp-filter");
    // The rig's own file system for pins: those of the machine are not touched.
    command.env("LIBXDP_BPFFS", rig.lab.folder().inside("bpf"));
    rig.set_up({
        command.args(arguments.split(' '));
        command
    })
}

/// A table with the list as a set, and a chain that lets its sources through to port 21 and nobody else.
fn nft(rig: &Rig, family: &str, head: &str, first: &str, list: &[IpNet]) -> Result<()> {
    let elements = entries::text(list).join(", ");
    let rules = format!(
        "table {family} guard {{\n  set listed {{ type ipv4_addr; flags interval; elements = {{ {elements} }} }}\n  \
         chain guard {{\n    {head}\n    {first}\n    tcp dport 21 ip saddr @listed accept\n    \
         tcp dport 21 drop\n  }}\n}}\n"
    );
    let folder = rig.lab.folder();
    folder.write("rules.nft", &rules)?;
    let mut command = Command::new("nft");
    command.arg("-f").arg(folder.inside("rules.nft"));
    rig.set_up(command)
}

fn ipset(rig: &Rig, list: &[IpNet]) -> Result<()> {
    ensure!(!list.is_empty(), "an empty list");
    let mut script = String::from("create listed hash:net\n");
    for net in list {
        writeln!(script, "add listed {net}")?;
    }
    let folder = rig.lab.folder();
    folder.write("listed.ipset", &script)?;
    let mut command = Command::new("ipset");
    command.arg("restore").arg("-file");
    command.arg(folder.inside("listed.ipset"));
    rig.set_up(command)?;
    let mut command = Command::new("iptables");
    let rule =
        "--wait -t raw -A PREROUTING -p tcp --dport 21 -m set ! --match-set listed src -j DROP";
    command.args(rule.split(' '));
    rig.set_up(command)
}
