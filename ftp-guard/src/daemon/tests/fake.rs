//! A kernel that is a few maps and notes what is done to it, and files for a guard over it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
    path::PathBuf,
};

use ftp_guard_common::{
    allow::AllowValue,
    class::{Family, PortClass},
    config::Mode,
    ports::PortTable,
    reason::{Reason, Verdict},
    stats::{Counter, StatsKey},
};
use ipnet::IpNet;

use crate::{
    config::XdpChoice,
    control::protocol::{Failure, Prefix},
    daemon::{guard::Guard, inputs::Inputs, kernel::Kernel, start::start},
    datapath::{AttachMode, Attachment, DatapathError, Judgement},
    engine::allowlist::{AllowTable, Change},
    netlink::Interface,
};

type Result<T> = std::result::Result<T, DatapathError>;

/// A kernel in memory. An operation whose name is in `broken` fails.
#[derive(Debug, Default)]
pub(super) struct Fake {
    pub(super) table: AllowTable,
    pub(super) mode: Mode,
    pub(super) attached: BTreeMap<String, XdpChoice>,
    pub(super) pinned: BTreeSet<String>,
    pub(super) host: BTreeMap<String, u32>,
    pub(super) broken: BTreeSet<&'static str>,
    pub(super) log: Vec<String>,
}

impl Fake {
    pub(super) fn with_interfaces(names: &[&str]) -> Self {
        let host = names
            .iter()
            .zip(1..)
            .map(|(name, index)| ((*name).to_owned(), index));
        Self {
            host: host.collect(),
            ..Self::default()
        }
    }

    pub(super) fn step(&mut self, name: &'static str, what: &str) -> Result<()> {
        if self.broken.contains(name) {
            return Err(DatapathError::Kernel {
                what: name.to_owned(),
                source: Box::new(io::Error::other("broken on purpose")),
            });
        }
        self.log.push(format!("{name} {what}").trim().to_owned());
        Ok(())
    }
}

impl Kernel for Fake {
    fn mode(&self) -> Result<Mode> {
        Ok(self.mode)
    }

    fn set_mode(&mut self, mode: Mode) -> Result<()> {
        self.step("mode", mode.as_str())?;
        self.mode = mode;
        Ok(())
    }

    fn set_ports(&mut self, _: &PortTable) -> Result<()> {
        self.step("ports", "")
    }

    fn refresh_clock(&mut self) -> Result<()> {
        Ok(())
    }

    fn allow_table(&self) -> Result<AllowTable> {
        Ok(self.table.clone())
    }

    fn apply(&mut self, changes: &[Change], wanted: &AllowTable) -> Result<()> {
        self.step("apply", &changes.len().to_string())?;
        for change in changes {
            match change {
                Change::Insert(prefix, value) => self.table.insert(*prefix, *value),
                Change::Remove(prefix) => self.table.remove(prefix),
            };
        }
        assert_eq!(self.table, *wanted, "the plan leads elsewhere");
        Ok(())
    }

    fn lookup(&self, source: IpAddr) -> Result<Option<(IpNet, AllowValue)>> {
        let covering = self
            .table
            .iter()
            .filter(|(prefix, _)| prefix.contains(&source));
        Ok(covering
            .max_by_key(|(prefix, _)| prefix.prefix_len())
            .map(|(prefix, value)| (*prefix, *value)))
    }

    fn attach(&mut self, interface: &str, choice: XdpChoice) -> Result<Attachment> {
        self.step("attach", interface)?;
        self.attached.insert(interface.to_owned(), choice);
        self.pinned.insert(interface.to_owned());
        Ok(attachment(interface, self.host[interface]))
    }

    fn detach_interface(&mut self, interface: &str) -> Result<bool> {
        self.step("detach", interface)?;
        self.pinned.remove(interface);
        Ok(self.attached.remove(interface).is_some())
    }

    fn attachments(&self) -> Result<Vec<Attachment>> {
        Ok(self
            .attached
            .keys()
            .filter_map(|name| Some(attachment(name, *self.host.get(name)?)))
            .collect())
    }

    fn pinned_interfaces(&self) -> Result<Vec<String>> {
        Ok(self.pinned.iter().cloned().collect())
    }

    fn counters(&self) -> Result<Vec<(StatsKey, Counter)>> {
        Ok(Vec::new())
    }

    fn explain(&mut self, frame: &[u8]) -> Result<Judgement> {
        assert!(frame.len() > 50);
        Ok(Judgement {
            verdict: Verdict::Drop,
            reason: Reason::NotListed,
            class: PortClass::Control,
            family: Family::Ipv4,
        })
    }

    fn detach_all(self) -> Result<Vec<String>> {
        Ok(self.pinned.into_iter().collect())
    }

    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        let interface = |name: &String| Interface {
            name: name.clone(),
            loopback: false,
            addressed: true,
        };
        Ok(self.host.keys().map(interface).collect())
    }

    fn index_of(&self, interface: &str) -> Option<u32> {
        self.host.get(interface).copied()
    }
}

fn attachment(interface: &str, ifindex: u32) -> Attachment {
    Attachment {
        interface: interface.to_owned(),
        ifindex,
        mode: AttachMode::Native,
        program_id: 7,
    }
}

/// A folder with a configuration and allowlists.
pub(super) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub(super) fn new(interfaces: &str) -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(files.path("allow.d")).unwrap();
        files.configure(interfaces, "enforce");
        files
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn configure(&self, interfaces: &str, mode: &str) {
        let pattern = self.path("allow.d/*.list");
        let text = format!(
            "# kept\nmode = \"{mode}\"\ninterfaces = {interfaces}\n[ftp]\npassive_ports = []\n\
             [allow]\nfiles = [{pattern:?}]\n"
        );
        std::fs::write(self.path("guard.toml"), text).unwrap();
    }

    pub(super) fn list(&self, name: &str, text: &str) {
        std::fs::write(self.path("allow.d").join(name), text).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(super) fn guard(&self, kernel: Fake) -> Guard<Fake> {
        self.try_guard(kernel, false).unwrap()
    }

    pub(super) fn try_guard(
        &self,
        kernel: Fake,
        adopted: bool,
    ) -> std::result::Result<Guard<Fake>, Failure> {
        let inputs = Inputs::load(&self.path("guard.toml"))?;
        start(kernel, inputs, adopted, &self.path("guard.sock"))
    }
}

pub(super) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

pub(super) fn listed(guard: &Guard<Fake>) -> Vec<String> {
    guard.kernel.table.keys().map(ToString::to_string).collect()
}
