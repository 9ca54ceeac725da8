//! Which processes hold sockets, from /proc/PID/fd (proc(5)).
//!
//! One needs to be root, or the user of the process, to see what it holds. Names and arguments are
//! what a process says of itself: a hint, not a proof.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

/// How much of a command line is read.
const MOST_ARGUMENT_BYTES: u64 = 16 * 1024;

/// How many of the processes that hold a socket are kept: servers share one among their workers.
const MOST_HOLDERS: usize = 32;

/// A program that holds a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name, as the kernel tells it (at most 15 bytes).
    pub name: String,
}

impl Process {
    /// Its command line at this moment; empty when it has ended. Servers write their state over it.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        arguments(Path::new("/proc"), self.pid)
    }

    /// Its working directory at this moment, if it may be seen.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/cwd", self.pid)).ok()
    }
}

/// The command line of a process.
pub(super) fn arguments(proc: &Path, pid: u32) -> Vec<String> {
    let mut line = Vec::new();
    // One that ends meanwhile has none.
    let _ = File::open(proc.join(pid.to_string()).join("cmdline"))
        .and_then(|file| file.take(MOST_ARGUMENT_BYTES).read_to_end(&mut line));
    line.split(|byte| *byte == 0)
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .filter(|argument| !argument.is_empty())
        .collect()
}

/// The processes that hold each of these sockets, by inode, lowest number first: usually that is the
/// parent of the others.
pub(super) fn owners(
    proc: &Path,
    inodes: impl IntoIterator<Item = u32>,
) -> HashMap<u32, Vec<Process>> {
    let mut held: HashMap<u32, Vec<u32>> = inodes
        .into_iter()
        .filter(|inode| *inode != 0)
        .map(|inode| (inode, Vec::new()))
        .collect();
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    for pid in pids {
        let descriptors = fs::read_dir(proc.join(pid.to_string()).join("fd"));
        for descriptor in descriptors.into_iter().flatten().flatten() {
            let link = fs::read_link(descriptor.path()).ok();
            let inode = link.as_deref().and_then(socket_inode);
            if let Some(holders) = inode.and_then(|inode| held.get_mut(&inode))
                && holders.last() != Some(&pid)
                && holders.len() < MOST_HOLDERS
            {
                holders.push(pid);
            }
        }
    }
    let named = |pid: u32| {
        let name = fs::read_to_string(proc.join(pid.to_string()).join("comm")).ok()?;
        let name = name.trim_end().to_owned();
        Some(Process { pid, name })
    };
    held.into_iter()
        .map(|(inode, pids)| (inode, pids.into_iter().filter_map(named).collect()))
        .collect()
}

/// The number in `socket:[NUMBER]`.
fn socket_inode(link: &Path) -> Option<u32> {
    link.to_str()?
        .strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn those_that_hold_a_socket_are_found() {
        let proc = tempfile::tempdir().unwrap();
        for (pid, name, holds) in [
            (30, "vsftpd", "socket:[77]"),
            (9, "vsftpd", "socket:[77]"),
            (200, "python3", "socket:[78]"),
            (3, "other", "pipe:[77]"),
        ] {
            let folder = proc.path().join(pid.to_string());
            fs::create_dir_all(folder.join("fd")).unwrap();
            fs::write(folder.join("comm"), format!("{name}\n")).unwrap();
            fs::write(folder.join("cmdline"), b"/usr/sbin/x\0/etc/x.conf\0\0").unwrap();
            symlink(holds, folder.join("fd/5")).unwrap();
            symlink(holds, folder.join("fd/6")).unwrap();
        }
        fs::create_dir_all(proc.path().join("self/fd")).unwrap();
        let found = owners(proc.path(), [77, 78, 79, 0]);
        let pids = |inode| -> Vec<u32> {
            let holders = found[&inode].iter();
            holders.map(|process: &Process| process.pid).collect()
        };
        assert_eq!((pids(77), pids(78)), (vec![9, 30], vec![200]));
        assert!(pids(79).is_empty());
        assert_eq!(found[&78][0].name, "python3");
        assert_eq!(arguments(proc.path(), 9), ["/usr/sbin/x", "/etc/x.conf"]);
    }

    #[test]
    fn a_process_that_cannot_be_seen_holds_nothing() {
        assert!(owners(Path::new("/nonexistent"), [77])[&77].is_empty());
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir_all(proc.path().join("77")).unwrap();
        assert!(owners(proc.path(), [77])[&77].is_empty());
        assert!(arguments(proc.path(), 78).is_empty());
    }
}
