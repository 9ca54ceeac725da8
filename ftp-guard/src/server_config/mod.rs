//! `passive_ports = "auto"`: the passive ports of FTP servers, from their own configurations.
//!
//! Each server has a file here that knows its syntax. What they find is joined: a port that any of
//! the servers may use is a passive port. A server without a range uses any port, which cannot be
//! guarded; that is a mistake, named with its place, and never an empty range.

mod gather;
mod proftpd;
mod pure_ftpd;
mod tls;
mod vsftpd;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use self::gather::Gathering;
pub use self::tls::{Tls, TlsSetting};
use crate::{
    config::{Config, PassivePorts, PortRange},
    diagnostic::{Diagnostic, Diagnostics},
};

/// Where Debian has the configurations of its servers: what is read when nothing is named.
pub const USUAL_PLACES: [&str; 3] = [
    "/etc/vsftpd.conf",
    "/etc/proftpd/proftpd.conf",
    "/etc/pure-ftpd/conf",
];

/// An FTP server whose configuration can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// vsftpd
    Vsftpd,
    /// ProFTPD
    Proftpd,
    /// Pure-FTPd
    PureFtpd,
}

impl Software {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vsftpd => "vsftpd",
            Self::Proftpd => "ProFTPD",
            Self::PureFtpd => "Pure-FTPd",
        }
    }
}

/// A setting that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whose it is.
    pub software: Software,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// The passive ports; `None`: passive mode is turned off.
    pub range: Option<PortRange>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = format!("{}:{}", self.file.display(), self.line);
        let software = self.software.as_str();
        match self.range {
            Some(range) => write!(f, "{range} ({software}, {place})"),
            None => write!(f, "none ({software} without passive mode, {place})"),
        }
    }
}

/// The files that were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// What each holds; `None`: it is not there or cannot be read.
    pub files: BTreeMap<PathBuf, Option<String>>,
    /// Patterns of files that would be read too.
    pub patterns: BTreeSet<String>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Where it was looked for.
    pub places: Places,
    /// The settings, as far as they could be read.
    pub origins: Vec<Origin>,
    /// The passive ports, sorted, without overlap; or all mistakes.
    pub ranges: Result<Vec<PortRange>, Diagnostics>,
}

/// What one configuration of a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// Where it is: a file, or the folder of Pure-FTPd.
    pub path: PathBuf,
    /// Which server it configures; `None`: there is no telling.
    pub software: Option<Software>,
    /// The passive ports, as far as they could be read.
    pub origins: Vec<Origin>,
    /// What keeps the passive ports from being known.
    pub problems: Vec<Diagnostic>,
    /// What is set of TLS, for each server in it.
    pub tls: Vec<TlsSetting>,
    /// What of that was not understood.
    pub tls_problems: Vec<Diagnostic>,
}

/// Reads one configuration of a server, whatever the guard's own says.
#[must_use]
pub fn examine(path: &Path) -> Examined {
    let mut gathering = Gathering::default();
    let software = read(path, &mut gathering);
    Examined {
        path: path.to_owned(),
        software,
        origins: gathering.origins,
        problems: gathering.problems,
        tls: gathering.tls,
        tls_problems: gathering.tls_problems,
    }
}

/// The passive ports that a configuration means.
#[must_use]
pub fn look(config: &Config) -> Look {
    match &config.ftp.passive {
        PassivePorts::Ranges(ranges) => Look {
            places: Places::default(),
            origins: Vec::new(),
            ranges: Ok(ranges.clone()),
        },
        PassivePorts::Auto if config.ftp.server_configs.is_empty() => {
            look_at(config, &USUAL_PLACES.map(PathBuf::from), false)
        }
        PassivePorts::Auto => look_at(config, &config.ftp.server_configs, true),
    }
}

/// `named`: the configuration names these paths, so that each must exist.
fn look_at(config: &Config, paths: &[PathBuf], named: bool) -> Look {
    let mut gathering = Gathering::default();
    let mut found = false;
    for path in paths {
        if !named && !path.exists() {
            // It may appear later.
            gathering.places.files.insert(path.clone(), None);
            continue;
        }
        found = true;
        read(path, &mut gathering);
    }
    for origin in &gathering.origins {
        gathering.problems.extend(clash(config, origin));
    }
    if !found {
        let places: Vec<_> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        gathering.problems.push(Diagnostic::whole_file(
            &config.path,
            format!(
                "ftp.passive_ports is \"auto\", and none of {} exists: name the configuration of \
                 the FTP server in ftp.server_configs, or give the range itself, such as \
                 passive_ports = [\"50000-50100\"]",
                places.join(", ")
            ),
        ));
    }
    let ranges = match gathering.problems.is_empty() {
        true => Ok(joined(&gathering.origins)),
        false => Err(Diagnostics(gathering.problems)),
    };
    Look {
        places: gathering.places,
        origins: gathering.origins,
        ranges,
    }
}

/// Reads one configuration: what it is, its name tells, or else its content.
fn read(path: &Path, gathering: &mut Gathering) -> Option<Software> {
    let software = software_of(path, gathering)?;
    match software {
        Software::Vsftpd => vsftpd::read(path, gathering),
        Software::Proftpd => proftpd::read(path, gathering),
        Software::PureFtpd if path.is_dir() => pure_ftpd::read_folder(path, gathering),
        Software::PureFtpd => pure_ftpd::read_file(path, gathering),
    }
    Some(software)
}

fn software_of(path: &Path, gathering: &mut Gathering) -> Option<Software> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    let begins = |with: &str| name.starts_with(with);
    if path.is_dir() || begins("pure-ftpd") {
        return Some(Software::PureFtpd);
    } else if begins("vsftpd") {
        return Some(Software::Vsftpd);
    } else if begins("proftpd") {
        return Some(Software::Proftpd);
    }
    let text = gathering.read(path, None)?.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["passiveportrange"]) {
        Some(Software::PureFtpd)
    } else if says(&["passiveports", "<global>", "<virtualhost"]) {
        Some(Software::Proftpd)
    } else if says(&["pasv_min_port", "listen=", "local_enable="]) {
        Some(Software::Vsftpd)
    } else {
        gathering.problems.push(Diagnostic::whole_file(
            path,
            "no telling which FTP server this configures: it must be called vsftpd*.conf, \
             proftpd*.conf or pure-ftpd*.conf, or be the configuration folder of Pure-FTPd",
        ));
        None
    }
}

/// What forbids a range: a port of it is in another class already, or is that of SSH.
fn clash(config: &Config, origin: &Origin) -> Option<Diagnostic> {
    let range = origin.range?;
    let other = |key: &str, ports: &[u16]| {
        let port = ports.iter().find(|port| range.contains(**port))?;
        Some(format!("port {port} is in {key} already"))
    };
    let ssh = || {
        let hint = "ftp-guard does not cut SSH";
        range
            .contains(22)
            .then(|| format!("it contains port 22: {hint}"))
    };
    let why = other("ftp.control_ports", &config.ftp.control_ports)
        .or_else(|| other("ftp.active_data_ports", &config.ftp.active_data_ports))
        .or_else(ssh)?;
    Some(Diagnostic {
        file: origin.file.clone(),
        line: origin.line,
        column: 1,
        message: format!("passive ports {range}: {why}"),
    })
}

/// All ranges, those that overlap or touch made one.
#[must_use]
pub fn joined(origins: &[Origin]) -> Vec<PortRange> {
    let mut ranges: Vec<_> = origins.iter().filter_map(|origin| origin.range).collect();
    ranges.sort_unstable();
    let mut joined: Vec<PortRange> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if u32::from(range.first) <= u32::from(last.last) + 1 => {
                last.last = last.last.max(range.last);
            }
            _ => joined.push(range),
        }
    }
    joined
}
