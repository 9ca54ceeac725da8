//! Reading files, and gathering what they say.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{Origin, Places, Software, TlsSetting};
use crate::{config::PortRange, diagnostic::Diagnostic};

/// How many files are read at most: a bound on includes that multiply.
const MOST_FILES: usize = 1000;

/// How much of a file is read: configurations are small.
const MOST_BYTES: u64 = 1 << 20;

/// A line of a file.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    /// From 1.
    pub(super) line: u32,
}

impl Place {
    /// A mistake there.
    pub(super) fn problem(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: self.file.clone(),
            line: self.line,
            column: 1,
            message: message.into(),
        }
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    pub(super) places: Places,
    pub(super) origins: Vec<Origin>,
    pub(super) problems: Vec<Diagnostic>,
    /// What is set of TLS, and what of that was not understood.
    pub(super) tls: Vec<TlsSetting>,
    pub(super) tls_problems: Vec<Diagnostic>,
    reads: usize,
}

impl Gathering {
    /// The text of a file. If it cannot be read, that is a mistake of `from`, the line that names
    /// it, or of the file itself.
    pub(super) fn read(&mut self, path: &Path, from: Option<&Place>) -> Option<String> {
        self.reads += 1;
        let text = match self.reads {
            ..=MOST_FILES => text_of(path),
            _ => Err(format!("more than {MOST_FILES} files are included")),
        };
        let known = text.as_ref().ok().cloned();
        self.places.files.insert(path.to_owned(), known);
        text.map_err(|error| {
            self.problems.push(match from {
                Some(place) => place.problem(format!("{}: {error}", path.display())),
                None => Diagnostic::whole_file(path, error),
            });
        })
        .ok()
    }

    /// Notes a range of passive ports, given as its two ends.
    pub(super) fn range(
        &mut self,
        software: Software,
        place: &Place,
        ends: (&str, &str),
    ) -> Option<PortRange> {
        match range(ends) {
            Ok(range) => {
                self.origins.push(Origin {
                    software,
                    file: place.file.clone(),
                    line: place.line,
                    range: Some(range),
                });
                Some(range)
            }
            Err(message) => {
                self.problems.push(place.problem(message));
                None
            }
        }
    }
}

/// The text of a small regular file.
pub(super) fn text_of(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot read: {error}");
    // A pipe would block, a device would not end.
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err("not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(cannot)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("larger than {MOST_BYTES} bytes"));
    }
    // Comments may be in any encoding; settings that matter here are ASCII.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn range((first, last): (&str, &str)) -> Result<PortRange, String> {
    let first = port(first)?;
    let last = port(last)?;
    if first > last {
        return Err(format!(
            "the passive range {first}-{last} runs backwards; the lower port comes first"
        ));
    }
    Ok(PortRange { first, last })
}

/// A decimal port. `0` is none: servers take it for "any", and vsftpd reads a leading zero as octal.
pub(super) fn port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| digits).ok_or_else(|| {
        format!(
            "{} is no port from 1 to 65535",
            crate::diagnostic::quoted(text)
        )
    })
}
