//! Files that are made, and replaced only on demand, the old ones being kept.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use jiff::{Timestamp, tz::TimeZone};

use crate::store::write_atomically;

/// The largest file that is compared with what is to be written.
const MOST_BYTES: u64 = 1 << 24;

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not there.
    New,
    /// It is there, and says the same.
    Same,
    /// It is there, and says something else.
    Different,
}

/// What was done to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was made.
    Made,
    /// It was there, and said the same.
    Unchanged,
    /// It was replaced; what it was is in this file.
    Replaced(PathBuf),
}

/// Compares a file with a text.
///
/// # Errors
///
/// When there is something that is no file, or that cannot be read; with the path.
pub fn state(path: &Path, text: &str) -> io::Result<State> {
    let named = |error: io::Error| named(path, "read", &error);
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::New),
        Err(error) => return Err(named(error)),
    };
    if !metadata.is_file() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
        return Err(named(error));
    }
    if metadata.len() > MOST_BYTES {
        return Ok(State::Different);
    }
    match fs::read(path).map_err(named)? == text.as_bytes() {
        true => Ok(State::Same),
        false => Ok(State::Different),
    }
}

/// Writes a file: durably, as a whole or not at all. One that says something else is kept under another
/// name, with its owner and mode, and replaced if `replace` permits it.
///
/// Folders that are missing are made, for their owner to change and for all to read.
///
/// # Errors
///
/// With the path. What was written before stays.
pub fn write(path: &Path, text: &str, replace: bool, now: Timestamp) -> io::Result<Done> {
    Ok(match state(path, text)? {
        State::Same => Done::Unchanged,
        State::New => {
            if let Some(folder) = path.parent() {
                make_folder(folder)?;
            }
            write_atomically(path, text)?;
            Done::Made
        }
        // It has come or changed since it was looked at.
        State::Different if !replace => {
            let error = io::Error::new(io::ErrorKind::AlreadyExists, "it says something else");
            return Err(named(path, "write", &error));
        }
        State::Different => {
            let backup = keep(path, now)?;
            write_atomically(path, text)?;
            Done::Replaced(backup)
        }
    })
}

/// Whether others than its owner may write into a folder, or the nearest one above it that exists.
#[must_use]
pub fn is_open_to_others(folder: &Path) -> bool {
    let nearest = folder
        .ancestors()
        .find_map(|folder| fs::metadata(folder).ok());
    nearest.is_some_and(|metadata| metadata.permissions().mode() & 0o022 != 0)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new("/"));
    make_folder(parent)?;
    match DirBuilder::new().mode(0o755).create(folder) {
        Ok(()) => File::open(parent)
            .and_then(|parent| parent.sync_all())
            .map_err(|error| named(parent, "sync", &error)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(named(folder, "make", &error)),
    }
}

/// Gives a file a second name, by which it stays when the first one becomes another file's. The name
/// ends so that no pattern of allowlists finds it.
fn keep(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let path = path
        .canonicalize()
        .map_err(|error| named(path, "find", &error))?;
    let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for number in 0..1000 {
        let number = match number {
            0 => String::new(),
            number => format!("-{number}"),
        };
        let backup = path.with_file_name(format!("{name}.{time}{number}.bak"));
        match fs::hard_link(&path, &backup) {
            Ok(()) => return Ok(backup),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(named(&backup, "make", &error)),
        }
    }
    let error = io::Error::new(
        io::ErrorKind::AlreadyExists,
        "too many backups of this second",
    );
    Err(named(&path, "keep", &error))
}

fn named(path: &Path, verb: &str, error: &io::Error) -> io::Error {
    let text = format!("cannot {verb} {}: {error}", path.display());
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T20:15:00Z";

    fn wrote(path: &Path, text: &str) -> Done {
        write(path, text, true, NOW.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_file_is_made_with_its_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/allow.d/x.list");
        assert_eq!(state(&path, "x\n").unwrap(), State::New);
        assert_eq!(wrote(&path, "x\n"), Done::Made);
        assert_eq!(fs::read_to_string(&path).unwrap(), "x\n");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        let made = mode(path.parent().unwrap());
        assert_eq!(made & 0o7022, 0, "{made:o}");
        assert_eq!(made & 0o700, 0o700, "{made:o}");
        assert_eq!(mode(&path) & 0o111, 0);
        assert_eq!(state(&path, "x\n").unwrap(), State::Same);
        assert_eq!(wrote(&path, "x\n"), Done::Unchanged);
    }

    #[test]
    fn what_is_replaced_is_kept_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.list");
        fs::write(&path, "mine\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(state(&path, "x\n").unwrap(), State::Different);
        let error = write(&path, "x\n", false, NOW.parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine\n");
        for (text, before, name) in [
            ("x\n", "mine\n", "x.list.20261122T201500Z.bak"),
            ("y\n", "x\n", "x.list.20261122T201500Z-1.bak"),
        ] {
            let Done::Replaced(backup) = wrote(&path, text) else {
                panic!("not replaced");
            };
            assert_eq!(backup.file_name().unwrap(), name);
            assert_eq!(fs::read_to_string(&backup).unwrap(), before);
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            let mode = fs::metadata(&backup).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o640);
        }
    }

    #[test]
    fn a_link_stays_and_what_it_points_to_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.toml"), folder.path().join("link"));
        fs::write(&real, "mine\n").unwrap();
        std::os::unix::fs::symlink("real.toml", &link).unwrap();
        let Done::Replaced(backup) = wrote(&link, "x\n") else {
            panic!("not replaced");
        };
        assert_eq!(fs::read_to_string(backup).unwrap(), "mine\n");
        assert_eq!(fs::read_to_string(&real).unwrap(), "x\n");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = write(folder.path(), "x", true, NOW.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
        let beyond = folder.path().join("file/x");
        fs::write(folder.path().join("file"), "").unwrap();
        let error = write(&beyond, "x", true, NOW.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("file/x"), "{error}");
    }

    #[test]
    fn folders_that_others_may_write_to_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let set = |mode| {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        };
        for (mode, open) in [(0o755, false), (0o770, true), (0o777, true)] {
            set(mode);
            assert_eq!(is_open_to_others(&folder.path().join("not/there")), open);
        }
    }
}
