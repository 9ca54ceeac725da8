//! Where maps and links are pinned, so that they outlive the daemon, and the lock on that place.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use aya::{maps::Map, programs::links::FdLink};
use ftp_guard_common::names::PINNED_MAPS;
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

use super::error::DatapathError;

const LINK_PREFIX: &str = "link-";
const SOCKETS_LINK: &str = "sockets";
const NEW_PREFIX: &str = "new-";

/// A folder on a bpf file system that holds the pins of one guard.
#[derive(Clone, Debug)]
pub struct Pins {
    path: PathBuf,
}

impl Pins {
    /// The pins below `path`; nothing is touched.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder if it is missing.
    pub fn create(&self) -> Result<(), DatapathError> {
        // Before anything is made: sysfs, where the usual place lies, takes no folders even of root.
        let existing = self.path.ancestors().find(|folder| folder.exists());
        let existing = existing.unwrap_or(Path::new("."));
        let kind = statfs(existing)
            .map_err(|error| {
                DatapathError::kernel(format!("examine {}", existing.display()), error)
            })?
            .filesystem_type();
        if kind != BPF_FS_MAGIC {
            return Err(DatapathError::NotBpffs {
                pin_path: self.path.clone(),
            });
        }
        fs::create_dir_all(&self.path).map_err(|error| {
            DatapathError::kernel(format!("make the folder {}", self.path.display()), error)
        })
    }

    /// Takes the lock that keeps a second daemon away; the kernel gives it back when the holder ends,
    /// however it ends.
    pub fn lock(&self) -> Result<Flock<File>, DatapathError> {
        let folder = File::open(&self.path).map_err(|error| {
            DatapathError::kernel(format!("open {}", self.path.display()), error)
        })?;
        Flock::lock(folder, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
            Errno::EWOULDBLOCK => DatapathError::Busy {
                pin_path: self.path.clone(),
            },
            errno => DatapathError::kernel(format!("lock {}", self.path.display()), errno),
        })
    }

    /// The pin of a map.
    pub fn map(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Pins a map in the place of another, so that there is one at every moment.
    pub fn replace_map(&self, name: &str, map: &Map) -> Result<(), DatapathError> {
        let new = self.path.join(format!("{NEW_PREFIX}{name}"));
        // What a daemon left that died between the two steps.
        self.remove(&new)?;
        map.pin(&new)
            .map_err(|error| DatapathError::kernel(format!("pin the map {name}"), error))?;
        fs::rename(&new, self.map(name)).map_err(|error| {
            DatapathError::kernel(format!("rename the pin {}", new.display()), error)
        })
    }

    /// The pin of the link on an interface.
    pub fn link(&self, interface: &str) -> PathBuf {
        self.path.join(link_name(interface))
    }

    /// Gives the pin of a link another interface's name.
    pub fn rename_link(&self, from: &str, to: &str) -> Result<(), DatapathError> {
        let pin = self.link(from);
        fs::rename(&pin, self.link(to)).map_err(|error| {
            DatapathError::kernel(format!("rename the pin {}", pin.display()), error)
        })
    }

    /// Names of the interfaces that have a pinned link, in order.
    pub fn links(&self) -> Result<Vec<String>, DatapathError> {
        let failed = |error| {
            DatapathError::kernel(format!("read the folder {}", self.path.display()), error)
        };
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut interfaces = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            interfaces.extend(name.to_str().and_then(interface_of));
        }
        interfaces.sort();
        Ok(interfaces)
    }

    /// The pin of the link of the socket program.
    pub fn sockets(&self) -> PathBuf {
        self.path.join(SOCKETS_LINK)
    }

    /// Pins the link of the socket program, in the place of another.
    pub fn replace_sockets(&self, link: FdLink) -> Result<(), DatapathError> {
        let new = self.path.join(format!("{NEW_PREFIX}{SOCKETS_LINK}"));
        // What a daemon left that died between the two steps.
        self.remove(&new)?;
        link.pin(&new)
            .map_err(|error| DatapathError::kernel("pin the link of the socket program", error))?;
        fs::rename(&new, self.sockets()).map_err(|error| {
            DatapathError::kernel(format!("rename the pin {}", new.display()), error)
        })
    }

    /// Removes one pin; whether it was there.
    pub fn remove(&self, pin: &Path) -> Result<bool, DatapathError> {
        match fs::remove_file(pin) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(DatapathError::kernel(
                format!("remove the pin {}", pin.display()),
                error,
            )),
        }
    }

    /// Removes the pins of all maps.
    pub fn remove_maps(&self) -> Result<(), DatapathError> {
        for name in PINNED_MAPS {
            self.remove(&self.map(name))?;
            self.remove(&self.path.join(format!("{NEW_PREFIX}{name}")))?;
        }
        Ok(())
    }
}

/// The name of an interface's link pin. Dots are reserved on a bpf file system, and interfaces of
/// VLANs have them.
fn link_name(interface: &str) -> String {
    format!(
        "{LINK_PREFIX}{}",
        interface.replace('%', "%25").replace('.', "%2e")
    )
}

fn interface_of(pin: &str) -> Option<String> {
    Some(
        pin.strip_prefix(LINK_PREFIX)?
            .replace("%2e", ".")
            .replace("%25", "%"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names_survive_their_pins() {
        for name in ["eth0", "eth0.100", "a%b", "a%2eb", "%25"] {
            assert!(!link_name(name).contains('.'));
            assert_eq!(interface_of(&link_name(name)).as_deref(), Some(name));
        }
        assert_eq!(interface_of("FTPG_STATS"), None);
    }

    #[test]
    fn an_ordinary_folder_is_refused_and_not_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let above = folder.path().join("above");
        let pins = Pins::at(&above.join("pins"));
        assert!(matches!(pins.create(), Err(DatapathError::NotBpffs { .. })));
        assert!(!above.exists());
    }

    #[test]
    fn a_missing_bpf_file_system_is_no_lack_of_privilege() {
        // Nobody can make a folder here, as in /sys/fs/bpf with nothing mounted there.
        let pins = Pins::at(Path::new("/proc/ftp-guard"));
        let error = pins.create().unwrap_err();
        assert!(matches!(error, DatapathError::NotBpffs { .. }), "{error}");
        assert_eq!(error.exit_code(), 1);
    }
}
