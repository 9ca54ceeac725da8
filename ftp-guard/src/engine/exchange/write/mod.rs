//! Writers of what other programs read.

mod cidr;
mod flatten;
mod ipset;
mod nft;
mod table;

use std::io::{self, Write};

use ipnet::IpNet;
use jiff::Timestamp;

use super::collect::{Settings, SettingsTable};
use crate::engine::allowlist::DEFAULT_PROFILE;

/// A format that is written from all entries together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A prefix a line.
    Cidr,
    /// A script for `nft -f`.
    Nft,
    /// A script for `ipset restore`.
    Ipset,
    /// A table with a header.
    Csv,
}

/// What to write.
#[derive(Clone, Copy, Debug)]
pub struct List<'l> {
    /// The entries, sorted, with the numbers of their settings.
    pub entries: &'l [(IpNet, u32)],
    /// The settings.
    pub settings: &'l SettingsTable,
    /// The name of sets.
    pub name: &'l str,
    /// What is over now is left out, but for a table, which has the times.
    pub now: Timestamp,
}

/// How often a format could not say what the list says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Entries that are over.
    pub over: u64,
    /// Ends of entries, which then never end there.
    pub ends: u64,
    /// Ends that are earlier there than here.
    pub early: u64,
    /// Exclusions that end here and not there.
    pub exclusions: u64,
    /// Profiles.
    pub profiles: u64,
    /// Labels that are missing, or were cut.
    pub labels: u64,
}

impl Lost {
    /// A line for people about each.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        [
            (self.over, "left out because they have expired"),
            (self.ends, "never end there: the format has no times"),
            (
                self.early,
                "end earlier there: the format has no time so far away",
            ),
            (
                self.exclusions,
                "are exclusions that end here and stay excluded there",
            ),
            (self.profiles, "lose their profile"),
            (self.labels, "lose their label or a part of it"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} of the entries {what}"))
        .collect()
    }
}

/// Writes `list`.
///
/// # Errors
/// When `out` fails.
pub fn write(list: &List<'_>, target: Target, out: &mut dyn Write) -> io::Result<Lost> {
    match target {
        Target::Cidr => cidr::write(list, out),
        Target::Nft => nft::write(list, out),
        Target::Ipset => ipset::write(list, out),
        Target::Csv => table::write(list, out),
    }
}

impl List<'_> {
    fn over(&self, settings: &Settings) -> bool {
        settings.expires.is_some_and(|end| end <= self.now)
    }

    /// Seconds until `end`, at least one.
    fn left(&self, end: Timestamp) -> u64 {
        let left = end.as_second().saturating_sub(self.now.as_second());
        u64::try_from(left).unwrap_or(0).max(1)
    }
}

/// Profile and label as a comment between double quotes, of at most `most` bytes. None if there is
/// nothing to say.
fn comment(settings: &Settings, most: usize, lost: &mut Lost) -> Option<String> {
    let mut text = String::new();
    if *settings.profile != *DEFAULT_PROFILE && !settings.exclude {
        text = format!("profile={}", settings.profile);
    }
    if let Some(label) = &settings.label {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&label.replace('"', "'"));
    }
    if text.len() > most {
        lost.labels += 1;
        let mut end = most;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    (!text.is_empty()).then_some(text)
}
