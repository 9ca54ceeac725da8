//! Names of hosts as people write them.

use std::fmt;
use std::sync::Arc;

use crate::diagnostic::quoted;

/// What an entry of an allowlist file begins with that names a host.
pub const MARK: &str = "host:";

/// The longest name as text, and the longest label (RFC 1035 section 2.3.4, without the root's dot).
const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A whole name of a host: at least two labels, small letters, without the root's dot.
///
/// Displayed as it is; an entry has [`MARK`] before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Arc<str>);

impl HostName {
    /// Reads a name, without [`MARK`]. Capital letters become small ones, a dot at the end goes.
    ///
    /// # Errors
    /// The byte that it is about, and what is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        if text.is_empty() {
            return Err((0, "expected a name after host:".to_owned()));
        }
        if let Some(mistake) = foreign(text) {
            return Err(mistake);
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.len() > LONGEST {
            return Err((
                0,
                format!("the name has {} characters: at most {LONGEST}", name.len()),
            ));
        }
        let mut at = 0;
        let mut labels = 0;
        let mut last = "";
        for label in name.split('.') {
            check_label(label).map_err(|message| (at, message))?;
            at += label.len() + 1;
            labels += 1;
            last = label;
        }
        if labels < 2 {
            return Err((
                0,
                format!(
                    "{} is no whole name: search lists are not used, write it with its domain, \
                     host:{name}.example.net",
                    quoted(text)
                ),
            ));
        }
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err((
                0,
                format!(
                    "{} is no name: an address stands without host:",
                    quoted(text)
                ),
            ));
        }
        Ok(Self(Arc::from(name.to_ascii_lowercase())))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What no name holds, with advice for what is tried often.
fn foreign(text: &str) -> Option<(usize, String)> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let (at, c) = text.char_indices().find(|(_, c)| !fine(*c))?;
    let message = match c {
        c if !c.is_ascii() => format!(
            "{} is not ASCII: write the name as DNS has it, with labels that begin with xn--",
            quoted(&c.to_string())
        ),
        '*' => "a pattern is no name: DNS does not tell which names there are".to_owned(),
        '/' => "a name has no length: each of its addresses is an entry of its own".to_owned(),
        ':' | '[' => {
            "expected a name alone: no port, and an address stands without host:".to_owned()
        }
        '"' | '\'' => "expected the name without quotes".to_owned(),
        c => format!("{} is no character of a name", quoted(&c.to_string())),
    };
    Some((at, message))
}

fn check_label(label: &str) -> Result<(), String> {
    if label.is_empty() {
        return Err("a name has no empty label: one dot between two labels".to_owned());
    }
    if label.len() > LONGEST_LABEL {
        return Err(format!(
            "a label of {} characters: at most {LONGEST_LABEL}",
            label.len()
        ));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(format!(
            "the label {} begins or ends with a hyphen",
            quoted(label)
        ));
    }
    Ok(())
}
