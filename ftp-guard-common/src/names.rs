//! Names of maps and programs, as `bpftool` shows them and as pins are called.

/// The XDP program.
pub const XDP_PROGRAM: &str = "ftpg_xdp";
/// The classifier on egress: what servers send.
pub const EGRESS_PROGRAM: &str = "ftpg_egress";
/// The classifier on ingress: what clients say on control connections, behind the XDP program.
pub const CONTROL_PROGRAM: &str = "ftpg_control";
/// The program on the tracepoint `inet_sock_set_state`: this host's sockets.
pub const SOCKETS_PROGRAM: &str = "ftpg_sock";

/// Configuration: array of one [`GuardConfig`](crate::config::GuardConfig).
pub const CONFIG_MAP: &str = "FTPG_CONFIG";
/// Port classes: array of one [`PortTable`](crate::ports::PortTable).
pub const PORTS_MAP: &str = "FTPG_PORTS";
/// Allowlist, what entries say that expire: [`Row`](crate::lookup::Row)s, as one value.
pub const ALLOW_ROWS_MAP: &str = "FTPG_A_ROWS";
/// Allowlist, how many entries it has: array of one [`AllowCounts`](crate::allow::AllowCounts).
pub const ALLOW_COUNTS_MAP: &str = "FTPG_A_COUNTS";
/// Allowlist, IPv4, two bits for each /16; this and the next five as [`lookup::v4`](crate::lookup::v4) tells.
pub const ALLOW_V4_KNOWN_MAP: &str = "FTPG_A4_KNOWN";
/// Allowlist, IPv4, by /16.
pub const ALLOW_V4_ROOT_MAP: &str = "FTPG_A4_ROOT";
/// Allowlist, IPv4, a bit for each /24.
pub const ALLOW_V4_BITS_MAP: &str = "FTPG_A4_BITS";
/// Allowlist, IPv4, entries of /24s: array of lines of 8 `u64`.
pub const ALLOW_V4_LINES_MAP: &str = "FTPG_A4_LINES";
/// Allowlist, IPv4, lists: array of `u64`.
pub const ALLOW_V4_POOL_MAP: &str = "FTPG_A4_POOL";
/// Allowlist, IPv4, size: array of one [`Lines`](crate::lookup::lines::Lines).
pub const ALLOW_V4_HEAD_MAP: &str = "FTPG_A4_HEAD";
/// Allowlist, IPv6, by /16; this and the next four as [`lookup::v6`](crate::lookup::v6) tells.
pub const ALLOW_V6_ROOT_MAP: &str = "FTPG_A6_ROOT";
/// Allowlist, IPv6, bits of units.
pub const ALLOW_V6_FILTER_MAP: &str = "FTPG_A6_FILTER";
/// Allowlist, IPv6, entries of units: array of lines of 8 `u64`.
pub const ALLOW_V6_LINES_MAP: &str = "FTPG_A6_LINES";
/// Allowlist, IPv6, prefixes and lists: array of `u64`.
pub const ALLOW_V6_POOL_MAP: &str = "FTPG_A6_POOL";
/// Allowlist, IPv6, sizes: array of one [`Head`](crate::lookup::v6::Head).
pub const ALLOW_V6_HEAD_MAP: &str = "FTPG_A6_HEAD";
/// Counters: per-CPU array of [`Counter`](crate::stats::Counter), indexed by
/// [`StatsKey::index`](crate::stats::StatsKey::index).
pub const STATS_MAP: &str = "FTPG_STATS";
/// Counters of the egress classifier, as [`STATS_MAP`]; the class is that of the source port.
pub const STATS_EGRESS_MAP: &str = "FTPG_STATS_EGR";
/// Counters of the ingress classifier, as [`STATS_MAP`].
pub const STATS_CONTROL_MAP: &str = "FTPG_STATS_CTL";
/// Sessions: hash of [`Session`](crate::session::Session) by [`FlowKey`](crate::address::FlowKey).
pub const SESSIONS_MAP: &str = "FTPG_SESSIONS";
/// Data connections: hash of [`Flow`](crate::session::Flow) by [`FlowKey`](crate::address::FlowKey).
pub const FLOWS_MAP: &str = "FTPG_FLOWS";
/// What stands in front of the data connections: [`Slot`](crate::front::Slot)s, as one value.
pub const FRONT_MAP: &str = "FTPG_FRONT";
/// Pinholes: hash of [`Pinhole`](crate::session::Pinhole) by
/// [`EndpointKey`](crate::address::EndpointKey).
pub const PINHOLES_MAP: &str = "FTPG_PINHOLES";
/// Named destinations: hash of [`Named`](crate::session::Named) by
/// [`EndpointKey`](crate::address::EndpointKey).
pub const NAMED_MAP: &str = "FTPG_NAMED";
/// Clients with sessions: hash of [`Client`](crate::session::Client) by
/// [`ClientKey`](crate::address::ClientKey).
pub const CLIENTS_MAP: &str = "FTPG_CLIENTS";
/// Listening sockets on passive ports: hash of [`Listener`](crate::session::Listener) by
/// [`ListenKey`](crate::address::ListenKey).
pub const LISTEN_MAP: &str = "FTPG_LISTEN";
/// Until when (CLOCK_MONOTONIC, nanoseconds) a port is negotiated by anyone: array of 65,536 `u64`.
pub const NEGOTIATED_MAP: &str = "FTPG_NEGOTIATED";
/// Numbers for sessions: per-CPU array of one `u64`.
pub const SEQUENCE_MAP: &str = "FTPG_SEQUENCE";
/// Profiles: array of [`Profile`](crate::limits::Profile), by number.
pub const PROFILES_MAP: &str = "FTPG_PROFILES";
/// Commands that profiles refuse: hash of `u8` by [`CommandKey`](crate::limits::CommandKey).
pub const COMMANDS_MAP: &str = "FTPG_COMMANDS";
/// IPv4 bans: longest-prefix trie of [`BanValue`](crate::ban::BanValue).
pub const BAN_V4_MAP: &str = "FTPG_BAN_V4";
/// IPv6 bans: longest-prefix trie of [`BanValue`](crate::ban::BanValue).
pub const BAN_V6_MAP: &str = "FTPG_BAN_V6";
/// Token buckets: array of `u64`, [`BUCKET_ROWS`](crate::limits::BUCKET_ROWS) rows one after the other.
pub const BUCKETS_MAP: &str = "FTPG_BUCKETS";
/// Sources with proven connections: hash of [`Source`](crate::limits::Source) by
/// [`SourceKey`](crate::limits::SourceKey).
pub const SOURCES_MAP: &str = "FTPG_SOURCES";
/// Control connections before their greeting: hash of [`Opening`](crate::limits::Opening) by
/// [`FlowKey`](crate::address::FlowKey).
pub const OPENING_MAP: &str = "FTPG_OPENING";
/// Acknowledgements that end a handshake: array of `u64`, the second of CLOCK_MONOTONIC above the
/// acknowledgement number.
pub const EXPECTED_MAP: &str = "FTPG_EXPECTED";
/// Listening control ports as SYN cookies imitate them: hash of [`Primed`](crate::limits::Primed) by
/// [`ListenKey`](crate::address::ListenKey).
pub const PRIMED_MAP: &str = "FTPG_PRIMED";
/// Attacks: array of one [`Attack`](crate::limits::Attack).
pub const ATTACK_MAP: &str = "FTPG_ATTACK";
/// Sysctls as they were: array of one [`Sysctls`](crate::limits::Sysctls).
pub const SYSCTLS_MAP: &str = "FTPG_SYSCTLS";
/// Events: ring buffer of [`Event`](crate::event::Event).
pub const EVENTS_MAP: &str = "FTPG_EVENTS";
/// Budgets of events: per-CPU array of [`EventBudget`](crate::event::EventBudget).
pub const EVENT_BUDGET_MAP: &str = "FTPG_EVENT_BUD";
/// What sessions say: ring buffer of [`TextHeader`](crate::text::TextHeader) and what follows it.
pub const TEXT_MAP: &str = "FTPG_TEXT";
/// Records that did not fit: per-CPU array of `u64`, by the number of a
/// [`TextKind`](crate::text::TextKind).
pub const TEXT_LOSS_MAP: &str = "FTPG_TEXT_LOSS";
/// Layout number: array of one `u32`, [`ABI_VERSION`](crate::ABI_VERSION).
pub const ABI_MAP: &str = "FTPG_ABI";

/// Pinned maps that a daemon takes over from the one before.
pub const KEPT_MAPS: [&str; 30] = [
    ABI_MAP,
    CONFIG_MAP,
    PORTS_MAP,
    STATS_MAP,
    STATS_EGRESS_MAP,
    STATS_CONTROL_MAP,
    SESSIONS_MAP,
    FLOWS_MAP,
    FRONT_MAP,
    PINHOLES_MAP,
    NAMED_MAP,
    CLIENTS_MAP,
    LISTEN_MAP,
    NEGOTIATED_MAP,
    SEQUENCE_MAP,
    PROFILES_MAP,
    COMMANDS_MAP,
    BAN_V4_MAP,
    BAN_V6_MAP,
    BUCKETS_MAP,
    SOURCES_MAP,
    OPENING_MAP,
    EXPECTED_MAP,
    PRIMED_MAP,
    ATTACK_MAP,
    SYSCTLS_MAP,
    EVENTS_MAP,
    EVENT_BUDGET_MAP,
    TEXT_MAP,
    TEXT_LOSS_MAP,
];

/// The maps of the allowlist. A daemon that starts makes them anew.
pub const ALLOW_MAPS: [&str; 13] = [
    ALLOW_ROWS_MAP,
    ALLOW_COUNTS_MAP,
    ALLOW_V4_KNOWN_MAP,
    ALLOW_V4_ROOT_MAP,
    ALLOW_V4_BITS_MAP,
    ALLOW_V4_LINES_MAP,
    ALLOW_V4_POOL_MAP,
    ALLOW_V4_HEAD_MAP,
    ALLOW_V6_ROOT_MAP,
    ALLOW_V6_FILTER_MAP,
    ALLOW_V6_LINES_MAP,
    ALLOW_V6_POOL_MAP,
    ALLOW_V6_HEAD_MAP,
];

/// All maps that are pinned.
pub const PINNED_MAPS: [&str; KEPT_MAPS.len() + ALLOW_MAPS.len()] = {
    let mut all = [""; KEPT_MAPS.len() + ALLOW_MAPS.len()];
    let mut i = 0;
    while i < all.len() {
        all[i] = if i < KEPT_MAPS.len() {
            KEPT_MAPS[i]
        } else {
            ALLOW_MAPS[i - KEPT_MAPS.len()]
        };
        i += 1;
    }
    all
};

/// All programs.
pub const PROGRAMS: [&str; 4] = [
    XDP_PROGRAM,
    EGRESS_PROGRAM,
    CONTROL_PROGRAM,
    SOCKETS_PROGRAM,
];

const _: () = {
    // The kernel keeps 15 characters and a terminator (BPF_OBJ_NAME_LEN); aya cuts without a word.
    let mut i = 0;
    while i < PROGRAMS.len() {
        assert!(PROGRAMS[i].len() <= 15);
        i += 1;
    }
    let mut i = 0;
    while i < PINNED_MAPS.len() {
        assert!(PINNED_MAPS[i].len() <= 15);
        i += 1;
    }
};
