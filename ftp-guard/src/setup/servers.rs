//! The FTP servers of this host: their control ports, their configurations and passive ports.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::survey::Facts;
use crate::{
    config::PortRange,
    host::listeners::Listener,
    server_config::{self, Origin, Software, USUAL_PLACES},
};

/// Control ports by assignment: of FTP, and of FTP with implicit TLS.
const ASSIGNED: [u16; 2] = [21, 990];

/// Where active data connections come from by assignment.
const ACTIVE: [u16; 2] = [20, 989];

/// Never a port of FTP here.
const SSH: u16 = 22;

/// Those that listen for others: what they would start, their names do not tell.
const STARTERS: [&str; 4] = ["systemd", "inetd", "xinetd", "inetutils-inetd"];

/// A listener that is taken for one of control connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The listener.
    pub listener: Listener,
    /// Whether only this host itself can connect to it.
    pub local: bool,
}

/// The listeners of control connections: those of FTP servers, and those on assigned ports whose
/// program cannot be seen or starts others.
pub(super) fn control(listeners: &[Listener]) -> Vec<Server> {
    let is_control = |listener: &&Listener| {
        let assigned = ASSIGNED.contains(&listener.address.port());
        listener.ftp_server.is_some() || assigned && !is_other(listener)
    };
    listeners
        .iter()
        .filter(is_control)
        .map(|listener| Server {
            listener: listener.clone(),
            local: listener.address.ip().is_loopback(),
        })
        .collect()
}

/// Whether a program is known to listen there that is no FTP server.
fn is_other(listener: &Listener) -> bool {
    let starts = |name: &str| STARTERS.contains(&name);
    listener.ftp_server.is_none()
        && !listener.processes.is_empty()
        && !listener
            .processes
            .iter()
            .any(|process| starts(&process.name))
}

/// The ports to guard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ControlPorts {
    pub(super) ports: Vec<u16>,
    pub(super) active: Vec<u16>,
    /// What was left out, and why.
    pub(super) remarks: Vec<String>,
}

/// Those of the servers, and the assigned ones unless something else listens there.
pub(super) fn control_ports(listeners: &[Listener]) -> ControlPorts {
    let mut remarks = Vec::new();
    let other = |port: u16| {
        let mut listeners = listeners.iter();
        listeners.find(|listener| listener.address.port() == port && is_other(listener))
    };
    let mut free = |ports: [u16; 2], what: &str| -> BTreeSet<u16> {
        let keep = |port: &u16| match other(*port) {
            None => true,
            Some(listener) => {
                let names = listener.processes.iter().map(|process| &*process.name);
                let names: BTreeSet<_> = names.collect();
                let names: Vec<_> = names.into_iter().collect();
                remarks.push(format!(
                    "port {port} is none of {what}: {} listens there",
                    names.join(", ")
                ));
                false
            }
        };
        ports.into_iter().filter(keep).collect()
    };
    let mut active = free(ACTIVE, "ftp.active_data_ports");
    let mut ports = free(ASSIGNED, "ftp.control_ports");
    for server in control(listeners) {
        let port = server.listener.address.port();
        if server.local {
            remarks.push(format!(
                "port {port}: an FTP server listens on {} only, where no client arrives",
                server.listener.address.ip()
            ));
        } else if port == SSH {
            remarks.push(format!(
                "port {port}: an FTP server listens there, and ftp-guard never touches the port of \
                 SSH; move the server"
            ));
        } else {
            ports.insert(port);
            active.remove(&port);
        }
    }
    if ports.is_empty() {
        // A configuration needs one.
        ports.insert(ASSIGNED[0]);
    }
    ControlPorts {
        ports: ports.into_iter().collect(),
        active: active.into_iter().collect(),
        remarks,
    }
}

/// What is known of the passive ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Passive {
    /// The configurations of all servers say it.
    Auto {
        /// Each setting.
        origins: Vec<Origin>,
        /// What `ftp.server_configs` has to be; empty: its default does.
        server_configs: Vec<PathBuf>,
    },
    /// Some of it, or nothing.
    Known(Vec<PortRange>),
}

/// The passive ports, and what was not understood of them.
pub(super) fn passive(facts: &Facts, control: &ControlPorts) -> (Passive, Vec<String>) {
    let mut unclear = Vec::new();
    let (mut origins, mut paths) = (Vec::new(), BTreeSet::new());
    for examined in &facts.configurations {
        unclear.extend(examined.problems.iter().map(ToString::to_string));
        paths.insert(examined.path.clone());
        for origin in &examined.origins {
            match origin.range.and_then(|range| clash(range, control)) {
                Some(why) => unclear.push(format!("passive ports {origin}: {why}")),
                None => origins.push(origin.clone()),
            }
        }
    }
    let mut missing = BTreeSet::new();
    for server in self::control(&facts.listeners) {
        let port = server.listener.address.port();
        let covered = match (server.listener.software(), server.listener.ftp_server) {
            (Some(software), _) => {
                let mut read = facts.configurations.iter();
                read.any(|examined| examined.software == Some(software))
            }
            (None, Some(_)) => false,
            (None, None) => !facts.configurations.is_empty(),
        };
        if !covered && !server.local {
            let name = server.listener.ftp_server.unwrap_or("the server");
            missing.insert(format!(
                "the passive range of {name} on port {port}: its configuration was not read"
            ));
        }
    }
    unclear.extend(missing);
    unclear.extend(facts.not_auto.iter().cloned());
    if unclear.is_empty() && !paths.is_empty() {
        let usual: BTreeSet<_> = facts.usual.iter().cloned().collect();
        let server_configs = match paths == usual {
            true => Vec::new(),
            false => paths.into_iter().collect(),
        };
        let passive = Passive::Auto {
            origins,
            server_configs,
        };
        return (passive, unclear);
    }
    (Passive::Known(server_config::joined(&origins)), unclear)
}

/// Why a passive range cannot be guarded.
fn clash(range: PortRange, control: &ControlPorts) -> Option<String> {
    let taken = control.ports.iter().chain(&control.active);
    if let Some(port) = taken.copied().find(|port| range.contains(*port)) {
        return Some(format!(
            "port {port} is one of control or active data connections"
        ));
    }
    range
        .contains(SSH)
        .then(|| "it contains the port of SSH".to_owned())
}

/// Where Debian has the configuration of a server.
pub(super) fn usual_place(software: Software) -> &'static str {
    let [vsftpd, proftpd, pure_ftpd] = USUAL_PLACES;
    match software {
        Software::Vsftpd => vsftpd,
        Software::Proftpd => proftpd,
        Software::PureFtpd => pure_ftpd,
    }
}

/// The configuration that a command line names. Many servers write their state over theirs.
pub(super) fn named_configuration(
    software: Software,
    arguments: &[String],
    folder: Option<PathBuf>,
) -> Option<PathBuf> {
    let mut words = arguments.iter().skip(1).map(String::as_str);
    let path = match software {
        Software::Vsftpd => words.find(|word| !word.starts_with('-'))?,
        // A file, or else options, some of which name files too.
        Software::PureFtpd => {
            let word = words.next().filter(|word| !word.starts_with('-'))?;
            words.next().is_none().then_some(word)?
        }
        Software::Proftpd => loop {
            let word = words.next()?;
            if let "-c" | "--config" = word {
                break words.next()?;
            }
            if let Some(path) = word.strip_prefix("--config=") {
                break path;
            }
            if let Some(path) = word.strip_prefix("-c").filter(|path| path.contains('/')) {
                break path;
            }
        },
    };
    match Path::new(path).is_absolute() {
        true => Some(path.into()),
        false => Some(folder?.join(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_name_configurations() {
        let named = |software, line: &str| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let path = named_configuration(software, &words, Some("/srv".into()));
            path.map(|path| path.display().to_string())
        };
        for (software, line, path) in [
            (Software::Vsftpd, "vsftpd /etc/a.conf", Some("/etc/a.conf")),
            (
                Software::Vsftpd,
                "vsftpd -olisten=NO b.conf",
                Some("/srv/b.conf"),
            ),
            (Software::Vsftpd, "/usr/sbin/vsftpd", None),
            (
                Software::Proftpd,
                "proftpd -n -c /p/x.conf",
                Some("/p/x.conf"),
            ),
            (
                Software::Proftpd,
                "proftpd --config=/p/x.conf",
                Some("/p/x.conf"),
            ),
            (
                Software::Proftpd,
                "proftpd -c/p/x.conf -n",
                Some("/p/x.conf"),
            ),
            (
                Software::Proftpd,
                "proftpd --nodaemon --config y",
                Some("/srv/y"),
            ),
            (Software::Proftpd, "proftpd -c", None),
            (
                Software::PureFtpd,
                "pure-ftpd /etc/pure-ftpd.conf",
                Some("/etc/pure-ftpd.conf"),
            ),
            (Software::PureFtpd, "pure-ftpd -l puredb:/etc/p.pdb", None),
        ] {
            assert_eq!(named(software, line).as_deref(), path, "{line}");
        }
        for title in ["proftpd: (accepting connections)", "pure-ftpd (SERVER)"] {
            for software in [Software::Vsftpd, Software::Proftpd, Software::PureFtpd] {
                let words = [title.to_owned()];
                assert_eq!(named_configuration(software, &words, None), None);
            }
        }
    }
}
