//! A host: a network namespace, and programs and closures that run in it.

use std::{
    fs::{self, File},
    io::{Seek, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    panic,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns, unshare};

use super::{
    Folder,
    holder::Holder,
    process::{Identity, Launch, Output, Process},
};

/// Longest time that a program which only sets something up may take.
const SETUP_LIMIT: Duration = Duration::from_secs(20);

/// A host of a lab. Clones are the same host.
#[derive(Clone)]
pub struct Host {
    pub(super) holder: Arc<Holder>,
    name: Arc<str>,
    namespace: Arc<OwnedFd>,
}

impl Host {
    pub(super) fn new(holder: &Arc<Holder>, name: &str) -> Result<Self> {
        let namespace = thread::scope(|scope| {
            scope
                .spawn(|| -> Result<OwnedFd> {
                    unshare(CloneFlags::CLONE_NEWNET)?;
                    // No duplicate address detection: an address is usable at once.
                    for scope in ["all", "default"] {
                        fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/accept_dad"), "0")?;
                    }
                    Ok(File::open("/proc/thread-self/ns/net")?.into())
                })
                .join()
                .unwrap_or_else(|payload| panic::resume_unwind(payload))
        })?;
        let host = Self {
            holder: Arc::clone(holder),
            name: name.into(),
            namespace: Arc::new(namespace),
        };
        host.ip(&["link set lo up"])?;
        Ok(host)
    }

    /// The host's name in logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lab's folder.
    #[must_use]
    pub fn folder(&self) -> Folder {
        Folder(Arc::clone(&self.holder))
    }

    /// The network namespace.
    pub(super) fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// Starts a program as root; it ends when the [`Process`] is dropped.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, command: Command) -> Result<Process> {
        self.spawn_as(Identity::Root, command)
    }

    /// Starts a program as `identity`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn_as(&self, identity: Identity, command: Command) -> Result<Process> {
        Process::spawn(self, command, Launch::new(identity))
    }

    /// Runs a program as root until it ends.
    ///
    /// # Errors
    /// When it cannot be started or does not end within `limit`. A failing exit status is no error.
    pub fn run(&self, command: Command, limit: Duration) -> Result<Output> {
        self.run_as(Identity::Root, command, limit)
    }

    /// Runs a program as `identity` until it ends.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub fn run_as(&self, identity: Identity, command: Command, limit: Duration) -> Result<Output> {
        self.spawn_as(identity, command)?.output(limit)
    }

    /// Runs `work` on a thread that is in the host's network namespace, and waits for it. Sockets
    /// made there stay there. Files are those of the test process.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            scope
                .spawn(|| {
                    self.join_namespace();
                    work()
                })
                .join()
                .unwrap_or_else(|payload| panic::resume_unwind(payload))
        })
    }

    /// Runs `work` on a thread of its own in the host's network namespace.
    pub fn thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let host = self.clone();
        thread::spawn(move || {
            host.join_namespace();
            work()
        })
    }

    fn join_namespace(&self) {
        setns(self.namespace(), CloneFlags::CLONE_NEWNET).expect("cannot enter a host's namespace");
    }

    /// Runs `ip` with these commands, one a line, the first failure ending it.
    ///
    /// # Errors
    /// When a command fails, with what `ip` said.
    pub fn ip(&self, commands: &[impl AsRef<str>]) -> Result<()> {
        self.ip_with(commands, &[])
    }

    /// As [`Host::ip`], with namespaces that the commands name as `/proc/self/fd/N`.
    pub(super) fn ip_with(
        &self,
        commands: &[impl AsRef<str>],
        namespaces: &[BorrowedFd<'_>],
    ) -> Result<()> {
        let mut script = tempfile::tempfile()?;
        for command in commands {
            writeln!(script, "{}", command.as_ref())?;
        }
        script.rewind()?;
        let mut command = Command::new("ip");
        command.args(["-batch", "-"]);
        let kept: Vec<_> = namespaces.iter().map(AsRawFd::as_raw_fd).collect();
        let launch = Launch {
            stdin: Stdio::from(script),
            kept: &kept,
            ..Launch::new(Identity::Root)
        };
        let output = Process::spawn(self, command, launch)?.output(SETUP_LIMIT)?;
        let script = commands.iter().map(AsRef::as_ref).collect::<Vec<_>>();
        ensure!(
            output.success(),
            "ip failed on {}: {}\ncommands: {}",
            self.name,
            output.stderr,
            script.join("; ")
        );
        Ok(())
    }

    /// Reads a file of `/proc/net` as it is for this host.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn proc_net(&self, name: &str) -> Result<String> {
        let path = format!("/proc/thread-self/net/{name}");
        self.enter(|| fs::read_to_string(&path))
            .with_context(|| format!("cannot read {path} of {}", self.name))
    }

    /// Sets a kernel parameter of the namespace, as in `net/ipv4/tcp_syncookies`.
    ///
    /// # Errors
    /// When there is no such parameter or the value is refused.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        self.enter(|| fs::write(format!("/proc/sys/{name}"), value))
            .with_context(|| format!("cannot set {name} of {}", self.name))
    }
}
