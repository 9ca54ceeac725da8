//! Cables between hosts.

use std::{os::fd::AsRawFd, process::Command, time::Duration};

use anyhow::{Result, ensure};

use super::{Addresses, Host, Lab};

/// One end of a cable: an interface of a host.
#[derive(Clone, Copy)]
pub struct End<'a> {
    /// The host.
    pub host: &'a Host,
    /// The interface's name.
    pub interface: &'a str,
}

impl Lab {
    /// Lays a cable (a pair of veth interfaces) between two hosts; both ends are up afterwards.
    ///
    /// # Errors
    /// When an interface of that name exists, or the kernel has no veth.
    pub fn connect(&self, a: End<'_>, b: End<'_>) -> Result<()> {
        let far = b.host.namespace();
        let (near_name, far_name) = (a.interface, b.interface);
        let namespace = far.as_raw_fd();
        a.host.ip_with(
            &[format!(
                "link add {near_name} type veth peer name {far_name} netns /proc/self/fd/{namespace}"
            )],
            &[far],
        )?;
        a.host.ip(&[format!("link set {near_name} up")])?;
        b.host.ip(&[format!("link set {far_name} up")])
    }
}

impl Host {
    /// Gives an interface its Ethernet, IPv4 and IPv6 addresses.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn configure(&self, interface: &str, addresses: &Addresses) -> Result<()> {
        let Addresses { v4, v6, .. } = addresses;
        let mac = addresses.mac_text();
        self.ip(&[
            // Down and up again, so that the link-local address follows the Ethernet address.
            format!("link set {interface} down"),
            format!("link set {interface} address {mac}"),
            format!("link set {interface} up"),
            format!("addr add {v4}/24 dev {interface}"),
            format!("addr add {v6}/64 dev {interface} nodad"),
        ])
    }

    /// Turns the offloads of an interface off, so that what is captured is what a wire would carry:
    /// whole checksums, segments of wire size.
    ///
    /// # Errors
    /// When `ethtool` is missing or fails.
    pub fn disable_offloads(&self, interface: &str) -> Result<()> {
        let mut command = Command::new("ethtool");
        command.args(["-K", interface]);
        command.args(["tx", "off", "tso", "off", "gso", "off", "gro", "off"]);
        let output = self.run(command, Duration::from_secs(10))?;
        ensure!(output.success(), "ethtool: {}", output.stderr);
        Ok(())
    }
}
