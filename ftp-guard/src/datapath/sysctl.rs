//! The sysctls that SYN cookies need, of this network namespace.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use aya::maps::{Array, Map, MapData, MapError};
use ftp_guard_common::{limits::Sysctls, names::SYSCTLS_MAP};

use super::{error::DatapathError, pins::Pins};
use crate::engine::cookies::{TcpSysctls, restored};

/// Where the kernel shows them.
const FOLDER: &str = "/proc/sys/net/ipv4";

/// The files of the two sysctls.
#[derive(Clone, Debug)]
pub struct SysctlFiles {
    folder: PathBuf,
}

impl Default for SysctlFiles {
    fn default() -> Self {
        Self::below(Path::new(FOLDER))
    }
}

impl SysctlFiles {
    fn below(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Their values.
    ///
    /// # Errors
    ///
    /// A file that is missing, or cannot be read.
    pub fn read(&self) -> io::Result<TcpSysctls> {
        Ok(TcpSysctls {
            tcp_syncookies: self.value("tcp_syncookies")?,
            tcp_timestamps: self.value("tcp_timestamps")?,
        })
    }

    /// Sets those that differ.
    ///
    /// # Errors
    ///
    /// A file that cannot be written; the other may have been.
    pub fn write(&self, values: TcpSysctls) -> io::Result<()> {
        let now = self.read()?;
        for (name, now, value) in [
            // Last what makes the stack send cookies, first what it needs to read them.
            ("tcp_timestamps", now.tcp_timestamps, values.tcp_timestamps),
            ("tcp_syncookies", now.tcp_syncookies, values.tcp_syncookies),
        ] {
            if now != value {
                let path = self.folder.join(name);
                fs::write(&path, format!("{value}\n")).map_err(|error| told(&path, &error))?;
            }
        }
        Ok(())
    }

    /// Whether they could be written; nothing is.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn writable(&self) -> io::Result<()> {
        for name in ["tcp_syncookies", "tcp_timestamps"] {
            let path = self.folder.join(name);
            OpenOptions::new()
                .write(true)
                .open(&path)
                .map_err(|error| told(&path, &error))?;
        }
        Ok(())
    }

    fn value(&self, name: &str) -> io::Result<u32> {
        let path = self.folder.join(name);
        let text = fs::read_to_string(&path).map_err(|error| told(&path, &error))?;
        let value = text.trim().parse();
        value.map_err(|_| io::Error::other(format!("{}: not a number", path.display())))
    }
}

fn told(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The sysctls as they were before a daemon changed them, if one did, as the pinned map remembers them.
pub(super) fn saved(pins: &Pins) -> Result<Option<Sysctls>, DatapathError> {
    let pin = pins.map(SYSCTLS_MAP);
    // Pins of an earlier version do not have it, and its daemon changed nothing.
    if !pin.exists() {
        return Ok(None);
    }
    let failed = |error: MapError| DatapathError::kernel("read the remembered sysctls", error);
    let map: Array<MapData, Sysctls> = MapData::from_pin(&pin)
        .and_then(|data| Array::try_from(Map::Array(data)))
        .map_err(failed)?;
    let saved = map.get(&0, 0).map_err(failed)?;
    Ok((saved.changed != 0).then_some(saved))
}

/// Puts the sysctls back, if a daemon has changed them.
pub(super) fn restore(pins: &Pins) -> Result<(), DatapathError> {
    let Some(saved) = saved(pins)? else {
        return Ok(());
    };
    let files = SysctlFiles::default();
    let put_back = files
        .read()
        .and_then(|now| files.write(restored(saved.into(), now)));
    put_back.map_err(|error| {
        DatapathError::kernel(
            format!(
                "put net.ipv4.tcp_syncookies back to {} and net.ipv4.tcp_timestamps back to {} (do it \
                 by hand; the guard is detached)",
                saved.tcp_syncookies, saved.tcp_timestamps
            ),
            error,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cookies::NEEDED;

    #[test]
    fn values_are_read_and_written() {
        let folder = tempfile::tempdir().unwrap();
        let files = SysctlFiles::below(folder.path());
        let missing = files.read().unwrap_err().to_string();
        assert!(
            missing.contains("tcp_syncookies: No such file"),
            "{missing}"
        );
        assert!(files.writable().is_err());
        for name in ["tcp_syncookies", "tcp_timestamps"] {
            fs::write(folder.path().join(name), "1\n").unwrap();
        }
        files.writable().unwrap();
        files.write(NEEDED).unwrap();
        assert_eq!(files.read().unwrap(), NEEDED);
        fs::write(folder.path().join("tcp_timestamps"), "yes\n").unwrap();
        assert!(files.read().is_err());
    }

    #[test]
    fn this_kernel_has_them() {
        SysctlFiles::default().read().unwrap();
    }
}
