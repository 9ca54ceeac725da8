//! Durable replacement of a file.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// Replaces the content of the file at `path` by `text`, or makes the file.
///
/// A reader sees the old content or the new one, and so does whoever comes after a crash: the text
/// goes to a temporary file in the same folder, to the disk, and then by `rename(2)` to its place;
/// the folder is synced last. Mode and owner of an existing file are kept (extended attributes are
/// not); a new one gets what the umask leaves of 0666. A symbolic link stays: what it points to is
/// replaced.
///
/// # Errors
/// With the path in the message: no folder, no permission, no space, something that is no regular
/// file. The file is then as it was and the temporary file is gone. Only a failure of the last
/// step, the sync of the folder, leaves the new content in place.
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn makes_and_replaces_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cli.list");
        write_atomically(&path, "one\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        // Neither executable nor, whatever the umask is, closed to its owner.
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o711, 0o600);
        let before = fs::metadata(&path).unwrap().ino();
        write_atomically(&path, "two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_ne!(
            fs::metadata(&path).unwrap().ino(),
            before,
            "it is another file"
        );
        assert_eq!(names(folder.path()), ["cli.list"]);
    }

    #[test]
    fn mode_and_owner_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cli.list");
        fs::write(&path, "one\n").unwrap();
        // Only root can give a file away; for others there is no other owner to keep.
        let root = nix::unistd::geteuid().is_root();
        if root {
            std::os::unix::fs::chown(&path, Some(12345), Some(23456)).unwrap();
        }
        fs::set_permissions(&path, Permissions::from_mode(0o4640)).unwrap();
        let before = fs::metadata(&path).unwrap();
        write_atomically(&path, "two\n").unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(after.mode(), before.mode());
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        assert_eq!(root, after.uid() == 12345);
    }

    #[test]
    fn links_stay_and_their_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        fs::create_dir(&real).unwrap();
        let target = real.join("target.list");
        fs::write(&target, "one\n").unwrap();
        let (near, far) = (folder.path().join("near"), folder.path().join("far"));
        symlink("real/target.list", &near).unwrap();
        symlink(&near, &far).unwrap();
        write_atomically(&far, "two\n").unwrap();
        assert!(fs::symlink_metadata(&far).unwrap().is_symlink());
        assert!(fs::symlink_metadata(&near).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "two\n");
        assert_eq!(names(&real), ["target.list"]);
        // One that points to nothing says where the file belongs.
        let dangling = folder.path().join("dangling");
        symlink("real/new.list", &dangling).unwrap();
        write_atomically(&dangling, "three\n").unwrap();
        assert_eq!(
            fs::read_to_string(real.join("new.list")).unwrap(),
            "three\n"
        );
        let circle = folder.path().join("circle");
        symlink("circle", &circle).unwrap();
        let error = write_atomically(&circle, "x").unwrap_err();
        assert!(error.to_string().contains("circle: "), "{error}");
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/cli.list");
        let error = write_atomically(&missing, "x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(
            error.to_string().contains(&missing.display().to_string()),
            "{error}"
        );
        assert!(names(folder.path()).is_empty());

        fs::create_dir(folder.path().join("folder")).unwrap();
        let error = write_atomically(&folder.path().join("folder"), "x").unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
        assert_eq!(names(folder.path()), ["folder"]);
    }

    /// The test runs itself once more, as a process that this variable tells what to write.
    const TARGET_OF_CHILD: &str = "FTP_GUARD_TEST_TARGET";

    #[test]
    fn a_failure_half_way_leaves_the_old_file_and_no_temporary_one() {
        if let Some(path) = std::env::var_os(TARGET_OF_CHILD) {
            let error = write_atomically(Path::new(&path), &"x".repeat(1 << 20)).unwrap_err();
            println!("{error}");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cli.list");
        fs::write(&path, "old\n").unwrap();
        // A limit on the size of files holds for a whole process, so that it has to be another one.
        // With the signal ignored, write(2) fails half-way with EFBIG as it does on a full disk.
        let name = format!(
            "{}::a_failure_half_way_leaves_the_old_file_and_no_temporary_one",
            &module_path!()["ftp_guard::".len()..]
        );
        let limited = std::process::Command::new("sh")
            .args(["-c", r#"ulimit -f 8 && trap '' XFSZ && exec "$0" "$@""#])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--test-threads=1", &name])
            .env(TARGET_OF_CHILD, &path)
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&limited.stdout);
        let expected = format!("cannot write {}: File too large", path.display());
        assert!(output.contains(&expected), "{output}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old\n");
        assert_eq!(names(folder.path()), ["cli.list"]);
    }
}
