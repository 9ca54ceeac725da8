//! What can go wrong between the daemon and the kernel, in words for the operator.

use std::{error::Error as StdError, io, path::PathBuf};

use aya::programs::ProgramError;
use nix::errno::Errno;

/// An error of the datapath.
#[derive(Debug, thiserror::Error)]
pub enum DatapathError {
    /// The kernel refused for lack of privilege.
    #[error(
        "not permitted to {what}: run as root, or with the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON \
         (a container or security module may withhold them even from root)"
    )]
    Permission {
        /// What was attempted.
        what: String,
    },
    /// Another daemon holds the lock on the pins.
    #[error(
        "another ftp-guard daemon already works with the pins in {}: stop it, or set another \
         `bpf.pin_path` and `control.socket` for a second guard",
        pin_path.display()
    )]
    Busy {
        /// The folder of the pins.
        pin_path: PathBuf,
    },
    /// The pinned maps have another layout.
    #[error(
        "the pins in {} were made by a version of ftp-guard with table layout {found}, this one \
         has {expected}: run `ftp-guard detach` (enforcement ends until the new daemon runs), \
         then start again",
        pin_path.display()
    )]
    Abi {
        /// The folder of the pins.
        pin_path: PathBuf,
        /// Layout number of the pins.
        found: u32,
        /// Layout number of this program.
        expected: u32,
    },
    /// The folder of the pins is not on a bpf file system.
    #[error(
        "{} is not on a bpf file system: mount one (`mount -t bpf bpf /sys/fs/bpf`) or set \
         `bpf.pin_path` to a folder on one",
        pin_path.display()
    )]
    NotBpffs {
        /// The folder of the pins.
        pin_path: PathBuf,
    },
    /// There is no such interface.
    #[error("no interface `{name}` (there are: {})", existing.join(", "))]
    NoInterface {
        /// The missing one.
        name: String,
        /// Those that exist.
        existing: Vec<String>,
    },
    /// Frames of the interface have no Ethernet header.
    #[error(
        "interface `{interface}` carries no Ethernet frames (PPP, tun, WireGuard and tunnels of the \
         network layer do not), so that ftp-guard would judge none of its packets; filter FTP on it \
         by other means, such as nftables"
    )]
    NotEthernet {
        /// The interface.
        interface: String,
    },
    /// Somebody else's XDP program is attached.
    #[error(
        "interface `{interface}` already has an XDP program that is not ours: id {id}, `{name}`. \
         ftp-guard does not replace it; detach it first (`ip link set dev {interface} xdp off`, or \
         through the program that owns it)"
    )]
    ForeignProgram {
        /// The interface.
        interface: String,
        /// Kernel id of the program.
        id: u32,
        /// Name of the program.
        name: String,
    },
    /// The driver has no native XDP, or not in the present configuration of the device.
    #[error(
        "interface `{interface}` does not take a native XDP program ({source}): its driver lacks \
         it or the MTU is too large; `xdp_mode = \"auto\"` falls back to generic XDP"
    )]
    NoNativeXdp {
        /// The interface.
        interface: String,
        /// The kernel's word.
        source: io::Error,
    },
    /// The allowlist does not fit.
    #[error(
        "the allowlist has {wanted} {family} entries, and the table has room for {room}: raise \
         `allow.max_entries` and restart, or list wider prefixes"
    )]
    TableFull {
        /// Entries that were to be in the table.
        wanted: usize,
        /// Entries that fit.
        room: usize,
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// The bans do not fit.
    #[error(
        "{wanted} {family} entries of bans and of what is never banned, and the table has room for \
         {room}: remove bans, ban wider prefixes, or raise `bans.max_entries` and restart"
    )]
    BansFull {
        /// Entries that were to be in the table.
        wanted: u32,
        /// Entries that fit.
        room: u32,
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// The kernel has no tcx links (before 6.6), so that the classifiers need a clsact qdisc.
    #[error("the kernel does not take tcx links on `{interface}` (they came with 6.6)")]
    NoTcx {
        /// The interface.
        interface: String,
    },
    /// The kernel does not describe its types.
    #[error(
        "{path} is missing: the kernel was built without CONFIG_DEBUG_INFO_BTF, and without it \
         ftp-guard cannot follow the sockets of this host; use a kernel that has it (those of the \
         distributions do), or role = \"router\", which goes by packets alone"
    )]
    NoKernelTypes {
        /// Where the description would be.
        path: &'static str,
    },
    /// A table of sessions or of what belongs to them is full.
    #[error(
        "the table {table} is full ({room} entries): raise `sessions.max` or `sessions.max_data`, run \
         `ftp-guard detach` (enforcement ends until the new daemon runs), then start again"
    )]
    StateFull {
        /// Name of the table.
        table: &'static str,
        /// Entries that fit.
        room: u32,
    },
    /// The kernel refused something else.
    #[error("cannot {what}: {source}")]
    Kernel {
        /// What was attempted.
        what: String,
        /// The kernel's word, or the library's.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl DatapathError {
    /// The exit code of a command that ends with this error.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Permission { .. } => 77,
            _ => 1,
        }
    }

    /// Wraps an error of the kernel or of aya; a lack of privilege is told apart.
    pub(super) fn kernel(
        what: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let (what, source) = (what.into(), source.into());
        match errno(source.as_ref()) {
            // The verifier says EACCES of what it cannot follow as well as of what it does not allow without
            // CAP_PERFMON.
            Some(Errno::EPERM | Errno::EACCES) if !(verified(source.as_ref()) && has_perfmon()) => {
                Self::Permission { what }
            }
            _ => Self::Kernel {
                what,
                source: Box::new(Flattened::new(source.as_ref())),
            },
        }
    }
}

/// Whether the verifier has read the program.
fn verified(error: &(dyn StdError + 'static)) -> bool {
    matches!(
        error.downcast_ref(),
        Some(ProgramError::LoadError { verifier_log, .. }) if !verifier_log.to_string().is_empty()
    )
}

/// Whether this thread has CAP_PERFMON (number 38), so that privilege is not what the verifier misses.
fn has_perfmon() -> bool {
    std::fs::read_to_string("/proc/thread-self/status").is_ok_and(|status| {
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        effective
            .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
            .is_some_and(|bits| bits >> 38 & 1 == 1)
    })
}

/// The error number at the bottom of a chain of errors.
pub(super) fn errno(error: &(dyn StdError + 'static)) -> Option<Errno> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(errno) = error.downcast_ref::<Errno>() {
            return Some(*errno);
        }
        if let Some(number) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::raw_os_error)
        {
            return Some(Errno::from_raw(number));
        }
        next = error.source();
    }
    None
}

/// A chain of errors in one line: aya tells the call in one link and the cause in the next. The
/// verifier's log is cut to its end, where the complaint is.
#[derive(Debug)]
struct Flattened(String);

impl Flattened {
    const LONGEST: usize = 2000;

    fn new(error: &(dyn StdError + 'static)) -> Self {
        let mut text = String::new();
        let mut next = Some(error);
        while let Some(error) = next {
            let part = error.to_string();
            if !text.contains(&part) {
                if !text.is_empty() {
                    text.push_str(": ");
                }
                text.push_str(&part);
            }
            next = error.source();
        }
        if text.len() > Self::LONGEST {
            let cut = text.ceil_char_boundary_from_end(Self::LONGEST);
            text = format!("... {}", &text[cut..]);
        }
        Self(text)
    }
}

/// The index at which the last `len` bytes of a text begin, moved to a character's start.
trait CeilCharBoundary {
    fn ceil_char_boundary_from_end(&self, len: usize) -> usize;
}

impl CeilCharBoundary for str {
    fn ceil_char_boundary_from_end(&self, len: usize) -> usize {
        let cut = self.len().saturating_sub(len);
        (cut..=self.len())
            .find(|at| self.is_char_boundary(*at))
            .unwrap_or(self.len())
    }
}

impl std::fmt::Display for Flattened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Flattened {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_privilege_is_found_at_the_bottom_of_the_chain() {
        let error = DatapathError::kernel("load", io::Error::from_raw_os_error(libc::EPERM));
        assert_eq!(error.exit_code(), 77);
        let error = DatapathError::kernel("load", io::Error::from_raw_os_error(libc::EINVAL));
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn a_long_log_keeps_its_end() {
        let long = format!("{}ö the end", "x".repeat(5000));
        let flat = Flattened::new(&io::Error::other(long)).0;
        assert!(flat.len() < 2100 && flat.ends_with("ö the end"), "{flat}");
    }
}
