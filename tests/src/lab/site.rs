//! The usual topology: a server, a client that will be listed and a stranger on one segment.

use std::{any::Any, panic};

use anyhow::Result;

use super::{Addresses, CLIENT, End, Host, Lab, SERVER, STRANGER, accounts, segment::Segment};

/// Three hosts on one Ethernet segment. The server has one interface, `eth0`, to guard.
///
/// ```text
///   client  .2 --+
///                |-- switch (bridge) -- eth0  .1  server
///   stranger .3 -+
/// ```
pub struct Site {
    /// The lab that the hosts are in.
    pub lab: Lab,
    /// Where the FTP server and the guard run.
    pub server: Host,
    /// The client that suites put on the allowlist.
    pub client: Host,
    /// The client that is on no allowlist.
    pub stranger: Host,
    switch: Segment,
}

impl Site {
    /// The name of each host's interface.
    pub const INTERFACE: &str = "eth0";

    /// Makes the hosts and the segment, and the accounts that FTP servers need.
    ///
    /// # Errors
    /// When the kernel or `ip` refuse; root is needed.
    pub fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let host = |name| lab.host(name);
        let site = Self {
            server: host("server")?,
            client: host("client")?,
            stranger: host("stranger")?,
            switch: Segment::new(&lab)?,
            lab,
        };
        site.plug_server()?;
        site.plug(&site.client, &CLIENT)?;
        site.plug(&site.stranger, &STRANGER)?;
        accounts::install(&site.lab)?;
        Ok(site)
    }

    /// Connects the server's interface, at first and after it was deleted.
    ///
    /// # Errors
    /// When it is connected.
    pub fn plug_server(&self) -> Result<()> {
        self.plug(&self.server, &SERVER)
    }

    /// Sets the MTU of every interface of the segment, in bytes.
    ///
    /// # Errors
    /// When an interface does not take it.
    pub fn set_mtu(&self, mtu: u32) -> Result<()> {
        let set = |interface: &str| format!("link set {interface} mtu {mtu}");
        let hosts = [&self.server, &self.client, &self.stranger];
        for host in hosts {
            host.ip(&[set(Self::INTERFACE)])?;
        }
        self.switch.set_mtu(mtu, &hosts)
    }

    /// Deletes the server's interface.
    ///
    /// # Errors
    /// When it is not there.
    pub fn unplug_server(&self) -> Result<()> {
        self.server.ip(&[format!("link del {}", Self::INTERFACE)])
    }

    fn plug(&self, host: &Host, addresses: &Addresses) -> Result<()> {
        let interface = Self::INTERFACE;
        self.switch
            .plug(&self.lab, End { host, interface }, addresses)
    }

    /// Lets the guard's answers to connection requests reach the segment: without, it can send no cookies.
    ///
    /// # Errors
    /// When `ethtool` is missing or fails.
    pub fn take_answers(&self) -> Result<()> {
        self.switch.take_answers(self.server.name())
    }

    /// Cuts the cable of a host, as when its power goes, or mends it. The host itself sees no change
    /// but that nothing comes.
    ///
    /// # Errors
    /// When the host is not plugged in.
    pub fn set_link(&self, host: &Host, up: bool) -> Result<()> {
        self.switch.set_link(host.name(), up)
    }

    /// Runs a test at a new site. When it fails, the logs of every program are printed.
    ///
    /// # Panics
    /// When the test returns an error or panics.
    pub fn test(body: impl FnOnce(&Self) -> Result<()>) {
        let site = Self::new().expect("cannot make the site");
        site.lab.judge(|| body(&site));
    }
}

impl Lab {
    /// Runs the body of a test. When it fails, the logs of every program are printed.
    ///
    /// # Panics
    /// When the body returns an error or panics.
    pub fn judge(&self, body: impl FnOnce() -> Result<()>) {
        let failure: Box<dyn Any + Send> = match panic::catch_unwind(panic::AssertUnwindSafe(body))
        {
            Ok(Ok(())) => return,
            Ok(Err(error)) => Box::new(format!("{error:?}")),
            Err(payload) => payload,
        };
        self.print_logs();
        if let Some(message) = failure.downcast_ref::<String>() {
            eprintln!("{message}");
        }
        panic::resume_unwind(failure);
    }
}
