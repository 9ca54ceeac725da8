//! What the configuration of an FTP server says of TLS. It decides nothing here: it is shown to
//! whoever sets the guard up, since under TLS the guard cannot read commands and replies.

use std::{fmt, path::PathBuf};

use super::{Software, gather::Place};

/// What clients get of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// None: all is clear text.
    Off,
    /// Those that ask for it (AUTH TLS); others log in in clear text.
    Offered,
    /// No login without it.
    Required,
    /// Sessions begin with it.
    Implicit,
}

impl Tls {
    /// One word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Offered => "offered",
            Self::Required => "required",
            Self::Implicit => "implicit",
        }
    }
}

/// What is set for one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSetting {
    /// Whose it is.
    pub software: Software,
    /// What clients get.
    pub tls: Tls,
    /// The file.
    pub file: PathBuf,
    /// The line that turns it on or off, from 1; `None`: no such line, and the server's default holds.
    pub line: Option<u32>,
    /// Whether a condition that was not looked at decides (`<IfModule mod_tls.c>` of ProFTPD).
    pub conditional: bool,
}

impl TlsSetting {
    pub(super) fn at(software: Software, tls: Tls, place: &Place) -> Self {
        Self {
            software,
            tls,
            file: place.file.clone(),
            line: Some(place.line),
            conditional: false,
        }
    }

    pub(super) fn unset(software: Software, file: PathBuf) -> Self {
        Self {
            software,
            tls: Tls::Off,
            file,
            line: None,
            conditional: false,
        }
    }
}

impl fmt::Display for TlsSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tls, software) = (self.tls.as_str(), self.software.as_str());
        write!(f, "{tls} ({software}, {}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match self.conditional {
            true => f.write_str(", if the module is loaded)"),
            false => f.write_str(")"),
        }
    }
}

/// Whether a word of a configuration turns something on: as ProFTPD and vsftpd read it.
pub(super) fn switch(word: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    if is(["yes", "true", "1", "on"]) {
        Some(true)
    } else if is(["no", "false", "0", "off"]) {
        Some(false)
    } else {
        None
    }
}
