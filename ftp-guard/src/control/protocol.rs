//! Requests, reply lines and failures as they travel.

use std::{net::IpAddr, path::PathBuf};

use ftp_guard_common::config::Mode;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    VERSION,
    ban_view::BanTerms,
    past::{PastEventsWanted, PastSessionsWanted, ReportWanted},
    suggest_view::SuggestWanted,
};
use crate::{
    diagnostic::quoted,
    engine::{
        allowlist::parse_prefix, events::Severity, names::HostName, sessions::view::KillTarget,
    },
};

/// Exit code: the command failed.
pub const EXIT_FAILED: u8 = 1;
/// Exit code: the command was not understood.
pub const EXIT_USAGE: u8 = 2;
/// Exit code: not permitted (sysexits.h, EX_NOPERM).
pub const EXIT_NOT_PERMITTED: u8 = 77;
/// Exit code: a mistake in the configuration or in an allowlist (sysexits.h, EX_CONFIG).
pub const EXIT_CONFIGURATION: u8 = 78;

/// The guard's mode on the wire and on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ModeName {
    /// Count what would be dropped, and let it pass.
    Monitor,
    /// Drop what the rules say to drop.
    Enforce,
}

impl From<Mode> for ModeName {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Monitor => Self::Monitor,
            Mode::Enforce => Self::Enforce,
        }
    }
}

impl From<ModeName> for Mode {
    fn from(mode: ModeName) -> Self {
        match mode {
            ModeName::Monitor => Self::Monitor,
            ModeName::Enforce => Self::Enforce,
        }
    }
}

/// What `allow-add` says of all prefixes that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntrySettings {
    /// Exclude the prefixes from wider ones instead of allowing them.
    #[serde(default)]
    pub exclude: bool,
    /// The profile; the default one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// From when on the entry is as good as absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Free text that lists and `explain` show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// The packet that `explain` asks about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Source address.
    pub source: IpAddr,
    /// Destination address; one of the documentation ranges if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<IpAddr>,
    /// TCP destination port.
    pub port: u16,
    /// TCP flags as on the wire (FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128).
    pub flags: u8,
    /// VLAN identifiers of the frame's tags, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<u16>,
    /// The interface that the packet arrives on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsWanted {
    /// Those that come from now on, instead of those that are remembered.
    #[serde(default)]
    pub follow: bool,
    /// Only those of these reasons; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Only those of these names; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Only those that concern a remote address in this prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Prefix>,
    /// Only detections that matter at least so much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The last so many of those that are remembered; with `follow`, the next so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// What a client asks for. `verb` on the wire is the name in kebab case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum Request {
    /// The state of the guard: [`Status`](super::view::Status).
    Status,
    /// What changes from one second to the next: [`CountersView`](super::counters_view::CountersView).
    Counters,
    /// Read all files again: [`ReloadReport`](super::view::ReloadReport).
    Reload,
    /// Take everything out of the kernel and end: [`Detached`](super::view::Detached).
    Detach,
    /// Tell the mode, or change it for good: [`ModeReport`](super::mode_view::ModeReport).
    Mode {
        /// The mode to change to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        set: Option<ModeName>,
    },
    /// Enforce mode, and monitor mode again when the time is over, unless `mode-confirm` comes before:
    /// [`ModeReport`](super::mode_view::ModeReport). A verb of its own: a daemon that does not know it enforces
    /// nothing.
    ModeTrial {
        /// How long.
        seconds: u64,
    },
    /// Enforce mode for good, while it is there for a time: [`ModeReport`](super::mode_view::ModeReport).
    ModeConfirm,
    /// Add entries to the file of the command line: [`AddReport`](super::view::AddReport).
    AllowAdd {
        /// The prefixes; a bare address is a host.
        #[serde(default)]
        prefixes: Vec<Prefix>,
        /// Names of hosts, without `host:`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        names: Vec<Host>,
        /// What is said of all of them.
        #[serde(default)]
        settings: EntrySettings,
    },
    /// Remove entries from the file of the command line:
    /// [`RemoveReport`](super::view::RemoveReport).
    AllowRemove {
        /// The prefixes, exactly as they are listed.
        #[serde(default)]
        prefixes: Vec<Prefix>,
        /// Names of hosts, without `host:`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        names: Vec<Host>,
    },
    /// All entries: parts of [`EntryView`](super::view::EntryView), then
    /// [`ListReport`](super::view::ListReport).
    AllowList,
    /// Add all entries of a text in the format of the allowlist files, or none of them:
    /// [`AddReport`](super::view::AddReport).
    AllowImport {
        /// What diagnostics call the text.
        name: PathBuf,
        /// The text, or the next piece of it.
        text: String,
        /// Another piece follows as the next request; only the last one is answered.
        #[serde(default)]
        more: bool,
    },
    /// Which entry an address matches: [`TestReport`](super::view::TestReport).
    AllowTest {
        /// The address.
        address: IpAddr,
    },
    /// Entries proposed from what monitor mode saw: parts of
    /// [`SuggestedEntry`](super::suggest_view::SuggestedEntry), then a
    /// [`SuggestReport`](super::suggest_view::SuggestReport). Nothing changes.
    AllowSuggest(SuggestWanted),
    /// What happens to a packet: [`Explanation`](super::view::Explanation).
    Explain {
        /// The packet.
        packet: Question,
    },
    /// The live sessions: parts of [`SessionMember`](super::session_view::SessionMember), then a
    /// [`SessionsReport`](super::session_view::SessionsReport).
    Sessions {
        /// Those of clients in this prefix only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<Prefix>,
    },
    /// What the connections of each source amount to: parts of
    /// [`SourceView`](super::session_view::SourceView), then a
    /// [`SourcesReport`](super::session_view::SourcesReport).
    Sources {
        /// Those in this prefix, or around it, only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<Prefix>,
    },
    /// The last events, or with `follow` those that come from now on: parts of
    /// [`Event`](crate::engine::events::Event), then an [`EventsReport`](super::event_view::EventsReport),
    /// which with `follow` comes when there have been `limit` events or the daemon ends.
    Events(EventsWanted),
    /// End sessions and their data connections: parts as of `sessions`, what was ended, then a
    /// [`KillView`](super::session_view::KillView).
    Kill {
        /// Whose.
        targets: Vec<Target>,
    },
    /// Ban sources, and end their sessions: [`BanAddReport`](super::ban_view::BanAddReport).
    BanAdd {
        /// The prefixes; a bare address is a host.
        prefixes: Vec<Prefix>,
        /// What is said of all of them.
        #[serde(default)]
        terms: BanTerms,
    },
    /// End bans: [`BanRemoveReport`](super::ban_view::BanRemoveReport).
    BanRemove {
        /// The prefixes, exactly as they were banned.
        prefixes: Vec<Prefix>,
        /// Forget the earlier bans as well, so that the next one is a first one.
        #[serde(default)]
        forget: bool,
    },
    /// The bans: parts of [`BanView`](super::ban_view::BanView), then a
    /// [`BanListReport`](super::ban_view::BanListReport).
    BanList {
        /// Those that are over, instead of those in force.
        #[serde(default)]
        history: bool,
    },
    /// Events of the history: parts of [`Event`](crate::engine::events::Event), then an
    /// [`EventsReport`](super::event_view::EventsReport).
    HistoryEvents(PastEventsWanted),
    /// Sessions of the history: parts of [`PastSession`](crate::store::history::PastSession), then a
    /// [`PastSessionsReport`](super::past::PastSessionsReport).
    SessionsPast(PastSessionsWanted),
    /// The summary for people who have to answer for the host: a [`Report`](crate::engine::report::Report).
    Report(ReportWanted),
}

/// The verbs of the protocol, as an error names them.
pub const VERBS: [&str; 24] = [
    "status",
    "counters",
    "reload",
    "detach",
    "mode",
    "mode-trial",
    "mode-confirm",
    "allow-add",
    "allow-remove",
    "allow-list",
    "allow-import",
    "allow-test",
    "allow-suggest",
    "explain",
    "sessions",
    "sources",
    "events",
    "kill",
    "ban-add",
    "ban-remove",
    "ban-list",
    "history-events",
    "sessions-past",
    "report",
];

/// A prefix in a request: as in an allowlist file, a bare address is a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(pub IpNet);

impl std::str::FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_prefix(text).map(Self)
    }
}

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.0.to_string()
    }
}

/// A name of a host in a request, without `host:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host(pub HostName);

impl TryFrom<String> for Host {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let name = HostName::parse(&text).map_err(|(_, message)| message)?;
        Ok(Self(name))
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.0.to_string()
    }
}

/// Whom `kill` concerns, in a request: the number of a session, or an address or prefix of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target(pub KillTarget);

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits {
            return match text.parse() {
                Ok(0) | Err(_) => Err(format!("{} is no number of a session", quoted(text))),
                Ok(id) => Ok(Self(KillTarget::Session(id))),
            };
        }
        parse_prefix(text).map(|prefix| Self(KillTarget::Clients(prefix)))
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            KillTarget::Session(id) => write!(f, "{id}"),
            KillTarget::Clients(prefix) if prefix.prefix_len() == prefix.max_prefix_len() => {
                write!(f, "{}", prefix.addr())
            }
            KillTarget::Clients(prefix) => write!(f, "{prefix}"),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosticView {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; 0 if it is the file as a whole.
    pub line: u32,
    /// Column, from 1; 0 as for the line.
    pub column: u32,
    /// What is wrong and what was expected.
    pub message: String,
}

impl std::fmt::Display for DiagnosticView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        write!(f, " {}", self.message)
    }
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What the command line exits with.
    pub exit_code: u8,
    /// One line for people.
    pub message: String,
    /// The mistakes in files, if that is what it failed for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<DiagnosticView>,
}

impl Failure {
    /// A failure without diagnostics.
    pub fn new(exit_code: u8, message: impl Into<String>) -> Self {
        Self {
            exit_code,
            message: message.into(),
            diagnostics: Vec::new(),
        }
    }

    /// A failure of the work itself.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(EXIT_FAILED, message)
    }

    /// A request that was not understood.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(EXIT_USAGE, message)
    }
}

/// One line from the server: some parts may come, then exactly one result or error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Some members of a list.
    Part(Vec<Value>),
    /// The end of a request that was done.
    Result(Value),
    /// The end of a request that failed.
    Error(Failure),
}

#[derive(Serialize)]
struct Outgoing<'a, T> {
    version: u32,
    #[serde(flatten)]
    body: &'a T,
}

#[derive(Deserialize)]
struct Incoming {
    version: u32,
    #[serde(flatten)]
    reply: Reply,
}

/// The line of a request or a reply, without the newline.
///
/// # Errors
///
/// When a value cannot be written as JSON: a path that is no UTF-8.
pub fn encode<T: Serialize>(body: &T) -> serde_json::Result<String> {
    serde_json::to_string(&Outgoing {
        version: VERSION,
        body,
    })
}

/// Reads a request.
///
/// # Errors
///
/// A [`Failure`] that says whether the line, the version, the verb or its arguments were wrong.
pub fn decode_request(line: &str) -> Result<Request, Failure> {
    let mut value: Value = serde_json::from_str(line)
        .map_err(|error| Failure::usage(format!("the request is no JSON object: {error}")))?;
    let object = value
        .as_object_mut()
        .ok_or_else(|| Failure::usage("the request is no JSON object"))?;
    match object.shift_remove("version") {
        Some(Value::Number(number)) if number.as_u64() == Some(u64::from(VERSION)) => {}
        Some(other) => {
            return Err(Failure::usage(format!(
                "protocol version {other} is not spoken here; this daemon speaks version {VERSION}"
            )));
        }
        None => {
            return Err(Failure::usage(format!(
                "the request names no protocol version; expected \"version\": {VERSION}"
            )));
        }
    }
    let verb = match object.get("verb") {
        Some(Value::String(verb)) => verb.clone(),
        _ => return Err(Failure::usage("the request names no verb")),
    };
    if !VERBS.contains(&verb.as_str()) {
        return Err(Failure::usage(format!(
            "the verb `{verb}` is unknown; this daemon knows {}",
            VERBS.join(", ")
        )));
    }
    serde_json::from_value(value)
        .map_err(|error| Failure::usage(format!("bad arguments of `{verb}`: {error}")))
}

/// Reads a reply line.
///
/// # Errors
///
/// When the line is no reply of this version of the protocol.
pub fn decode_reply(line: &str) -> Result<Reply, Failure> {
    let incoming: Incoming = serde_json::from_str(line)
        .map_err(|error| Failure::failed(format!("the daemon's reply is unreadable: {error}")))?;
    if incoming.version != VERSION {
        return Err(Failure::failed(format!(
            "the daemon speaks protocol version {}, this program version {VERSION}; \
             restart the daemon after an upgrade",
            incoming.version
        )));
    }
    Ok(incoming.reply)
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
