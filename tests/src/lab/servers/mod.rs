//! Real FTP servers, configured by this code.

mod certificate;
mod pair;
mod proftpd;
mod pure_ftpd;
mod pyftpdlib;
mod vsftpd;

use std::{fmt, fs, ops::RangeInclusive, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{Gid, Uid, chown};

pub use self::{certificate::Certificate, pair::Pair};
use super::{Folder, Host, Process, Tls, USER_ID, stack::listening_ports, wait_until};

/// Time for a server to listen. Python under load, or under emulation, takes seconds.
const START_LIMIT: Duration = Duration::from_secs(30);

/// An FTP server's make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// vsftpd 3.
    Vsftpd,
    /// ProFTPD 1.3.
    ProFtpd,
    /// Pure-FTPd 1.0.
    PureFtpd,
    /// pyftpdlib 1.5 or 2.
    Pyftpdlib,
}

impl Make {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Vsftpd, Self::ProFtpd, Self::PureFtpd, Self::Pyftpdlib];
}

impl Make {
    /// Whether the server can be configured so. Debian builds Pure-FTPd without its implicit TLS.
    #[must_use]
    pub fn offers(self, tls: Tls) -> bool {
        (self, tls) != (Self::PureFtpd, Tls::Implicit)
    }
}

impl fmt::Display for Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vsftpd => "vsftpd",
            Self::ProFtpd => "ProFTPD",
            Self::PureFtpd => "Pure-FTPd",
            Self::Pyftpdlib => "pyftpdlib",
        })
    }
}

/// What a server is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The control port.
    pub port: u16,
    /// Ports for passive data connections.
    pub passive: RangeInclusive<u16>,
    /// Whether sessions begin with TLS. Otherwise AUTH TLS is offered.
    pub implicit_tls: bool,
    /// How fast each transfer is at most, in bytes a second. vsftpd alone is told.
    pub rate: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 21,
            passive: 50000..=50010,
            implicit_tls: false,
            rate: None,
        }
    }
}

impl Settings {
    /// The passive range as guards and most servers write it.
    #[must_use]
    pub fn passive_range(&self) -> String {
        format!("{}-{}", self.passive.start(), self.passive.end())
    }

    /// The name of a file of this server: two on one host have different ports.
    fn file(&self, make: &str, suffix: &str) -> String {
        format!("{make}-{}.{suffix}", self.port)
    }
}

/// A running FTP server. There is one user, [`super::USER`].
pub struct FtpServer {
    make: Make,
    port: u16,
    // Its end is the server's.
    process: Process,
    folder: Folder,
}

impl FtpServer {
    /// Starts a server on `host` and waits until it listens.
    ///
    /// # Errors
    /// When the package is missing or the server does not come up, with what it said.
    pub fn start(make: Make, host: &Host, settings: &Settings) -> Result<Self> {
        ensure!(
            make.offers(Tls::Implicit) || !settings.implicit_tls,
            "{make} has no implicit TLS"
        );
        ensure!(
            make == Make::Vsftpd || settings.rate.is_none(),
            "only vsftpd is told a rate"
        );
        let folder = host.folder();
        let certificate = Certificate::of_lab(&folder)?;
        let build = match make {
            Make::Vsftpd => vsftpd::command,
            Make::ProFtpd => proftpd::command,
            Make::PureFtpd => pure_ftpd::command,
            Make::Pyftpdlib => pyftpdlib::command,
        };
        let command: Command = build(&folder, settings, &certificate)?;
        let mut process = host.spawn(command)?;
        wait_until("the FTP server listens", START_LIMIT, || {
            if let Some(status) = process.ended()? {
                bail!(
                    "it ended, {status}: {}{}",
                    process.stdout(),
                    process.stderr()
                );
            }
            Ok(listening_ports(host)?
                .contains(&settings.port)
                .then_some(()))
        })
        .with_context(|| format!("{make} did not start"))?;
        Ok(Self {
            make,
            port: settings.port,
            process,
            folder,
        })
    }

    /// The server's make.
    #[must_use]
    pub fn make(&self) -> Make {
        self.make
    }

    /// The control port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server and the processes of its sessions.
    ///
    /// # Errors
    /// As [`Process::kill_all`].
    pub fn kill(self) -> Result<()> {
        self.process.kill_all()
    }

    /// Puts a file into the FTP user's home.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, name: &str, contents: &[u8]) -> Result<()> {
        let name = format!("home/{name}");
        self.folder.write(&name, contents)?;
        let owner = (Uid::from_raw(USER_ID), Gid::from_raw(USER_ID));
        chown(&self.folder.outside(&name), Some(owner.0), Some(owner.1))?;
        Ok(())
    }

    /// Reads a file in the FTP user's home.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&self, name: &str) -> Result<Vec<u8>> {
        fs::read(self.path(name)).with_context(|| format!("{name} is not on the server"))
    }

    /// The path of a file in the FTP user's home, for the test process.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.outside("home").join(name)
    }
}
