//! A real DNS server: Knot, authoritative for one zone.

use std::{process::Command, time::Duration};

use anyhow::{Result, bail};
use nix::sys::signal::Signal;

use super::{Host, Process, wait_until};

const START_LIMIT: Duration = Duration::from_secs(30);

/// A name server on the loopback interface of a host.
pub struct NameServer {
    host: Host,
    serial: u32,
    records: Vec<String>,
    running: Option<Process>,
}

impl NameServer {
    /// Where it answers, on its own host.
    pub const ADDRESS: &str = "127.0.0.1:5353";
    /// Its zone.
    pub const ZONE: &str = "example.net";

    /// Starts it with these records of the zone, lines of a zone file.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start(host: &Host, records: &[String]) -> Result<Self> {
        let mut server = Self {
            host: host.clone(),
            serial: 0,
            records: Vec::new(),
            running: None,
        };
        server.write(records)?;
        server.launch()?;
        Ok(server)
    }

    /// Starts it again after [`NameServer::stop`].
    ///
    /// # Errors
    /// When it does not answer.
    pub fn launch(&mut self) -> Result<()> {
        let folder = self.host.folder();
        let place = folder.inside("dns");
        let place = place.display();
        let (address, port) = Self::ADDRESS.rsplit_once(':').unwrap_or_default();
        let zone = Self::ZONE;
        let configuration = format!(
            "server:\n  rundir: {place}\n  listen: {address}@{port}\n\
             database:\n  storage: {place}\n\
             log:\n  - target: stderr\n    any: info\n\
             zone:\n  - domain: {zone}\n    storage: {place}\n    file: zone\n\
             \x20   journal-content: none\n    zonefile-sync: -1\n"
        );
        folder.write("dns/knot.conf", configuration)?;
        let mut command = Command::new("/usr/sbin/knotd");
        command.arg("-c").arg(folder.inside("dns/knot.conf"));
        let mut process = self.host.spawn(command)?;
        let serial = self.serial;
        wait_until("the name server has its zone", START_LIMIT, || {
            if let Some(status) = process.ended()? {
                bail!(
                    "it ended, {status}: {}{}",
                    process.stdout(),
                    process.stderr()
                );
            }
            let said = process.stderr();
            Ok(said.contains(&format!("-> {serial},")).then_some(()))
        })?;
        self.running = Some(process);
        Ok(())
    }

    /// Gives the zone these records instead of those it has.
    ///
    /// # Errors
    /// When the server does not take them.
    pub fn publish(&mut self, records: &[String]) -> Result<()> {
        self.write(records)?;
        let Some(process) = &self.running else {
            return Ok(());
        };
        process.signal(Signal::SIGHUP)?;
        let serial = self.serial;
        wait_until("the name server has the new zone", START_LIMIT, || {
            let said = process.stderr();
            Ok(said.contains(&format!("-> {serial},")).then_some(()))
        })
    }

    /// Stops it.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn stop(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), Process::kill_all)
    }

    fn write(&mut self, records: &[String]) -> Result<()> {
        self.serial += 1;
        self.records = records.to_vec();
        let zone = Self::ZONE;
        let text = format!(
            "$ORIGIN {zone}.\n$TTL 1\n@ SOA ns admin {} 60 60 60 1\n@ NS ns\nns A 127.0.0.1\n{}\n",
            self.serial,
            self.records.join("\n")
        );
        Ok(self.host.folder().write("dns/zone", text)?)
    }
}
