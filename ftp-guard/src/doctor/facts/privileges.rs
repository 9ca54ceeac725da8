//! What a process may do, and what restricts all of them.

use std::{fs, io, path::Path};

use super::{Known, Unseen};

/// A capability that the daemon needs (linux/capability.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// CAP_BPF
    Bpf,
    /// CAP_NET_ADMIN
    NetAdmin,
    /// CAP_PERFMON
    Perfmon,
}

const CAP_SYS_ADMIN: u32 = 21;

impl Capability {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bpf, Self::NetAdmin, Self::Perfmon];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bpf => "CAP_BPF",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::Perfmon => "CAP_PERFMON",
        }
    }

    const fn number(self) -> u32 {
        match self {
            Self::NetAdmin => 12,
            Self::Perfmon => 38,
            Self::Bpf => 39,
        }
    }

    /// Whether the set has it, or the one that stood for it before kernel 5.8 and still does.
    #[must_use]
    pub const fn is_in(self, set: u64) -> bool {
        let own = set >> self.number() & 1 == 1;
        own || (!matches!(self, Self::NetAdmin) && set >> CAP_SYS_ADMIN & 1 == 1)
    }
}

/// What a process may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privileges {
    /// Its effective user.
    pub uid: u32,
    /// Its effective capabilities.
    pub effective: u64,
    /// Those that it can ever have.
    pub bounding: u64,
    /// Whether a filter of system calls is on it.
    pub seccomp: bool,
    /// Whether it is in the first user namespace.
    pub first_user_namespace: bool,
    /// What a security module calls it; absent without one.
    pub label: Option<String>,
}

impl Privileges {
    pub(super) fn of_this_process() -> Known<Self> {
        Self::read(Path::new("/proc/self"))
            .map_err(|error| Unseen::io("the privileges of this process", &error))
    }

    pub(super) fn of_daemon(pid: u32) -> Known<Self> {
        let folder = format!("/proc/{pid}");
        let folder = Path::new(&folder);
        let read = fs::read_to_string(folder.join("comm")).and_then(|name| match name.trim() {
            "ftp-guard" => Self::read(folder),
            _ => Err(io::Error::other("it is in another process namespace")),
        });
        read.map_err(|error| Unseen::io("the privileges of the daemon", &error))
    }

    fn read(folder: &Path) -> io::Result<Self> {
        let status = fs::read_to_string(folder.join("status"))?;
        let map = fs::read_to_string(folder.join("uid_map"))?;
        let label = fs::read_to_string(folder.join("attr/current")).ok();
        Self::parse(&status, &map, label.as_deref())
            .ok_or_else(|| io::Error::other("an answer that is not understood"))
    }

    fn parse(status: &str, uid_map: &str, label: Option<&str>) -> Option<Self> {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let set = |name| u64::from_str_radix(field(name)?.trim(), 16).ok();
        let map: Vec<&str> = uid_map.split_whitespace().collect();
        let label = label
            .map(|label| label.trim_end_matches(['\0', '\n']))
            .filter(|label| !label.is_empty() && *label != "unconfined");
        Some(Self {
            uid: field("Uid:")?.split_whitespace().nth(1)?.parse().ok()?,
            effective: set("CapEff:")?,
            bounding: set("CapBnd:")?,
            // SECCOMP_MODE_FILTER; absent where the kernel has none.
            seccomp: field("Seccomp:").is_some_and(|mode| mode.trim() == "2"),
            first_user_namespace: map == ["0", "0", "4294967295"],
            label: label.map(str::to_owned),
        })
    }

    /// The needed capabilities that it does not have.
    #[must_use]
    pub fn missing(&self) -> Vec<Capability> {
        let mut missing = Capability::ALL.to_vec();
        missing.retain(|it| !it.is_in(self.effective));
        missing
    }
}

/// What restricts everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restrictions {
    /// The kernel's lockdown: `none`, `integrity` or `confidentiality`; absent where it has none, or
    /// securityfs is not mounted.
    pub lockdown: Option<String>,
    /// Security modules; empty where they cannot be seen.
    pub modules: Vec<String>,
    /// `kernel.unprivileged_bpf_disabled`.
    pub unprivileged_bpf_disabled: Known<u32>,
}

impl Restrictions {
    pub(super) fn gather() -> Self {
        const SYSCTL: &str = "/proc/sys/kernel/unprivileged_bpf_disabled";
        let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").ok();
        let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
        let value = fs::read_to_string(SYSCTL).and_then(|text| {
            let value = text.trim().parse();
            value.map_err(|_| io::Error::other("not a number"))
        });
        Self {
            lockdown: lockdown.and_then(|text| chosen(&text)),
            modules: modules.trim().split(',').map(str::to_owned).collect(),
            unprivileged_bpf_disabled: value
                .map_err(|error| Unseen::io("kernel.unprivileged_bpf_disabled", &error)),
        }
    }
}

/// The word in brackets.
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Privileges {
        pub(in crate::doctor) fn root() -> Self {
            Self {
                uid: 0,
                effective: 0x1ff_ffff_ffff,
                bounding: 0x1ff_ffff_ffff,
                seccomp: false,
                first_user_namespace: true,
                label: None,
            }
        }

        pub(in crate::doctor) fn nobody() -> Self {
            Self {
                uid: 65534,
                effective: 0,
                ..Self::root()
            }
        }
    }

    impl Restrictions {
        pub(in crate::doctor) fn none() -> Self {
            Self {
                lockdown: Some("none".to_owned()),
                modules: vec!["capability".to_owned()],
                unprivileged_bpf_disabled: Ok(2),
            }
        }
    }

    #[test]
    fn a_status_is_read() {
        let status = "Name:\tx\nUid:\t1000\t7\t7\t7\nCapEff:\t0000000000001000\n\
                      CapBnd:\t000001ffffffffff\nSeccomp:\t2\n";
        let map = "         0          0 4294967295\n";
        let read = Privileges::parse(status, map, Some("docker-default (enforce)\n")).unwrap();
        assert_eq!(read.uid, 7);
        assert_eq!(read.missing(), [Capability::Bpf, Capability::Perfmon]);
        assert!(read.seccomp && read.first_user_namespace);
        assert_eq!(read.label.as_deref(), Some("docker-default (enforce)"));
        let inner = Privileges::parse(status, "0 1000 1", Some("unconfined\n")).unwrap();
        assert!(!inner.first_user_namespace && inner.label.is_none());
        assert_eq!(Privileges::parse("", map, None), None);
    }

    #[test]
    fn the_old_capability_stands_for_the_new_ones() {
        let admin = 1 << CAP_SYS_ADMIN;
        assert!(Capability::Bpf.is_in(admin) && Capability::Perfmon.is_in(admin));
        assert!(!Capability::NetAdmin.is_in(admin));
    }

    #[test]
    fn lockdown_is_the_word_in_brackets() {
        let text = "none integrity [confidentiality]\n";
        assert_eq!(chosen(text).as_deref(), Some("confidentiality"));
        assert_eq!(chosen("none"), None);
    }

    #[test]
    fn this_process_is_read() {
        Privileges::of_this_process().unwrap();
    }
}
