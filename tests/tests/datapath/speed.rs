//! How much is run where the processor is emulated, some fifty times slower: the programs there are the same,
//! and it is the kernel's part that may differ.

use ftp_guard_common::{
    class::Family,
    config::{Mode, Role},
};

/// Whether the processor is emulated.
fn emulated() -> bool {
    std::env::var_os("FTP_GUARD_EMULATED").is_some()
}

/// The modes of stories: both; or the one that drops. The other one goes the same ways through the programs
/// up to their exit, and the rows of single frames have it there.
pub(crate) fn modes() -> &'static [Mode] {
    if emulated() {
        &[Mode::Enforce]
    } else {
        &[Mode::Enforce, Mode::Monitor]
    }
}

/// The roles that a story is told for: its own; or one of them, by the story's name. Rows of single frames have all.
pub(crate) fn roles<'a>(name: &str, roles: &'a [Role]) -> &'a [Role] {
    if emulated() && !roles.is_empty() {
        let place = name.len() / 2 % roles.len();
        &roles[place..=place]
    } else {
        roles
    }
}

/// The families that a story is told in for a role: both; or one, the roles in turn, beginning with the one or the other
/// by the story's name. What differs between the families is how a frame is parsed, and the rows of single frames have
/// both.
pub(crate) fn families(name: &str, role: Role) -> &'static [Family] {
    const BOTH: &[Family] = &[Family::Ipv4, Family::Ipv6];
    if emulated() {
        let place = (name.len() + usize::from(role == Role::Router)) % 2;
        &BOTH[place..=place]
    } else {
        BOTH
    }
}

/// What a report says of how much was run.
pub(crate) fn sample() -> &'static str {
    if emulated() {
        ": each once, for one role, in one mode and one family of two each, as the processor is emulated"
    } else {
        ""
    }
}

/// Of frames cut at every length, every one; or each eleventh, of all kinds in turn.
pub(crate) fn stride() -> usize {
    if emulated() { 11 } else { 1 }
}

/// A number of sources or rounds, or a tenth of it.
pub(crate) fn scaled(number: u32) -> u32 {
    if emulated() { number / 10 } else { number }
}
