//! The profiles.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ftp_guard_common::limits::{PROFILES, Profile};

#[btf_map]
static FTPG_PROFILES: Array<Profile, { PROFILES as usize }> = Array::new();

/// The profile of a number; nothing for a number that no profile can have.
#[inline(always)]
pub fn get(number: u16) -> Option<&'static Profile> {
    FTPG_PROFILES.get(u32::from(number))
}
