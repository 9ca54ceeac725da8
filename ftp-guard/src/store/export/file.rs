//! The file of the export.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// A file that lines are appended to, whole ones only.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: File,
    /// Whether the file was empty when it was opened.
    pub(super) new: bool,
}

impl Lines {
    /// Opens the file, or makes it and its folder, for the daemon and its group alone.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent()
            && !folder.is_dir()
        {
            DirBuilder::new()
                .recursive(true)
                .mode(0o750)
                .create(folder)?;
        }
        // A pipe without a reader would be waited for.
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o640)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        let metadata = file.metadata()?;
        Ok(Self {
            path: path.to_owned(),
            new: metadata.len() == 0,
            file,
        })
    }

    /// Whether the path now means another file, or none: this one was moved away.
    pub(super) fn moved(&self) -> bool {
        match (fs::metadata(&self.path), self.file.metadata()) {
            (Ok(there), Ok(here)) => (there.dev(), there.ino()) != (here.dev(), here.ino()),
            _ => true,
        }
    }

    /// Appends lines. What a full disk leaves of them is taken back, so that no line is cut.
    pub(super) fn append(&mut self, text: &str) -> io::Result<()> {
        let before = self.file.metadata()?;
        let result = self.file.write_all(text.as_bytes());
        if result.is_err() && before.is_file() {
            self.file.set_len(before.len())?;
        }
        result
    }
}
