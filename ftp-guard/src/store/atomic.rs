//! Durable replacement of a file.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// Replaces the content of the file at `path` by `text`, or makes the file.
///
/// A reader sees the old content or the new one, and so does whoever comes after a crash: the text goes
/// to a temporary file in the same folder, to the disk, and then by `rename(2)` to its place; the
/// folder is synced last. Mode and owner of an existing file are kept (extended attributes are not); a new
/// one gets what the umask leaves of 0666. A symbolic link stays: what it points to is replaced.
///
/// # Errors
/// With the path in the message: no folder, no permission, no space, something that is no regular
/// file. The file is then as it was and the temporary file is gone. Only a failure of the last step, the sync of
/// the folder, leaves the new content in place.
pub fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    replace(path, text).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot write {}: {error}", path.display()),
        )
    })
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target = target(path)?;
    let existing = metadata(&target)?;
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    // The leading dot and the ending keep it out of the allowlist patterns. Dropped on every error
    // below, and removed by that.
    let mut temporary = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".tmp")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    if let Some(existing) = existing {
        keep_owner_and_mode(temporary.as_file(), &existing)?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(&target).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// The file itself when `path` is a symbolic link, or a chain of them. One that points to nothing
/// says where the new file has to be.
fn target(path: &Path) -> io::Result<PathBuf> {
    const DEEPEST: u32 = 40; // MAXSYMLINKS of Linux
    let mut target = path.to_owned();
    for _ in 0..DEEPEST {
        match fs::symlink_metadata(&target) {
            Ok(metadata) if metadata.is_symlink() => {
                let link = fs::read_link(&target)?;
                target = target.parent().unwrap_or(Path::new("")).join(link);
            }
            Ok(_) => return Ok(target),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(target),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

fn metadata(target: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(target) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn keep_owner_and_mode(file: &File, existing: &Metadata) -> io::Result<()> {
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (existing.uid(), existing.gid()) {
        fchown(file, Some(existing.uid()), Some(existing.gid()))?;
    }
    // After the owner: chown(2) clears bits of the mode.
    file.set_permissions(Permissions::from_mode(existing.mode() & 0o7777))
}
