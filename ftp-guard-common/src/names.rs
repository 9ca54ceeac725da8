//! Names of maps and programs, as `bpftool` shows them and as pins are called.

/// The XDP program.
pub const XDP_PROGRAM: &str = "ftpg_xdp";

/// Configuration: array of one [`GuardConfig`](crate::config::GuardConfig).
pub const CONFIG_MAP: &str = "FTPG_CONFIG";
/// Port classes: array of one [`PortTable`](crate::ports::PortTable).
pub const PORTS_MAP: &str = "FTPG_PORTS";
/// IPv4 allowlist: longest-prefix trie of [`AllowValue`](crate::allow::AllowValue).
pub const ALLOW_V4_MAP: &str = "FTPG_ALLOW_V4";
/// IPv6 allowlist: longest-prefix trie of [`AllowValue`](crate::allow::AllowValue).
pub const ALLOW_V6_MAP: &str = "FTPG_ALLOW_V6";
/// Counters: per-CPU array of [`Counter`](crate::stats::Counter), indexed by
/// [`StatsKey::index`](crate::stats::StatsKey::index).
pub const STATS_MAP: &str = "FTPG_STATS";
/// Layout number: array of one `u32`, [`ABI_VERSION`](crate::ABI_VERSION).
pub const ABI_MAP: &str = "FTPG_ABI";

/// All maps that are pinned.
pub const PINNED_MAPS: [&str; 6] = [
    ABI_MAP,
    CONFIG_MAP,
    PORTS_MAP,
    ALLOW_V4_MAP,
    ALLOW_V6_MAP,
    STATS_MAP,
];

const _: () = {
    // The kernel keeps 15 characters and a terminator (BPF_OBJ_NAME_LEN); aya cuts without a word.
    assert!(XDP_PROGRAM.len() <= 15);
    let mut i = 0;
    while i < PINNED_MAPS.len() {
        assert!(PINNED_MAPS[i].len() <= 15);
        i += 1;
    }
};
