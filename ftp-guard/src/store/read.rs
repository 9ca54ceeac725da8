//! Finding and reading the allowlist files.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use glob::{MatchOptions, Pattern, glob_with};

use super::settled::settled;
use crate::config::AllowConfig;
use crate::diagnostic::position;

/// Why the allowlist files cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A pattern that is none. A checked configuration holds no such pattern.
    #[error("bad pattern {pattern:?} in allow.files: {source}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: glob::PatternError,
    },
    /// A folder that a pattern goes through cannot be read.
    #[error("{}: cannot read the folder: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("{}: cannot read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder, a pipe or a device.
    #[error(
        "{}: not a regular file: the patterns of allow.files must match files only",
        path.display()
    )]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Files that are longer than any list that could be enforced.
    #[error(
        "{}: the allowlist files up to this one hold more than {} MiB: no list that can be enforced is \
         that long; nothing was changed",
        path.display(),
        MOST_BYTES >> 20
    )]
    TooLong {
        /// The file at which the limit was passed.
        path: PathBuf,
    },
    /// A file that changes each time that it is read.
    #[error(
        "{}: somebody is writing it; when that is done, reload again, or write another file and rename it",
        path.display()
    )]
    BeingWritten {
        /// The file.
        path: PathBuf,
    },
    /// A file that is no UTF-8 text.
    #[error("{}:{line}:{column}: not UTF-8 text; save the file as UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line of the first bad byte, from 1.
        line: u32,
        /// Its column, from 1.
        column: u32,
    },
}

/// How many bytes all files together may hold: some ten million entries.
const MOST_BYTES: u64 = 256 << 20;

/// Reads all files that the patterns match, and `cli_file` if it exists: sorted by path, each file
/// once, however many patterns and links lead to it. A pattern that matches nothing is no mistake.
/// Patterns do not match file names that are not UTF-8.
///
/// A file that changes while it is read, or was emptied a moment ago, is read again, for as long as `patience` says. With none
/// each is taken as it stands.
///
/// # Errors
/// The first file or folder that cannot be read, by name. A list that is not whole is never
/// returned: the running one must not shrink because a file is unreadable for a moment.
pub fn read_allowlists(
    config: &AllowConfig,
    patience: Duration,
) -> Result<Vec<(PathBuf, String)>, StoreError> {
    let mut paths = BTreeSet::new();
    for pattern in &config.files {
        paths.extend(expand(pattern)?);
    }
    if exists(&config.cli_file)? {
        paths.insert(config.cli_file.clone());
    }
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    let mut room = MOST_BYTES;
    for path in paths {
        let canonical = fs::canonicalize(&path).map_err(|source| read_error(&path, source))?;
        if seen.insert(canonical) {
            let text = settled(&path, patience, || read(&path, room))?;
            room = room.saturating_sub(text.len() as u64);
            files.push((path, text));
        }
    }
    Ok(files)
}

fn expand(pattern: &str) -> Result<Vec<PathBuf>, StoreError> {
    if !pattern.contains(['*', '?', '[']) {
        // `glob` takes a path behind a closed folder for one that is not there.
        let path = PathBuf::from(pattern);
        return Ok(exists(&path)?.then_some(path).into_iter().collect());
    }
    // As `glob` itself does, so that its results can be matched again.
    let normal: PathBuf = Path::new(pattern).components().collect();
    let bad_pattern = |source| StoreError::Pattern {
        pattern: pattern.to_owned(),
        source,
    };
    let normal = normal.to_string_lossy();
    let matcher = Pattern::new(&normal).map_err(bad_pattern)?;
    let mut options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };
    let found = glob_with(&normal, options).map_err(bad_pattern)?;
    // Hidden files are the temporary ones of editors and our own. `glob` 0.3.4 could leave them out
    // while it walks, but then panics at file names that are not UTF-8, and misses `.*`.
    options.require_literal_leading_dot = true;
    let found = found.filter_map(|path| match path {
        Ok(path) if matcher.matches_path_with(&path, options) => Some(Ok(path)),
        Ok(_) => None,
        Err(error) => Some(Err(StoreError::Folder {
            path: error.path().to_owned(),
            source: error.into(),
        })),
    });
    found.collect()
}

fn exists(path: &Path) -> Result<bool, StoreError> {
    // A link that points to nothing exists: it is a mistake that reading it will name.
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(read_error(path, source)),
    }
}

/// Reads a file of at most `room` bytes.
fn read(path: &Path, room: u64) -> Result<String, StoreError> {
    let metadata = fs::metadata(path).map_err(|source| read_error(path, source))?;
    // Opening a pipe would wait for a writer for ever.
    if !metadata.is_file() {
        return Err(StoreError::NotAFile {
            path: path.to_owned(),
        });
    }
    let too_long = || StoreError::TooLong {
        path: path.to_owned(),
    };
    if metadata.len() > room {
        return Err(too_long());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    // It may grow while it is read.
    fs::File::open(path)
        .and_then(|file| file.take(room.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|source| read_error(path, source))?;
    if bytes.len() as u64 > room {
        return Err(too_long());
    }
    String::from_utf8(bytes).map_err(|error| {
        let lossy = String::from_utf8_lossy(error.as_bytes());
        let (line, column) = position(&lossy, error.utf8_error().valid_up_to());
        StoreError::NotUtf8 {
            path: path.to_owned(),
            line,
            column,
        }
    })
}

pub(super) fn read_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Read {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::super::settled::PATIENCE;
    use super::*;

    struct Folder(TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, content: &[u8]) -> &Self {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
            self
        }

        fn config(&self, patterns: &[&str], cli_file: &str) -> AllowConfig {
            let pattern = |name: &&str| self.path(name).to_str().unwrap().to_owned();
            AllowConfig {
                files: patterns.iter().map(pattern).collect(),
                cli_file: self.path(cli_file),
                max_entries: 1,
            }
        }

        /// Names and texts of what is read.
        fn read(&self, patterns: &[&str], cli_file: &str) -> Vec<(String, String)> {
            let files = read_allowlists(&self.config(patterns, cli_file), PATIENCE).unwrap();
            let name = |path: PathBuf| {
                let name = path.strip_prefix(self.0.path()).unwrap();
                name.to_str().unwrap().to_owned()
            };
            files
                .into_iter()
                .map(|(path, text)| (name(path), text))
                .collect()
        }

        fn names(&self, patterns: &[&str], cli_file: &str) -> Vec<String> {
            let files = self.read(patterns, cli_file);
            files.into_iter().map(|(name, _)| name).collect()
        }

        fn mistake(&self, patterns: &[&str], cli_file: &str) -> String {
            let error = read_allowlists(&self.config(patterns, cli_file), PATIENCE).unwrap_err();
            let message = error.to_string();
            let prefix = format!("{}/", self.0.path().display());
            message.replace(&prefix, "")
        }
    }

    #[test]
    fn files_are_read_sorted_and_once() {
        let folder = Folder::new();
        folder
            .write("b.list", b"B")
            .write("a.list", b"A")
            .write("cli.list", b"C");
        folder
            .write("c.txt", b"-")
            .write(".hidden.list", b"-")
            .write("sub/d.list", b"D");
        let read = folder.read(&["*.list", "?.list", "a.list"], "cli.list");
        let expected = [("a.list", "A"), ("b.list", "B"), ("cli.list", "C")];
        assert_eq!(read, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(
            folder.names(&["**/*.list"], "cli.list").last().unwrap(),
            "sub/d.list"
        );
        assert_eq!(folder.names(&[".*.list"], "x"), [".hidden.list"]);
    }

    #[test]
    fn hidden_folders_and_strange_names_are_passed_over() {
        let folder = Folder::new();
        folder.write(".git/a.list", b"-").write("sub/a.list", b"");
        assert_eq!(folder.names(&["**/*.list"], "x"), ["sub/a.list"]);
        assert_eq!(folder.names(&["./*//./a.list"], "x"), ["sub/a.list"]);
        let strange = std::ffi::OsStr::from_bytes(b"\xff.list");
        fs::write(folder.0.path().join(strange), b"").unwrap();
        assert_eq!(folder.names(&["*.list", "**/*.list"], "x"), ["sub/a.list"]);
    }

    #[test]
    fn a_file_of_absurd_length_is_refused_before_it_is_read() {
        let folder = Folder::new();
        folder.write("a.list", b"192.0.2.1\n");
        let file = fs::File::create(folder.path("b.list")).unwrap();
        // A hole: it takes no room on the disk.
        file.set_len(MOST_BYTES).unwrap();
        let message = folder.mistake(&["*.list"], "x");
        assert!(
            message
                .starts_with("b.list: the allowlist files up to this one hold more than 256 MiB")
        );
    }

    #[test]
    fn what_is_not_there_is_no_mistake() {
        let folder = Folder::new();
        assert!(
            folder
                .names(&["*.list", "no.list", "no/*.list"], "cli.list")
                .is_empty()
        );
        assert!(folder.names(&[], "no/cli.list").is_empty());
    }

    #[test]
    fn the_file_of_the_command_line_is_read_wherever_it_is() {
        let folder = Folder::new();
        folder.write("etc/a.list", b"").write("var/cli", b"");
        assert_eq!(
            folder.names(&["etc/*.list"], "var/cli"),
            ["etc/a.list", "var/cli"]
        );
        assert_eq!(folder.names(&[], "var/cli"), ["var/cli"]);
    }

    #[test]
    fn a_file_behind_two_names_is_read_once() {
        let folder = Folder::new();
        folder.write("etc/a.list", b"");
        symlink("a.list", folder.path("etc/z.list")).unwrap();
        assert_eq!(folder.names(&["etc/*.list"], "etc/../etc/a.list").len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = Folder::new();
        folder.write("bad.list", b"ok\n\xc3\xa4 \xff\n");
        assert_eq!(
            folder.mistake(&["*.list"], "x"),
            "bad.list:2:3: not UTF-8 text; save the file as UTF-8"
        );
        assert!(folder.mistake(&["[*"], "x").starts_with("bad pattern "));

        let folder = Folder::new();
        fs::create_dir(folder.path("sub.list")).unwrap();
        assert!(
            folder
                .mistake(&["*.list"], "x")
                .starts_with("sub.list: not a regular file")
        );
        assert!(
            folder
                .mistake(&["sub.list"], "x")
                .starts_with("sub.list: not a regular file")
        );

        let folder = Folder::new();
        nix::unistd::mkfifo(&folder.path("pipe.list"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(
            folder
                .mistake(&["*.list"], "x")
                .starts_with("pipe.list: not a regular file")
        );

        let folder = Folder::new();
        symlink("nowhere", folder.path("link.list")).unwrap();
        for patterns in [&["*.list"][..], &["link.list"], &[]] {
            let message = folder.mistake(patterns, "link.list");
            assert!(
                message.starts_with("link.list: cannot read: No such file"),
                "{message}"
            );
        }

        // A file where a folder should be: not the same as nothing there.
        let folder = Folder::new();
        folder.write("file", b"");
        let message = folder.mistake(&[], "file/cli.list");
        assert!(
            message.starts_with("file/cli.list: cannot read: Not a directory"),
            "{message}"
        );
    }
}
