//! The one description of all keys.

pub(in crate::config) mod bans;
pub(in crate::config) mod detect;
pub(in crate::config) mod events;
pub(in crate::config) mod export;
mod guard;
pub(in crate::config) mod history;
pub(in crate::config) mod inspect;
pub(in crate::config) mod limits;
pub(in crate::config) mod names;
pub(in crate::config) mod profile;

pub(in crate::config) use guard::*;

/// A key of the configuration file.
pub(in crate::config) struct Key {
    /// The table that it is in; empty: the top level.
    pub(in crate::config) table: &'static str,
    /// Its name in that table.
    pub(in crate::config) name: &'static str,
    /// Which values it takes, for people.
    pub(in crate::config) kind: &'static str,
    /// What holds when it is not given.
    pub(in crate::config) default: Default,
    /// What it is for: Markdown, one paragraph.
    pub(in crate::config) doc: &'static str,
}

/// What holds when a key is not given.
pub(in crate::config) enum Default {
    /// This value, in TOML.
    Value(&'static str),
    /// A value that depends on other keys, described.
    Derived(&'static str),
    /// Nothing: the key must be given.
    Required {
        /// Why there is no default and what to write, for the error message.
        why: &'static str,
        /// A value for the example file, in TOML.
        example: &'static str,
    },
}

impl Key {
    /// `table.name`, as messages call it.
    pub(in crate::config) fn path(&self) -> String {
        if self.table.is_empty() {
            self.name.to_owned()
        } else {
            format!("{}.{}", self.table, self.name)
        }
    }
}

/// A table of the configuration file.
pub(in crate::config) struct Table {
    /// Its name; empty: the top level.
    pub(in crate::config) name: &'static str,
    /// What it is for: Markdown, one paragraph.
    pub(in crate::config) doc: &'static str,
}

/// The name of the table whose members are the profiles, `[profile.NAME]`.
pub(in crate::config) const PROFILE_TABLE: &str = "profile";

/// What stands for the table of any profile: messages call a key by the profile's own name.
pub(in crate::config) const PROFILE_KEYS: &str = "profile.NAME";

/// All tables, in the order of the reference.
pub(in crate::config) const TABLES: [Table; 16] = [
    Table {
        name: "",
        doc: "These keys stand at the top of the file, before the first `[table]`.",
    },
    Table {
        name: "ftp",
        doc: "Which ports belong to FTP. A port can be in one class only; ports of no class are \
              never touched. Port 22 is refused in every class, so that no typing mistake cuts \
              SSH.",
    },
    Table {
        name: "sessions",
        doc: "Control connections, and the data connections that belong to them.",
    },
    Table {
        name: "allow",
        doc: "Which sources may use FTP.",
    },
    Table {
        name: "names",
        doc: "How the names of `host:` entries are resolved, and how long what DNS says holds. \
              [names.md](names.md) explains it.",
    },
    Table {
        name: PROFILE_KEYS,
        doc: "A profile: a named set of limits that allowlist entries refer to by `profile=NAME`. \
              Names are made of letters, digits, `-` and `_`, at most 63; there can be 255 of them \
              beside `default`, which exists always and is that of entries that name none. A key \
              that a profile does not set has the value of `[profile.default]`, or else the default \
              here. Limits count by source, `limits.ipv6_source_prefix`; a reload changes them for \
              connections that live, too.",
    },
    Table {
        name: "limits",
        doc: "Limits beside those of profiles: for many sources together, and for floods. They \
              count without keeping anything of a source that has not proven its address, in \
              tables of fixed size. Sources that are not on the allowlist do not count: what they \
              send is dropped before.",
    },
    Table {
        name: "bans",
        doc: "Sources that were banned, by command or by a rule, are dropped (`banned`) whatever \
              the allowlist says, and their open sessions are ended.",
    },
    Table {
        name: "events",
        doc: "What the guard reports of single packets that it drops: to `ftp-guard events` and to \
              the log.",
    },
    Table {
        name: "inspect",
        doc: "What the guard reads on control connections beyond what it decides by. Passwords are not \
              part of it: the programs write `*` for each byte of the argument of PASS and ACCT \
              before anything reaches the daemon.",
    },
    Table {
        name: "detect",
        doc: "What is detected in sessions, how often is too often, and what follows. \
              [detections.md](detections.md) has the rules.",
    },
    Table {
        name: "history",
        doc: "What happened and who was there, kept in a file. When it cannot be written, the log says \
              so once, what is missed is counted, and the guard goes on; passwords are never in it. \
              See history.md.",
    },
    Table {
        name: "export",
        doc: "The same for other programs, as it happens: lines in a file or in the journal.",
    },
    Table {
        name: "metrics",
        doc: "The Prometheus exporter.",
    },
    Table {
        name: "control",
        doc: "The socket through which the command line talks to the daemon.",
    },
    Table {
        name: "bpf",
        doc: "What stays in the kernel when the daemon ends.",
    },
];

/// All keys, in the order of the reference.
pub(in crate::config) const KEYS: [&Key; 91] = [
    &MODE,
    &ROLE,
    &INTERFACES,
    &XDP_MODE,
    &CONTROL_PORTS,
    &ACTIVE_DATA_PORTS,
    &PASSIVE_PORTS,
    &SERVER_CONFIGS,
    &FXP,
    &GUARD_OUTSIDE_RANGE,
    &SESSIONS_MAX,
    &SESSIONS_MAX_DATA,
    &IDLE_TIMEOUT,
    &PINHOLE_TIMEOUT,
    &MAX_PINHOLES,
    &FILES,
    &CLI_FILE,
    &MAX_ENTRIES,
    &names::SERVERS,
    &names::TIMEOUT,
    &names::MIN_TTL,
    &names::MAX_TTL,
    &names::LINGER,
    &names::KEEP,
    &names::MAX_NAMES,
    &names::MAX_ADDRESSES,
    &names::PRIVATE,
    &names::NAMES_FILE,
    &profile::CONNECTIONS_PER_SECOND,
    &profile::CONNECTIONS_BURST,
    &profile::MAX_SESSIONS,
    &profile::MAX_DATA_CONNECTIONS,
    &profile::LOGIN_TIME,
    &profile::IDLE_TIME,
    &profile::DATA_IDLE_TIME,
    &profile::CONTROL_PACKETS_PER_SECOND,
    &profile::CONTROL_PACKETS_BURST,
    &profile::REQUIRE_TLS,
    &profile::ANONYMOUS,
    &profile::READ_ONLY,
    &profile::DENY_COMMANDS,
    &limits::IPV6_SOURCE_PREFIX,
    &limits::NETWORK_CONNECTIONS_PER_SECOND,
    &limits::NETWORK_CONNECTIONS_BURST,
    &limits::TOTAL_CONNECTIONS_PER_SECOND,
    &limits::TOTAL_CONNECTIONS_BURST,
    &limits::STRAY_PACKETS_PER_SECOND,
    &limits::STRAY_PACKETS_BURST,
    &limits::TOTAL_STRAY_PACKETS_PER_SECOND,
    &limits::TOTAL_STRAY_PACKETS_BURST,
    &limits::SYN_COOKIES,
    &limits::ATTACK_RATE,
    &limits::ATTACK_HOLD,
    &bans::FILE,
    &bans::NEVER_BAN,
    &bans::DEFAULT_TIME,
    &bans::ESCALATION,
    &bans::MAX_TIME,
    &bans::FORGET,
    &bans::BAN_ENTRIES,
    &events::PER_SECOND,
    &events::BURST,
    &events::JOURNAL,
    &inspect::ENABLED,
    &inspect::ODD_PORTS,
    &inspect::FILE_NAMES,
    &detect::ENABLED,
    &detect::BAN,
    &detect::BAN_TIME,
    &detect::END_SESSIONS,
    &detect::DISABLE,
    &detect::IGNORE,
    &detect::WINDOW,
    &detect::MAX_FAILURES,
    &detect::MAX_FAILURES_ALL,
    &detect::MAX_TLS_FAILURES,
    &detect::MAX_DELETES,
    &detect::MAX_RENAMES,
    &detect::MAX_COMMANDS,
    &detect::REPEAT,
    &detect::CVE_FILE,
    &history::ENABLED,
    &history::HISTORY_FILE,
    &history::KEEP,
    &history::MAX_SIZE,
    &export::EXPORT_FILE,
    &export::EXPORT_JOURNAL,
    &export::FORMAT,
    &LISTEN,
    &SOCKET,
    &PIN_PATH,
];

/// The keys of one table.
pub(in crate::config) fn keys_of(table: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.into_iter().filter(move |key| key.table == table)
}
