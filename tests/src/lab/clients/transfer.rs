//! Transfers that are checked byte by byte.

use std::{
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{Gid, Uid, chown};
use rand::RngCore;
use sha2::{Digest, Sha256};

use super::{Client, Direction, Negotiation, curl, ftplib, lftp, tnftp};
use crate::lab::{
    Family, Folder, Host, Identity, Output, Process, SERVER, Tls, servers::FtpServer, wait_until,
};

/// The clients' home, for files and their own droppings.
const HOME: &str = "nobody";

/// Time for a file to appear after the server has said that it is there.
const NAMED_AFTER: Duration = Duration::from_secs(5);

/// Time for a transfer of the usual size, on a loaded machine.
const TRANSFER_LIMIT: Duration = Duration::from_secs(30);

/// A transfer to be made.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// By which client.
    pub client: Client,
    /// How it is encrypted.
    pub tls: Tls,
    /// Over which IP version.
    pub family: Family,
    /// How the data connection is negotiated.
    pub negotiation: Negotiation,
    /// Which way.
    pub direction: Direction,
    /// How much, in bytes.
    pub size: usize,
    /// How fast at most, in bytes a second.
    pub rate: Option<u32>,
    /// How long the client waits for a connection, in seconds.
    pub patience_s: u16,
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            tls,
            family,
            direction,
            ..
        } = self;
        let verb = self.negotiation.verb();
        write!(f, "{client} {direction}, {family}, {verb}, {tls}")
    }
}

/// What a client's command line is made of.
pub(super) struct Order<'a> {
    pub(super) transfer: &'a Transfer,
    pub(super) server: SocketAddr,
    /// The file's name on the server.
    pub(super) remote: &'a str,
    /// The file's path at the client.
    pub(super) local: &'a Path,
    /// The lab's folder.
    pub(super) folder: &'a Folder,
}

impl Order<'_> {
    /// Whether TLS 1.3 would harm: servers then send tickets on a data connection that a client which
    /// uploads may never read, so that the connection ends with a reset, and vsftpd takes the file for
    /// incomplete.
    pub(super) fn resets_tickets(&self) -> bool {
        self.transfer.tls != Tls::Clear && self.transfer.direction == Direction::Upload
    }
}

impl Transfer {
    /// A transfer of 200 kB in clear text at full speed.
    #[must_use]
    pub fn new(
        client: Client,
        family: Family,
        negotiation: Negotiation,
        direction: Direction,
    ) -> Self {
        Self {
            client,
            tls: Tls::Clear,
            family,
            negotiation,
            direction,
            size: 200_000,
            rate: None,
            patience_s: 5,
        }
    }

    /// All transfers in clear text that this client can make over this IP version.
    pub fn all(client: Client, family: Family) -> impl Iterator<Item = Self> {
        Negotiation::ALL
            .into_iter()
            .filter(move |negotiation| client.speaks(family, *negotiation))
            .flat_map(move |negotiation| {
                Direction::BOTH.map(|direction| Self::new(client, family, negotiation, direction))
            })
    }

    /// Makes the transfer and checks that it arrived whole and was negotiated as told.
    ///
    /// # Errors
    /// When it was not.
    pub fn make(&self, host: &Host, server: &FtpServer) -> Result<()> {
        self.start(host, server)?.finish(TRANSFER_LIMIT)
    }

    /// Tries the transfer and tells how the client ended, whatever came of it.
    ///
    /// # Errors
    /// When the client could not be run.
    pub fn attempt(&self, host: &Host, server: &FtpServer) -> Result<Output> {
        self.start(host, server)?.process.output(TRANSFER_LIMIT)
    }

    /// Starts the transfer of new random contents.
    ///
    /// # Errors
    /// When the client cannot be started.
    pub fn start<'s>(&self, host: &Host, server: &'s FtpServer) -> Result<Running<'s>> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("file-{:04}.bin", NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = host.folder();
        let mut contents = vec![0; self.size];
        rand::rng().fill_bytes(&mut contents);

        let local = format!("{HOME}/{name}");
        fs::create_dir_all(folder.outside(HOME))?;
        give_to_nobody(&folder.outside(HOME))?;
        match self.direction {
            Direction::Download => server.put(&name, &contents)?,
            Direction::Upload => folder.write(&local, &contents)?,
        }
        let order = Order {
            transfer: self,
            server: SERVER.at(self.family, server.port()),
            remote: &name,
            local: &folder.inside(&local),
            folder: &folder,
        };
        let mut command = match self.client {
            Client::Curl => curl::command(&order),
            Client::Lftp => lftp::command(&order),
            Client::Ftplib => ftplib::command(&order),
            Client::Tnftp => tnftp::command(&order)?,
        };
        command.env("HOME", folder.inside(HOME)).env("LC_ALL", "C");
        Ok(Running {
            transfer: *self,
            server,
            process: host.spawn_as(Identity::Nobody, command)?,
            contents: Sha256::digest(&contents).into(),
            local: folder.outside(&local),
            name,
        })
    }
}

/// A transfer that goes on.
pub struct Running<'s> {
    transfer: Transfer,
    server: &'s FtpServer,
    process: Process,
    contents: [u8; 32],
    local: PathBuf,
    name: String,
}

impl Running<'_> {
    /// What it is.
    #[must_use]
    pub fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    /// How many bytes have arrived.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        let path = match self.transfer.direction {
            Direction::Download => &self.local,
            Direction::Upload => &self.server.path(&self.name),
        };
        fs::metadata(path).map_or(0, |file| file.len())
    }

    /// Whether the client still runs.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn goes_on(&mut self) -> Result<bool> {
        Ok(self.process.ended()?.is_none())
    }

    /// Waits for the end and checks what arrived.
    ///
    /// # Errors
    /// When the client failed or did not end within `limit`, the file arrived in part or changed, or
    /// the data connection was negotiated in another way than told.
    pub fn finish(self, limit: Duration) -> Result<()> {
        let Self {
            transfer,
            server,
            process,
            contents,
            local,
            name,
        } = self;
        let output = process
            .output(limit)
            .with_context(|| transfer.to_string())?;
        let log = format!("{}{}", output.stdout, output.stderr);
        ensure!(
            output.success(),
            "{transfer} from {}: {}\n{log}",
            server.make(),
            output.status
        );
        let arrived = match transfer.direction {
            Direction::Download => {
                fs::read(local).with_context(|| format!("{transfer}: no file came\n{log}"))?
            }
            // Pure-FTPd may say 226 before the file has its name.
            Direction::Upload => {
                let mut why = None;
                let found = wait_until("the file is there", NAMED_AFTER, || {
                    let found = server.get(&name);
                    Ok(found.map_err(|error| why = Some(error)).ok())
                });
                found.with_context(|| format!("{transfer}: {why:?}\n{log}"))?
            }
        };
        if Sha256::digest(&arrived).as_slice() != contents {
            bail!(
                "{transfer}: the file changed on the way; {} bytes arrived",
                arrived.len()
            );
        }
        for negotiation in Negotiation::ALL {
            let mark = format!("{}{}", transfer.client.sent_mark(), negotiation.verb());
            ensure!(
                log.contains(&mark) == (negotiation == transfer.negotiation),
                "{transfer}: negotiated in another way\n{log}"
            );
        }
        Ok(())
    }
}

fn give_to_nobody(path: &Path) -> Result<()> {
    let (user, group) = (
        Uid::from_raw(Identity::NOBODY),
        Gid::from_raw(Identity::NOBODY),
    );
    Ok(chown(path, Some(user), Some(group))?)
}
