//! What the daemon needs of the kernel, so that its decisions can be tested without one.

use std::{io, net::IpAddr};

use ftp_guard_common::{
    allow::AllowValue,
    config::Mode,
    ports::PortTable,
    stats::{Counter, StatsKey},
};
use ipnet::IpNet;

use crate::{
    config::XdpChoice,
    datapath::{Attachment, Datapath, DatapathError, Judgement},
    engine::allowlist::{AllowTable, Change},
    netlink::{self, Interface},
};

type Result<T> = std::result::Result<T, DatapathError>;

/// The datapath and the host's interfaces. The methods of [`Datapath`] say what each does.
#[expect(missing_docs, reason = "the methods are those of `Datapath`")]
pub trait Kernel: Send + 'static {
    fn mode(&self) -> Result<Mode>;
    fn set_mode(&mut self, mode: Mode) -> Result<()>;
    fn set_ports(&mut self, ports: &PortTable) -> Result<()>;
    fn refresh_clock(&mut self) -> Result<()>;
    fn allow_table(&self) -> Result<AllowTable>;
    fn apply(&mut self, changes: &[Change], wanted: &AllowTable) -> Result<()>;
    fn lookup(&self, source: IpAddr) -> Result<Option<(IpNet, AllowValue)>>;
    fn attach(&mut self, interface: &str, choice: XdpChoice) -> Result<Attachment>;
    fn detach_interface(&mut self, interface: &str) -> Result<bool>;
    fn attachments(&self) -> Result<Vec<Attachment>>;
    fn pinned_interfaces(&self) -> Result<Vec<String>>;
    fn counters(&self) -> Result<Vec<(StatsKey, Counter)>>;
    fn explain(&mut self, frame: &[u8]) -> Result<Judgement>;
    fn detach_all(self) -> Result<Vec<String>>;
    /// The host's interfaces.
    fn interfaces(&self) -> io::Result<Vec<Interface>>;
    /// The present index of an interface.
    fn index_of(&self, interface: &str) -> Option<u32>;
}

impl Kernel for Datapath {
    fn mode(&self) -> Result<Mode> {
        self.mode()
    }

    fn set_mode(&mut self, mode: Mode) -> Result<()> {
        self.set_mode(mode)
    }

    fn set_ports(&mut self, ports: &PortTable) -> Result<()> {
        self.set_ports(ports)
    }

    fn refresh_clock(&mut self) -> Result<()> {
        self.refresh_clock()
    }

    fn allow_table(&self) -> Result<AllowTable> {
        self.allow_table()
    }

    fn apply(&mut self, changes: &[Change], wanted: &AllowTable) -> Result<()> {
        self.apply(changes, wanted)
    }

    fn lookup(&self, source: IpAddr) -> Result<Option<(IpNet, AllowValue)>> {
        self.lookup(source)
    }

    fn attach(&mut self, interface: &str, choice: XdpChoice) -> Result<Attachment> {
        self.attach(interface, choice)
    }

    fn detach_interface(&mut self, interface: &str) -> Result<bool> {
        self.detach_interface(interface)
    }

    fn attachments(&self) -> Result<Vec<Attachment>> {
        self.attachments()
    }

    fn pinned_interfaces(&self) -> Result<Vec<String>> {
        self.pinned_interfaces()
    }

    fn counters(&self) -> Result<Vec<(StatsKey, Counter)>> {
        self.counters()
    }

    fn explain(&mut self, frame: &[u8]) -> Result<Judgement> {
        self.explain(frame)
    }

    fn detach_all(self) -> Result<Vec<String>> {
        self.detach_all()
    }

    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        netlink::interfaces()
    }

    fn index_of(&self, interface: &str) -> Option<u32> {
        netlink::index_of(interface)
    }
}
