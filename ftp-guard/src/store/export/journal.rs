//! systemd's journal, by its native protocol: a datagram of `FIELD=value` lines.

use std::{io, os::unix::net::UnixDatagram, path::Path};

/// Where journald listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// A way to the journal.
#[derive(Debug)]
pub(super) struct Journal(UnixDatagram);

impl Journal {
    pub(super) fn open(socket: &Path) -> io::Result<Self> {
        let datagrams = UnixDatagram::unbound()?;
        datagrams.set_nonblocking(true)?;
        datagrams.connect(socket)?;
        Ok(Self(datagrams))
    }

    /// Hands on one line, which has no newline in it.
    pub(super) fn send(&self, line: &str) -> io::Result<()> {
        let message = format!("MESSAGE={line}\nPRIORITY=6\nSYSLOG_IDENTIFIER=ftp-guard-export\n");
        self.0.send(message.as_bytes()).map(drop)
    }
}
