//! Where maps and links are pinned, so that they outlive the daemon, and the lock on that place.

use std::{
    collections::BTreeSet,
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

use super::{error::DatapathError, tables::Hook};

const LINK_PREFIX: &str = "link-";
const EGRESS_PREFIX: &str = "egress-";
const CONTROL_PREFIX: &str = "control-";
/// A folder, for want of anything else to pin: says that the qdisc on an interface is ours.
const CLSACT_PREFIX: &str = "clsact-";
const PREFIXES: [&str; 4] = [LINK_PREFIX, EGRESS_PREFIX, CONTROL_PREFIX, CLSACT_PREFIX];
const SOCKETS_LINK: &str = "sockets";
const NEW_PREFIX: &str = "new-";

/// Where pins would be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinPlace {
    /// On a bpf file system.
    Writable,
    /// On a bpf file system that is mounted read-only, as a service manager's sandbox may do it.
    ReadOnly,
    /// On another file system.
    NotBpffs,
}

/// What a folder of pins is on, or would be; nothing is made.
///
/// # Errors
///
/// The folder cannot be examined.
pub fn pin_place(path: &Path) -> io::Result<PinPlace> {
    let existing = path.ancestors().find(|folder| folder.exists());
    let existing = existing.unwrap_or(Path::new("."));
    if statfs(existing)?.filesystem_type() != BPF_FS_MAGIC {
        return Ok(PinPlace::NotBpffs);
    }
    let flags = nix::sys::statvfs::statvfs(existing)?.flags();
    Ok(
        match flags.contains(nix::sys::statvfs::FsFlags::ST_RDONLY) {
            true => PinPlace::ReadOnly,
            false => PinPlace::Writable,
        },
    )
}

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

    /// The pin of the XDP link on an interface.
    pub fn link(&self, interface: &str) -> PathBuf {
        self.of_interface(LINK_PREFIX, interface)
    }

    /// The pin of a classifier's link on an interface.
    pub fn classifier(&self, hook: Hook, interface: &str) -> PathBuf {
        let prefix = match hook {
            Hook::Egress => EGRESS_PREFIX,
            Hook::Control => CONTROL_PREFIX,
        };
        self.of_interface(prefix, interface)
    }

    fn of_interface(&self, prefix: &str, interface: &str) -> PathBuf {
        self.path.join(format!("{prefix}{}", escaped(interface)))
    }

    /// Notes that the clsact qdisc of an interface is ours.
    pub fn note_clsact(&self, interface: &str) -> Result<(), DatapathError> {
        let note = self.of_interface(CLSACT_PREFIX, interface);
        match fs::create_dir(&note) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(
                DatapathError::kernel(format!("make the folder {}", note.display()), error),
            ),
            _ => Ok(()),
        }
    }

    /// Forgets whose the clsact qdisc of an interface is; whether it was ours.
    pub fn remove_clsact(&self, interface: &str) -> Result<bool, DatapathError> {
        let note = self.of_interface(CLSACT_PREFIX, interface);
        match fs::remove_dir(&note) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(DatapathError::kernel(
                format!("remove the folder {}", note.display()),
                error,
            )),
        }
    }

    /// Gives all pins of an interface another interface's name.
    pub fn rename_interface(&self, from: &str, to: &str) -> Result<(), DatapathError> {
        for prefix in PREFIXES {
            let (old, new) = (
                self.of_interface(prefix, from),
                self.of_interface(prefix, to),
            );
            match fs::rename(&old, new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let what = format!("rename the pin {}", old.display());
                    return Err(DatapathError::kernel(what, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Names of the interfaces that have a pin of any kind, in order.
    pub fn interfaces(&self) -> Result<Vec<String>, DatapathError> {
        let failed = |error| {
            DatapathError::kernel(format!("read the folder {}", self.path.display()), error)
        };
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut interfaces = BTreeSet::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            interfaces.extend(name.to_str().and_then(interface_of));
        }
        Ok(interfaces.into_iter().collect())
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

    /// Removes the pins of all maps, and what a daemon left that died while it replaced a pin.
    pub fn remove_maps(&self) -> Result<(), DatapathError> {
        self.remove(&self.path.join(format!("{NEW_PREFIX}{SOCKETS_LINK}")))?;
        for name in PINNED_MAPS {
            self.remove(&self.map(name))?;
            self.remove(&self.path.join(format!("{NEW_PREFIX}{name}")))?;
        }
        Ok(())
    }
}

/// An interface's name in those of its pins. Dots are reserved on a bpf file system, and interfaces of
/// VLANs have them.
fn escaped(interface: &str) -> String {
    interface.replace('%', "%25").replace('.', "%2e")
}

fn interface_of(pin: &str) -> Option<String> {
    let escaped = PREFIXES
        .iter()
        .find_map(|prefix| pin.strip_prefix(prefix))?;
    Some(escaped.replace("%2e", ".").replace("%25", "%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names_survive_their_pins() {
        for name in ["eth0", "eth0.100", "a%b", "a%2eb", "%25"] {
            assert!(!escaped(name).contains('.'));
            for prefix in PREFIXES {
                let pin = format!("{prefix}{}", escaped(name));
                assert_eq!(interface_of(&pin).as_deref(), Some(name));
            }
        }
        assert_eq!(interface_of(SOCKETS_LINK), None);
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
