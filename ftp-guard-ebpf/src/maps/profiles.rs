//! The profiles.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ftp_guard_common::limits::{PROFILES, Profile};

#[btf_map]
static FTPG_PROFILES: Array<Profile, { PROFILES as usize }> = Array::new();

/// The profile of a number; the default one for a number that no profile has.
#[inline(always)]
pub fn get(number: u16) -> Option<&'static Profile> {
    FTPG_PROFILES
        .get(u32::from(number))
        .or_else(|| FTPG_PROFILES.get(0))
}
