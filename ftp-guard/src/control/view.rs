//! Results of requests: what `--json` prints, field for field. Fields are only ever added.

use std::{net::IpAddr, path::PathBuf};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ban_view::BanView,
    flood_view::FloodView,
    limit_view::ProfileView,
    mode_view::DeadlineView,
    name_view::{HostView, NamesView},
    protocol::ModeName,
    session_view::{PassiveView, SessionCounts, TableView},
    would_drop_view::WouldDropView,
};

/// An interface with the guard's program on it, as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceView {
    /// Name of the interface.
    pub interface: String,
    /// Its index.
    pub ifindex: u32,
    /// `native` or `generic`.
    pub mode: String,
    /// Number of the program that runs there.
    pub program_id: u32,
    /// How the classifiers are attached: `tcx` or `clsact`; absent: they are not.
    #[serde(default)]
    pub tc: Option<String>,
}

/// One counter that is not zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterView {
    /// `pass`, `drop`, `would_drop` or `answer`.
    pub verdict: String,
    /// Name of the reason, see `docs/reasons.md`.
    pub reason: String,
    /// Class of the destination port.
    pub class: String,
    /// `ipv4`, `ipv6` or `other`.
    pub family: String,
    /// Packets since the guard's tables were made.
    pub packets: u64,
    /// Bytes of those packets, from the Ethernet header on.
    pub bytes: u64,
}

/// An allowlist file and how many entries it gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileView {
    /// The file.
    pub file: PathBuf,
    /// Its entries, expired ones included.
    pub entries: u64,
}

/// The allowlist: what the kernel holds, and where it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowlistView {
    /// IPv4 entries in the kernel.
    pub ipv4: u64,
    /// IPv6 entries in the kernel.
    pub ipv6: u64,
    /// Room in the kernel for each family; absent without a daemon.
    #[serde(default)]
    pub max_entries: Option<u32>,
    /// The files; empty without a daemon.
    #[serde(default)]
    pub files: Vec<FileView>,
    /// What it takes now; absent without a daemon.
    #[serde(default)]
    pub memory: Option<MemoryView>,
    /// What it took before it last changed; absent while it has not.
    #[serde(default)]
    pub memory_before: Option<MemoryView>,
    /// The names of hosts; absent while there is none, and without a daemon.
    #[serde(default)]
    pub names: Option<NamesView>,
}

/// Memory of the allowlist, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryView {
    /// The arrays in the kernel.
    pub kernel_bytes: u64,
    /// What of them entries occupy; the rest is room for more.
    pub kernel_used_bytes: u64,
    /// The daemon's own list, texts of the files included.
    pub daemon_bytes: u64,
}

/// How the last reload ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReload {
    /// When.
    pub time: Timestamp,
    /// What asked for it: `start`, `signal`, `command` or `files`.
    pub cause: String,
    /// Whether it was applied.
    pub success: bool,
    /// Why it was refused.
    #[serde(default)]
    pub error: Option<String>,
}

/// The daemon of a [`Status`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonView {
    /// Its version.
    pub version: String,
    /// Its process number.
    pub pid: u32,
    /// When it started.
    pub started: Timestamp,
    /// Seconds since then.
    pub uptime_seconds: u64,
    /// Its configuration file.
    pub configuration: PathBuf,
    /// Its control socket.
    pub control_socket: PathBuf,
    /// The address of its metrics.
    #[serde(default)]
    pub metrics: Option<String>,
    /// How the last reload ended; the start counts as one.
    pub last_reload: LastReload,
}

/// Result of `status`. The default: no daemon answered, and nothing is enforced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whether a daemon answered. Without one the rest is read from the pins.
    pub running: bool,
    /// The daemon, if one runs.
    #[serde(default)]
    pub daemon: Option<DaemonView>,
    /// The mode in force, by the kernel; absent when nothing is pinned.
    #[serde(default)]
    pub mode: Option<ModeName>,
    /// When enforce mode ends unless it is confirmed.
    #[serde(default)]
    pub deadline: Option<DeadlineView>,
    /// When enforce mode ended since nobody confirmed it, if that is why the guard is in monitor mode. Without a
    /// daemon, and after a start of it, only what the kernel still has is known.
    #[serde(default)]
    pub fell_back: Option<Timestamp>,
    /// Folder of the pins.
    pub pin_path: PathBuf,
    /// Interfaces with the guard's program.
    pub interfaces: Vec<InterfaceView>,
    /// Configured interfaces without it.
    pub missing_interfaces: Vec<String>,
    /// Interfaces that hold an address and that the configuration leaves out.
    pub uncovered_interfaces: Vec<String>,
    /// The allowlist.
    pub allowlist: AllowlistView,
    /// `host` or `router`; absent without a daemon.
    #[serde(default)]
    pub role: Option<String>,
    /// Live sessions and data connections; absent without a daemon.
    #[serde(default)]
    pub sessions: Option<SessionCounts>,
    /// The passive ports; absent without a daemon.
    #[serde(default)]
    pub passive_ports: Option<PassiveView>,
    /// How full the tables are; empty without a daemon.
    #[serde(default)]
    pub tables: Vec<TableView>,
    /// Floods and what is done about them; absent without a daemon.
    #[serde(default)]
    pub flood: Option<FloodView>,
    /// The clients that would have been kept out; absent in enforce mode and without a daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_drop: Option<WouldDropView>,
    /// Counters of the XDP program that are not zero.
    pub counters: Vec<CounterView>,
    /// Those of the classifier on egress; the class is that of the source port.
    #[serde(default)]
    pub egress_counters: Vec<CounterView>,
    /// Those of the classifier on ingress, which reads control connections.
    #[serde(default)]
    pub control_counters: Vec<CounterView>,
    /// What deserves attention.
    pub warnings: Vec<String>,
}

/// An allowlist entry and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryView {
    /// The prefix.
    pub prefix: IpNet,
    /// `allow` or `exclude`.
    pub kind: String,
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
    /// Whether the kernel holds it right now; an expired entry is not held.
    pub active: bool,
    /// The entry as one would write it in a file.
    pub text: String,
    /// The name whose address it is; `text` is then the entry of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// Result of `allow-list`, behind its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListReport {
    /// How many entries the parts held.
    pub entries: u64,
    /// The entries that name hosts.
    #[serde(default)]
    pub names: Vec<HostView>,
}

/// What became of one entry of `allow-add` or `allow-import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedView {
    /// The prefix.
    pub prefix: IpNet,
    /// `added`, `changed` or `present`.
    pub outcome: String,
    /// The file it stands in now.
    pub file: PathBuf,
    /// The line it stands on now, from 1.
    pub line: u32,
}

/// What became of one name of `allow-add`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedNameView {
    /// The name.
    pub host: String,
    /// `added`, `changed` or `present`.
    pub outcome: String,
    /// The file it stands in now.
    pub file: PathBuf,
    /// The line it stands on now, from 1.
    pub line: u32,
}

/// Result of `allow-add` and `allow-import`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddReport {
    /// Entries that are new.
    pub added: u64,
    /// Entries of the command line's file that were there with other settings.
    pub changed: u64,
    /// Entries that were there already.
    pub present: u64,
    /// One by one, for `allow-add`; empty for `allow-import`.
    #[serde(default)]
    pub entries: Vec<AddedView>,
    /// The names, likewise. They are counted above.
    #[serde(default)]
    pub names: Vec<AddedNameView>,
}

/// Result of `allow-remove`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveReport {
    /// Prefixes that were taken off.
    pub removed: Vec<IpNet>,
    /// Prefixes that were not listed.
    pub absent: Vec<IpNet>,
    /// Names that were taken off.
    #[serde(default)]
    pub removed_names: Vec<String>,
    /// Names that were not listed.
    #[serde(default)]
    pub absent_names: Vec<String>,
}

/// Result of `allow-test`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestReport {
    /// The address.
    pub address: IpAddr,
    /// Whether it may use FTP.
    pub allowed: bool,
    /// `listed`, `not_listed`, `excluded`, `expired` or `banned`. (Packets of a source whose entry has expired
    /// count as `expired` until the entry is swept, a second later at most, then as `not_listed`.)
    pub reason: String,
    /// The entry that decided, or would without a ban; for `expired` the most specific expired one.
    #[serde(default)]
    pub entry: Option<EntryView>,
    /// The ban that keeps it out.
    #[serde(default)]
    pub ban: Option<BanView>,
    /// What the source may, or would without a ban; nothing when it is not listed.
    #[serde(default)]
    pub profile: Option<ProfileView>,
}

/// Result of `reload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// Allowlist entries that were added to the kernel or changed there.
    pub inserted: u64,
    /// Allowlist entries that were removed from the kernel.
    pub removed: u64,
    /// Allowlist entries in the kernel now.
    pub entries: u64,
    /// The new mode, if it changed.
    #[serde(default)]
    pub mode: Option<ModeName>,
    /// Whether the port classes changed.
    pub ports_changed: bool,
    /// Whether profiles, limits, or settings of bans and events changed.
    #[serde(default)]
    pub limits_changed: bool,
    /// Interfaces that the program was attached to.
    pub attached: Vec<String>,
    /// Interfaces that the program was detached from.
    pub detached: Vec<String>,
    /// Keys of the configuration that changed and take effect at the next start of the daemon.
    pub restart_needed: Vec<String>,
    /// How long the parts of it took.
    #[serde(default)]
    pub timings: Timings,
    /// What deserves attention.
    pub warnings: Vec<String>,
}

/// How long a reload took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Reading all files.
    pub read_ms: u64,
    /// Finding out what differs from what is enforced.
    pub plan_ms: u64,
    /// Bringing the kernel to it.
    pub apply_ms: u64,
}

impl ReloadReport {
    /// Whether the reload changed what is enforced.
    pub fn changed(&self) -> bool {
        self.inserted > 0
            || self.removed > 0
            || self.mode.is_some()
            || self.ports_changed
            || self.limits_changed
            || !self.attached.is_empty()
            || !self.detached.is_empty()
    }
}

/// Result of `detach`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detached {
    /// Interfaces that the program was taken off.
    pub interfaces: Vec<String>,
}

/// Result of `explain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// `pass`, `drop`, `would_drop` or `answer`.
    pub verdict: String,
    /// Name of the reason.
    pub reason: String,
    /// The reason in words.
    pub explanation: String,
    /// Class of the destination port.
    pub class: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// The kernel's mode.
    pub mode: ModeName,
    /// The allowlist entry that covers the source, whether or not it decided.
    #[serde(default)]
    pub entry: Option<EntryView>,
    /// What the source may, if that entry allows it.
    #[serde(default)]
    pub profile: Option<ProfileView>,
    /// The interface that was asked about.
    #[serde(default)]
    pub interface: Option<String>,
    /// Whether the guard's program runs on that interface, or on any if none was named. If not,
    /// the packet passes unseen, whatever the verdict says.
    pub covered: bool,
    /// Interfaces with the guard's program.
    pub interfaces: Vec<String>,
}
