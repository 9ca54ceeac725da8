//! The metrics: names, labels and help texts.

use super::session_catalogue::{
    ANONYMOUS, BEGUN, BINARY, COMMANDS, CONFLICTING, DETECTIONS, DURATION, FINISHED, FOREIGN,
    INCOMPLETE, LOGINS, LOST_BYTES, LOST_RECORDS, ODD_PORTS, OVERLONG, REPLIES, SOFTWARE,
    SOFTWARE_OVERFLOW, TRANSFERRED, TRANSFERS, UNWATCHED, WATCHED, WATCHED_MAX,
};

/// A metric: its name behind `ftp_guard_`, its type, its labels, what it says.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Labels, in order.
    pub labels: &'static [&'static str],
    /// Help text.
    pub help: &'static str,
}

pub(super) const PACKETS: Metric = Metric {
    name: "ftp_guard_packets_total",
    kind: "counter",
    labels: &["verdict", "reason", "class", "family"],
    help: "Packets from clients that the guard has judged, by verdict, reason, class of the \
           destination port and IP version.",
};
pub(super) const BYTES: Metric = Metric {
    name: "ftp_guard_bytes_total",
    kind: "counter",
    labels: &["verdict", "reason", "class", "family"],
    help: "Bytes of the packets from clients that the guard has judged, from the Ethernet header on.",
};
pub(super) const EGRESS_PACKETS: Metric = Metric {
    name: "ftp_guard_egress_packets_total",
    kind: "counter",
    labels: &["verdict", "reason", "class", "family"],
    help: "Packets to clients that the guard has judged; the class is that of the source port.",
};
pub(super) const EGRESS_BYTES: Metric = Metric {
    name: "ftp_guard_egress_bytes_total",
    kind: "counter",
    labels: &["verdict", "reason", "class", "family"],
    help: "Bytes of the packets to clients that the guard has judged.",
};
pub(super) const CONTROL_PACKETS: Metric = Metric {
    name: "ftp_guard_control_packets_total",
    kind: "counter",
    labels: &["verdict", "reason", "class", "family"],
    help: "Packets from clients whose commands the guard has read, behind the first judgement.",
};
pub(super) const CONTROL_BYTES: Metric = Metric {
    name: "ftp_guard_control_bytes_total",
    kind: "counter",
    labels: &["verdict", "reason", "class", "family"],
    help: "Bytes of the packets from clients whose commands the guard has read.",
};
pub(super) const SESSIONS: Metric = Metric {
    name: "ftp_guard_sessions",
    kind: "gauge",
    labels: &["tls"],
    help: "Live sessions, by the state of the control connection (clear, tls, unknown: taken over \
           in its middle).",
};
pub(super) const DATA: Metric = Metric {
    name: "ftp_guard_data_connections",
    kind: "gauge",
    labels: &["kind"],
    help: "Live data connections, by who opened them (passive: the client, active: the server, \
           outgoing: this host, from a port that only happens to be one of FTP).",
};
pub(super) const PINHOLES: Metric = Metric {
    name: "ftp_guard_pinholes",
    kind: "gauge",
    labels: &[],
    help: "Negotiated passive ports that wait for their data connection.",
};
pub(super) const TABLE_ENTRIES: Metric = Metric {
    name: "ftp_guard_table_entries",
    kind: "gauge",
    labels: &["table"],
    help: "Entries of the kernel's state tables, those that linger after their end included.",
};
pub(super) const TABLE_SIZE: Metric = Metric {
    name: "ftp_guard_table_size",
    kind: "gauge",
    labels: &["table"],
    help: "Entries that the kernel's state tables have room for (sessions.max, sessions.max_data, \
           bans.max_entries).",
};
pub(super) const PASSIVE: Metric = Metric {
    name: "ftp_guard_passive_ports",
    kind: "gauge",
    labels: &["state"],
    help: "Passive ports: configured, listening (0 on a router), in_use by a data connection, and \
           the highest number in use since the daemon started, looked at once a second.",
};
pub(super) const OUTSIDE: Metric = Metric {
    name: "ftp_guard_passive_outside_range",
    kind: "gauge",
    labels: &[],
    help: "Ports outside the configured ranges that a session has named or that carry a passive \
           data connection.",
};
pub(super) const EXHAUSTION: Metric = Metric {
    name: "ftp_guard_passive_exhaustion_seconds",
    kind: "gauge",
    labels: &[],
    help: "Time until every passive port listens or is in use, should their number grow as in the \
           last minute; +Inf when it does not grow.",
};
pub(super) const ENTRIES: Metric = Metric {
    name: "ftp_guard_allowlist_entries",
    kind: "gauge",
    labels: &["family", "kind"],
    help: "Allowlist entries that the kernel holds, by IP version and kind (allow, exclude).",
};
pub(super) const CAPACITY: Metric = Metric {
    name: "ftp_guard_allowlist_max_entries",
    kind: "gauge",
    labels: &[],
    help: "Allowlist entries of one IP version that fit into the kernel (allow.max_entries).",
};
pub(super) const MEMORY: Metric = Metric {
    name: "ftp_guard_allowlist_memory_bytes",
    kind: "gauge",
    labels: &["part"],
    help: "Memory of the allowlist: the arrays in the kernel (kernel), what of them entries occupy \
           (kernel_used), and the daemon's own list with the texts of the files (daemon).",
};
pub(super) const NAMES: Metric = Metric {
    name: "ftp_guard_names",
    kind: "gauge",
    labels: &["state"],
    help: "Names of hosts in the allowlist, by state (resolved, failing: DNS gives no answer, or says that \
           there is no such name or no address).",
};
pub(super) const NAME_ADDRESSES: Metric = Metric {
    name: "ftp_guard_name_addresses",
    kind: "gauge",
    labels: &[],
    help: "Addresses that names of hosts in the allowlist have.",
};
pub(super) const NAME_AGE: Metric = Metric {
    name: "ftp_guard_name_oldest_answer_seconds",
    kind: "gauge",
    labels: &[],
    help: "How old the oldest of the last good answers about names is; 0 without one.",
};
pub(super) const ATTACHED: Metric = Metric {
    name: "ftp_guard_interface_attached",
    kind: "gauge",
    labels: &["interface", "mode"],
    help: "1 for each interface that the guard's program runs on, with its XDP mode (native, \
           generic); 0 with mode \"none\" for a configured interface without it.",
};
pub(super) const MODE: Metric = Metric {
    name: "ftp_guard_mode",
    kind: "gauge",
    labels: &["mode"],
    help: "1 for the mode in force (enforce, monitor), 0 for the other.",
};
pub(super) const MODE_DEADLINE: Metric = Metric {
    name: "ftp_guard_mode_deadline_timestamp_seconds",
    kind: "gauge",
    labels: &[],
    help: "Unix time at which enforce mode ends unless it is confirmed; 0 without a deadline.",
};
pub(super) const MODE_FALLBACKS: Metric = Metric {
    name: "ftp_guard_mode_fallbacks_total",
    kind: "counter",
    labels: &[],
    help: "How often enforce mode has ended since nobody confirmed it in time.",
};
pub(super) const RELOADS: Metric = Metric {
    name: "ftp_guard_reloads_total",
    kind: "counter",
    labels: &["result"],
    help: "Reloads of the configuration and the allowlists, by result (success, failure).",
};
pub(super) const RELOAD_SUCCESS: Metric = Metric {
    name: "ftp_guard_last_reload_success",
    kind: "gauge",
    labels: &[],
    help: "1 if the last reload was applied, 0 if it was refused; the start counts as one.",
};
pub(super) const RELOAD_TIME: Metric = Metric {
    name: "ftp_guard_last_reload_success_timestamp_seconds",
    kind: "gauge",
    labels: &[],
    help: "Unix time of the last reload that was applied; the start counts as one.",
};
pub(super) const ENDED: Metric = Metric {
    name: "ftp_guard_sessions_ended_total",
    kind: "counter",
    labels: &["reason"],
    help: "Sessions that the guard has ended, by reason (login_timeout, idle_timeout, \
           data_idle_timeout: a data connection alone, ports_held, killed, revoked, banned, policy); control \
           connections before their greeting included.",
};
pub(super) const WOULD_END: Metric = Metric {
    name: "ftp_guard_sessions_would_end_total",
    kind: "counter",
    labels: &["reason"],
    help: "Sessions that the guard would have ended in enforce mode, each once, by reason.",
};
pub(super) const ATTACK: Metric = Metric {
    name: "ftp_guard_attack",
    kind: "gauge",
    labels: &[],
    help: "1 while an attack is under way (limits.attack_rate, limits.attack_hold), else 0.",
};
pub(super) const ATTACKS: Metric = Metric {
    name: "ftp_guard_attacks_total",
    kind: "counter",
    labels: &[],
    help: "Attacks that have begun.",
};
pub(super) const ATTACK_RATE: Metric = Metric {
    name: "ftp_guard_attack_packets_per_second",
    kind: "gauge",
    labels: &[],
    help: "Connection requests of listed sources and segments of no connection, a second, in the last \
           tenth of one: what limits.attack_rate is compared with.",
};
pub(super) const ABSORBED: Metric = Metric {
    name: "ftp_guard_absorbed_packets_per_second",
    kind: "gauge",
    labels: &[],
    help: "Packets from clients that were dropped, or answered with a SYN cookie, in the last second.",
};
pub(super) const COOKIES_AVAILABLE: Metric = Metric {
    name: "ftp_guard_syn_cookies_available",
    kind: "gauge",
    labels: &[],
    help: "1 if the guard can send SYN cookies here and limits.syn_cookies is not \"off\", else 0.",
};
pub(super) const COOKIES_ENGAGED: Metric = Metric {
    name: "ftp_guard_syn_cookies_engaged",
    kind: "gauge",
    labels: &[],
    help: "1 while the guard sends SYN cookies where it has to, else 0. How many it sent and took back \
           is in ftp_guard_packets_total, reasons syn_cookie and cookie_accepted.",
};
pub(super) const BANS: Metric = Metric {
    name: "ftp_guard_bans",
    kind: "gauge",
    labels: &["origin"],
    help: "Bans in force, by what kind of hand they came from (cli, rule).",
};
pub(super) const EVENTS: Metric = Metric {
    name: "ftp_guard_events_total",
    kind: "counter",
    labels: &["event"],
    help: "Events since the daemon started, by name; dropped packets are sampled.",
};
pub(super) const EVENTS_LOST: Metric = Metric {
    name: "ftp_guard_events_lost_total",
    kind: "counter",
    labels: &[],
    help: "Events that a reader of `ftp-guard events --follow`, or the log, was too slow for.",
};
pub(super) const SUPPRESSED: Metric = Metric {
    name: "ftp_guard_events_suppressed_total",
    kind: "counter",
    labels: &["reason"],
    help: "Packets that were dropped and not reported as an event (events.per_second), by reason.",
};
pub(super) const BUILD: Metric = Metric {
    name: "ftp_guard_build_info",
    kind: "gauge",
    labels: &["version", "abi"],
    help: "1, with the daemon's version and the layout number of its pinned tables.",
};

pub(super) const HISTORY_WORKS: Metric = Metric {
    name: "ftp_guard_history_working",
    kind: "gauge",
    labels: &[],
    help: "1 while the history is written; 0 when it is switched off, or cannot be written.",
};
pub(super) const HISTORY_BYTES: Metric = Metric {
    name: "ftp_guard_history_bytes",
    kind: "gauge",
    labels: &[],
    help: "Bytes of the history's file that hold something.",
};
pub(super) const HISTORY_ENTRIES: Metric = Metric {
    name: "ftp_guard_history_entries_total",
    kind: "counter",
    labels: &["outcome"],
    help: "Events and sessions that were written to the history, or lost to it. A session counts each \
           time that it is written.",
};
pub(super) const EXPORT_LINES: Metric = Metric {
    name: "ftp_guard_export_lines_total",
    kind: "counter",
    labels: &["outcome"],
    help: "Lines of the export that were written, or lost.",
};

/// All metrics of the guard; those of the process come from the `prometheus` crate.
pub const METRICS: [Metric; 67] = [
    PACKETS,
    BYTES,
    EGRESS_PACKETS,
    EGRESS_BYTES,
    CONTROL_PACKETS,
    CONTROL_BYTES,
    SESSIONS,
    DATA,
    PINHOLES,
    TABLE_ENTRIES,
    TABLE_SIZE,
    PASSIVE,
    OUTSIDE,
    EXHAUSTION,
    ENTRIES,
    CAPACITY,
    MEMORY,
    NAMES,
    NAME_ADDRESSES,
    NAME_AGE,
    ATTACHED,
    MODE,
    MODE_DEADLINE,
    MODE_FALLBACKS,
    RELOADS,
    RELOAD_SUCCESS,
    RELOAD_TIME,
    BUILD,
    ENDED,
    WOULD_END,
    ATTACK,
    ATTACKS,
    ATTACK_RATE,
    ABSORBED,
    COOKIES_AVAILABLE,
    COOKIES_ENGAGED,
    BANS,
    EVENTS,
    EVENTS_LOST,
    SUPPRESSED,
    BEGUN,
    FINISHED,
    LOGINS,
    ANONYMOUS,
    TRANSFERS,
    INCOMPLETE,
    TRANSFERRED,
    DURATION,
    COMMANDS,
    REPLIES,
    DETECTIONS,
    SOFTWARE,
    SOFTWARE_OVERFLOW,
    FOREIGN,
    ODD_PORTS,
    OVERLONG,
    BINARY,
    WATCHED,
    WATCHED_MAX,
    UNWATCHED,
    LOST_BYTES,
    CONFLICTING,
    LOST_RECORDS,
    HISTORY_WORKS,
    HISTORY_BYTES,
    HISTORY_ENTRIES,
    EXPORT_LINES,
];
