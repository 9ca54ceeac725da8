//! A running program of a lab.

use std::{
    fs,
    os::{
        fd::{AsRawFd, BorrowedFd, RawFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sched::{CloneFlags, setns},
    sys::{
        prctl,
        signal::{Signal, kill, killpg},
    },
    unistd::{Gid, Pid, Uid, setgroups, setresgid, setresuid},
};

use super::{Host, holder::Holder, outside, wait::wait_until};

/// As whom a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// With every capability.
    Root,
    /// As user and group 65534, without a capability and without a way to get one.
    Nobody,
    /// As user 0 without a single capability.
    Powerless,
}

impl Identity {
    /// The user and group number of [`Identity::Nobody`].
    pub const NOBODY: u32 = 65534;
}

/// What a program left when it had ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Whether the exit code is 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// The exit code; 128 and the signal's number when a signal ended it, as a shell says it.
    #[must_use]
    pub fn code(&self) -> i32 {
        let signal = self.status.signal().unwrap_or_default();
        self.status.code().unwrap_or(128 + signal)
    }
}

/// What a new process is given besides its command.
pub(super) struct Launch<'a> {
    /// As whom it runs.
    pub(super) identity: Identity,
    /// Its standard input.
    pub(super) stdin: Stdio,
    /// File descriptors that it inherits under their numbers.
    pub(super) kept: &'a [RawFd],
}

impl Launch<'_> {
    /// Nothing but an identity.
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            identity,
            stdin: Stdio::null(),
            kept: &[],
        }
    }
}

/// A running program; dropping it kills its process group.
pub struct Process {
    child: Child,
    title: String,
    log: String,
    // Last: the lab must outlive its processes (its init cannot end while one is not reaped).
    holder: Arc<Holder>,
}

impl Process {
    /// Starts `command` on `host`.
    pub(super) fn spawn(host: &Host, mut command: Command, launch: Launch<'_>) -> Result<Self> {
        let program = Path::new(command.get_program())
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let title = format!("{}-{program}", host.name());
        let (log, out, err) = host.holder.new_log(&title)?;
        command
            .stdin(launch.stdin)
            .stdout(out)
            .stderr(err)
            .process_group(0);
        let namespace = host.namespace().as_raw_fd();
        let (identity, kept) = (launch.identity, launch.kept.to_vec());
        // SAFETY: only system calls between fork and exec, nothing that allocates or locks; the
        // descriptors are open in the parent until `spawn` has returned, so they are in the child.
        unsafe {
            command.pre_exec(move || {
                setns(BorrowedFd::borrow_raw(namespace), CloneFlags::CLONE_NEWNET)?;
                for fd in &kept {
                    let fd = BorrowedFd::borrow_raw(*fd);
                    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
                }
                if identity != Identity::Root {
                    prctl::set_no_new_privs()?;
                }
                if identity == Identity::Powerless {
                    drop_capabilities()?;
                }
                if identity == Identity::Nobody {
                    let user = Uid::from_raw(Identity::NOBODY);
                    let group = Gid::from_raw(Identity::NOBODY);
                    setgroups(&[])?;
                    setresgid(group, group, group)?;
                    setresuid(user, user, user)?;
                }
                // After the identity: changing it clears the signal.
                prctl::set_pdeathsig(Signal::SIGKILL)?;
                Ok(())
            });
        }
        let child = host
            .holder
            .on_thread(move || command.spawn())?
            .with_context(|| format!("cannot start {program} on {}", host.name()))?;
        Ok(Self {
            child,
            title,
            log,
            holder: Arc::clone(&host.holder),
        })
    }

    /// The process number as the test process sees it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the program wrote to standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.text("out")
    }

    /// What the program wrote to standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.text("err")
    }

    fn text(&self, suffix: &str) -> String {
        let path = outside(&self.holder.folder, &format!("{}.{suffix}", self.log));
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
    }

    /// How the program ended, when it has.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Sends a signal to the program, not to its group.
    ///
    /// # Errors
    /// When the program has ended and was waited for.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid(), signal).with_context(|| format!("cannot signal {}", self.title))
    }

    /// Kills the program and all that it has started, those in process groups of their own too, and
    /// waits for its end.
    ///
    /// # Errors
    /// When the kernel does not tell who they are.
    pub fn kill_all(mut self) -> Result<()> {
        // Stopped, so that none is born while the others are counted.
        self.signal(Signal::SIGSTOP)?;
        for process in descendants(self.pid())? {
            // It may have ended by itself.
            let _ = kill(process, Signal::SIGKILL);
        }
        self.signal(Signal::SIGKILL)?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When the program still runs after `limit`; it is left running.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.title);
        let child = &mut self.child;
        wait_until(&what, limit, || Ok(child.try_wait()?))
            .with_context(|| format!("{}{}", self.stdout(), self.stderr()))
    }

    /// Waits for the end and takes the output.
    ///
    /// # Errors
    /// When the program still runs after `limit`; it is killed.
    pub fn output(mut self, limit: Duration) -> Result<Output> {
        let status = self.wait(limit)?;
        Ok(Output {
            status,
            stdout: self.stdout(),
            stderr: self.stderr(),
        })
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that was waited for has given its number back: no signal then.
        if let Ok(None) = self.child.try_wait() {
            let _ = killpg(self.pid(), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// The children of a process, and theirs.
fn descendants(parent: Pid) -> Result<Vec<Pid>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|id| id.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // After the name in parentheses: state, parent.
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let parent = after.split_whitespace().nth(1);
        if let Some(parent) = parent.and_then(|parent| parent.parse().ok()) {
            parents.push((Pid::from_raw(id), Pid::from_raw(parent)));
        }
    }
    let mut found = vec![parent];
    let mut seen = 0;
    while let Some(parent) = found.get(seen).copied() {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        found.extend(children.map(|(child, _)| *child));
        seen += 1;
    }
    found.remove(0);
    Ok(found)
}

/// Empties the bounding set, so that the next `execve` of user 0 yields no capability
/// (capabilities(7)).
fn drop_capabilities() -> std::io::Result<()> {
    for capability in 0..=63_u64 {
        // SAFETY: the call takes integers alone.
        let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability) };
        // EINVAL: this kernel's capabilities end here.
        if result == -1 {
            let error = std::io::Error::last_os_error();
            return if error.raw_os_error() == Some(libc::EINVAL) {
                Ok(())
            } else {
                Err(error)
            };
        }
    }
    Ok(())
}
