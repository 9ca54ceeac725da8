//! Reading a file that somebody may be writing.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::read::{StoreError, read_error};

/// How long a file is read again that somebody is writing, where nobody else waits for that.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// Pause before it is read again.
const PAUSE: Duration = Duration::from_millis(20);
/// A file that became empty so recently is about to be written: a shell empties it before the command runs whose output it is
/// to hold.
const FILLED_AFTER: Duration = Duration::from_millis(200);

/// What `read` finds in a file that nobody writes meanwhile: who loses half of the list loses its sessions. Without
/// patience, what it finds at once.
///
/// # Errors
/// [`StoreError::BeingWritten`] when patience is over; what `read` fails with.
pub fn settled(
    path: &Path,
    patience: Duration,
    mut read: impl FnMut() -> Result<String, StoreError>,
) -> Result<String, StoreError> {
    if patience.is_zero() {
        return read();
    }
    let begin = Instant::now();
    loop {
        let before = Stamp::of(path)?;
        let text = read()?;
        let is_fresh = is_within(before.modified, FILLED_AFTER);
        if before == Stamp::of(path)? && !(text.is_empty() && is_fresh) {
            return Ok(text);
        }
        if begin.elapsed() >= patience {
            return Err(StoreError::BeingWritten {
                path: path.to_owned(),
            });
        }
        thread::sleep(PAUSE);
    }
}

/// What tells one state of a file from another.
#[derive(PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    len: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, StoreError> {
        let metadata = fs::metadata(path).map_err(|source| read_error(path, source))?;
        Ok(Self {
            inode: (metadata.dev(), metadata.ino()),
            len: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

/// Whether a file was modified so short a time ago. A moment in the future tells nothing.
#[must_use]
pub fn is_within(modified: Option<SystemTime>, time: Duration) -> bool {
    let age = modified.and_then(|modified| modified.elapsed().ok());
    age.is_some_and(|age| age < time)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    struct File {
        _folder: TempDir,
        path: PathBuf,
    }

    impl File {
        fn new(text: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.list");
            let file = Self {
                _folder: folder,
                path,
            };
            file.write(text);
            file
        }

        fn write(&self, text: &str) {
            fs::write(&self.path, text).unwrap();
        }

        /// What is found, or why nothing is, and how often the file was read. `before` and `after` are
        /// told the number of the reading.
        fn read(
            &self,
            patience: Duration,
            before: impl Fn(usize),
            after: impl Fn(usize),
        ) -> (Result<String, String>, usize) {
            let mut times = 0;
            let found = settled(&self.path, patience, || {
                times += 1;
                before(times);
                let text = fs::read_to_string(&self.path).unwrap();
                after(times);
                Ok(text)
            });
            (found.map_err(|error| error.to_string()), times)
        }
    }

    fn nothing(_: usize) {}

    #[test]
    fn a_file_that_was_emptied_a_moment_ago_is_read_again() {
        let file = File::new("");
        let filled = |times| {
            if times == 2 {
                file.write("192.0.2.1\n");
            }
        };
        let found = file.read(PATIENCE, filled, nothing);
        assert_eq!(found, (Ok("192.0.2.1\n".to_owned()), 3));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_read_again() {
        let file = File::new("half\n");
        let goes_on = |times| {
            if times < 3 {
                file.write(&"x".repeat(times));
            }
        };
        let found = file.read(PATIENCE, nothing, goes_on);
        assert_eq!(found, (Ok("xx".to_owned()), 3));
    }

    #[test]
    fn a_file_that_never_comes_to_rest_is_refused() {
        let file = File::new("");
        let goes_on = |times| file.write(&"x".repeat(times));
        let (found, _) = file.read(PAUSE * 3, goes_on, nothing);
        assert!(
            found
                .unwrap_err()
                .contains("a.list: somebody is writing it")
        );
    }

    #[test]
    fn without_patience_a_file_is_taken_as_it_stands() {
        let file = File::new("");
        let goes_on = |times| file.write(&"x".repeat(times));
        assert_eq!(
            file.read(Duration::ZERO, nothing, goes_on),
            (Ok(String::new()), 1)
        );
    }

    #[test]
    fn a_file_that_has_been_empty_for_long_is_not_waited_for() {
        let file = File::new("");
        let open = fs::File::options().write(true).open(&file.path).unwrap();
        open.set_modified(SystemTime::now() - FILLED_AFTER).unwrap();
        assert_eq!(
            file.read(PATIENCE, nothing, nothing),
            (Ok(String::new()), 1)
        );
    }
}
