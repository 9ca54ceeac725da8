//! One entry of the allowlist.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ftp_guard_common::allow::{AllowValue, EntryKind};
use ipnet::IpNet;
use jiff::Timestamp;

use super::expiry::expires_s;
use super::prefix::written;

/// The profile of entries that name none. It exists without being configured; its number is 0.
pub const DEFAULT_PROFILE: &str = "default";

/// An entry and where it comes from.
///
/// Displayed as the line that one would write in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The sources that it is about; no host bits are set.
    pub prefix: IpNet,
    /// Whether it allows or excludes them.
    pub kind: EntryKind,
    /// The name of its profile; [`DEFAULT_PROFILE`] if it names none.
    pub profile: String,
    /// From when on it is as good as absent.
    pub expires: Option<Timestamp>,
    /// What people call it. See [`check_label`] for what it may hold.
    pub label: Option<String>,
    /// The file that it is in.
    pub file: Arc<Path>,
    /// Its line, from 1. 0: it is in no file yet.
    pub line: u32,
}

impl Entry {
    /// An entry that allows `prefix` for ever, in no file yet.
    #[must_use]
    pub fn allow(prefix: IpNet) -> Self {
        Self {
            prefix: prefix.trunc(),
            kind: EntryKind::Allow,
            profile: DEFAULT_PROFILE.to_owned(),
            expires: None,
            label: None,
            file: Arc::from(Path::new("")),
            line: 0,
        }
    }

    /// What the kernel's tables hold for it. `profile` is the number of its profile. A time that
    /// does not fit ([`expires_s`]) is one that is over: the entry is then no longer in force.
    #[must_use]
    pub fn value(&self, profile: u16) -> AllowValue {
        AllowValue {
            expires_s: self.expires.map_or(0, |time| expires_s(time).unwrap_or(1)),
            profile,
            prefix_len: self.prefix.prefix_len(),
            kind: self.kind as u8,
        }
    }

    /// Whether the two say the same about the same sources. Labels say nothing.
    #[must_use]
    pub fn same_settings(&self, other: &Self) -> bool {
        self.prefix == other.prefix
            && self.kind == other.kind
            && self.profile == other.profile
            && self.expires == other.expires
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == EntryKind::Exclude {
            write!(f, "!")?;
        }
        write!(f, "{}", written(&self.prefix))?;
        if self.profile != DEFAULT_PROFILE {
            write!(f, " profile={}", self.profile)?;
        }
        if let Some(expires) = self.expires {
            write!(f, " expires={expires}")?;
        }
        match &self.label {
            Some(label) => write!(f, " label=\"{}\"", Escaped(label)),
            None => Ok(()),
        }
    }
}

pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '"' | '\\' => write!(f, "\\{c}"),
            // No label that got past a check may break out of its line.
            c if c.is_control() => write!(f, "{}", char::REPLACEMENT_CHARACTER),
            c => write!(f, "{c}"),
        })
    }
}

/// Checks that a label can be written into a file: it holds no control characters.
///
/// # Errors
/// What is wrong, as a sentence without a place.
pub fn check_label(label: &str) -> Result<(), String> {
    match label.chars().find(|c| c.is_control()) {
        None => Ok(()),
        Some(c) => Err(format!(
            "the label contains the control character {c:?}: leave it out"
        )),
    }
}
