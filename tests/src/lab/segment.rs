//! An Ethernet segment.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

use super::{Addresses, End, Host, Lab};

const LIMIT: Duration = Duration::from_secs(10);

/// A bridge on a host of its own, and the hosts that are plugged into it.
pub(super) struct Segment {
    switch: Host,
}

impl Segment {
    /// Makes an empty segment. A lab has one.
    pub(super) fn new(lab: &Lab) -> Result<Self> {
        let switch = lab.host("switch")?;
        switch.ip(&[
            "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            "link set br0 up",
        ])?;
        Ok(Self { switch })
    }

    /// Connects an interface that is not there yet.
    pub(super) fn plug(&self, lab: &Lab, near: End<'_>, addresses: &Addresses) -> Result<()> {
        let port = near.host.name();
        let far = End {
            host: &self.switch,
            interface: port,
        };
        lab.connect(near, far)?;
        self.switch.ip(&[format!("link set {port} master br0")])?;
        near.host
            .configure(near.interface, addresses)
            .with_context(|| format!("cannot connect {port}"))
    }

    /// Cuts or mends the cable of a host, by its name.
    pub(super) fn set_link(&self, port: &str, up: bool) -> Result<()> {
        let state = if up { "up" } else { "down" };
        self.switch.ip(&[format!("link set {port} {state}")])
    }

    /// Has a port take what a program at its other end sends: a veth does if it polls, as with GRO.
    pub(super) fn take_answers(&self, port: &str) -> Result<()> {
        let mut ethtool = Command::new("ethtool");
        ethtool.args(["-K", port, "gro", "on"]);
        let output = self.switch.run(ethtool, LIMIT)?;
        ensure!(output.success(), "ethtool: {}", output.stderr);
        Ok(())
    }

    /// Sets the MTU of the switch and of its port to each of `hosts`, in bytes.
    pub(super) fn set_mtu(&self, mtu: u32, hosts: &[&Host]) -> Result<()> {
        let ports = hosts.iter().map(|host| host.name()).chain(["br0"]);
        let commands: Vec<_> = ports
            .map(|port| format!("link set {port} mtu {mtu}"))
            .collect();
        self.switch.ip(&commands)
    }
}
