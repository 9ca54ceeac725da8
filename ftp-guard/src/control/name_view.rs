//! What replies tell of names of hosts. Fields are only ever added.

use std::{net::IpAddr, path::PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::{
    allowlist::HostEntry,
    names::{NameState, Trouble},
};

/// An entry that names a host, where it stands, and what DNS says of the name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostView {
    /// The name.
    pub host: String,
    /// Its profile.
    pub profile: String,
    /// From when on it is as good as absent.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// Its label.
    #[serde(default)]
    pub label: Option<String>,
    /// The file it stands in.
    pub file: PathBuf,
    /// The line it stands on, from 1.
    pub line: u32,
    /// Its addresses.
    pub addresses: Vec<NameAddressView>,
    /// How old the last good answers are, the older of IPv4 and IPv6; absent: there was none.
    #[serde(default)]
    pub age_seconds: Option<u64>,
    /// How long they hold from their arrival, the shorter of both, within the bounds of `[names]`; absent: there
    /// was none since the start.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// When DNS is asked next.
    pub next_seconds: u64,
    /// What is wrong: `failing`, `no_such_name` or `no_address`.
    #[serde(default)]
    pub trouble: Option<String>,
    /// Failures in a row.
    #[serde(default)]
    pub failures: u32,
    /// How long it has failed.
    #[serde(default)]
    pub failing_seconds: Option<u64>,
    /// The last failure, in words.
    #[serde(default)]
    pub failure: Option<String>,
    /// Addresses of the answers that are never taken, or that `names.private` shuts out.
    #[serde(default)]
    pub refused: u32,
    /// Addresses of the answers beyond `names.max_addresses`.
    #[serde(default)]
    pub surplus: u32,
    /// The entry as one would write it in a file.
    pub text: String,
}

/// An address of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameAddressView {
    /// The address.
    pub address: IpAddr,
    /// How long answers have left it out; absent: the last one has it.
    #[serde(default)]
    pub left_seconds: Option<u64>,
    /// `in_force`; `listed` (the files have an entry of this very address, which counts); `excluded` (by the
    /// files); `other_name` (an earlier name has it as well); `expired`.
    pub state: String,
}

/// All names, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesView {
    /// How many there are.
    pub names: u64,
    /// Their addresses.
    pub addresses: u64,
    /// Names that DNS gives no answer for, or says are gone or have no address.
    pub failing: u64,
    /// How old the oldest last good answer is.
    #[serde(default)]
    pub oldest_answer_seconds: Option<u64>,
}

impl HostView {
    /// `state` is absent for an entry that has just come.
    pub fn of(
        entry: &HostEntry,
        state: Option<&NameState>,
        addresses: Vec<NameAddressView>,
    ) -> Self {
        let trouble = state.and_then(|state| state.trouble.as_ref());
        let (failures, since, why) = match trouble {
            Some(Trouble::Failing {
                failures,
                since,
                why,
            }) => (*failures, Some(since.as_secs()), Some(why.clone())),
            _ => (0, None, None),
        };
        Self {
            host: entry.name.as_str().to_owned(),
            profile: entry.profile.clone(),
            expires: entry.expires,
            label: entry.label.clone(),
            file: entry.file.to_path_buf(),
            line: entry.line,
            addresses,
            age_seconds: state.and_then(|state| state.age).map(|age| age.as_secs()),
            ttl_seconds: state.and_then(|state| state.ttl).map(|ttl| ttl.as_secs()),
            next_seconds: state.map_or(0, |state| state.next.as_secs()),
            trouble: trouble.map(|trouble| {
                match trouble {
                    Trouble::Failing { .. } => "failing",
                    Trouble::NoSuchName => "no_such_name",
                    Trouble::NoAddress => "no_address",
                }
                .to_owned()
            }),
            failures,
            failing_seconds: since,
            failure: why,
            refused: state.map_or(0, |state| state.refused),
            surplus: state.map_or(0, |state| state.surplus),
            text: entry.to_string(),
        }
    }
}
