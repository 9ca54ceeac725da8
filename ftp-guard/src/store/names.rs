//! The file of the last good answers about names: JSON, a name a line.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use serde::Deserialize;

use super::{bans::make_folder, write_atomically};
use crate::{diagnostic::Diagnostic, engine::names::StoredName};

/// The layout of the file.
const VERSION: u64 = 1;

/// The longest file that is read: far beyond what the limits of `[names]` permit.
const LONGEST: u64 = 64 << 20;

#[derive(Deserialize)]
struct Document {
    version: u64,
    names: Vec<StoredName>,
}

/// Reads the file of names; one that is not there holds none.
///
/// # Errors
/// The file cannot be read, or the first mistake in it.
pub fn read_names(path: &Path) -> Result<Vec<StoredName>, Diagnostic> {
    let failed = |error: io::Error| Diagnostic::whole_file(path, format!("cannot read: {error}"));
    match fs::metadata(path) {
        // Opening a pipe would wait for a writer for ever.
        Ok(metadata) if !metadata.is_file() => {
            return Err(Diagnostic::whole_file(path, "not a regular file"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    }
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let document: Document = serde_json::from_str(&text).map_err(|error| Diagnostic {
        file: path.to_owned(),
        line: u32::try_from(error.line()).unwrap_or(u32::MAX),
        column: u32::try_from(error.column()).unwrap_or(u32::MAX),
        message: error.to_string(),
    })?;
    match document.version {
        VERSION => Ok(document.names),
        other => Err(Diagnostic::whole_file(
            path,
            format!("layout {other}, expected {VERSION}: a newer ftp-guard wrote it"),
        )),
    }
}

/// Writes the file of names, durably, whole or not at all. Missing folders are made.
///
/// # Errors
/// With the path in the message: no permission, no space. The file is then as it was.
pub fn write_names(path: &Path, names: &[StoredName]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut text = format!("{{\n  \"version\": {VERSION},\n  \"names\": [");
    for (index, name) in names.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}\n    {}", serde_json::to_string(name)?);
    }
    text.push_str(if names.is_empty() {
        "]\n}\n"
    } else {
        "\n  ]\n}\n"
    });
    write_atomically(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::names::StoredAddress;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lib/names.json");
        assert_eq!(read_names(&path).unwrap(), []);
        let names = [
            StoredName {
                name: "a.example.net".into(),
                ipv4_answered: Some(1_790_000_000),
                ipv6_answered: None,
                addresses: vec![
                    StoredAddress {
                        address: "192.0.2.1".parse().unwrap(),
                        left: None,
                    },
                    StoredAddress {
                        address: "192.0.2.2".parse().unwrap(),
                        left: Some(1_790_000_001),
                    },
                ],
            },
            StoredName {
                name: "b.example.net".into(),
                ipv4_answered: None,
                ipv6_answered: Some(1),
                addresses: Vec::new(),
            },
        ];
        write_names(&path, &names).unwrap();
        assert_eq!(read_names(&path).unwrap(), names);
        write_names(&path, &[]).unwrap();
        assert_eq!(read_names(&path).unwrap(), []);
    }

    #[test]
    fn what_is_no_such_file_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.json");
        fs::write(&path, "{\"version\": 1,\n \"names\": 7}").unwrap();
        let told = read_names(&path).unwrap_err().to_string();
        assert!(told.contains("names.json:2:"), "{told}");
        fs::write(&path, "{\"version\": 2, \"names\": []}").unwrap();
        assert!(read_names(&path).unwrap_err().message.contains("layout 2"));
        assert!(read_names(folder.path()).is_err());
    }
}
