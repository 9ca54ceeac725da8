//! Two hosts with one cable: an attacker that sends as fast as one CPU can, and a server that discards. One rig
//! for each that is measured, all of them there at a time, so that turns are short.

use std::{net::IpAddr, os::fd::OwnedFd, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;

use super::{Burst, Kind, Recipe};
use crate::{
    lab::{CLIENT, End, Family, Host, Lab, SERVER, attach},
    packet::Macs,
    sys,
};

/// Time for a program that sets something up.
const SETUP_LIMIT: Duration = Duration::from_secs(60);

/// An attacker and a server.
pub struct Rig {
    /// Where both are.
    pub lab: Lab,
    /// Who discards.
    pub server: Host,
    attacker: Host,
    /// The CPU that floods are made on.
    cpu: usize,
    // Attached as long as it is open.
    _link: OwnedFd,
}

impl Rig {
    /// The interface of either host.
    pub const INTERFACE: &str = "eth0";

    /// Makes the hosts and the cable.
    ///
    /// # Errors
    /// When a host, the cable or a setting cannot be made.
    pub fn new(cpu: usize) -> Result<Self> {
        let lab = Lab::new()?;
        let (server, attacker) = (lab.host("server")?, lab.host("attacker")?);
        let interface = Self::INTERFACE;
        let ends = [&server, &attacker].map(|host| End { host, interface });
        lab.connect(ends[0], ends[1])?;
        server.configure(interface, &SERVER)?;
        attacker.configure(interface, &CLIENT)?;
        for scope in ["all", "default", interface] {
            // Whatever the source: it is to reach who is measured.
            server.sysctl(&format!("net/ipv4/conf/{scope}/rp_filter"), "0")?;
        }
        let (v4, v6, mac) = (CLIENT.v4, CLIENT.v6, CLIENT.mac_text());
        server.ip(&[
            format!("neigh replace {v4} lladdr {mac} dev {interface} nud permanent"),
            format!("neigh replace {v6} lladdr {mac} dev {interface} nud permanent"),
            format!("route add default via {v4} dev {interface}"),
            format!("route add ::/0 via {v6} dev {interface}"),
        ])?;
        // Live frames arrive at a veth that polls: with an XDP program, or with GRO (kernel 5.13).
        let mut ethtool = Command::new("ethtool");
        ethtool.args(["-K", interface, "gro", "on"]);
        let output = server.run(ethtool, SETUP_LIMIT)?;
        ensure!(output.success(), "ethtool: {}", output.stderr);
        // Answers end at the attacker's interface.
        let link = attach(&attacker, interface, &sys::load_drop_program()?)?;
        Ok(Self {
            lab,
            server,
            attacker,
            cpu,
            _link: link,
        })
    }

    /// Runs a program on the server that sets something up.
    ///
    /// # Errors
    /// When it cannot be run, or says that it failed.
    pub fn set_up(&self, command: Command) -> Result<()> {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = self.server.run(command, SETUP_LIMIT)?;
        let said = [output.stdout.trim(), output.stderr.trim()].join(" ");
        ensure!(output.success(), "{name}: {}", said.trim());
        Ok(())
    }

    /// Connection requests for `port`, with sources of `pool` in turn or, without, of `sources`.
    ///
    /// # Errors
    /// As [`Burst::prepare`].
    pub fn flood(
        &self,
        family: Family,
        port: u16,
        sources: &[IpNet],
        pool: &[IpAddr],
    ) -> Result<RigFlood> {
        let recipe = Recipe {
            kind: Kind::Syn,
            sources: sources.to_vec(),
            target: SERVER.ip(family),
            ports: vec![port],
            tags: Vec::new(),
            macs: Macs {
                destination: SERVER.mac,
                source: CLIENT.mac,
            },
        };
        let burst = Burst::prepare(&self.attacker, Self::INTERFACE, &recipe, pool, self.cpu)?;
        Ok(RigFlood(burst))
    }
}

/// A flood that is ready.
pub struct RigFlood(Burst);

/// What a turn of a flood came to.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Frames that the server took.
    pub frames: u64,
    /// Frames that the server took in a second of processor time, of making and taking them.
    pub rate: f64,
    /// Share of the frames sent that the server took.
    pub taken: f64,
}

impl RigFlood {
    /// Floods the rig's server for so much processor time.
    ///
    /// # Errors
    /// As [`Burst::fire`]; no frame arrived.
    pub fn turn(&mut self, rig: &Rig, time: Duration) -> Result<Turn> {
        let before = taken(&rig.server)?;
        let fired = self.0.fire(time)?;
        let frames = taken(&rig.server)?.saturating_sub(before);
        ensure!(frames > 0, "no frame of the flood arrived");
        Ok(Turn {
            frames,
            rate: frames as f64 / fired.spent.as_secs_f64(),
            taken: frames as f64 / fired.frames as f64,
        })
    }
}

/// Frames that the server's interface has taken so far, those that a program there discarded included.
fn taken(server: &Host) -> Result<u64> {
    let devices = server.proc_net("dev")?;
    let line = devices.lines().find_map(|line| {
        let (name, numbers) = line.split_once(':')?;
        (name.trim() == Rig::INTERFACE).then_some(numbers)
    });
    // Received bytes come before received packets.
    let frames = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(frames.context("no such interface")?.parse()?)
}
