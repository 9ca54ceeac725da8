//! The bans: a longest-prefix trie for each family, written as those of the allowlist.

use aya_ebpf::{
    btf_maps::{LpmTrie, lpm_trie::Key},
    macros::btf_map,
};
use ftp_guard_common::ban::BanValue;

/// The loader sets the real size; nodes are allocated as entries come.
const MAX_ENTRIES: usize = 1024;

#[btf_map]
static FTPG_BAN_V4: LpmTrie<[u8; 4], BanValue, MAX_ENTRIES> = LpmTrie::new();

#[btf_map]
static FTPG_BAN_V6: LpmTrie<[u8; 16], BanValue, MAX_ENTRIES> = LpmTrie::new();

/// The entry of the longest prefix, of at most `prefix_len` bits, that covers an IPv4 address.
#[inline(always)]
pub fn lookup_v4(address: [u8; 4], prefix_len: u32) -> Option<BanValue> {
    FTPG_BAN_V4.get(&Key::new(prefix_len, address)).copied()
}

/// The entry of the longest prefix, of at most `prefix_len` bits, that covers an IPv6 address.
#[inline(always)]
pub fn lookup_v6(address: [u8; 16], prefix_len: u32) -> Option<BanValue> {
    FTPG_BAN_V6.get(&Key::new(prefix_len, address)).copied()
}
