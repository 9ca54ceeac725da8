//! The laboratory: hosts made of network namespaces, and the programs that run on them.
//!
//! Everything a [`Lab`] makes hangs on file descriptors and on one process, the init of a process
//! namespace of its own: namespaces have no names, files live on a private tmpfs, pins on a private
//! bpffs. When the test process ends, however it ends, the kernel takes all of it away.

mod accounts;
mod addresses;
mod arena;
pub mod clients;
mod crowd;
pub mod dns;
pub mod flood;
pub mod guard;
mod holder;
mod host;
mod link;
pub mod metrics;
pub mod packages;
pub mod probe;
mod process;
pub mod prometheus;
mod router;
mod segment;
pub mod servers;
mod site;
pub mod stack;
pub mod tables;
pub mod tap;
pub mod thief;
mod tls;
mod wait;

use std::{
    fs, io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};

use self::holder::Holder;
pub use self::{
    accounts::{PASSWORD, USER, USER_ID},
    addresses::{Addresses, CLIENT, Family, SERVER, STRANGER},
    arena::{Arena, Spoofed, attach, driver_counters},
    crowd::in_parallel,
    host::Host,
    link::End,
    process::{Identity, Output, Process},
    router::Router,
    site::Site,
    tls::Tls,
    wait::wait_until,
};

/// The folder of a lab as the programs inside see it.
const INSIDE: &str = "/run/lab";

/// A laboratory: a set of hosts that share one private folder.
pub struct Lab {
    holder: Arc<Holder>,
}

impl Lab {
    /// Makes an empty lab.
    ///
    /// # Errors
    /// When the namespaces cannot be made, which needs root.
    pub fn new() -> Result<Self> {
        let holder = Holder::start().context("cannot make a lab (root is needed)")?;
        Ok(Self { holder })
    }

    /// Adds a host without interfaces but loopback. `name` appears in logs only.
    ///
    /// # Errors
    /// When the network namespace cannot be made.
    pub fn host(&self, name: &str) -> Result<Host> {
        Host::new(&self.holder, name).with_context(|| format!("cannot make host {name}"))
    }

    /// Gives the lab the accounts that FTP servers need. [`Site`] and [`Router`] have them.
    ///
    /// # Errors
    /// When a file cannot be written, or mounted over another.
    pub fn install_accounts(&self) -> Result<()> {
        accounts::install(self)
    }

    /// The lab's folder.
    #[must_use]
    pub fn folder(&self) -> Folder {
        Folder(Arc::clone(&self.holder))
    }

    /// Prints the end of every log of the lab to standard error.
    pub fn print_logs(&self) {
        self.holder.print_logs();
    }
}

/// The private folder of a lab. It has two names: one for the programs inside, whose mount
/// namespace holds it, and one for the test process, which does not live there.
#[derive(Clone)]
pub struct Folder(Arc<Holder>);

impl Folder {
    /// The path of `name` for programs on the lab's hosts.
    #[must_use]
    pub fn inside(&self, name: &str) -> PathBuf {
        Path::new(INSIDE).join(name)
    }

    /// The path of `name` for the test process itself.
    #[must_use]
    pub fn outside(&self, name: &str) -> PathBuf {
        outside(&self.0.folder, name)
    }

    /// Writes a file, and the folders above it, replacing what was there.
    ///
    /// # Errors
    /// As [`std::fs::write`].
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> io::Result<()> {
        let path = self.outside(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, contents)
    }

    /// Reads a file of text.
    ///
    /// # Errors
    /// When there is none, or it is not UTF-8.
    pub fn read(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.outside(name)).with_context(|| format!("cannot read {name}"))
    }
}

/// A path through an open folder: the only way into a mount that this process's own mount namespace
/// does not have.
fn outside(folder: &OwnedFd, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name)
}
