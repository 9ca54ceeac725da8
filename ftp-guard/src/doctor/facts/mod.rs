//! What is known of the host. Each fact is looked for by itself, and changes nothing.

mod firewall;
mod guard;
mod kernel;
mod links;
mod privileges;
mod sysctls;

use std::{fmt, io, path::PathBuf};

pub use self::{
    firewall::{ConntrackRule, Firewall},
    guard::{Configuration, Daemon, Guard, Wanted},
    kernel::{Kernel, Probes, Types},
    links::Link,
    privileges::{Capability, Privileges, Restrictions},
    sysctls::Sysctls,
};
use crate::{
    control::protocol::Failure,
    datapath::{self, Attached, DatapathError, PinPlace},
    host::listeners::{self, Listener},
};

/// What could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// What it was.
    pub what: String,
    /// Why not.
    pub because: String,
    /// Whether more privilege would help.
    pub denied: bool,
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not look at {}: {}", self.what, self.because)
    }
}

impl Unseen {
    /// What the system said.
    #[must_use]
    pub fn io(what: impl Into<String>, error: &io::Error) -> Self {
        Self {
            what: what.into(),
            because: error.to_string(),
            denied: error.kind() == io::ErrorKind::PermissionDenied,
        }
    }

    fn datapath(what: impl Into<String>, error: &DatapathError) -> Self {
        Self {
            what: what.into(),
            because: error.to_string(),
            denied: matches!(error, DatapathError::Permission { .. }),
        }
    }
}

/// A fact, or why it is none.
pub type Known<T> = Result<T, Unseen>;

/// Which guard is asked about.
#[derive(Clone, Debug)]
pub struct Question {
    /// The configuration file.
    pub config: PathBuf,
    /// Whether there may be none: nobody has named it.
    pub config_optional: bool,
    /// The control socket.
    pub socket: PathBuf,
    /// The folder of the pins.
    pub pin_path: PathBuf,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The kernel.
    pub kernel: Kernel,
    /// What it offers.
    pub probes: Probes,
    /// What this process may do.
    pub privileges: Known<Privileges>,
    /// What the daemon may do, if one runs.
    pub daemon_privileges: Option<Known<Privileges>>,
    /// What restricts everybody.
    pub restrictions: Restrictions,
    /// The folder of the pins.
    pub pin_path: PathBuf,
    /// What it is on.
    pub pin_place: Known<PinPlace>,
    /// The configuration and the daemon.
    pub guard: Guard,
    /// The interfaces.
    pub links: Known<Vec<Link>>,
    /// The programs on them.
    pub programs: Known<Vec<Attached>>,
    /// The sysctls.
    pub sysctls: Sysctls,
    /// The sockets that listen.
    pub listeners: Known<Vec<Listener>>,
    /// Rules of others.
    pub firewall: Firewall,
}

impl Facts {
    /// Looks at all of it.
    #[must_use]
    pub fn gather(question: &Question) -> Self {
        let pin_path = question.pin_path.clone();
        let guard = Guard::gather(question);
        let links = links::gather();
        let pid = match &guard.daemon {
            Daemon::Running(status) => status.daemon.as_ref().map(|daemon| daemon.pid),
            _ => None,
        };
        let place = || format!("what {} is on", pin_path.display());
        Self {
            kernel: Kernel::gather(),
            probes: Probes::gather(),
            privileges: Privileges::of_this_process(),
            daemon_privileges: pid.map(Privileges::of_daemon),
            restrictions: Restrictions::gather(),
            pin_place: datapath::pin_place(&pin_path).map_err(|error| Unseen::io(place(), &error)),
            programs: datapath::survey(&pin_path)
                .map_err(|error| Unseen::datapath("the programs on the interfaces", &error)),
            sysctls: Sysctls::gather(links.as_ref().map_or(&[], Vec::as_slice)),
            listeners: listeners::listeners()
                .map_err(|error| Unseen::io("the sockets that listen", &error)),
            firewall: Firewall::gather(),
            guard,
            links,
            pin_path,
        }
    }
}

impl From<Failure> for Unseen {
    fn from(failure: Failure) -> Self {
        Self {
            what: "the state of the guard".to_owned(),
            denied: failure.exit_code == crate::control::protocol::EXIT_NOT_PERMITTED,
            because: failure.message,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    pub(in crate::doctor) use super::guard::tests::wanted;

    use super::*;

    impl Facts {
        /// A host on which all is well: a daemon guards its one interface, and vsftpd runs.
        pub(in crate::doctor) fn sound() -> Self {
            Self {
                kernel: Kernel::sound(),
                probes: Probes::sound(),
                privileges: Ok(Privileges::root()),
                daemon_privileges: Some(Ok(Privileges::root())),
                restrictions: Restrictions::none(),
                pin_path: "/sys/fs/bpf/ftp-guard".into(),
                pin_place: Ok(PinPlace::Writable),
                guard: Guard::sound(),
                links: Ok(vec![Link::sound("eth0", 2)]),
                programs: Ok(Vec::new()),
                sysctls: Sysctls::sound(),
                listeners: Ok(vec![listener("0.0.0.0:21", Some("vsftpd"))]),
                firewall: Firewall::none(),
            }
        }
    }

    pub(in crate::doctor) fn listener(address: &str, ftp_server: Option<&'static str>) -> Listener {
        Listener {
            address: address.parse().unwrap(),
            processes: Vec::new(),
            ftp_server,
        }
    }

    pub(in crate::doctor) fn unseen<T>() -> Known<T> {
        Err(Unseen {
            what: "it".to_owned(),
            because: "Permission denied".to_owned(),
            denied: true,
        })
    }
}
