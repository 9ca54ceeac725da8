//! Finding and reading the allowlist files.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, glob_with};

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
    #[error("{}: not a regular file: the patterns of allow.files must match files only", path.display())]
    NotAFile {
        /// The path.
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

/// Reads all files that the patterns match, and `cli_file` if it exists: sorted by path, each file
/// once, however many patterns and links lead to it. A pattern that matches nothing is no mistake.
///
/// # Errors
/// The first file or folder that cannot be read, by name. A list that is not whole is never
/// returned: the running one must not shrink because a file is unreadable for a moment.
pub fn read_allowlists(config: &AllowConfig) -> Result<Vec<(PathBuf, String)>, StoreError> {
    let mut paths = BTreeSet::new();
    for pattern in &config.files {
        paths.extend(expand(pattern)?);
    }
    if exists(&config.cli_file)? {
        paths.insert(config.cli_file.clone());
    }
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for path in paths {
        let canonical = fs::canonicalize(&path).map_err(|source| read_error(&path, source))?;
        if seen.insert(canonical) {
            let text = read(&path)?;
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
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let found = glob_with(pattern, options).map_err(|source| StoreError::Pattern {
        pattern: pattern.to_owned(),
        source,
    })?;
    let found = found.map(|path| {
        path.map_err(|error| StoreError::Folder {
            path: error.path().to_owned(),
            source: error.into(),
        })
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

fn read(path: &Path) -> Result<String, StoreError> {
    let metadata = fs::metadata(path).map_err(|source| read_error(path, source))?;
    // Opening a pipe would wait for a writer for ever.
    if !metadata.is_file() {
        return Err(StoreError::NotAFile {
            path: path.to_owned(),
        });
    }
    let bytes = fs::read(path).map_err(|source| read_error(path, source))?;
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

fn read_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Read {
        path: path.to_owned(),
        source,
    }
}
